"""What may be asked of a refund: by its order, people of the shop and time."""

from pydantic import Field

from statemachines.declaration import Event, Role
from statemachines.messages import MailAddress
from statemachines.payment.events import BUYERS
from statemachines.pieces import MAX_LINES, Pieces
from statemachines.values import Currency, Moment, Name, PositiveAmount, Reference, Text


class Request(Event):
    """An order wants money given back; it has seen to it that so much is there."""

    order: Reference
    called: Reference | None = None
    """What people call the order, if it is not its id."""
    payment: Reference
    """The payment of which it is given back."""
    gateway_payment: Name
    """The gateway's name for that payment."""
    customer: Name
    email: MailAddress | None = None
    """Where the customer is told if a refund that they asked for is refused."""
    amount: PositiveAmount
    currency: Currency
    reason: Text | None = None
    requested_by: Name
    """Who asked, so that nobody approves their own refund."""
    by_customer: bool = False
    """Whether the customer asked: then the shop has to accept it first."""
    owed: bool = False
    """Whether the shop owes it (the order was called off, goods came back as agreed): then nobody approves it first."""
    goodwill: bool = False
    """Whether the order costs as much as before: then the money does not have to be paid again."""
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


class Explain(Event, by=[Role.MERCHANT]):
    """Tell those who approve more about it; they decide anew."""

    reason: Text


class Cancel(Event, by=BUYERS):
    """Nobody wants it any more. What the gateway was asked for can't be taken back."""

    reason: Text | None = None


class Retry(Event, by=[Role.MERCHANT]):
    """Ask the gateway once more."""


class Settle(Event, by=[Role.MERCHANT]):
    """The money was given back in another way, for example by bank transfer."""

    reason: Text


class Clarify(Event, by=[Role.MERCHANT]):
    """Say what the gateway shows of a refund that it never answered about."""

    given: bool
    """Whether it gave the money back."""
    reason: Text


class Proceed(Event):
    """Nobody has to agree any more: ask the gateway, unless a dispute stands."""


class Resume(Event):
    """The dispute that it waited for is over."""


class Owe(Event):
    """The order was called off, so the shop owes it: nobody has to agree any more."""


class Remind(Event):
    """It still waits for a person."""


class Lapse(Event):
    """The shop did not answer the customer in time."""


class Unanswered(Event):
    """The gateway has not said whether it gave the money back."""
