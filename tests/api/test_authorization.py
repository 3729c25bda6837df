"""Who may do what: every operation of the interface, for every role, on its own, another's and nothing.

The operations come from the API's description, what they should do from the machines' declarations; nothing is listed
by hand, so a new event or route is in here by itself, or fails.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import httpx

from api.openapi import describe
from orderly.service import Service
from statemachines.declaration import Role
from statemachines.machine import Machine
from tests.api.shop import Shop

HTTP_ROLES = {"customer", "merchant", "approver", "admin"}
OPEN = {"live", "ready", "receive_webhook"}
INTERVENTIONS = {"retry_effect", "cancel_effect", "fire_timer", "postpone_timer", "cancel_timer"}
FOR_ADMINS = {"create_key", "list_keys", "revoke_key", "replay_inbox_row", "dismiss_inbox_row"} | INTERVENTIONS
FOR_ALL = {"list_machines", "get_machine", "whoami"}
FOR_OPERATORS = {"metrics", "list_events", "list_deliveries"}
FOR_MERCHANTS = {"get_subscription_secret"}
FOR_STAFF = {"list_inbox", "get_inbox_row", "list_effects", "get_effect", "list_timers", "list_destinations"}
LOOKS = (
    "list_{plural}",
    "get_{name}",
    "count_{plural}",
    "{name}_history",
    "{name}_events",
    "{name}_timers",
    "{name}_effects",
)


class Operation(NamedTuple):
    id: str
    method: str
    path: str
    roles: set[str] | None
    body: Any


def described(service: Service) -> Iterator[Operation]:
    """Return every operation of the API's description."""
    document = describe(service.app().application, service.registry)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            roles = set(operation["x-roles"]) if "x-roles" in operation else None
            yield Operation(operation["operationId"], method, path, roles, content.get("example"))


def declared(service: Service) -> dict[str, set[str] | None]:
    """Return who may do what by the machines' declarations; None is everybody, with or without a key."""
    table: dict[str, set[str] | None] = dict.fromkeys(OPEN)
    table |= {name: {"admin"} for name in FOR_ADMINS}
    table |= dict.fromkeys(FOR_ALL, HTTP_ROLES)
    table |= {name: {"admin", "merchant"} for name in FOR_OPERATORS}
    table |= {name: {"merchant"} for name in FOR_MERCHANTS}
    table |= {name: {"admin", "merchant", "approver"} for name in FOR_STAFF}
    for machine in service.registry:
        for look in LOOKS:
            name = look.format(name=machine.name, plural=machine.plural)
            table[name] = {str(role) for role in machine.readers} & HTTP_ROLES
        for event in machine.events.values():
            if event.raised_by:
                table[f"{event.event_name}_{machine.name}"] = {str(role) for role in event.raised_by}
    for parent in ("order", "payment"):
        table[f"{parent}_children"] = table[f"get_{parent}"]
    return table


async def test_the_interface_has_the_declared_operations_for_the_declared_roles_and_no_others(shop: Shop) -> None:
    assert {operation.id: operation.roles for operation in described(shop.service)} == declared(shop.service)


async def test_every_served_route_is_described(shop: Shop) -> None:
    operations = {operation.id for operation in described(shop.service)}
    for route in shop.app.application.routes:
        for handler in getattr(route, "route_handlers", ()):
            served = route.path.startswith("/docs") or "OPTIONS" in handler.http_methods
            assert served or handler.operation_id in operations, route.path


async def test_every_operation_is_refused_to_every_role_that_is_not_declared(shop: Shop) -> None:
    callers = {"customer": shop.ann, "merchant": shop.merchant, "approver": shop.approver, "admin": shop.admin}
    for operation in described(shop.service):
        path = await _path(shop, operation, shop.ann)
        for role, caller in callers.items():
            answer = await _send(caller, operation, path)
            may = operation.roles is None or role in operation.roles
            assert (answer.status_code != 403) == may, (operation, role, answer.text)
            assert answer.status_code < 500, (operation, role, answer.text)
            assert may or answer.json()["detail"].endswith(f"your role is {role}")


