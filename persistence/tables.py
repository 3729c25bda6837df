"""Every table there is: one for each machine's entities and their details, and those that the engine keeps.

Column types follow four rules, applied here once: text sorts by its bytes, integers are 64 bits wide, moments are aware
and in UTC (SQLModel's own rule), and SQLite tables are STRICT, so that no integer ever turns into a float.
"""

import types
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlmodel import AutoString, Field, SQLModel

from persistence.columns import json_check, moment_check, utc_now
from persistence.delivery_rows import DeliveryRow, EndpointRow, FeedCursorRow, LaneRow
from statemachines.declaration import Entity, Role
from statemachines.registry import MACHINES, Registry

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class History(SQLModel, table=True):
    """One committed transition. Append-only: the database refuses to change or remove a row."""

    __tablename__ = "history"
    __table_args__ = (
        UniqueConstraint("machine", "entity_id", "version", name="uq_history_version"),
        UniqueConstraint("event_id", name="uq_history_event_id"),
        CheckConstraint("version >= 1", name="ck_history_version"),
        Index("ix_history_feed", "commit_order", "seq", info={"only": "postgresql"}).ddl_if(dialect="postgresql"),
    )

    seq: int | None = Field(
        default=None, sa_column=Column(BigInteger().with_variant(Integer(), "sqlite"), Identity(), primary_key=True)
    )
    event_id: str
    machine: str
    entity_id: str
    version: int
    event: str
    source: str
    target: str
    actor: str
    cause: str | None = None
    reason: str | None = None
    payload: dict[str, Any] = Field(sa_type=Json)
    at: datetime
    commit_order: int | None = Field(default=None, nullable=False)
    """Given by the database: where it stands among all of them, see `persistence.feed`."""


EFFECT_STATUSES = ("pending", "running", "done", "parked", "cancelled")


class EffectRow(SQLModel, table=True):
    """One outbound call that a transition asked for, and how it stands."""

    __tablename__ = "effects"
    __table_args__ = (
        CheckConstraint(f"status IN {EFFECT_STATUSES}", name="ck_effects_status"),
        CheckConstraint("attempts >= 0", name="ck_effects_attempts"),
        Index(
            "ix_effects_due",
            "destination",
            "due_at",
            sqlite_where=Column("status").in_(["pending", "running"]),
            postgresql_where=Column("status").in_(["pending", "running"]),
        ),
        Index("ix_effects_entity", "entity_id", "id"),
        Index("ix_effects_status", "status", "id"),
        Index(
            "ix_effects_not_done",
            "destination",
            "status",
            "id",
            sqlite_where=Column("status") != "done",
            postgresql_where=Column("status") != "done",
        ),
    )

    id: str = Field(primary_key=True)
    machine: str
    entity_id: str
    name: str
    destination: str
    """The gateway that makes the call: the name's beginning."""
    arguments: dict[str, Any] = Field(sa_type=Json)
    status: str = "pending"
    attempts: int = 0
    lost: int = 0
    """How many claims ended with the loss of their runner, without a word."""
    token: int = 0
    """Grows with every claim; only the claim that holds the newest may report an outcome."""
    due_at: datetime
    """When it may be claimed next: while pending the time of the next attempt, while running the end of the lease."""
    outcome: dict[str, Any] | None = Field(default=None, sa_type=Json, nullable=True)
    error: str | None = None
    cause: str
    created_at: datetime
    retrying_since: datetime
    """When it was asked for, or when a person last had it tried again."""
    finished_at: datetime | None = None


class EffectAttemptRow(SQLModel, table=True):
    """One attempt at an effect that ended without an answer."""

    __tablename__ = "effect_attempts"

    effect_id: str = Field(primary_key=True)
    token: int = Field(primary_key=True)
    began_at: datetime
    ended_at: datetime
    error: str


class TimerRow(SQLModel, table=True):
    """Raise `event` on the entity at `due_at`."""

    __tablename__ = "timers"
    __table_args__ = (Index("ix_timers_due", "due_at", "entity_id"),)

    machine: str = Field(primary_key=True)
    entity_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    event: str
    due_at: datetime
    fired: int = 0
    """How often a reminder has fired already."""
    cause: str


INBOX_STATUSES = ("pending", "applied", "refused", "unroutable", "unknown", "dismissed")
_INBOX_MOMENTS = ("received_at", "due_at", "finished_at")


