"""What a row of the inbox asks for: the answer to an effect, an event of an entity, or nothing, and then why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from pydantic import ValidationError

from engine import records
from engine.envelope import Claim, Envelope, Receipt
from gateways.incoming import Reply, Request, Source, Unroutable
from gateways.port import Done
from persistence.bulk import Values
from statemachines.declaration import Actor, Event, Role
from statemachines.registry import Registry

log = structlog.get_logger("orderly.inbox")

LIVE: Final = ("pending", "running")
"""The statuses of effects whose calls may still be made or repeated."""

_WORDS: Final = ("reason", "code")
"""Fields of answers that may be put in other words."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a row that leads to no event, at least not now."""

    status: Literal["applied", "refused", "unroutable", "unknown"]
    reason: str
    is_early: bool = False
    """Whether it may be otherwise later, so that it is waited for a while."""


class Meanings:
    """Finds out what rows ask for.

    Args:
        registry: the machines.
        sources: who sends messages by webhook.
        allowed: the events, as ``machine.event``, that other programs may ask for, by the source that they name.
    """

    def __init__(
        self, registry: Registry, sources: Mapping[str, Source], allowed: Mapping[str, Collection[str]]
    ) -> None:
        self._registry = registry
        self._sources = sources
        self._allowed = allowed
        self._effects = {effect.name: effect for machine in registry for effect in machine.effects}

    def of(self, row: Values) -> Reply | Request | Verdict:
        """Return what a row says. Whatever is wrong with it stays with it."""
        try:
            return self._asked(row) if row["body"] is None else self._told(row)
        except Unroutable as error:
            return Verdict("unroutable", str(error))
        except ValidationError as error:
            return Verdict("refused" if row["body"] is None else "unroutable", _first_fault(error))
        except Exception as error:
            log.exception("inbox_not_understood", seq=row["seq"], source=row["source"], kind=row["kind"])
            return Verdict("unroutable", f"it could not be understood ({type(error).__name__})")

    def _told(self, row: Values) -> Reply | Request | Verdict:
        """Return what a message means by its source's declaration."""
        source = self._sources.get(row["source"])
        if source is None:
            return Verdict("unknown", f"nothing is known of messages from '{row['source']}'")
        reading = source.kinds.get(row["kind"])
        if reading is None:
            return Verdict("unknown", f"nothing is done about '{row['kind']}'")
        return reading(row["body"]) or Verdict("unknown", "it says nothing that anyone acts on")

    def _asked(self, row: Values) -> Request | Verdict:
        """Return the event that another program asks for, if it may."""
        source, name, event_name = row["source"], row["machine"], row["event"]
        if f"{name}.{event_name}" not in self._allowed.get(source, ()):
            return Verdict("refused", f"source '{source}' may not ask for '{name}.{event_name}'")
        machine = self._registry[name]
        event = machine.events[event_name]
        creates = event is machine.creation
        if creates and row["entity_id"] is not None:
            return Verdict("refused", f"'{event_name}' creates a {name}: leave entity_id out")
        if not creates and row["entity_id"] is None:
            return Verdict("refused", "entity_id is missing")
        return Request(name, row["entity_id"], event.model_validate(row["payload"]))

    def envelope(self, row: Values, meaning: Reply | Request, effect: Values | None) -> Envelope | Verdict:
        """Return the event that a row asks for, ready to be dispatched.

        Args:
            row: the row.
            meaning: what it says.
            effect: the row of the effect that a reply is about, if there is one.
        """
        actor, receipt = Actor(f"inbox.{row['source']}", Role.SYSTEM), Receipt(row["seq"])
        if isinstance(meaning, Request):
            return Envelope(
                machine=meaning.machine,
                id=meaning.entity_id,
                event=meaning.event,
                actor=actor,
                cause=f"inbox/{row['seq']}",
                receives=receipt,
            )
        if effect is None or effect["destination"] != self._sources[row["source"]].answers:
            return Verdict("unroutable", f"'{row['source']}' has nothing to do with an effect '{meaning.effect}'")
        return self._answer(meaning, effect, actor, receipt)

    def _answer(self, reply: Reply, effect: Values, actor: Actor, receipt: Receipt) -> Envelope | Verdict:
        declared = self._effects[effect["name"]]
        is_done = isinstance(reply.answer, Done)
        kind = declared.ok if is_done else declared.failed
        if kind is None:
            return Verdict("unknown", f"nobody waits for the answer to {effect['name']}")
        try:
            event = kind.model_validate(dict(reply.answer.values))
        except ValidationError as error:
            return Verdict("unroutable", _first_fault(error))
        if records.is_answered(effect, declared):
            return _answered_before(effect, event)
        if not is_done and effect["status"] in LIVE:
            return Verdict("refused", f"{effect['id']} is still being tried", is_early=True)
        return Envelope(
            machine=effect["machine"],
            id=effect["entity_id"],
            event=event,
            actor=actor,
            cause=effect["id"],
            completes=Claim(effect["id"], None),
            receives=receipt,
        )


def _first_fault(error: ValidationError) -> str:
    """Say what is wrong with values, without the values."""
    fault = error.errors(include_input=False, include_url=False)[0]
    return ": ".join([*([".".join(map(str, fault["loc"]))] if fault["loc"] else []), fault["msg"]])


def _answered_before(effect: Values, told: Event) -> Verdict:
    """Compare what is told of an effect with the answer it has. What differs is for a person to see."""
    answer, name, again = effect["outcome"], effect["id"], {"event": told.event_name, **records.payload(told)}
    if effect["error"] is not None:
        return Verdict("refused", effect["error"])
    if answer.get("event") != told.event_name:
        return Verdict("refused", f"{name} was answered with '{answer.get('event')}'; now '{told.event_name}' is said")
    if others := sorted(field for field, value in again.items() if answer.get(field) != value and field not in _WORDS):
        return Verdict("refused", f"{name} was answered before, with another {' and '.join(others)}")
    return Verdict("applied", f"{name} was answered before")
