"""A shop that is spoken to over HTTP, by callers with keys of different roles."""

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import httpx

from orderly.service import Service
from statemachines.activity import activity_id
from statemachines.declaration import Role

PROBLEM_MEMBERS = {"type", "title", "status", "detail", "instance", "code", "request_id"}


class Shop:
    """One service and those who call it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.app = service.app()
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        """Let everybody come in."""
        self.nobody = await self.caller(None)
        self.ann = await self.caller(await self.key("ann", Role.CUSTOMER))
        self.ben = await self.caller(await self.key("ben", Role.CUSTOMER))
        self.merchant = await self.caller(await self.key("shop", Role.MERCHANT))
        self.approver = await self.caller(await self.key("eve", Role.APPROVER))
        self.admin = await self.caller(await self.key("root", Role.ADMIN))

    async def close(self) -> None:
        await self._stack.aclose()

    async def key(self, principal: str, role: Role) -> str:
        return (await self.service.keys.create(principal, role, "test")).text

    async def caller(self, key: str | None, app: Any = None) -> httpx.AsyncClient:
        """Return a caller that sends this key."""
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app or self.app),
            base_url="http://orderly",
            headers={"Authorization": f"Bearer {key}"} if key else {},
        )
        return await self._stack.enter_async_context(client)

    # -- given

    async def sells(self, sku: str = "MUG", *, price: int = 1250, on_hand: int = 10) -> None:
        product = {"sku": sku, "name": sku.title(), "price": price, "currency": "EUR", "on_hand": on_hand}
        assert (await self.merchant.post("/products", json=product)).status_code == 201

    async def draft(self, by: httpx.AsyncClient | None = None, sku: str = "MUG", quantity: int = 1) -> str:
        lines = [{"sku": sku, "quantity": quantity}]
        answer = await (by or self.ann).post("/orders", json={"lines": lines})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def pending(self, by: httpx.AsyncClient | None = None) -> str:
        order = await self.draft(by)
        assert (await (by or self.ann).post(f"/orders/{order}/submit")).status_code == 200
        return order

    async def child(self, kind: str, by: httpx.AsyncClient | None = None) -> str:
        """Return the id of a payment, a refund, a shipment or a return of an order that has one of each."""
        sku = f"{kind}-{secrets.token_hex(4)}"
        await self.sells(sku)
        order = await self.draft(by, sku)
        (await (by or self.ann).post(f"/orders/{order}/submit")).raise_for_status()
        (await (by or self.ann).post(f"/orders/{order}/pay", json={"method": "tok_approve"})).raise_for_status()
        await self.service.settle()
        (await self.merchant.post(f"/orders/{order}/fulfill")).raise_for_status()
        (await (by or self.ann).post(f"/orders/{order}/complete")).raise_for_status()
        (await (by or self.ann).post(f"/orders/{order}/request_return")).raise_for_status()
        (await self.merchant.post(f"/orders/{order}/refund", json={"amount": 100})).raise_for_status()
        (found,) = await self.children(order, kind)
        return found

    async def request(self, by: httpx.AsyncClient | None = None, **asked: Any) -> str:
        """Ask for approval of an expense."""
        expense = {"kind": "expense", "reference": "E-14", "description": "the trip", "amount": 4200, "currency": "EUR"}
        answer = await (by or self.ann).post("/approvals", json={**expense, **asked})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def tracked(self, by: httpx.AsyncClient | None = None, **asked: Any) -> str:
        """Have ann's activity kept, again if she had opted out."""
        answer = await (by or self.ann).post("/activities", json={"customer": "ann", **asked})
        if answer.status_code == 409:
            answer = await self.ann.post(f"/activities/{activity_id('ann')}/resume")
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    async def subscribed(self, url: str = "https://erp.example/hook", *patterns: str) -> str:
        """Have events delivered to an address."""
        answer = await self.merchant.post("/subscriptions", json={"url": url, "patterns": patterns or ["*"]})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    # -- when

    async def pay(
        self, order: str, method: str = "tok_approve", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        return await self.ann.post(f"/orders/{order}/pay", json={"method": method}, headers=headers)

    async def children(self, order: str, kind: str) -> list[str]:
        """Return the ids of an order's payments, refunds, shipments or returns."""
        answer = await self.merchant.get(f"/orders/{order}/children")
        machine = kind.removesuffix("s")
        return [str(each["id"]) for each in answer.raise_for_status().json() if each["machine"] == machine]

    async def settle_while(self, request: Any) -> httpx.Response:
        """Let a request wait while effects are run."""
        waiting = asyncio.ensure_future(request)
        while not waiting.done():
            await self.service.settle()
            await asyncio.sleep(0)
        return await waiting


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is a problem in the one shape that all have, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem.keys() >= PROBLEM_MEMBERS
    assert problem["status"] == status
    assert (problem["code"], problem["type"]) == (code, f"urn:orderly:problem:{code}")
    assert problem["instance"] == answer.request.url.raw_path.decode().partition("?")[0]
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["title"]
    assert problem["detail"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    return problem
