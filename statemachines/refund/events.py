"""What may be asked of a refund: by its order, people of the shop and time."""

from pydantic import Field

from statemachines.declaration import Event, Role
from statemachines.payment.events import BUYERS
from statemachines.pieces import MAX_LINES, Pieces
from statemachines.values import Currency, Moment, Name, PositiveAmount, Reference, Text


class Request(Event):
    """An order wants money given back; it has seen to it that so much is there."""

    order: Reference
    payment: Reference
    """The payment of which it is given back."""
    gateway_payment: Name
    """The gateway's name for that payment."""
    customer: Name
    amount: PositiveAmount
    currency: Currency
    reason: Text | None = None
    requested_by: Name
    """Who asked, so that nobody approves their own refund."""
    by_customer: bool = False
    """Whether the customer asked: then the shop has to accept it first."""
    owed: bool = False
    """Whether the shop owes it (the order was called off, goods came back as agreed): then nobody approves it first."""
    taken_at: Moment
    """When the money was taken."""
    lines: tuple[Pieces, ...] = Field(default=(), max_length=MAX_LINES)
    """What it is for, if it is for lines."""
    return_case: Reference | None = None
    """The return that it is for."""


class Accept(Event, by=[Role.MERCHANT]):
    """Give the customer what was asked for."""


class Refuse(Event, by=[Role.MERCHANT]):
    """Don't give it."""

    reason: Text


class Cancel(Event, by=BUYERS):
    """Nobody wants it any more. What the gateway was asked for can't be taken back."""

    reason: Text | None = None


class Retry(Event, by=[Role.MERCHANT]):
    """Ask the gateway once more."""


class Settle(Event, by=[Role.MERCHANT]):
    """The money was given back in another way, for example by bank transfer."""

    reason: Text


class Resume(Event):
    """The dispute that it waited for was won."""


class Drop(Event):
    """The order no longer wants it, or the dispute that it waited for was lost."""

    reason: Text
