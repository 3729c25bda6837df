"""What an order is: its columns, its lines, and the figures that a shop may choose."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field as Limited
from pydantic import model_validator
from sqlalchemy import JSON, CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from statemachines.declaration import Entity, Policy
from statemachines.payment.events import Taking
from statemachines.privacy import PRIVATE
from statemachines.values import AmountLimit, Span, SpanOrNothing


class OrderPolicy(Policy):
    """The figures of orders that a shop may choose."""

    abandon_after: Span = timedelta(days=7)
    """How long a draft may lie before it is abandoned."""
    remind_after: Span = timedelta(hours=1)
    """How long a draft lies before the customer is reminded of it."""
    remind_again_after: Span = timedelta(hours=24)
    """How long a draft lies before the customer is reminded of it once more."""
    expire_after: Span = timedelta(minutes=30)
    """How long a submitted order may stay unpaid before its pieces are given back."""
    backorders: bool = False
    """Whether orders may wait for pieces that are not there; else they are refused."""
    reserve_at_most: Span = timedelta(days=30)
    """How long pieces are kept for an order that is not paid, whatever else it waits for."""
    take: Taking = "now"
    """Whether money is taken at once, or held ready and taken when the parcels leave."""
    payment_tries: Annotated[int, Limited(ge=1, le=100)] = 3
    """How often a payment may be declined before the order fails."""
    approval_above: AmountLimit | None = None
    """Orders above this total, in minor units, need an approval before they can be paid; none do without it."""
    review_above: AmountLimit | None = None
    """Paid orders above this total, in minor units, are looked at for fraud first; none are without it."""
    review_within: Span = timedelta(hours=48)
    """How long an order may be held for fraud before a person is reminded."""
    extra_payment_within: Span = timedelta(days=7)
    """How long an order waits for a payment that it lacks after it was changed."""
    customer_answer_within: Span = timedelta(days=3)
    """How long a customer may think about what can't be delivered before the order is called off."""
    complete_after: Span = timedelta(days=14)
    """How long after it was shipped or delivered an order completes by itself."""
    return_window: SpanOrNothing = timedelta(days=30)
    """How long after completion an order may be returned; 0 for not at all."""
    compensate_within: Span = timedelta(days=3)
    """How long calling an order off may take before a person is asked to look."""

    @model_validator(mode="after")
    def _reminds_in_order(self) -> Self:
        if self.remind_again_after <= self.remind_after:
            raise ValueError("the second reminder of a draft must come after the first")
        return self


_IS_PAID = text("paid_at IS NOT NULL")