class InboxRow(SQLModel, table=True):
    """A webhook's message, or an event that another program asks for by a plain INSERT; and what became of it.

    Other programs write `source`, `machine`, `entity_id`, `event` and `payload`, and `external_id` if they might write
    the same twice. The database fills in the rest.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("source", "external_id", name="uq_inbox_external_id"),
        CheckConstraint(f"status IN {INBOX_STATUSES}", name="ck_inbox_status"),
        CheckConstraint(
            "body IS NOT NULL OR (machine IS NOT NULL AND event IS NOT NULL)", name="ck_inbox_says_something"
        ),
        *(
            CheckConstraint(f"{name} BETWEEN '1970-01-01' AND '9999-12-31'", name=f"ck_inbox_{name}")
            for name in _INBOX_MOMENTS
        ),
        *(json_check("inbox", name) for name in ("body", "payload")),
        *(moment_check("inbox", name) for name in _INBOX_MOMENTS),
        Index(
            "ix_inbox_due",
            "due_at",
            "seq",
            sqlite_where=Column("status") == "pending",
            postgresql_where=Column("status") == "pending",
        ),
        Index("ix_inbox_status", "status", "seq"),
        Index("ix_inbox_source", "source", "seq"),
        Index("ix_inbox_finished_at", "finished_at"),
    )

    seq: int | None = Field(
        default=None, sa_column=Column(BigInteger().with_variant(Integer(), "sqlite"), Identity(), primary_key=True)
    )
    source: str
    external_id: str | None = None
    """The source's own name for it: the same is kept once."""
    kind: str | None = None
    """What a message is about, in the source's words."""
    body: dict[str, Any] | None = Field(default=None, sa_type=Json, nullable=True)
    """A message as it was received; None if the row itself says what it means."""
    machine: str | None = None
    entity_id: str | None = None
    """None until then if the event creates an entity."""
    event: str | None = None
    payload: dict[str, Any] = Field(sa_type=Json, sa_column_kwargs={"server_default": text("'{}'")})
    status: str = Field("pending", sa_column_kwargs={"server_default": text("'pending'")})
    reason: str | None = None
    """Why it waits, or why nothing came of it."""
    event_id: str | None = None
    """The transition that it led to."""
    attempts: int = Field(0, sa_column_kwargs={"server_default": text("0")})
    received_at: datetime = Field(sa_column_kwargs={"server_default": utc_now()})
    due_at: datetime = Field(sa_column_kwargs={"server_default": text("'1970-01-01 00:00:00.000000'")})
    """When it is worked on next. Long ago by default: at once, whatever the writing program takes for the time."""
    finished_at: datetime | None = None
    decided_by: str | None = None
    """Who last had it worked on again, or dismissed it."""
    decision: str | None = None
    """Which of the two, and why."""


class IdempotencyKeyRow(SQLModel, table=True):
    """The outcome of a request made under an idempotency key."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_expires_at", "expires_at"),)

    key: str = Field(primary_key=True)
    scope: str = Field(primary_key=True)
    fingerprint: str
    outcome: dict[str, Any] = Field(sa_type=JSON)  # not JSONB: a replayed answer has its fields in the same order
    expires_at: datetime


class ApiKeyRow(SQLModel, table=True):
    """A key that a caller shows; only a keyed hash of its secret is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint(f"role IN {tuple(r.value for r in Role if r is not Role.SYSTEM)}", name="ck_api_keys_role"),
        Index("ix_api_keys_principal", "principal"),
    )

    id: str = Field(primary_key=True)
    digest: str
    principal: str = Field(max_length=100)
    role: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None


@cache
def table_of(row: type[SQLModel]) -> Table:
    """Return the table that holds rows of `row`, making it at the first call."""
    stored = row if hasattr(row, "__table__") else types.new_class(f"{row.__name__}Row", (row,), {"table": True})
    table: Table = vars(stored)["__table__"]
    if issubclass(row, Entity):
        _index(row, table)
    _settle_types(table)
    return table


def _index(entity: type[Entity], table: Table) -> None:
    """Add what every entity's list is read by: time, state and age, and the beginnings of its search columns."""
    Index(f"ix_{table.name}_created_at", table.c.created_at, table.c.id)
    Index(f"ix_{table.name}_state", table.c.state, table.c.state_since, table.c.id)
    for name in entity.search_columns:
        if name != "id":
            Index(f"ix_{table.name}_{name}_lower", func.lower(table.c[name]))


def _settle_types(table: Table) -> None:
    table.dialect_options["sqlite"]["strict"] = True
    for column in table.columns:
        if isinstance(column.type, String | AutoString):
            length = cast(String, column.type).length
            column.type = String(length).with_variant(String(length, collation="C"), "postgresql")
        elif isinstance(column.type, Integer) and not column.primary_key:
            column.type = BigInteger()
        column.default = None


def rows_of(registry: Registry) -> Iterator[type[SQLModel]]:
    """Return the row classes of every machine: its entity, and the details that it loads."""
    seen: dict[type[SQLModel], None] = {}
    for machine in registry:
        seen[machine.entity] = None
    for machine in registry:
        for load in machine.loads.values():
            seen.setdefault(load.row)
    return iter(seen)


def hydrate(row: type[SQLModel], values: dict[str, Any]) -> Any:
    """Make a row object of values read from the database, which need no validation: 1 µs where a model costs 6."""
    instance = object.__new__(row)
    vars(instance).update(values)
    object.__setattr__(instance, "__pydantic_fields_set__", set())
    object.__setattr__(instance, "__pydantic_extra__", None)
    object.__setattr__(instance, "__pydantic_private__", None)
    return instance


# SQLite's STRICT tables know INTEGER, REAL, TEXT, BLOB and ANY, and no other type names.


@compiles(String, "sqlite")
@compiles(DateTime, "sqlite")
@compiles(JSON, "sqlite")
def _text(_type: object, _compiler: object, **_options: object) -> str:
    return "TEXT"


@compiles(BigInteger, "sqlite")
@compiles(Boolean, "sqlite")
def _integer(_type: object, _compiler: object, **_options: object) -> str:
    return "INTEGER"


TABLES: dict[type[SQLModel], Table] = {row: table_of(row) for row in rows_of(MACHINES)}
_row: type[SQLModel]
for _row in (History, EffectRow, EffectAttemptRow, TimerRow, InboxRow, IdempotencyKeyRow, ApiKeyRow):
    TABLES[_row] = table_of(_row)
for _row in (FeedCursorRow, EndpointRow, LaneRow, DeliveryRow):
    TABLES[_row] = table_of(_row)

metadata = SQLModel.metadata
"""What the migrations have to bring about."""
