"""An audit of everything that a database holds: whatever happened, these things are true."""

from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import Connection, select
from sqlmodel import SQLModel

from persistence.tables import TABLES, EffectRow, History, TimerRow
from statemachines.declaration import NEW
from statemachines.machine import Machine
from statemachines.order import Order, OrderLine
from statemachines.payment import Payment
from statemachines.refund.model import Refund
from statemachines.registry import MACHINES
from statemachines.reservation.model import Reservation
from statemachines.returns.model import ReturnCase, ReturnLine
from statemachines.stock import Backorder, Stock

Row = dict[str, Any]
ACTION = "customer_action_required"
"""Tells that a call is not over yet: the customer has to do something first."""
UNDONE = "refund_returned"
"""Tells that what a call did was undone later."""


def rows(connection: Connection, kind: type[SQLModel]) -> list[Row]:
    """Return every row of a table, in key order."""
    table = TABLES[kind]
    return [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()]


def audit(connection: Connection) -> int:
    """Check the books; return how many transitions they tell of."""
    history = rows(connection, History)
    for machine in MACHINES:
        told = defaultdict(list)
        for record in history:
            if record["machine"] == machine.name:
                told[record["entity_id"]].append(record)
        entities = {row["id"]: row for row in rows(connection, machine.entity)}
        assert told.keys() == entities.keys(), "an entity without history, or the other way round"
        for name, row in entities.items():
            _check_story(machine, row, sorted(told[name], key=lambda record: record["version"]))
    effects = rows(connection, EffectRow)
    _check_stock(connection, history)
    _check_money(connection, history, effects)
    _check_effects(history, effects)
    _check_timers(connection)
    return len(history)


def _check_story(machine: Machine, row: Row, story: list[Row]) -> None:
    """Every step is declared, leads on from the last, and the row stands where the last one led."""
    assert [record["version"] for record in story] == list(range(1, row["version"] + 1)), f"{row['id']}: a gap"
    state = NEW
    for record in story:
        assert record["source"] == state, f"{row['id']}: a step begins where the last did not end"
        ways = {way.target or state for way in machine.rows_for(state, record["event"])}
        assert record["target"] in ways, f"{row['id']}: no row leads from {state} to {record['target']}"
        state = record["target"]
    assert row["state"] == state, f"{row['id']}: stands elsewhere than its history says"


def _check_stock(connection: Connection, history: list[Row]) -> None:
    """What is on the shelves, and promised, is what the orders, the returns and the deliveries say."""
    owned: Counter[str] = Counter()
    for record in history:
        if record["machine"] == "stock":
            payload = record["payload"]
            gained = {"open": "on_hand", "receive": "quantity", "adjust": "difference"}.get(record["event"])
            owned[record["entity_id"].partition("@")[0]] += payload[gained] if gained else 0
    ruined: Counter[tuple[str, int]] = Counter()
    order_of = {row["id"]: row["order_id"] for row in rows(connection, ReturnCase)}
    for line in rows(connection, ReturnLine):
        ruined[order_of[line["return_id"]], line["number"]] += line["damaged"]
    gone, promised = Counter[str](), Counter[str]()
    held = {order["id"]: order["stock_held"] for order in rows(connection, Order)}
    for line in rows(connection, OrderLine):
        kept = line["quantity"] - line["removed"] - line["returned"]
        gone[line["sku"]] += line["missing"]
        if held[line["order_id"]] == "reserved":
            promised[line["sku"]] += kept
        elif held[line["order_id"]] == "taken":
            gone[line["sku"]] += kept + ruined[line["order_id"], line["number"]]
        else:
            gone[line["sku"]] += line["lost"] + line["delivered"] + line["unavailable"]
    order_of = {row["id"]: row["order_id"] for row in rows(connection, Reservation)}
    for each in rows(connection, Backorder):
        waiting = promised if held[order_of[each["reservation_id"]]] == "reserved" else gone
        waiting[each["sku"]] -= each["missing"]
    on_hand, reserved = Counter[str](), Counter[str]()
    for shelf in rows(connection, Stock):
        on_hand[shelf["sku"]] += shelf["on_hand"]
        reserved[shelf["sku"]] += shelf["reserved"]
    for sku in on_hand:
        expected = owned[sku] - gone[sku], promised[sku]
        assert (on_hand[sku], reserved[sku]) == expected, f"{sku}: pieces are missing or promised twice"


