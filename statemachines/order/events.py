"""What may be asked of an order, by whom, and with which payload."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from statemachines.carrier import Address, CarrierReference
from statemachines.declaration import Event, Role
from statemachines.messages import MailAddress, PhoneNumber
from statemachines.payment.events import BUYERS, Taking
from statemachines.pieces import MAX_LINES, Pieces
from statemachines.privacy import PRIVATE
from statemachines.returns.events import Wish
from statemachines.values import Amount, Name, PaymentToken, PositiveAmount, Quantity, Reference, Sku, Text


class LineAsked(BaseModel):
    """Pieces of one product. Its price comes from the catalogue."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: Sku
    quantity: Quantity


class Create(Event, by=BUYERS):
    """Place a draft order."""

    lines: tuple[LineAsked, ...] = Field(default=(), max_length=MAX_LINES)
    reference: Reference | None = None
    customer: Name | None = None
    """Whose order it is; a customer orders for itself and leaves this out."""
    email: MailAddress | None = None
    """Where mails about the order go."""
    phone: PhoneNumber | None = None
    """Where SMS about the order go."""
    address: Annotated[Address | None, PRIVATE] = None
    """Where parcels go; without it the shop hands them over itself."""
    discount: Amount = 0
    """What the shop takes off the prices, in minor units; a customer leaves this out."""
    reorder_of: Reference | None = None
    """The order that is ordered again; `reorder` says so, and everybody else leaves this out."""


class Edit(Event, by=BUYERS):
    """Add and take off pieces, before anything is packed.

    What a paid order is lacking then is to be paid, what is too much is given back.
    """

    add: tuple[LineAsked, ...] = Field(default=(), max_length=MAX_LINES)
    remove: tuple[Pieces, ...] = Field(default=(), max_length=MAX_LINES)


class Submit(Event, by=BUYERS):
    """Ask for the order to be taken: its pieces are reserved until it is paid or expires."""


class Explain(Event, by=BUYERS):
    """Tell those who approve more about the order; they decide anew."""

    reason: Text


class Pay(Event, by=BUYERS):
    """Begin a payment of the total or of a part; its answer comes back as `charged`, `authorized` or `declined`."""

    method: PaymentToken | None = None
    """With what; without it the payment waits for the customer to say."""
    amount: PositiveAmount | None = None
    """How much of what is still to be paid; all of it by default."""
    take: Taking | None = None
    """Whether the money is taken at once or only held ready; by default as the shop's policy says."""


class Ship(Event, by=[Role.MERCHANT]):
    """Prepare a parcel of some pieces, or of all that wait."""

    lines: tuple[Pieces, ...] = Field(default=(), max_length=MAX_LINES)


class Fulfill(Event, by=[Role.MERCHANT]):
    """Everything that waited left the house, in one parcel."""

    tracking: CarrierReference | None = None


class Complete(Event, by=BUYERS):
    """Everything arrived and all is well."""


class Cancel(Event, by=BUYERS):
    """Call the order off: what was sent is called back, what was paid, held, taken or reserved is given back."""

    reason: Text | None = None


class Fail(Event, by=[Role.MERCHANT]):
    """The order can't be fulfilled as it should."""

    reason: Text


class Retry(Event, by=[Role.MERCHANT]):
    """Take a failed order up again where it stood, or go on with calling it off."""


class Hold(Event, by=[Role.MERCHANT]):
    """Stop work on the order for a while."""

    reason: Text


class Resume(Event, by=[Role.MERCHANT]):
    """Go on with an order that was held, or that can't be called back."""


class Suspect(Event, by=[Role.MERCHANT]):
    """Hold the order because it may be fraud."""

    reason: Text


class Clear(Event, by=[Role.MERCHANT]):
    """It is no fraud: go on."""


class Dismiss(Event, by=[Role.MERCHANT]):
    """Somebody has seen to what `attention` says: nobody has to look at the order any more."""


class ReportUnavailable(Event, by=[Role.MERCHANT]):
    """Pieces can't be delivered, be it that they never come: ask the customer whether to go on without them."""

    lines: tuple[Pieces, ...] = Field(min_length=1, max_length=MAX_LINES)
    reason: Text | None = None


class GoOnWithout(Event, by=BUYERS):
    """Take off what can't be delivered, give its price back, and send the rest."""


class Refund(Event, by=BUYERS):
    """Ask for money back: an amount, the price of some pieces, or all. If a customer asks, the shop decides."""

    amount: PositiveAmount | None = None
    lines: tuple[Pieces, ...] = Field(default=(), max_length=MAX_LINES)
    reason: Text | None = None


class RefundAgain(Event, by=[Role.MERCHANT]):
    """Ask the gateway once more for what it refused to give back."""


class RequestReturn(Event, by=BUYERS):
    """Ask to send pieces back: all that are left, or some."""

    lines: tuple[Pieces, ...] = Field(default=(), max_length=MAX_LINES)
    reason: Text | None = None
    wish: Wish = "refund"


class Return(Event, by=[Role.MERCHANT]):
    """Pieces came back over the counter: all that are left, or some. They are restocked and refunded."""

    lines: tuple[Pieces, ...] = Field(default=(), max_length=MAX_LINES)
    """What came back; empty for everything that has not come back before."""
    reason: Text | None = None


class Reorder(Event, by=BUYERS):
    """Place a new draft of the same pieces at today's prices; `reordered_as` tells which it is."""


class Reordered(Event):
    """The draft of the same pieces was placed."""

    order: Reference
    """Its id."""


# -- what time brings ---------------------------------------------------------------------------------------------


class Abandon(Event):
    """The draft was not submitted in time."""


class RemindOfBasket(Event):
    """The draft lies about."""


class RemindOfBasketAgain(Event):
    """The draft still lies about."""


class Expire(Event):
    """The order was not paid in time."""


class ReviewOverdue(Event):
    """Nobody has decided yet whether it is fraud."""


class ExtraUnpaid(Event):
    """What the order lacks was not paid in time."""


class CustomerSilent(Event):
    """The customer did not say whether to go on."""


class CompensationOverdue(Event):
    """Calling the order off takes too long."""


# -- steps taken back, the last first -----------------------------------------------------------------------------


class UndoShipping(Event):
    """Call back the parcels that are prepared or under way."""


class UndoTaking(Event):
    """Put the pieces that were taken for the order back on the shelf."""


class UndoPayment(Event):
    """Let go what is held and give back what was taken."""


class UndoReservation(Event):
    """Promise the pieces to others again."""


class Undone(Event):
    """Nothing is left to be taken back."""
