"""An audit of everything that a database holds: whatever happened, these things are true."""

from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import Connection, select
from sqlmodel import SQLModel

from persistence.tables import TABLES, EffectRow, History, TimerRow
from statemachines.declaration import NEW
from statemachines.machine import Machine
from statemachines.order import Order, OrderLine
from statemachines.payments import CHARGE
from statemachines.registry import MACHINES
from statemachines.stock import Stock

Row = dict[str, Any]
OPEN = ("pending", "running", "parked")


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
    orders, effects = rows(connection, Order), rows(connection, EffectRow)
    _check_stock(connection, history, orders)
    _check_money(orders, effects)
    _check_effects(history, effects)
    _check_timers(orders, rows(connection, TimerRow))
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


def _check_stock(connection: Connection, history: list[Row], orders: list[Row]) -> None:
    """What is on the shelves, and promised, is what the orders and the deliveries say."""
    owned: Counter[str] = Counter()
    for record in history:
        if record["machine"] == "stock":
            payload = record["payload"]
            gained = {"open": "on_hand", "receive": "quantity", "adjust": "difference"}.get(record["event"])
            owned[record["entity_id"]] += payload[gained] if gained else 0
    held: dict[str, Counter[str]] = defaultdict(Counter)
    how = {order["id"]: order["stock_held"] for order in orders}
    for line in rows(connection, OrderLine):
        held[how[line["order_id"]]][line["sku"]] += line["quantity"] - line["returned"]
    for shelf in rows(connection, Stock):
        sku = shelf["id"]
        expected = owned[sku] - held["taken"][sku], held["reserved"][sku]
        assert (shelf["on_hand"], shelf["reserved"]) == expected, f"{sku}: pieces are missing or promised twice"


def _check_money(orders: list[Row], effects: list[Row]) -> None:
    """What was taken and given back is what the gateway answered, once for each answer that counted."""
    answered: Counter[tuple[str, str]] = Counter()
    for effect in effects:
        if _told(effect):
            answered[effect["entity_id"], effect["outcome"]["event"]] += effect["outcome"].get("amount", 0)
    for order in orders:
        assert order["paid"] == answered[order["id"], "charged"], f"{order['id']}: charged twice, or not noted"
        assert order["refunded"] == answered[order["id"], "refunded"], f"{order['id']}: refunded twice, or not noted"
        assert 0 <= order["refunded"] + order["refunding"] <= order["paid"]


def _check_effects(history: list[Row], effects: list[Row]) -> None:
    """An effect that is done caused one transition or none, as it says; one that is not, none."""
    caused = Counter(record["cause"] for record in history)
    charging = {effect["entity_id"] for effect in effects if effect["status"] in OPEN and effect["name"] == CHARGE.name}
    asking = {record["event_id"] for record in history}
    for effect in effects:
        assert caused[effect["id"]] == _told(effect), (
            f"{effect['id']}: {effect['status']}, but told {caused[effect['id']]} times"
        )
        assert effect["cause"] in asking, f"{effect['id']}: asked for by nobody"
    waiting = {record["entity_id"] for record in history if record["event"] == "pay"}
    assert charging <= waiting


def _told(effect: Row) -> bool:
    """Tell whether an effect's outcome is a transition of its entity."""
    return effect["status"] == "done" and effect["error"] is None and "event" in effect["outcome"]


def _check_timers(orders: list[Row], timers: list[Row]) -> None:
    """Each order has just the timers of its state."""
    kept = defaultdict(set)
    for timer in timers:
        kept[timer["machine"], timer["entity_id"]].add(timer["name"])
    machine = MACHINES["order"]
    for order in orders:
        assert kept.pop(("order", order["id"]), set()) == set(machine.timer_names(order["state"])), order["id"]
    assert not [each for each in kept if each[0] == machine.name], "timers of nobody"
