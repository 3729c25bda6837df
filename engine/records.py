"""What is written beside the entities: history, effects, timers, answers under idempotency keys."""

from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from engine.envelope import Committed, IdempotencyKey, Outcome, Receipt, Rejected
from persistence.bulk import Values
from statemachines.commands import Call, Withdraw
from statemachines.decision import Accepted
from statemachines.declaration import Actor, Effect, Entity, Event
from statemachines.machine import Machine

KEY_LIFETIME = timedelta(days=7)
"""How long an answer is kept under its idempotency key."""


def payload(model: BaseModel) -> Values:
    """Return an event's or an effect's fields as they are kept."""
    return {name: _plain(value) for name, value in vars(model).items()}


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return payload(value)
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def history(
    machine: Machine,
    entity: Entity,
    event: Event,
    accepted: Accepted,
    *,
    event_id: str,
    actor: Actor,
    cause: str | None,
    now: datetime,
) -> Values:
    """Return the row of one committed transition."""
    return {
        "event_id": event_id,
        "machine": machine.name,
        "entity_id": entity.id,
        "version": entity.version,
        "event": event.event_name,
        "source": accepted.source,
        "target": accepted.target,
        "actor": str(actor),
        "cause": cause,
        "reason": getattr(event, "reason", None),
        "payload": payload(event),
        "at": now,
    }


def effect(machine: Machine, entity: Entity, call: Call, *, effect_id: str, event_id: str, now: datetime) -> Values:
    """Return the row of an outbound call that waits to be made."""
    return {
        "id": effect_id,
        "machine": machine.name,
        "entity_id": entity.id,
        "name": call.effect.name,
        "destination": call.effect.destination,
        "arguments": payload(call.arguments),
        "status": "pending",
        "attempts": 0,
        "lost": 0,
        "token": 0,
        "due_at": now,
        "outcome": None,
        "error": None,
        "cause": event_id,
        "created_at": now,
        "retrying_since": now,
        "finished_at": None,
    }


def finished(effect_row: Values, event: Event, outcome: Outcome, now: datetime) -> Values:
    """Return the row of an effect whose outcome was reported; if its machine refused it, the reason is kept."""
    return {
        **effect_row,
        "status": "done",
        "outcome": {"event": event.event_name, **payload(event)},
        "error": outcome.reason if isinstance(outcome, Rejected) else None,
        "finished_at": now,
    }


def is_answered(effect_row: Values, declared: Effect) -> bool:
    """Tell whether an effect's end is known, whoever told it, as opposed to what the customer has to do first."""
    outcome = effect_row["outcome"]
    return outcome is not None and (declared.action is None or outcome.get("event") != declared.action.event_name)


def applied(receipt: Receipt, outcome: Committed, now: datetime) -> Values:
    """Return what is noted in a row of the inbox whose event was accepted."""
    return {
        "key_seq": receipt.seq,
        "machine": outcome.machine,
        "entity_id": outcome.id,
        "event": outcome.event,
        "status": "applied",
        "reason": None,
        "event_id": outcome.event_id,
        "finished_at": now,
    }


def withdrawal(machine: Machine, entity: Entity, command: Withdraw, now: datetime) -> Values:
    """Return what names the effects that an entity no longer wants."""
    return {"machine": machine.name, "entity_id": entity.id, "name": command.effect.name, "at": now}


def timer(
    machine: Machine, entity: Entity, name: str, event: str, due_at: datetime, event_id: str, fired: int = 0
) -> Values:
    """Return the row of a timer that has fired so often."""
    return {
        "machine": machine.name,
        "entity_id": entity.id,
        "name": name,
        "event": event,
        "due_at": due_at,
        "fired": fired,
        "cause": event_id,
    }


def answer(key: IdempotencyKey, outcome: Outcome, now: datetime) -> Values:
    """Return the row that keeps an outcome under its idempotency key."""
    return {
        "scope": key.scope,
        "key": key.key,
        "fingerprint": key.fingerprint,
        "outcome": _kept(outcome),
        "expires_at": now + KEY_LIFETIME,
    }


def _kept(outcome: Outcome) -> dict[str, Any]:
    names = _FIELDS[type(outcome)]
    return {"kind": type(outcome).__name__, **{name: getattr(outcome, name) for name in names}}


_FIELDS = {kind: tuple(field.name for field in fields(kind)) for kind in (Committed, Rejected)}


def recall(stored: dict[str, Any]) -> Outcome:
    """Return the outcome that was kept under an idempotency key."""
    values = dict(stored)
    if values.pop("kind") == Committed.__name__:
        return Committed(**{**values, "at": datetime.fromisoformat(values["at"])})
    return Rejected(**{**values, "allowed": tuple(values["allowed"])})
