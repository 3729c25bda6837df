"""What a row of the inbox asks for: the answer to an effect, an event of an entity, or nothing, and then why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from pydantic import ValidationError

from engine import records
from engine.envelope import Claim, Envelope, Receipt
from gateways.incoming import Known, Reply, Request, Source, Unroutable
from gateways.port import Done
from gateways.quoting import quoted
from persistence.bulk import Values
from statemachines.declaration import Actor, Effect, Event, Role
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


@dataclass(frozen=True, slots=True)
class Found:
    """What the rows of a batch are about, as far as there is such a thing."""

    effects: Mapping[str, Values]
    """The effects that replies are about, by their ids."""
    entities: Mapping[tuple[str, Known], str]
    """The ids of entities that the other side names, by their machines and these names."""


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

    def envelope(self, row: Values, meaning: Reply | Request, found: Found) -> Envelope | Verdict:
        """Return the event that a row asks for, ready to be dispatched.

        Args:
            row: the row.
            meaning: what it says.
            found: what it says it of.
        """
        actor, receipt = Actor(f"inbox.{row['source']}", Role.SYSTEM), Receipt(row["seq"])
        if isinstance(meaning, Request):
            name = meaning.entity_id
            entity_id = found.entities.get((meaning.machine, name)) if isinstance(name, Known) else name
            if isinstance(name, Known) and entity_id is None:
                text = f"no {meaning.machine} has the {name.column} '{quoted(name.value)}'"
                return Verdict("unroutable", text, is_early=True)
            return Envelope(
                machine=meaning.machine,
                id=entity_id,
                event=meaning.event,
                actor=actor,
                cause=f"inbox/{row['seq']}",
                receives=receipt,
            )
        effect = found.effects.get(meaning.effect)
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
            undone = None if is_done else _taken_back(effect, declared, event)
        except ValidationError as error:
            return Verdict("unroutable", _first_fault(error))
        if records.is_answered(effect, declared):
            if undone is None:
                return _answered_before(effect, event)
            return Envelope(
                machine=effect["machine"],
                id=effect["entity_id"],
                event=undone,
                actor=actor,
                cause=effect["id"],
                receives=receipt,
            )
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


def _taken_back(effect: Values, declared: Effect, told: Event) -> Event | None:
    """Return the event by which the other side takes back that it did what was asked; None if it does not."""
    answer = effect["outcome"] or {}
    if declared.ok is None or declared.undone is None or effect["error"] is not None:
        return None
    if answer.get("event") != declared.ok.event_name:
        return None
    values = {**answer, **records.payload(told)}
    return declared.undone.model_validate({name: values.get(name) for name in declared.undone.model_fields})


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