async def test_every_operation_needs_a_key_unless_it_is_open(shop: Shop) -> None:
    for operation in described(shop.service):
        answer = await _send(shop.nobody, operation, operation.path)
        needed = answer.status_code == 401 and answer.json()["code"] == "unauthorized"
        assert needed == (operation.roles is not None), operation


async def test_what_is_anothers_is_as_absent_to_a_customer(shop: Shop) -> None:
    theirs = [operation for operation in described(shop.service) if _is_owned(shop, operation)]
    assert len(theirs) > 8
    for operation in theirs:
        own, absent = await _path(shop, operation, shop.ann), await _path(shop, operation, None)
        assert (await _send(shop.ann, operation, own)).status_code != 404, operation
        assert (await _send(shop.ben, operation, own)).status_code == 404, operation
        assert (await _send(shop.ann, operation, absent)).status_code == 404, operation


async def test_lists_and_counts_hold_only_what_is_the_customers_own(shop: Shop) -> None:
    order = await shop.draft(shop.ann)
    for caller, seen in ((shop.ann, [order]), (shop.ben, []), (shop.approver, [order]), (shop.merchant, [order])):
        assert [item["id"] for item in (await caller.get("/orders")).json()["items"]] == seen
        assert (await caller.get("/orders/counts")).json()["draft"] == len(seen)
    assert (await shop.ben.get("/orders?customer=ann")).status_code == 403
    assert len((await shop.merchant.get("/orders?customer=ann")).json()["items"]) == 1


async def test_an_approver_moves_approvals_alone_and_an_admin_jobs_alone(shop: Shop) -> None:
    moves = {f"{event}_{machine.name}": machine.name for machine in shop.service.registry for event in machine.events}
    for role, moved in ((Role.APPROVER, {"approval"}), (Role.ADMIN, {"job"})):
        may = [operation.id for operation in described(shop.service) if role in (operation.roles or ())]
        assert {moves[name] for name in may if name in moves} == moved


async def test_the_system_never_comes_over_http(shop: Shop) -> None:
    assert all("system" not in (operation.roles or ()) for operation in described(shop.service))
    answer = await shop.admin.post("/keys", json={"principal": "system", "role": "system"})
    assert answer.status_code == 422
    order = await shop.pending()
    machine = shop.service.registry["order"]
    for event in machine.events.values():
        if not event.raised_by:
            assert (await shop.merchant.post(f"/orders/{order}/{event.event_name}", json={})).status_code == 404


def _machine(shop: Shop, operation: Operation) -> Machine | None:
    plural = operation.path.split("/")[1]
    return next((machine for machine in shop.service.registry if machine.plural == plural), None)


def _is_owned(shop: Shop, operation: Operation) -> bool:
    machine = _machine(shop, operation)
    owned = machine is not None and machine.entity.owner_column is not None
    return owned and "{entity_id}" in operation.path and "customer" in (operation.roles or ())


async def _path(shop: Shop, operation: Operation, owner: httpx.AsyncClient | None) -> str:
    """Return an operation's path to something of this owner, or to nothing."""
    machine, found = _machine(shop, operation), "absent"
    if machine is not None and "{entity_id}" in operation.path and owner is not None:
        make = {"order": shop.draft, "approval": shop.request, "activity": shop.tracked}.get(machine.name)
        if machine.name in ("payment", "refund", "shipment", "return", "reservation"):
            make = partial(shop.child, machine.plural)
        found = await make(owner) if make else "MUG"
    absent = dict.fromkeys(("key_id", "seq", "source", "effect_id"), "absent")
    return operation.path.format(entity_id=found, name="order", machine="order", **absent)


async def _send(caller: httpx.AsyncClient, operation: Operation, path: str) -> httpx.Response:
    if operation.method == "post":
        return await caller.post(path, json=operation.body)
    return await caller.request(operation.method, path)
