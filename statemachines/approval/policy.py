"""Who decides on what, how long they have, and the other figures that a shop may choose."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from statemachines.declaration import Policy
from statemachines.messages import MailAddress
from statemachines.values import Amount, Currency, Name, Span, WholeNumber

MAX_PEOPLE = 50
"""How many people one level may name."""

MAX_LEVELS = 10

PERSON = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$"
KIND = r"^[a-z][a-z0-9_]{0,49}$"

Person = Annotated[str, Field(pattern=PERSON, examples=["eve"])]
"""Somebody, by the name that is on their keys, whatever the keys' roles."""

People = Annotated[tuple[Person, ...], Field(max_length=MAX_PEOPLE, examples=[["eve", "oscar"]])]

Kind = Annotated[str, Field(pattern=KIND, examples=["expense"])]
"""What sort of thing is to be approved, in one word."""


class Level(BaseModel):
    """Those who decide together: so many of the people named, or of all who have the role approver."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: Name = Field(examples=["manager"])
    quorum: Annotated[int, WholeNumber, Field(ge=1, le=MAX_PEOPLE, examples=[1])] = 1
    """How many have to approve."""
    rejections: Annotated[int, WholeNumber, Field(ge=1, le=MAX_PEOPLE, examples=[1])] = 1
    """How many have to reject for the request to be rejected."""
    above: dict[Currency, Amount] = Field(default={}, examples=[{"EUR": 100_000}])
    """It decides only on amounts above these, in minor units, and on all in other currencies; empty for on everything.
    """
    approvers: People = ()
    """Who may vote; nobody named is everybody with the role approver."""
    escalate_to: People = ()
    """Who may vote too once nobody decided in time."""

    @model_validator(mode="after")
    def _can_be_reached(self) -> "Level":
        if len(set(self.approvers)) < len(self.approvers):
            raise ValueError(f"level '{self.name}' names a person twice")
        if self.approvers and self.quorum > len(self.approvers):
            raise ValueError(f"level '{self.name}' wants {self.quorum} of {len(self.approvers)} people")
        return self

    def decides_on(self, amount: int | None, currency: str | None) -> bool:
        """Tell whether this level is asked about an amount; about what has none, if it is asked about all amounts."""
        if not self.above:
            return True
        return amount is not None and currency is not None and amount > self.above.get(currency, -1)


def _has_one_place_for_each(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    names = [level.name for level in levels]
    if len(set(names)) < len(names):
        raise ValueError("two levels have the same name")
    people = [person for level in levels for person in level.approvers]
    if twice := sorted({person for person in people if people.count(person) > 1}):
        raise ValueError(f"{twice[0]} is named on two levels; a person has one vote")
    return levels


Levels = Annotated[
    tuple[Level, ...],
    Field(max_length=MAX_LEVELS, examples=[[{"name": "manager"}, {"name": "vp", "quorum": 2}]]),
    AfterValidator(_has_one_place_for_each),
]
"""Who decides, one level after the other. Each has people of its own, so that two levels are two opinions."""


class ApprovalPolicy(Policy):
    """The figures of approvals that a shop may choose."""

    levels: Levels = Field(
        default=(Level(name="manager"), Level(name="vp", above={"EUR": 100_000, "GBP": 100_000, "USD": 100_000})),
        exclude=True,
    )
    """Who decides, one level after the other: a list of levels as JSON."""
    kinds: dict[Kind, Levels] = Field(default={}, exclude=True)
    """Who decides on some kinds of things instead: their levels by the kind, as JSON."""
    escalate_to: People = Field(default=(), exclude=True)
    """Who may vote too once nobody decided in time, where a level names nobody for it."""
    addresses: dict[Person, MailAddress] = Field(default={}, exclude=True)
    """Where approvers get their mails."""
    announce_to: MailAddress | None = Field(default=None, exclude=True)
    """Where requests are announced that everybody with the role may decide."""
    remind_after: Span = timedelta(hours=24)
    """When those who have not voted are reminded."""
    remind_every: Span = timedelta(hours=12)
    """How often they are reminded after that."""
    escalate_after: Span = timedelta(hours=48)
    """When a level that has not decided gets help."""
    reject_after: Span = timedelta(hours=24)
    """How long after that the request is rejected by itself."""
    changes_within: Span = timedelta(days=7)
    """How long a requester has to make the changes that were asked for."""
    rounds: Annotated[int, Field(ge=1, le=100)] = 10
    """How often one request may be put, changes included."""

    def levels_of(self, kind: str) -> tuple[Level, ...]:
        """Return who decides on this kind of things."""
        return self.kinds.get(kind, self.levels)