class Order(Entity):
    """A customer's order. All amounts are minor units of its currency."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("total BETWEEN 0 AND 1000000000000", name="ck_orders_total"),
        CheckConstraint("paid BETWEEN 0 AND 1000000000000", name="ck_orders_paid"),
        CheckConstraint("refunded >= 0 AND refunding >= 0 AND refund_due >= 0", name="ck_orders_refunds"),
        CheckConstraint("refunded + refunding + refund_due <= paid", name="ck_orders_refunded"),
        CheckConstraint(
            "goodwill >= 0 AND (goodwill = 0 OR goodwill <= refunded + refunding + refund_due)",
            name="ck_orders_goodwill",
        ),
        CheckConstraint("asked >= 0 AND authorized >= 0", name="ck_orders_payments"),
        CheckConstraint(
            "charged_back >= 0 AND refunded + refunding + refund_due + charged_back <= paid",
            name="ck_orders_charged_back",
        ),
        CheckConstraint("stock_held IN ('nothing', 'reserved', 'taken')", name="ck_orders_stock_held"),
        CheckConstraint("payment_tries >= 0", name="ck_orders_payment_tries"),
        CheckConstraint("parcels >= 0", name="ck_orders_parcels"),
        Index("ix_orders_customer", "customer", "id"),
        Index("ix_orders_paid_at", "paid_at", sqlite_where=_IS_PAID, postgresql_where=_IS_PAID),
    )
    owner_column: ClassVar[str | None] = "customer"
    search_columns: ClassVar[tuple[str, ...]] = ("id", "reference")

    reference: str | None = Field(default=None, max_length=100, unique=True, description="the caller's own name for it")
    customer: str = Field(default="", max_length=100)
    email: Annotated[str | None, PRIVATE] = Field(default=None, max_length=254, description="where mails about it go")
    phone: Annotated[str | None, PRIVATE] = Field(default=None, max_length=16, description="where SMS about it go")
    address: Annotated[dict[str, Any] | None, PRIVATE] = Field(
        default=None, sa_type=JSON, description="where parcels go"
    )
    currency: str = Field(default="", max_length=3)
    total: int = Field(default=0, description="what is to be paid")
    asked: int = Field(default=0, description="what payments were asked to take or to hold, without an answer yet")
    authorized: int = Field(default=0, description="what is held ready to be taken")
    paid: int = Field(default=0, description="what was taken")
    refunding: int = Field(default=0, description="what is on its way back, from the moment it was asked for")
    refunded: int = Field(default=0, description="what was given back")
    goodwill: int = Field(default=0, description="what of these was given though the order costs as much as before")
    refund_due: int = Field(default=0, description="what the gateway refused to give back, still owed")
    charged_back: int = Field(default=0, description="what the customer's bank took back for good")
    payment_url: Annotated[str | None, PRIVATE] = Field(
        default=None, max_length=2000, description="where the customer has to confirm the payment first"
    )
    payment_tries: int = Field(default=0, description="payments declined since the order was submitted")
    stock_held: str = Field(default="nothing", description="nothing, reserved or taken")
    parcels: int = Field(default=0, description="parcels that are prepared or under way")
    undoing: str | None = Field(default=None, max_length=50, description="which step is being taken back")
    approval: str | None = Field(default=None, max_length=100, description="the approval that it waits for")
    reordered_as: str | None = Field(default=None, max_length=100, description="the newest order of the same pieces")
    attention: str | None = Field(default=None, description="what a person should look at")
    submitted_at: datetime | None = None
    paid_at: datetime | None = Field(default=None, description="when its total was taken or held ready")
    fulfilled_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def refundable(self) -> int:
        """What was taken and is neither given back, nor on its way back, nor lost."""
        return self.paid - self.refunding - self.refunded - self.refund_due - self.charged_back

    @property
    def covered(self) -> int:
        """What was taken or is held ready, as far as it was not given back for a lower price."""
        return self.authorized + self.refundable + self.goodwill

    @property
    def called(self) -> str:
        """What people call the order."""
        return self.reference or self.id


class OrderLine(SQLModel):
    """Pieces of one product in an order, at the price of the day they were ordered.

    Pieces are counted where they are: bought (`quantity`), taken off the order (`removed`), put into parcels
    (`packed`), gone (`shipped`), arrived (`delivered`), `lost`, on their way back (`coming_back`), back (`returned`).
    """

    __tablename__ = "order_lines"
    __table_args__ = (
        CheckConstraint("quantity BETWEEN 1 AND 1000000", name="ck_order_lines_quantity"),
        CheckConstraint("unit_price BETWEEN 0 AND 1000000000000", name="ck_order_lines_unit_price"),
        CheckConstraint("discount BETWEEN 0 AND unit_price * quantity", name="ck_order_lines_discount"),
        CheckConstraint("returned BETWEEN 0 AND quantity", name="ck_order_lines_returned"),
        CheckConstraint(
            "removed >= missing AND missing >= 0 AND unavailable >= 0 AND exchanged >= 0 AND coming_back >= 0 "
            "AND removed + unavailable + returned + coming_back <= quantity",
            name="ck_order_lines_kept",
        ),
        CheckConstraint(
            "delivered >= 0 AND lost >= 0 AND delivered + lost <= shipped AND shipped <= packed "
            "AND packed + removed <= quantity + exchanged",
            name="ck_order_lines_shipped",
        ),
        Index("ix_order_lines_sku", "sku"),
    )

    order_id: str = Field(primary_key=True, foreign_key="orders.id")
    number: int = Field(primary_key=True)
    sku: str = Field(max_length=64, foreign_key="products.id")
    name: str = Field(default="", max_length=200, description="the product's name on the day of the order")
    quantity: int
    unit_price: int = Field(description="per piece, in minor units of the order's currency")
    discount: int = Field(default=0, description="the line's share of the order's discount, in minor units")
    removed: int = Field(default=0, description="pieces taken off the order before they were shipped")
    unavailable: int = Field(default=0, description="pieces that can't be delivered; the customer is asked")
    missing: int = Field(default=0, description="pieces taken off because they were not where they should be")
    packed: int = Field(default=0, description="pieces in parcels, prepared or gone")
    shipped: int = Field(default=0, description="pieces that left the house")
    delivered: int = Field(default=0, description="pieces that arrived")
    lost: int = Field(default=0, description="pieces lost on their way")
    coming_back: int = Field(default=0, description="pieces on their way back")
    returned: int = Field(default=0, description="pieces that came back")
    exchanged: int = Field(default=0, description="pieces that came back and were sent anew")

    @property
    def kept(self) -> int:
        """Pieces that the order is still about."""
        return self.quantity - self.removed - self.returned

    @property
    def returnable(self) -> int:
        """Pieces that may still be sent back."""
        return self.kept - self.coming_back - self.lost

    @property
    def to_send(self) -> int:
        """Pieces that leave the house sooner or later, whether they come back or not."""
        return self.quantity - self.removed + self.exchanged

    @property
    def unpacked(self) -> int:
        """Pieces that wait to be put into a parcel."""
        return self.to_send - self.packed


def pieces_of(lines: Iterable[OrderLine]) -> Counter[str]:
    """Sum the pieces that the order is still about by SKU; an order may name a product on several lines."""
    pieces: Counter[str] = Counter()
    for line in lines:
        pieces[line.sku] += line.kept
    return +pieces


def worth(line: OrderLine, pieces: int) -> int:
    """Return what so many more pieces of a line had cost, in minor units, beside those that are off it already.

    A line's price less its discount may not divide evenly among its pieces. However its pieces leave, one by one or all
    at once, the parts sum to the whole.
    """
    price = line.unit_price * line.quantity - line.discount
    gone = line.removed + line.returned
    return price * (gone + pieces) // line.quantity - price * gone // line.quantity


def shares(whole: int, weights: list[int]) -> list[int]:
    """Divide an amount in proportion to weights, so that the parts sum to the whole.

    Raises:
        ValueError: there is something to divide and all weights are 0.
    """
    everything = sum(weights)
    if not everything:
        if whole:
            raise ValueError("nothing to divide it among")
        return [0] * len(weights)
    so_far, parts = 0, []
    for weight in weights:
        parts.append(whole * (so_far + weight) // everything - whole * so_far // everything)
        so_far += weight
    return parts
