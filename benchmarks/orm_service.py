"""The plain version of the same transition: an ORM session for each request. It is the baseline, not a model.

Framework, tables, server, authentication by a hashed key and idempotency are the same; what differs is that each
request has a session and a transaction of its own, and that rows are ORM objects.
"""

import hashlib
import hmac
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
from granian import Granian
from granian.constants import Interfaces, Loops
from litestar import Litestar, Request, Response, get, post
from litestar.exceptions import NotAuthorizedException, NotFoundException
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import registry
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from benchmarks.stage import PEPPER
from persistence.database import POSTGRESQL_SETTINGS
from persistence.tables import ApiKeyRow, EffectRow, History, IdempotencyKeyRow, TimerRow, table_of
from statemachines.ids import new_id
from statemachines.order import Order, Pay
from statemachines.payment import Payment


class OrmOrder:
    """An order as the ORM sees it."""


class OrmPayment:
    """A payment as the ORM sees it."""

    def __init__(self, **columns: object) -> None:
        for name, value in columns.items():
            setattr(self, name, value)


registry().map_imperatively(OrmOrder, table_of(Order))
registry().map_imperatively(OrmPayment, table_of(Payment))

random = Random()
known_keys: dict[str, ApiKeyRow] = {}


def _engine() -> AsyncEngine:
    return create_async_engine(
        os.environ["ORDERLY_DATABASE_URL"],
        pool_size=10,
        max_overflow=0,
        connect_args={"server_settings": POSTGRESQL_SETTINGS},
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
    )


@asynccontextmanager
async def _connected(app: Litestar) -> AsyncIterator[None]:
    engine = _engine()
    app.state.sessions = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
    yield
    await engine.dispose()


async def _principal(request: Request[Any, Any, Any], session: AsyncSession) -> str:
    _, key_id, secret, _ = request.headers["authorization"].removeprefix("Bearer ord_").split("_")
    key = known_keys.get(key_id)
    if key is None:
        key = await session.get(ApiKeyRow, key_id)
        if key is None:
            raise NotAuthorizedException
        known_keys[key_id] = key
    if not hmac.compare_digest(key.digest, hmac.new(PEPPER.encode(), secret.encode(), hashlib.sha256).hexdigest()):
        raise NotAuthorizedException
    return f"{key.role}:{key.principal}"


@post("/orders/{order_id:str}/pay", status_code=200)
async def pay(request: Request[Any, Any, Any], order_id: str, data: Pay) -> Response[Any]:
    """Begin a payment of the order's total, and ask the gateway for it."""
    async with request.app.state.sessions() as session:
        actor = await _principal(request, session)
        now, event_id = datetime.now(UTC), new_id("evt", datetime.now(UTC), random)
        key = request.headers["idempotency-key"]
        fingerprint = hashlib.sha256(request.url.path.encode() + await request.body()).hexdigest()
        kept = await session.get(IdempotencyKeyRow, (actor, key))
        if kept is not None:
            return Response(kept.outcome)
        found = await session.exec(select(OrmOrder).where(OrmOrder.id == order_id).with_for_update())  # type: ignore[attr-defined,call-overload]
        order: Any = found.one_or_none()
        if order is None:
            raise NotFoundException
        order.state, order.version, order.state_since, order.asked = "paying", order.version + 1, now, order.total
        payment = _payment(order, data, now)
        session.add(payment)
        begun = {**data.model_dump(), "order": order_id, "customer": order.customer, "amount": order.total}
        begin_id = new_id("evt", now, random)
        session.add(
            History(
                event_id=event_id,
                machine="order",
                entity_id=order_id,
                version=order.version,
                event="pay",
                commit_order=0,
                source="pending",
                target="paying",
                actor=actor,
                cause=new_id("req", now, random),
                payload=data.model_dump(),
                at=now,
            )
        )
        session.add(
            History(
                event_id=begin_id,
                machine="payment",
                entity_id=payment.id,
                version=1,
                event="begin",
                commit_order=0,
                source="(new)",
                target="capturing",
                actor="system:system",
                cause=event_id,
                payload={**begun, "currency": order.currency, "take": "now", "email": order.email, "called": None},
                at=now,
            )
        )
        arguments = {"amount": order.total, "currency": order.currency, "method": data.method, "order": order_id}
        session.add(
            EffectRow(
                id=new_id("eff", now, random),
                machine="payment",
                entity_id=payment.id,
                name="payments.charge",
                destination="payments",
                arguments=arguments,
                due_at=now,
                cause=begin_id,
                created_at=now,
                status="pending",
                attempts=0,
                lost=0,
                token=0,
                retrying_since=now,
            )
        )
        old_timer = await session.get(TimerRow, ("order", order_id, "expire"))
        if old_timer is not None:
            await session.delete(old_timer)
        session.add(
            TimerRow(
                machine="payment",
                entity_id=payment.id,
                name="unanswered",
                event="unanswered",
                due_at=now + timedelta(days=1),
                fired=0,
                cause=begin_id,
            )
        )
        answer = {
            "kind": "Committed",
            "machine": "order",
            "id": order_id,
            "event_id": event_id,
            "event": "pay",
            "source": "pending",
            "state": order.state,
            "version": order.version,
            "at": now,
            "entity": {column.name: getattr(order, column.name) for column in table_of(Order).columns},
            "replayed": False,
        }
        session.add(
            IdempotencyKeyRow(
                scope=actor, key=key, fingerprint=fingerprint, outcome=answer, expires_at=now + timedelta(days=7)
            )
        )
        await session.commit()
    return Response(answer)


def _payment(order: Any, data: Pay, now: datetime) -> Any:
    """Return a new payment of all that the order costs."""
    new = Payment(
        id=new_id("pay", now, random),
        state="capturing",
        version=1,
        created_at=now,
        state_since=now,
        order_id=order.id,
        customer=order.customer,
        email=order.email,
        currency=order.currency,
        amount=order.total,
        method=data.method,
        payment_asked=True,
        asked=order.total,
    )
    return OrmPayment(**new.model_dump())


@get("/health/ready")
async def ready() -> dict[str, str]:
    """Tell that the process serves."""
    return {"status": "ok"}


app = Litestar([pay, ready], lifespan=[_connected], logging_config=None)


if __name__ == "__main__":
    Granian(
        "benchmarks.orm_service:app",
        interface=Interfaces.ASGI,
        port=int(sys.argv[sys.argv.index("--port") + 1]),
        workers=int(os.environ["ORDERLY_WORKERS"]),
        loop=Loops.uvloop,
        websockets=False,
        log_enabled=False,
    ).serve()
