"""What is on its way to subscriptions: who they are, and which stretches of whose history they have yet to get."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
    update,
)

from persistence.bulk import KEY, Values, bulk
from persistence.delivery_rows import DeliveryRow, EndpointRow, FeedCursorRow, LaneRow
from persistence.feed import Place, behind
from persistence.readers import READER
from persistence.tables import TABLES, History
from statemachines.subscription import LIVE, Subscription

_subscriptions = TABLES[Subscription]
_history = TABLES[History]
_cursors = TABLES[FeedCursorRow]
_endpoints = TABLES[EndpointRow]
_lanes = TABLES[LaneRow]
_deliveries = TABLES[DeliveryRow]
_key = tuple_(*_lanes.primary_key.columns)
_MOMENT = _lanes.c.due_at.type

# Literal words, so that the planner sees which part of the index is asked for.
_LIVE = _subscriptions.c.state.in_(bindparam("live", LIVE, expanding=True, literal_execute=True))


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A subscription that is active or paused, and how its address fares."""

    id: str
    state: str
    version: int
    url: str
    patterns: Sequence[str]
    secret_generation: int
    secret_rotated_at: datetime | None
    after: Place
    """It hears of everything behind this place."""
    failures: int
    failing_since: datetime | None
    held_until: datetime | None


class LaneKey(NamedTuple):
    """Which entity's history is on its way to whom."""

    subscription_id: str
    machine: str
    entity_id: str
    asked_by: str

    @classmethod
    def of(cls, row: Values) -> "LaneKey":
        """Return the key of a lane's row."""
        return cls(*(row[name] for name in cls._fields))


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _among(keys: Iterable[LaneKey], *, sqlite: bool) -> ColumnElement[bool]:
    """Return the condition that a lane is one of these. SQLite looks up in an index only what comes from a query."""
    if not sqlite:
        return _key.in_(sorted(keys))
    each = func.json_each(json.dumps(sorted(keys))).table_valued("value").c.value
    return _key.in_(select(*(func.json_extract(each, f"$[{place}]") for place in range(len(LaneKey._fields)))))


_SUBSCRIBERS = (
    select(
        *(_subscriptions.c[name] for name in ("id", "state", "version", "url", "patterns")),
        *(_subscriptions.c[name] for name in ("secret_generation", "secret_rotated_at")),
        *(_endpoints.c[name] for name in ("after_commit_order", "after_seq")),
        *(_endpoints.c[name] for name in ("failures", "failing_since", "held_until")),
    )
    .join(_endpoints, _endpoints.c.subscription_id == _subscriptions.c.id)
    .order_by(_subscriptions.c.id)
)


def _subscribers(connection: Connection, statement: Select[Any], **values: object) -> list[Subscriber]:
    found = []
    for row in connection.execute(statement, values).mappings():
        named = dict(row)
        after = Place(named.pop("after_commit_order"), named.pop("after_seq"))
        found.append(Subscriber(after=after, **named))
    return found


def subscribers(connection: Connection) -> list[Subscriber]:
    """Return all that are active or paused."""
    return _subscribers(connection, _SUBSCRIBERS.where(_LIVE))


def subscriber(connection: Connection, subscription_id: str) -> Subscriber | None:
    """Return one, if it is active or paused."""
    statement = _SUBSCRIBERS.where(_LIVE, _subscriptions.c.id == bindparam("id"))
    return next(iter(_subscribers(connection, statement, id=subscription_id)), None)


# -- lanes ---------------------------------------------------------------------------------------------------------


def add_lanes(connection: Connection, stretches: Mapping[LaneKey, tuple[int, int]], now: datetime) -> None:
    """Have stretches of histories delivered, from one version to another; those on their way already grow.

    A lane that is being taken off is waited for, so that nothing is added to one that is no more.
    """
    new = {"running": False, "due_at": now, "token": 0, "attempts": 0, "failing_since": None}
    rows = [
        {**key._asdict(), "next_version": first, "last_version": last, **new}
        for key, (first, last) in sorted(stretches.items())  # in one order, so that nobody waits in a circle
    ]
    if rows:
        bulk(connection).upsert(_lanes, rows, changing=("last_version",))


def sweep(connection: Connection) -> int:
    """Take off what was on its way to subscriptions that hear of nothing any more; return how much that was."""
    others = select(_subscriptions.c.id).where(~_LIVE)
    return connection.execute(delete(_lanes).where(_lanes.c.subscription_id.in_(others))).rowcount


def renew(connection: Connection, subscription_id: str, now: datetime) -> None:
    """Begin anew with a subscription: forget its failures, and try at once what waits."""
    well = {"failures": 0, "failing_since": None, "held_until": None}
    connection.execute(update(_endpoints).where(_endpoints.c.subscription_id == subscription_id).values(well))
    _hurry(connection, subscription_id, {"due_at": now, "attempts": 0, "failing_since": None})


