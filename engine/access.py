"""Who may raise which event on which entity, and from which of its versions."""

from engine.envelope import Envelope, Forbidden, NotFound, Stale
from statemachines.declaration import Entity, Role
from statemachines.machine import Machine


def check_access(machine: Machine, entity: Entity, envelope: Envelope) -> None:
    """Check the actor of an event that arrived, and the version that it expects.

    Raises:
        NotFound: the actor may not know of the entity.
        Forbidden: the actor's role may not raise the event.
        Stale: the entity has another version.
    """
    actor, event = envelope.actor, envelope.event
    if actor.role is not Role.SYSTEM:
        if not machine.shows(entity, actor):
            raise NotFound(machine.name, entity.id)
        if actor.role not in event.raised_by:
            raise Forbidden(event.event_name, actor.role, sorted(event.raised_by))
    if envelope.expected_version is not None and envelope.expected_version != entity.version:
        raise Stale(envelope.expected_version, entity.version)
