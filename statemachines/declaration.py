"""The words in which a machine is declared: entity, event, state, timeout, transition, effect, load.

A declaration is data. `statemachines.machine` checks it, compiles it and answers questions about it.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict
from sqlmodel import Field, SQLModel

NEW = "(new)"
"""The source of the row that creates an entity: where it stands before it exists."""


class DeclarationError(Exception):
    """A machine was declared wrongly; the message names the file and line at fault."""


class Role(StrEnum):
    """Who may ask for what. A key has exactly one role."""

    CUSTOMER = "customer"
    """Sees and moves its own entities only."""
    MERCHANT = "merchant"
    """Runs the shop: catalogue, stock, fulfilment, returns."""
    APPROVER = "approver"
    """Reads everything, approves or refuses what waits for approval, moves nothing else."""
    ADMIN = "admin"
    """Reads everything and manages keys; can neither approve nor move money."""
    SYSTEM = "system"
    """Timers, effect outcomes and other machines. Never over HTTP."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who raises an event."""

    id: str
    role: Role

    def __str__(self) -> str:
        return f"{self.role}:{self.id}"


class Entity(SQLModel):
    """One row governed by a machine. Subclasses add the columns of their noun and name their table."""

    owner_column: ClassVar[str | None] = None
    """The column that names the customer an entity belongs to; None if it belongs to the shop."""

    search_columns: ClassVar[tuple[str, ...]] = ()
    """The columns whose beginnings a text search looks at."""

    subject_columns: ClassVar[tuple[str, str] | None] = None
    """The columns that name the machine and the id of the entity it is about, if that may be one of any machine."""

    id: str = Field(default="", primary_key=True)
    state: str = ""
    version: int = 0
    created_at: datetime | None = Field(default=None, nullable=False)
    state_since: datetime | None = Field(default=None, nullable=False)


class Event(BaseModel):
    """A named, typed request to an entity. Its docstring says what it asks, its fields are its payload.

    ``class Fulfill(Event, by=[Role.MERCHANT])`` declares the event ``fulfill``, which merchants may raise over HTTP.
    Without `by` only the system raises it: a timeout, an effect, another machine or, with ``by=[Role.SYSTEM]``, the
    engine of its own accord.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    event_name: ClassVar[str]
    raised_by: ClassVar[frozenset[Role]]
    by_engine: ClassVar[bool]
    """Whether the engine raises it of its own accord."""

    def __init_subclass__(cls, *, by: Iterable[Role] = (), **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.event_name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        roles = frozenset(by)
        cls.raised_by = roles - {Role.SYSTEM}
        cls.by_engine = Role.SYSTEM in roles


@dataclass(frozen=True, slots=True)
class Retry:
    """When an attempt that got no answer is followed by another."""

    attempts: int = 8
    """How many attempts may end without an answer before the effect is given up."""
    first_delay: timedelta = timedelta(seconds=2)
    """The longest pause after the first attempt."""
    factor: float = 2.0
    """By how much the longest pause grows with every attempt."""
    longest_delay: timedelta = timedelta(minutes=10)
    within: timedelta = timedelta(hours=23)
    """No attempt begins later than this; shorter than the day for which gateways remember idempotency keys."""

    def pause(self, attempts: int, chance: float) -> timedelta:
        """Return the pause after so many attempts: anything up to the longest, so that callers spread out.

        Args:
            attempts: how many were made, at least one.
            chance: from 0 to 1.
        """
        longest = self.longest_delay.total_seconds()
        with suppress(OverflowError):  # after some hundred attempts
            longest = min(longest, self.first_delay.total_seconds() * self.factor ** (attempts - 1))
        return timedelta(seconds=longest * chance)


@dataclass(frozen=True, slots=True)
class Cache:
    """For how long an answer may be used again instead of asking anew."""

    by: tuple[str, ...]
    """The arguments that make two calls the same."""
    lifetime: timedelta


@dataclass(frozen=True, slots=True)
class Effect:
    """One kind of outbound call: its arguments, the events that report how it ended, and how often it is tried.

    The outcome is written into the fields of `ok` (what the other side answered), `failed` (why it will not be done) or
    `action` (what the customer has to do first).
    """

    name: str
    """The gateway and what is asked of it, for example ``payments.charge``."""
    arguments: type[BaseModel]
    ok: type[Event] | None = None
    """Without it nothing is raised: the outcome stands in the effect's row alone."""
    failed: type[Event] | None = None
    """Without it a refusal parks the effect for a person."""
    action: type[Event] | None = None
    """Raised if the customer has to do something first; how it ends is then heard by a webhook."""
    undone: type[Event] | None = None
    """Raised if the other side takes back what it had answered by `ok`, with the fields of both answers."""
    timeout: timedelta = timedelta(seconds=15)
    """How long one attempt may take."""
    retry: Retry = Retry()
    fallback: Mapping[str, Any] | None = field(default=None, hash=False)
    """What fills `ok` when the effect is given up, where losing it is acceptable; without it the effect is parked."""
    cache: Cache | None = None
    editable: tuple[str, ...] = ()
    """The arguments that an admin may put right before having it tried again."""

    @property
    def destination(self) -> str:
        """The gateway: calls to one destination share their limits and their circuit breaker."""
        return self.name.partition(".")[0]

    @property
    def outcomes(self) -> tuple[type[Event], ...]:
        """The events that may report how it ended."""
        return tuple(event for event in (self.ok, self.failed, self.action) if event is not None)