def hurry(connection: Connection, subscription_id: str, now: datetime) -> None:
    """Try at once what waits to be tried again, beyond the attempts that it has anyway."""
    _hurry(connection, subscription_id, {"due_at": now, "attempts": _ONE_LESS})


def hurry_one(connection: Connection, key: LaneKey, now: datetime) -> None:
    """Try one lane at once, beyond the attempts that it has anyway."""
    changes = {"due_at": now, "attempts": _ONE_LESS}
    connection.execute(update(_lanes).where(_key == tuple(key), _WAITS_AGAIN).values(changes))


_ONE_LESS = case((_lanes.c.attempts > 0, _lanes.c.attempts - 1), else_=0)
_WAITS_AGAIN = and_(~_lanes.c.running, _lanes.c.attempts > 0)


def _hurry(connection: Connection, subscription_id: str, changes: Mapping[str, object]) -> None:
    """Change what waits to be tried again. What is locked is being seen to."""
    mine = select(*_lanes.primary_key.columns).where(_lanes.c.subscription_id == subscription_id, _WAITS_AGAIN)
    chosen = mine.with_for_update(skip_locked=True).cte("waiting").prefix_with("MATERIALIZED", dialect="postgresql")
    connection.execute(update(_lanes).where(_key.in_(select(*chosen.columns))).values(changes))


_DUE = select(1).where(
    _lanes.c.subscription_id == _subscriptions.c.id, _lanes.c.due_at <= bindparam("now", type_=_MOMENT)
)


def due_subscribers(connection: Connection, now: datetime) -> list[Subscriber]:
    """Return those to whom something is due to be sent."""
    may_be_sent_to = or_(_endpoints.c.held_until.is_(None), _endpoints.c.held_until <= bindparam("now", type_=_MOMENT))
    statement = _SUBSCRIBERS.where(_subscriptions.c.state == "active", may_be_sent_to, _DUE.exists())
    return _subscribers(connection, statement, now=now)


_CHOSEN = (
    select(*_lanes.primary_key.columns)
    .where(_lanes.c.subscription_id == bindparam("to"), _lanes.c.due_at <= bindparam("now", type_=_MOMENT))
    .order_by(_lanes.c.due_at)
    .limit(bindparam("most", type_=BigInteger()))
    .with_for_update(skip_locked=True)
    # Materialized: a planner that runs the subquery again would lock and claim more than the limit.
    .cte("due")
    .prefix_with("MATERIALIZED", dialect="postgresql")
)
_CLAIM = (
    update(_lanes)
    .where(_key.in_(select(*_CHOSEN.columns)))
    .values(running=True, token=_lanes.c.token + 1, due_at=bindparam("lease_until", type_=_MOMENT))
    .returning(*_lanes.columns)
)


def claim(
    connection: Connection, subscription_id: str, now: datetime, lease_until: datetime, most: int
) -> list[Values]:
    """Claim up to `most` lanes that are due, the longest due first, until `lease_until`."""
    values = {"to": subscription_id, "now": now, "lease_until": lease_until, "most": most}
    return [dict(row) for row in connection.execute(_CLAIM, values).mappings()]


def hold(connection: Connection, held: Subscriber, until: datetime) -> bool:
    """Take it on oneself to find out how a failing address is; return False if another has."""
    before = _endpoints.c.held_until
    unchanged = before.is_(None) if held.held_until is None else before == held.held_until
    result = connection.execute(
        update(_endpoints).where(_endpoints.c.subscription_id == held.id, unchanged).values(held_until=until)
    )
    return result.rowcount == 1


def stretches(connection: Connection, keys: Iterable[LaneKey], most: int) -> dict[LaneKey, list[Values]]:
    """Return the next transitions of lanes, up to `most` of each, in order."""
    found: dict[LaneKey, list[Values]] = {key: [] for key in keys}
    # Materialized: they are looked up by their keys, and only then their transitions.
    along = select(_lanes).where(_among(found, sqlite=_is_sqlite(connection))).cte("along").prefix_with("MATERIALIZED")
    of_lane = and_(
        _history.c.machine == along.c.machine,
        _history.c.entity_id == along.c.entity_id,
        _history.c.version.between(along.c.next_version, along.c.next_version + (most - 1)),
        _history.c.version <= along.c.last_version,
    )
    keyed = [along.c[name].label(f"lane_{name}") for name in LaneKey._fields]
    statement = select(*keyed, _history).join(_history, of_lane).order_by(_history.c.version)
    for row in connection.execute(statement).mappings():
        key = LaneKey(*(row[f"lane_{name}"] for name in LaneKey._fields))
        found[key].append({column.name: row[column.name] for column in _history.columns})
    return found


