"""Interventions: what an admin may do to what waits to be done, with a reason.

They are events that every machine takes in every state. They change nothing of the entity but its version: the history
says who stepped in, why, and with what.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from persistence.bulk import Values
from statemachines.decision import Accepted, Decision, Refused
from statemachines.declaration import Effect, Entity, Event, Role
from statemachines.machine import Machine
from statemachines.values import Moment, Text

ADMINS = [Role.ADMIN]


class Intervention(Event):
    """A person steps in."""

    reason: Text
    """Why; it stands in the history."""


class EffectIntervention(Intervention):
    """A person steps in on an outbound call."""

    effect: str
    """Its id."""


class RetryEffect(EffectIntervention, by=ADMINS):
    """Try an outbound call again that was given up, or sooner than planned; its attempts count from one again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "their server is repaired"}]})

    arguments: Mapping[str, Any] = Field(default={}, max_length=20)
    """Arguments put right, as far as the effect allows them to be edited."""


class CancelEffect(EffectIntervention, by=ADMINS):
    """Give up an outbound call for good. If it was attempted, the other side may have done it all the same."""


class TimerIntervention(Intervention):
    """A person steps in on a timer."""

    timer: str
    """Its name."""


class FireTimer(TimerIntervention, by=ADMINS):
    """Let a timer fire now."""


class PostponeTimer(TimerIntervention, by=ADMINS):
    """Let a timer fire at another time."""

    until: Moment


class CancelTimer(TimerIntervention, by=ADMINS):
    """Let a timer not fire at all."""


@dataclass(frozen=True, slots=True)
class Intervened:
    """A decision on an intervention, and the row that it changes."""

    decision: Decision
    effect: Values | None = None
    timer: Values | None = None


def on_effect(
    machine: Machine,
    entity: Entity,
    event: EffectIntervention,
    row: Values | None,
    effect: Effect | None,
    now: datetime,
) -> Intervened:
    """Decide an intervention on an effect.

    Args:
        machine: on whose entity the event was raised.
        entity: on which it was raised.
        event: the intervention.
        row: the effect's row, if there is such an effect.
        effect: its declaration, if a machine still has one.
        now: the moment of the batch.
    """
    if row is None or (row["machine"], row["entity_id"]) != (machine.name, entity.id):
        return _refused(entity, event, f"there is no effect '{event.effect}'")
    if row["status"] not in ("pending", "parked"):
        return _refused(entity, event, f"the effect is {row['status']}")
    if not isinstance(event, RetryEffect):
        cancelled = {"status": "cancelled", "error": event.reason, "finished_at": now}
        return Intervened(_accepted(entity, event), effect={**row, **cancelled})
    arguments = row["arguments"]
    if event.arguments:
        if locked := sorted(event.arguments.keys() - set(effect.editable if effect else ())):
            return _refused(entity, event, f"{', '.join(locked)} of {row['name']} can't be edited")
        assert effect is not None
        try:
            effect.arguments.model_validate(arguments := {**arguments, **event.arguments})
        except ValidationError as error:
            wrong = error.errors()[0]
            return _refused(entity, event, f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}")
    again = {"status": "pending", "attempts": 0, "lost": 0, "due_at": now, "retrying_since": now, "finished_at": None}
    return Intervened(_accepted(entity, event), effect={**row, **again, "arguments": arguments})


def on_timer(entity: Entity, event: TimerIntervention, row: Values | None, now: datetime) -> Intervened:
    """Decide an intervention on a timer; the row of a cancelled one comes back without a time.

    Args:
        entity: the timer's.
        event: the intervention.
        row: the timer's row, if it is set.
        now: the moment of the batch.
    """
    if row is None:
        return _refused(entity, event, f"there is no timer '{event.timer}'")
    if isinstance(event, PostponeTimer):
        if event.until <= now:
            return _refused(entity, event, "a timer can only be moved to a time to come")
        return Intervened(_accepted(entity, event), timer={**row, "due_at": event.until})
    due_at = now if isinstance(event, FireTimer) else None
    return Intervened(_accepted(entity, event), timer={**row, "due_at": due_at})


def _accepted(entity: Entity, event: Event) -> Accepted:
    return Accepted(entity.state, entity.state, event, {}, ())


def _refused(entity: Entity, event: Event, reason: str) -> Intervened:
    return Intervened(Refused(entity.state, event.event_name, None, reason, ()))
