"""What mails say: one class for each, with the values that its template in `gateways/templates/` shows."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from statemachines.carrier import CarrierReference
from statemachines.pieces import NamedPieces
from statemachines.values import (
    Amount,
    Count,
    Currency,
    Name,
    Paragraphs,
    Quantity,
    Reference,
    Sku,
    StockName,
    Text,
    Url,
    WholeNumber,
)

Sum = Annotated[int, WholeNumber, Field(ge=0)]
"""Money in minor units, added up over many orders."""


class Template(BaseModel):
    """The values that one mail shows. Amounts are minor units; the template formats them."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class MailLine(BaseModel):
    """One line of an order, as the customer reads it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    quantity: Quantity
    unit_price: Amount


class OrderConfirmed(Template):
    """To the customer: the order is paid and taken."""

    template: Literal["order_confirmed"] = "order_confirmed"
    order: Reference
    lines: tuple[MailLine, ...] = Field(min_length=1)
    total: Amount
    currency: Currency


class PaymentFailed(Template):
    """To the customer: the payment was declined."""

    template: Literal["payment_failed"] = "payment_failed"
    order: Reference
    amount: Amount
    currency: Currency
    reason: Name
    tries_left: Count
    """How often it may be tried again; 0 if the order is off."""
    others: Amount = 0
    """What other payments of the order took or hold ready, in minor units."""


class PaymentActionRequired(Template):
    """To the customer: the bank wants the payment confirmed."""

    template: Literal["payment_action_required"] = "payment_action_required"
    order: Name
    amount: Amount
    currency: Currency
    url: Url
    """Where it is confirmed."""


class OrderShipped(Template):
    """To the customer: a parcel left the house."""

    template: Literal["order_shipped"] = "order_shipped"
    order: Reference
    pieces: tuple[NamedPieces, ...] = ()
    """What is in it."""
    tracking: CarrierReference | None = None
    tracking_url: Url | None = None


class OrderDelivered(Template):
    """To the customer: a parcel arrived."""

    template: Literal["order_delivered"] = "order_delivered"
    order: Reference
    pieces: tuple[NamedPieces, ...] = Field(min_length=1)


class DeliveryFailed(Template):
    """To the customer: a parcel did not arrive."""

    template: Literal["delivery_failed"] = "delivery_failed"
    outcome: Literal["lost", "returned"]
    order: Reference
    pieces: tuple[NamedPieces, ...] = Field(min_length=1)


class OrderCancelled(Template):
    """To the customer: the order is off."""

    template: Literal["order_cancelled"] = "order_cancelled"
    order: Reference
    reason: Text | None = None
    refund: Amount
    """What is given back; 0 if nothing was paid."""
    currency: Currency


class RefundMade(Template):
    """To the customer: money was given back."""

    template: Literal["refund_made"] = "refund_made"
    order: Reference
    amount: Amount
    currency: Currency


class RefundRefused(Template):
    """To the customer: what they asked for is not given back."""

    template: Literal["refund_refused"] = "refund_refused"
    order: Reference
    amount: Amount
    currency: Currency
    reason: Text


class ApprovalRequested(Template):
    """To an approver: something waits for a decision."""

    template: Literal["approval_requested"] = "approval_requested"
    occasion: Literal["request", "reminder", "escalation", "delegation"] = "request"
    """Why this is written: it is new, still waits, was not decided in time, or the vote was handed to the approver."""
    approval: Reference
    """The request, by its id."""
    kind: Name
    """What sort of thing waits."""
    subject: Reference
    """What waits, by its id."""
    amount: Amount | None = None
    currency: Currency | None = None
    requested_by: Name
    reason: Text | None = None
    expires_at: datetime | None = None
    """Until when it waits for this decision, if that is known."""


class ApprovalDecided(Template):
    """To whoever asked for approval: what became of it."""

    template: Literal["approval_decided"] = "approval_decided"
    outcome: Literal["approved", "rejected", "changes_requested", "expired"]
    approval: Reference
    """The request, by its id."""
    kind: Name
    subject: Reference
    amount: Amount | None = None
    currency: Currency | None = None
    reason: Text | None = None
    expires_at: datetime | None = None
    """Until when changes can be made, if they were asked for."""


class PaymentReminder(Template):
    """To the customer: an order was begun and not paid."""

    template: Literal["payment_reminder"] = "payment_reminder"
    order: Reference
    total: Amount
    currency: Currency
    expires_at: datetime | None = None
    """When it lapses, if it does."""


class ProductReminder(Template):
    """To the customer: a product was looked at again and again."""

    template: Literal["product_reminder"] = "product_reminder"
    sku: Sku
    name: Name


class BasketItem(BaseModel):
    """Pieces of one product in a basket."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: Sku
    name: Name
    quantity: Sum


