"""Transitions as others hear of them: CloudEvents 1.0 in the JSON format, https://github.com/cloudevents/spec.

An event tells what happened, not how the entity looks now: it is the same whenever it is sent. Whoever needs more asks
for the entity, and sees by its version whether it has moved on since.
"""

from typing import Any

import msgspec

from persistence.bulk import Values
from statemachines.privacy import disclosed
from statemachines.registry import Registry

SIZE_LIMIT = 20_000
"""The most bytes of a message, as Standard Webhooks advises."""


def cloud_event(row: Values, registry: Registry, source: str) -> dict[str, Any]:
    """Return the event that tells of a transition.

    Args:
        row: of the history.
        registry: says what of the payload may leave the house; nothing does of what it does not know.
        source: what the event names as its source.
    """
    machine, name = row["machine"], row["event"]
    declared = registry[machine].events.get(name) if machine in registry else None
    return {
        "specversion": "1.0",
        "id": row["event_id"],
        "source": source,
        "type": f"orderly.{machine}.{name}",
        "subject": row["entity_id"],
        "time": row["at"],
        "datacontenttype": "application/json",
        "data": {
            "machine": machine,
            "id": row["entity_id"],
            "version": row["version"],
            "event": name,
            "from": row["source"],
            "to": row["target"],
            "actor": row["actor"],
            "cause": row["cause"],
            "reason": row["reason"],
            "payload": disclosed(declared, row["payload"]) if declared else {},
        },
    }


def message(row: Values, registry: Registry, source: str) -> bytes:
    """Return the event as it is sent; its payload is left out if it is too long."""
    event = cloud_event(row, registry, source)
    encoded = msgspec.json.encode(event)
    if len(encoded) <= SIZE_LIMIT:
        return encoded
    return msgspec.json.encode(
        event | {"data": {name: part for name, part in event["data"].items() if name != "payload"}}
    )
