"""Papers: what arrives with an event besides its payload. An idempotency key, a claim on an effect, a timer, a receipt.

They are loaded and locked for a whole batch, checked before an event is decided, and filed with its outcome: whatever
they stand for is settled in the same commit as the transition.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from engine import records
from engine.envelope import Claim, Committed, Envelope, KeyReused, Outcome, Superseded
from engine.interventions import EffectIntervention, TimerIntervention
from persistence.bulk import Values
from persistence.store import Changes, Store
from persistence.tables import EffectRow, InboxRow, TimerRow
from statemachines.registry import Registry

TimerKey = tuple[str, str, str]
"""A timer's machine, entity and name."""


@dataclass(slots=True)
class _Filed:
    """What one pass over the batch's events has settled so far."""

    timers: dict[TimerKey, Values | None] = field(default_factory=dict)
    effects: dict[str, Values] = field(default_factory=dict)
    answers: dict[tuple[str, str], tuple[str, Outcome]] = field(default_factory=dict)
    answer_rows: list[Values] = field(default_factory=list)
    expired_keys: list[Values] = field(default_factory=list)
    applied: dict[int, Values] = field(default_factory=dict)


class Papers:
    """The papers of one batch.

    Args:
        registry: the machines.
        envelopes: the events that arrived.
        now: the moment of all of them.
    """

    def __init__(self, registry: Registry, envelopes: Sequence[Envelope], now: datetime) -> None:
        self._registry = registry
        self._envelopes = envelopes
        self._now = now
        self._keys: dict[tuple[str, str], Values] = {}
        self._effects: dict[str, Values] = {}
        self._timers: dict[TimerKey, Values] = {}
        self._pending: set[int] = set()
        self._filed = _Filed()

    def load_before_entities(self, store: Store) -> None:
        """Load what is locked before the entities: rows of the inbox, idempotency keys and effects."""
        received = [envelope.receives.seq for envelope in self._envelopes if envelope.receives]
        if received:
            self._pending = store.pending(received)
        keys = [(envelope.key.scope, envelope.key.key) for envelope in self._envelopes if envelope.key]
        if keys:
            self._keys = store.idempotency_keys(keys)
        effects = {envelope.completes.effect_id for envelope in self._envelopes if envelope.completes}
        effects |= {e.event.effect for e in self._envelopes if isinstance(e.event, EffectIntervention)}
        if effects:
            self._effects = {row["id"]: row for row in store.rows(EffectRow, "id", effects, lock=True)}

    def load_timers(self, store: Store) -> None:
        """Load what is locked after the entities: timers, which every transition of an entity may set or cancel."""
        timed = {
            envelope.id
            for envelope in self._envelopes
            if envelope.id and (envelope.fires or isinstance(envelope.event, TimerIntervention))
        }
        if timed:
            rows = store.rows(TimerRow, "entity_id", timed, lock=True)
            self._timers = {(row["machine"], row["entity_id"], row["name"]): row for row in rows}

    def clear(self) -> None:
        """Forget what a pass has filed: the events are decided again."""
        self._filed = _Filed()

    # -- before an event is decided --------------------------------------------------------------------------------

    def answered_before(self, envelope: Envelope) -> Outcome | None:
        """Return the outcome that was kept under the envelope's idempotency key, if there is one.

        Raises:
            KeyReused: it was kept for another request.
        """
        if envelope.key is None:
            return None
        pair = envelope.key.scope, envelope.key.key
        if pair in self._filed.answers:
            fingerprint, outcome = self._filed.answers[pair]
        elif pair in self._keys and self._keys[pair]["expires_at"] > self._now:
            fingerprint, outcome = self._keys[pair]["fingerprint"], records.recall(self._keys[pair]["outcome"])
        else:
            return None
        if fingerprint != envelope.key.fingerprint:
            raise KeyReused
        return replace(outcome, replayed=True)

    def check(self, envelope: Envelope) -> None:
        """Check that what the event stands for is not settled yet.

        Raises:
            Superseded: the effect was finished or taken over, the timer cancelled or moved, or the row settled.
        """
        if claim := envelope.completes:
            effect = self.effect(claim.effect_id)
            if effect is None or not self._entitles(claim, effect):
                raise Superseded("the effect was finished or taken over")
        if envelope.fires:
            timer = self.timer(_timer_of(envelope))
            if timer is None or timer["due_at"] != envelope.fires.due_at:
                raise Superseded("the timer is no longer set")
        if (receipt := envelope.receives) and (receipt.seq not in self._pending or receipt.seq in self._filed.applied):
            raise Superseded("the row of the inbox was settled")

    def _entitles(self, claim: Claim, effect: Values) -> bool:
        if claim.token is not None:
            return (effect["status"], effect["token"]) == ("running", claim.token)
        effects = {each.name: each for each in self._registry[effect["machine"]].effects}
        return not records.is_answered(effect, effects[effect["name"]])

    def effect(self, effect_id: str) -> Values | None:
        """Return an effect's row as this batch has left it so far."""
        return self._filed.effects.get(effect_id) or self._effects.get(effect_id)

    def timer(self, key: TimerKey) -> Values | None:
        """Return a timer's row as this batch has left it so far, or None if it is not set."""
        return self._filed.timers[key] if key in self._filed.timers else self._timers.get(key)

    # -- after it --------------------------------------------------------------------------------------------------

    def note(self, timers: dict[TimerKey, Values | None], effects: Iterable[Values]) -> None:
        """Note the timers that an accepted event set or cancelled, and the effects that it intervened in."""
        self._filed.timers.update(timers)
        self._filed.effects.update((effect["id"], effect) for effect in effects)

    def file(self, envelope: Envelope, outcome: Outcome) -> None:
        """Settle what the envelope's papers stand for."""
        filed = self._filed
        if key := envelope.key:
            filed.answers[key.scope, key.key] = key.fingerprint, outcome
            if (key.scope, key.key) in self._keys:
                filed.expired_keys.append({"key_scope": key.scope, "key_key": key.key})
            filed.answer_rows.append(records.answer(key, outcome, self._now))
        if claim := envelope.completes:
            effect = self.effect(claim.effect_id)
            assert effect is not None
            filed.effects[claim.effect_id] = records.finished(effect, envelope.event, outcome, self._now)
        if envelope.fires and (timer := _timer_of(envelope)) not in filed.timers:
            # Whatever came of it the timer has fired, unless the transition set it anew.
            filed.timers[timer] = self._reminder(timer, outcome)
        if envelope.receives and isinstance(outcome, Committed):
            filed.applied[envelope.receives.seq] = records.applied(envelope.receives, outcome, self._now)

    def _reminder(self, key: TimerKey, outcome: Outcome) -> Values | None:
        """Return the row of a timer that fires again, if it is a reminder that has not reached its limit."""
        row = self._timers[key]
        for after, _ in self._registry[key[0]].timeouts(outcome.state):
            if after.timer == key[2] and after.every is not None and row["fired"] + 1 < after.times:
                due_at = row["due_at"] + after.every
                if due_at <= self._now:  # those missed during a downtime are not made up for
                    due_at = self._now + after.every
                cause = outcome.event_id if isinstance(outcome, Committed) else row["cause"]
                return {**row, "due_at": due_at, "fired": row["fired"] + 1, "cause": cause}
        return None

    def collect(self, changes: Changes) -> None:
        """Add what was filed to the rows to write."""
        for (machine, entity_id, name), timer in self._filed.timers.items():
            if timer is not None:
                changes.timers_set.append(timer)
            else:
                changes.timers_cancelled.append({"key_machine": machine, "key_entity_id": entity_id, "key_name": name})
        for effect in self._filed.effects.values():
            changes.change(EffectRow, effect, self._effects[effect["id"]])
        changes.keys_expired.extend(self._filed.expired_keys)
        changes.keys.extend(self._filed.answer_rows)
        if applied := list(self._filed.applied.values()):
            changes.changed[InboxRow, tuple(name for name in applied[0] if name != "key_seq")] = applied


def _timer_of(envelope: Envelope) -> TimerKey:
    assert envelope.fires is not None
    assert envelope.id is not None
    return envelope.machine, envelope.id, envelope.fires.name