_REPLAYS = select(1).select_from(_cursors).where(_cursors.c.name != READER).exists()
_SOMEBODY = select(1).select_from(_subscriptions).where(_LIVE).exists()
_LOST = (
    select(1)
    .select_from(_subscriptions)
    .where(~_LIVE, select(1).where(_lanes.c.subscription_id == _subscriptions.c.id).exists())
    .exists()
)


def _unread(*, sqlite: bool) -> Select[Any]:
    """Select when what happened that was read next; nothing if nobody wants to hear of it."""
    at = [select(_cursors.c[name]).where(_cursors.c.name == READER).scalar_subquery() for name in Place._fields]
    conditions = [_history.c.seq > at[1]] if sqlite else behind(at[0], at[1])
    order = [_history.c.seq] if sqlite else [_history.c.commit_order, _history.c.seq]
    return select(_history.c.at).where(*conditions, _SOMEBODY).order_by(*order).limit(1)


class News(NamedTuple):
    """What there is to do before anything is sent."""

    somebody: bool
    """Whether anybody wants to hear of what happens."""
    unread: bool
    """Whether there is something to be read."""
    lost: bool
    """Whether something is on its way to those who hear of nothing any more."""


def news(*, sqlite: bool) -> Select[bool, bool, bool]:
    """Return what asks for the news."""
    unread = _unread(sqlite=sqlite).scalar_subquery()  # not EXISTS, which would read on and on in no order
    return select(_SOMEBODY, or_(unread.is_not(None), _REPLAYS), _LOST)


def next_due(*, sqlite: bool) -> ScalarSelect[Any]:
    """Return when something is to be read or sent next, as a subquery: a look in an index for each subscription."""
    unread = _unread(sqlite=sqlite).subquery()
    long_ago = literal(datetime(1970, 1, 1, tzinfo=UTC), _MOMENT).label("at")
    first = select(func.min(_lanes.c.due_at)).where(_lanes.c.subscription_id == _subscriptions.c.id).scalar_subquery()
    to_send = (
        select(case((_endpoints.c.held_until > first, _endpoints.c.held_until), else_=first).label("at"))
        .join(_endpoints, _endpoints.c.subscription_id == _subscriptions.c.id)
        .where(_subscriptions.c.state == "active")
    )
    moments = union_all(select(unread.c.at), select(long_ago).where(or_(_REPLAYS, _LOST)), to_send).subquery()
    return select(func.min(moments.c.at)).scalar_subquery()


# -- what came of it -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Settled:
    """What is written of several attempts at once."""

    lanes: list[Values] = field(default_factory=list)
    finished: list[LaneKey] = field(default_factory=list)
    endpoints: list[Values] = field(default_factory=list)
    deliveries: list[Values] = field(default_factory=list)


_LANE = ("next_version", "running", "due_at", "attempts", "failing_since")
_ENDPOINT = ("failures", "failing_since", "held_until")


def lock_lanes(connection: Connection, keys: Iterable[LaneKey]) -> dict[LaneKey, Values]:
    """Return lanes, locked until the commit."""
    mine = _among(keys, sqlite=_is_sqlite(connection))
    statement = select(_lanes).where(mine).order_by(*_lanes.primary_key.columns).with_for_update()
    rows = (dict(row) for row in connection.execute(statement).mappings())
    return {LaneKey.of(row): row for row in rows}


def lock_endpoints(connection: Connection, ids: Iterable[str], *, failed: Iterable[str]) -> dict[str, Values]:
    """Return how addresses fare, those locked that failed just now or before: of the others nothing will change."""
    asked = (
        select(_endpoints).where(_endpoints.c.subscription_id.in_(sorted(ids))).order_by(_endpoints.c.subscription_id)
    )
    rows = {row["subscription_id"]: dict(row) for row in connection.execute(asked).mappings()}
    failing = {key for key, row in rows.items() if row["failures"]} | (set(failed) & rows.keys())
    if failing:
        again = asked.where(_endpoints.c.subscription_id.in_(sorted(failing))).with_for_update()
        rows |= {row["subscription_id"]: dict(row) for row in connection.execute(again).mappings()}
    return rows


def settle(connection: Connection, settled: Settled) -> None:
    """Write what came of attempts on lanes and addresses that are locked."""
    write = bulk(connection)
    if settled.lanes:
        write.update(_lanes, _LANE, [_keyed(_lanes, row, _LANE) for row in settled.lanes])
    if settled.finished:
        write.delete(
            _lanes, [{f"{KEY}{name}": part for name, part in key._asdict().items()} for key in settled.finished]
        )
    if settled.endpoints:
        write.update(_endpoints, _ENDPOINT, [_keyed(_endpoints, row, _ENDPOINT) for row in settled.endpoints])
    if settled.deliveries:
        write.insert(_deliveries, settled.deliveries)


def _keyed(table: Any, row: Values, names: Sequence[str]) -> Values:
    keys = {f"{KEY}{column.name}": row[column.name] for column in table.primary_key.columns}
    return {**keys, **{name: row[name] for name in names}}
