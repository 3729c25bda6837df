"""What may be asked of a return: by its order, the customer, people of the shop, the carrier and time."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from statemachines.carrier import CarrierReference
from statemachines.declaration import Event, Role
from statemachines.messages import MailAddress
from statemachines.payment.events import BUYERS
from statemachines.pieces import MAX_LINES, LineNumber, NamedPieces
from statemachines.privacy import PRIVATE
from statemachines.values import Count, Currency, Name, PositiveAmount, Reference, Text, Url, WholeNumber

Percent = Annotated[int, WholeNumber, Field(ge=0, le=100, examples=[80])]
"""Hundredths."""


Wish = Literal["refund", "exchange"]
"""What the customer wants for what is sent back."""


class Inspected(BaseModel):
    """What was found of one line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: LineNumber
    accepted: Count = Field(default=0, examples=[2])
    """Pieces that are sound: they go back on the shelf."""
    damaged: Count = Field(default=0, examples=[1])
    """Pieces that can't be sold again; they are refunded by `percent`."""
    refused: Count = Field(default=0, examples=[0])
    """Pieces that are not taken back: not ours, worn, or never arrived."""
    percent: Percent = 100
    """How much of their price the damaged pieces are refunded."""


class Request(Event):
    """A customer wants to send pieces back; the order has seen to it that they were bought and may be returned."""

    order: Reference
    called: Name
    """What people call the order."""
    customer: Name
    email: MailAddress | None = None
    currency: Currency
    lines: tuple[NamedPieces, ...] = Field(min_length=1, max_length=MAX_LINES)
    reason: Text | None = None
    wish: Wish = "refund"
    requested_by: Name


class Approve(Event, by=[Role.MERCHANT]):
    """Let the customer send the pieces back; the carrier is asked for a label if the shop's policy says where to."""


class SendLabel(Event, by=[Role.MERCHANT]):
    """Send the customer a label that was made elsewhere, instead of any other."""

    label_url: Annotated[Url | None, PRIVATE] = None
    """Where the label to print is; without it, it goes by post."""
    tracking: CarrierReference | None = None


class Reject(Event, by=[Role.MERCHANT]):
    """Don't take the pieces back."""

    reason: Text


class Remind(Event):
    """The pieces were not sent yet."""


class Expire(Event):
    """The pieces were not sent in time."""


class Overdue(Event):
    """Nothing has happened for a while: somebody of the shop should look."""


class Cancel(Event, by=BUYERS):
    """The customer keeps the pieces after all; only before they are under way."""

    reason: Text | None = None


class Depart(Event, by=BUYERS):
    """The pieces are under way to the shop."""

    tracking: CarrierReference | None = None


class Receive(Event, by=[Role.MERCHANT]):
    """The pieces arrived."""


class Lose(Event, by=[Role.MERCHANT]):
    """The pieces never arrived; nothing is given back for them."""

    reason: Text | None = None


class Inspect(Event, by=[Role.MERCHANT]):
    """Say what was found, line by line; every piece that was announced is accounted for."""

    lines: tuple[Inspected, ...] = Field(min_length=1, max_length=MAX_LINES)
    note: Text | None = None


class RefundBegun(Event):
    """The order gives money back for it."""

    amount: PositiveAmount


class NothingOwed(Event):
    """The order owes nothing for it: nothing was taken back, or it had cost nothing."""


class ReplacementSent(Event):
    """The order sends other pieces instead."""


class ReplacementRefused(Event):
    """There is nothing to exchange the pieces for: the money is given back instead."""

    amount: PositiveAmount