class BasketReminder(Template):
    """To the customer: a basket was left behind."""

    template: Literal["basket_reminder"] = "basket_reminder"
    items: tuple[BasketItem, ...] = Field(min_length=1, max_length=100)
    again: bool = False
    """Whether it is the second reminder, and the last."""


class ItemsUnavailable(Template):
    """To the customer: pieces can't be delivered; go on without them, or cancel."""

    template: Literal["items_unavailable"] = "items_unavailable"
    order: Reference
    items: tuple[BasketItem, ...] = Field(min_length=1, max_length=100)
    answer_until: datetime
    others_left: bool = False
    """Whether parcels have left, so that silence does not call the order off."""


class RewardEarned(Template):
    """To the customer: a reward was earned."""

    template: Literal["reward_earned"] = "reward_earned"
    code: Reference
    """What the customer shows for it."""


class LowStock(BaseModel):
    """A product that runs out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: StockName
    name: Name
    available: Sum
    reorder_level: Count


class ReturnApproved(Template):
    """To the customer: the pieces may be sent back, and how."""

    template: Literal["return_approved"] = "return_approved"
    occasion: Literal["approval", "label", "reminder"] = "approval"
    """Why this is written: it is approved, there is a label for it, or the pieces were not sent yet."""
    order: Name
    return_case: Reference
    pieces: tuple[NamedPieces, ...] = Field(min_length=1)
    label_url: Url | None = None
    tracking: CarrierReference | None = None
    label_follows: bool = False
    """Whether the carrier was asked for a label."""
    expires_at: datetime
    """Until when they may be sent."""


class ReturnReceived(Template):
    """To the customer: the pieces arrived, and will be looked at."""

    template: Literal["return_received"] = "return_received"
    order: Name
    return_case: Reference


class InspectedPieces(BaseModel):
    """What was found of one order line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    accepted: Count
    damaged: Count
    refused: Count
    percent: Count
    """How much of their price the damaged pieces are refunded, in hundredths."""


class ReturnInspected(Template):
    """To the customer: what was found, and what is given for it."""

    template: Literal["return_inspected"] = "return_inspected"
    outcome: Literal["refund", "nothing", "replacement", "refund_instead"]
    """What the customer gets; `refund_instead` if there was nothing to exchange the pieces for."""
    order: Name
    return_case: Reference
    pieces: tuple[InspectedPieces, ...] = Field(min_length=1)
    amount: Amount = 0
    currency: Currency
    note: Text | None = None


class ReturnEnded(Template):
    """To the customer: the return came to nothing before anything arrived."""

    template: Literal["return_ended"] = "return_ended"
    outcome: Literal["rejected", "cancelled", "expired", "lost"]
    order: Name
    return_case: Reference
    reason: Text | None = None


class StockLow(Template):
    """To the merchant: products run out."""

    template: Literal["stock_low"] = "stock_low"
    products: tuple[LowStock, ...] = Field(min_length=1, max_length=100)


class Takings(BaseModel):
    """The sales of some days in one currency."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: Currency
    orders: Sum
    revenue: Sum
    average: Sum


class Bestseller(BaseModel):
    """A product and how many pieces of it were sold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: Sku
    quantity: Sum


class DailyReport(Template):
    """To the merchant: what a day brought."""

    template: Literal["daily_report"] = "daily_report"
    day: date
    takings: tuple[Takings, ...]
    narrative: Paragraphs = ""
    """The day told in words; empty if nobody tells it."""


class WeeklySummary(Template):
    """To the merchant: what a week brought."""

    template: Literal["weekly_summary"] = "weekly_summary"
    first_day: date
    last_day: date
    takings: tuple[Takings, ...]
    before: tuple[Takings, ...] = ()
    """The takings of the week before."""
    bestsellers: tuple[Bestseller, ...] = Field(default=(), max_length=20)
    cancelled: Sum
    """Orders that were called off."""
    waiting: Sum
    """Orders that need a person."""


class SubscriptionDisabled(Template):
    """To the merchant: nothing more is delivered to a webhook endpoint, after lasting failure."""

    template: Literal["subscription_disabled"] = "subscription_disabled"
    subscription: Reference
    host: Name
    """The endpoint's host alone; the rest of its address may hold a secret."""
    failing_since: datetime
    reason: Name


AnyTemplate = Annotated[
    OrderConfirmed
    | PaymentFailed
    | PaymentActionRequired
    | OrderShipped
    | OrderDelivered
    | DeliveryFailed
    | OrderCancelled
    | RefundMade
    | RefundRefused
    | ApprovalRequested
    | ApprovalDecided
    | PaymentReminder
    | ProductReminder
    | BasketReminder
    | ItemsUnavailable
    | RewardEarned
    | ReturnApproved
    | ReturnReceived
    | ReturnInspected
    | ReturnEnded
    | StockLow
    | DailyReport
    | WeeklySummary
    | SubscriptionDisabled,
    Field(discriminator="template"),
]
