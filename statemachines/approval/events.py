"""What may be asked of an approval, by whom, with which payload, and what its subject is told."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from statemachines.approval.policy import KIND, Kind, Levels, Person
from statemachines.declaration import Event, Role
from statemachines.messages import MailAddress
from statemachines.values import Amount, Currency, Reference, Text, WholeNumber

REQUESTERS = [Role.CUSTOMER, Role.MERCHANT]

Round = Annotated[int, WholeNumber, Field(ge=1, le=100, examples=[1])]
"""Which putting of the request is meant."""

Version = Annotated[int, WholeNumber, Field(ge=1, le=10**12)]
"""Which version of an entity is meant, as the entity itself counts them."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", examples=["9f86d081884c7d659a2feaa0c55ad015" * 2])]
"""The SHA-256 of a document, in hexadecimal."""


class Request(Event, by=REQUESTERS):
    """Ask for approval of something outside of the system; an entity asks for itself."""

    kind: Kind
    reference: Reference
    """Which one: the requester's own name for it, or the entity's id."""
    description: Annotated[Text, Field(examples=["the trip to the fair"])]
    """What is to be approved, and why."""
    amount: Amount | None = None
    currency: Currency | None = None
    digest: Digest | None = None
    """Of the document that is shown to the approvers."""
    mail: MailAddress | None = None
    """Where the requester is told what becomes of it."""
    levels: Levels = ()
    """Who decides; empty for what the shop's policy says. It may ask for more than the policy, never for less."""
    machine: Annotated[str, Field(pattern=KIND)] | None = None
    """The machine of the entity that asks; never given by people."""
    subject_version: Version | None = None
    """The version of the entity that is to be approved."""
    requested_by: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """In whose name an entity asks; people ask in their own."""

    @model_validator(mode="after")
    def _an_amount_has_a_currency(self) -> Self:
        if (self.amount is None) != (self.currency is None):
            raise ValueError("an amount needs its currency, and a currency its amount")
        return self


class Vote(Event):
    """Say what one thinks of a request."""

    round: Round
    """The round that the voter has seen: a vote never counts for what was changed since."""


class Approve(Vote, by=[Role.APPROVER]):
    """Vote for it."""

    comment: Text | None = None


class Reject(Vote, by=[Role.APPROVER]):
    """Vote against it."""

    reason: Text


class Abstain(Vote, by=[Role.APPROVER]):
    """Leave the decision to the others."""

    comment: Text | None = None


class RequestChanges(Vote, by=[Role.APPROVER]):
    """Send it back to the requester, who may change it and put it again."""

    reason: Text


class Delegate(Event, by=[Role.APPROVER]):
    """Hand one's vote on this request to somebody else, or take it back by handing it to oneself."""

    to: Person
    reason: Text | None = None


class Comment(Event, by=[*REQUESTERS, Role.APPROVER]):
    """Say something about it; it stands in the history."""

    text: Annotated[Text, Field(examples=["which hotel?"])]


class Resubmit(Event, by=REQUESTERS):
    """Put it again, changed or explained: everybody is asked anew. What is left out stays as it is."""

    amount: Amount | None = None
    description: Text | None = None
    digest: Digest | None = None
    subject_version: Version | None = None
    reason: Text | None = None


class Withdraw(Event, by=REQUESTERS):
    """Ask no longer: the requester thought better of it, or the entity that asked has moved on."""

    reason: Text | None = None


class Remind(Event):
    """Nobody has decided yet."""


class Escalate(Event):
    """The level has not decided in time."""


class GiveUp(Event):
    """Nobody has decided, not even with help."""


class Expire(Event):
    """The changes asked for were not made in time."""


# -- what an entity that asks for approval is told, in the same transaction ---------------------------------------


class ApprovalOpened(Event):
    """The approval that was asked for is there."""

    approval: Reference


class Approved(Event):
    """It was approved, as it was then."""

    approval: Reference
    amount: Amount | None = None
    currency: Currency | None = None
    subject_version: Version | None = None


class Rejected(Event):
    """It was not approved."""

    approval: Reference
    outcome: Literal["rejected", "expired", "withdrawn"]
    reason: Text