def _check_money(connection: Connection, history: list[Row], effects: list[Row]) -> None:
    """What was taken and given back is what the gateway answered, and orders know what their payments say."""
    answered: Counter[tuple[str, str]] = Counter()
    for effect in effects:
        if _told(effect):
            answered[effect["entity_id"], effect["outcome"]["event"]] += effect["outcome"].get("amount", 0)
    for record in history:
        match record["machine"], record["event"], record["source"], record["target"]:
            case "refund", "refund_returned", "succeeded", "failed":
                answered[record["entity_id"], "refunded"] -= record["payload"]["amount"]
            case "refund", "settle", "failed", "succeeded":
                answered[record["entity_id"], "settled"] += 1
    payments, refunds = rows(connection, Payment), rows(connection, Refund)
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for payment in payments:
        taken = answered[payment["id"], "charged"] + answered[payment["id"], "captured"]
        assert payment["captured"] == taken, f"{payment['id']}: charged twice, or not noted"
        sums[payment["order_id"]].update(
            asked=payment["asked"],
            authorized=payment["held"],
            paid=payment["captured"],
            charged_back=payment["charged_back"],
        )
    for refund in refunds:
        given = refund["amount"] if refund["state"] == "succeeded" else 0
        if refund["state"] == "succeeded" and not answered[refund["id"], "settled"]:
            assert given == answered[refund["id"], "refunded"], f"{refund['id']}: refunded twice, or not noted"
        kept = given or refund["state"] in ("rejected", "cancelled")
        where = "refunded" if given else "refund_due" if refund["state"] == "failed" else "refunding"
        sums[refund["order_id"]][where] += given if kept else refund["amount"]
        if refund["goodwill"] and (given or not kept):
            sums[refund["order_id"]]["goodwill"] += refund["amount"]
    currency_of = {order["id"]: order["currency"] for order in rows(connection, Order)}
    for row in (*payments, *refunds):
        assert row["currency"] == currency_of[row["order_id"]], f"{row['id']}: not in its order's currency"
    for order in rows(connection, Order):
        for column in (
            "asked",
            "authorized",
            "paid",
            "refunding",
            "refunded",
            "refund_due",
            "goodwill",
            "charged_back",
        ):
            assert order[column] == sums[order["id"]][column], f"{order['id']}: {column} is not what its payments say"


def _check_effects(history: list[Row], effects: list[Row]) -> None:
    """An effect that is done caused one transition or none, as it says; one that is not, none."""
    caused = Counter(record["cause"] for record in history if record["event"] not in (ACTION, UNDONE))
    asking = {record["event_id"] for record in history}
    for effect in effects:
        assert caused[effect["id"]] == _told(effect), (
            f"{effect['id']}: {effect['status']}, but told {caused[effect['id']]} times"
        )
        assert effect["cause"] in asking, f"{effect['id']}: asked for by nobody"


def _told(effect: Row) -> bool:
    """Tell whether an effect's outcome is a transition of its entity."""
    return effect["status"] == "done" and effect["error"] is None and effect["outcome"].get("event", ACTION) != ACTION


def _check_timers(connection: Connection) -> None:
    """Each order has just the timers of its state, but for those that have fired already and may leave it there."""
    kept = defaultdict(set)
    for timer in rows(connection, TimerRow):
        kept[timer["machine"], timer["entity_id"]].add(timer["name"])
    machine = MACHINES["order"]
    for order in rows(connection, Order):
        has, may = kept.pop(("order", order["id"]), set()), set(machine.timer_names(order["state"]))
        assert has <= may, order["id"]
        leads_on = {
            after.timer
            for after, _ in machine.timeouts(order["state"])
            if all(way.target for way in machine.rows_for(order["state"], after.fire.event_name))
        }
        assert leads_on <= has, order["id"]
    assert not [each for each in kept if each[0] == machine.name], "timers of nobody"