F = TypeVar("F", bound=Callable[..., object])

Duration = timedelta | str | Callable[..., timedelta]
"""A fixed time span, the name of the policy's figure that is one, or a function of the entity that computes one."""

Guard = Callable[..., str | None]
"""A sentence: returns None if it holds, else the reason for a person why not."""

Action = Callable[..., Iterable[Any]]
"""Yields the commands that a transition asks for; changes nothing itself."""


def asks(*effects: Effect) -> Callable[[F], F]:
    """Mark an action with the effects it may call, so that they can be verified and drawn without running it."""

    def mark(action: F) -> F:
        vars(action)["effects"] = effects
        return action

    return mark


def _line_of_declaration() -> str:
    frame = sys._getframe(1)  # noqa: SLF001  (inspect.stack reads every file on the way)
    while frame.f_back and frame.f_globals.get("__name__") in (__name__, "dataclasses"):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


@dataclass(frozen=True, slots=True)
class After:
    """A timeout: `fire` is raised once the entity has stayed in the state for `duration`.

    ``After("expire_after", Expire)`` waits as long as the shop has chosen for the figure of that name.

    With `every` it is a reminder: raised again and again, `times` in all, for as long as the entity stays.
    """

    duration: Duration
    fire: type[Event]
    name: str = ""
    """Names the timer; by default the event's name. One state's timers have different names."""
    every: timedelta | None = None
    """How long after it fired it fires again."""
    times: int = 1
    """How often it fires at most."""
    line: str = field(default_factory=_line_of_declaration, compare=False, repr=False)

    @property
    def timer(self) -> str:
        """The timer's name."""
        return self.name or self.fire.event_name


@dataclass(frozen=True, slots=True)
class State:
    """A state, its timeouts, what is asked for on entering and leaving it, and whom it waits for."""

    name: str
    timeouts: Sequence[After] = ()
    final: bool = False
    entry: Sequence[Action] = ()
    exit: Sequence[Action] = ()
    awaits: Sequence[str] = ()
    """The machines whose entities it waits for: what they tell leads on from here."""
    line: str = field(default_factory=_line_of_declaration, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Transition:
    """One rule: the event takes an entity from `source` to `target` if every guard holds; the actions say what follows.

    Rows with the same event and source are tried in their order. A target of None is an internal transition: the entity
    stays, its timers run on. A target equal to the source leaves and enters the state anew.
    """

    event: type[Event]
    source: str | Sequence[str]
    target: str | None
    guards: Sequence[Guard] = ()
    actions: Sequence[Action] = ()
    line: str = field(default_factory=_line_of_declaration, compare=False, repr=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """The states this row leaves from."""
        return (self.source,) if isinstance(self.source, str) else tuple(self.source)

    @property
    def effects(self) -> tuple[Effect, ...]:
        """The effects its actions may call."""
        return tuple(effect for action in self.actions for effect in getattr(action, "effects", ()))


@dataclass(frozen=True, slots=True)
class Load:
    """Rows that guards and actions ask for by naming a parameter `name`.

    The dispatcher fetches them for a whole batch with one SELECT. `keys` is a function of the entity, the event, the
    policy and earlier loads; it says which values of the column `by` to fetch. A load by primary key arrives as a dict
    by that key, any other as a list in key order.
    """

    name: str
    row: type[SQLModel]
    by: str
    keys: Callable[..., Iterable[str]]
    lock: bool = False
    """Whether the rows are locked until the commit; needed wherever a command changes them."""

    @property
    def by_primary_key(self) -> bool:
        """Whether a key names at most one row."""
        return primary_key(self.row) == (self.by,)


@cache
def primary_key(row: type[SQLModel]) -> tuple[str, ...]:
    """Return the names of the columns that together name a row."""
    return tuple(name for name, column in row.model_fields.items() if getattr(column, "primary_key", False) is True)


class Policy(BaseModel):
    """The figures of a machine that a shop may choose: periods, limits. Set by ``ORDERLY_<MACHINE>__<NAME>``."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
