"""What a message says of a transition, and how long it may be."""

import json
from typing import Any

from cloudevents.core.formats.json import JSONFormat

from engine.cloudevent import SIZE_LIMIT, message
from statemachines.registry import MACHINES
from tests.conftest import NOON


def row(event: str = "pay", machine: str = "order", **payload: object) -> dict[str, Any]:
    values = {"event_id": "evt_1", "machine": machine, "entity_id": "ord_1", "version": 3, "event": event}
    values |= {"source": "pending", "target": "paying", "actor": "customer:ann", "cause": "req_1", "reason": None}
    return values | {"payload": payload, "at": NOON, "seq": 7, "commit_order": 9}


def said(told: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(message(told, MACHINES, "/orderly")))


def test_it_is_a_cloudevent_by_an_independent_reading() -> None:
    event = JSONFormat().read(None, message(row(), MACHINES, "/orderly"))
    assert (event.get_specversion(), event.get_id(), event.get_source()) == ("1.0", "evt_1", "/orderly")
    assert (event.get_type(), event.get_subject(), event.get_time()) == ("orderly.order.pay", "ord_1", NOON)


def test_it_tells_what_happened_to_whom_and_why() -> None:
    assert said(row("cancel", reason="too late"))["data"] == {
        "machine": "order",
        "id": "ord_1",
        "version": 3,
        "event": "cancel",
        "from": "pending",
        "to": "paying",
        "actor": "customer:ann",
        "cause": "req_1",
        "reason": None,
        "payload": {"reason": "too late"},
    }


def test_it_is_the_same_whenever_it_is_sent() -> None:
    assert message(row(), MACHINES, "/orderly") == message(row(), MACHINES, "/orderly")


def test_what_no_machine_declares_any_more_tells_nothing_of_what_was_said() -> None:
    assert said(row("forgotten", reason="x"))["data"]["payload"] == {}
    assert said(row("pay", machine="forgotten", reason="x"))["data"]["payload"] == {}


def test_what_is_too_long_is_left_out() -> None:
    lines = [{"sku": "MUG", "quantity": number} for number in range(1000)]
    short, long = row("create", lines=lines[:10]), row("create", lines=lines)
    assert said(short)["data"]["payload"]["lines"] == lines[:10]
    assert "payload" not in said(long)["data"]
    assert said(long)["data"]["version"] == 3
    assert len(message(long, MACHINES, "/orderly")) < SIZE_LIMIT
