"""A worker that is killed between a call and its commit: the other side did it once, and so says our history."""

import asyncio
import os
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sqlalchemy import update

from engine.clock import SteadyClock
from orderly.service import Service
from orderly.settings import Settings
from persistence.tables import TABLES, EffectRow
from statemachines.payment import Payment
from tests.engine.books import audit
from tests.engine.shop import Shop
from tests.faults.server import PEPPER, prepare
from tests.gateways.peer import SILENCE, Asked, apart
from tests.gateways.stripe_double import SECRET_KEY, StripeDouble

ORDERS, KILLS = 24, 2


@dataclass
class Trap(StripeDouble):
    """A Stripe that kills whoever calls it, right after it has taken the money and before it says so."""

    victim: int = 0
    deadly: set[int] = field(default_factory=set)
    """After which charges."""

    def answer(self, asked: Asked) -> Any:
        said = super().answer(asked)
        if len(self.taken) in self.deadly:
            self.deadly.discard(len(self.taken))
            os.killpg(self.victim, signal.SIGKILL)
            return SILENCE
        return said


def at(url: str, stripe: Trap) -> Settings:
    payments = {"gateway": "stripe", "secret_key": SECRET_KEY, "url": stripe.url}
    return Settings(database_url=url, key_pepper=PEPPER, payments=payments)


async def work_until_killed(url: str, stripe: Trap) -> None:
    """Run `orderly worker` until the trap closes, then let the leases of the dead lapse."""
    variables = {
        "ORDERLY_DATABASE_URL": url,
        "ORDERLY_KEY_PEPPER": PEPPER,
        "ORDERLY_PAYMENTS__GATEWAY": "stripe",
        "ORDERLY_PAYMENTS__SECRET_KEY": SECRET_KEY,
        "ORDERLY_PAYMENTS__URL": stripe.url,
        "ORDERLY_LOG_LEVEL": "error",
    }
    command = (sys.executable, "-m", "orderly", "worker")
    worker = await asyncio.create_subprocess_exec(*command, env={**os.environ, **variables}, start_new_session=True)
    stripe.victim = worker.pid
    try:
        assert await asyncio.wait_for(worker.wait(), 30) == -signal.SIGKILL
    finally:
        if worker.returncode is None:
            os.killpg(worker.pid, signal.SIGKILL)


async def lapse(service: Service) -> int:
    """Let a minute pass for the claims of the dead; return how many they were."""
    effects = TABLES[EffectRow]
    held = update(effects).where(effects.c.status == "running").values(due_at=effects.c.created_at)
    return int(await service.database.write(lambda c: c.execute(held).rowcount))


async def test_a_worker_that_is_killed_after_the_call_charges_once(database_url: str, capsys) -> None:
    await prepare(database_url, "MUG")
    with apart(Trap(deadly={3, 14})) as stripe:
        async with Service.open(at(database_url, stripe), clock=SteadyClock(), random=Random(2)) as service:
            orders = [await Shop(service).paying("pm_card_visa", MUG=1) for _ in range(ORDERS)]
        held = 0
        for _ in range(KILLS):
            await work_until_killed(database_url, stripe)
            async with Service.open(at(database_url, stripe), clock=SteadyClock(), random=Random(3)) as service:
                held += await lapse(service)
        async with Service.open(at(database_url, stripe), clock=SteadyClock(), random=Random(4)) as service:
            await service.settle()
            shop = Shop(service)
            rows = [await shop.row("order", order) for order in orders]
            payments = await shop._all(Payment)
            stories = [await shop.story("order", order) for order in orders]
            await service.database.read(audit)
    charges = Counter(asked.headers["idempotency-key"] for asked in stripe.asked if asked.method == "POST")
    with capsys.disabled():
        print(f"\n{KILLS} kills: {held} calls cut off, {charges.total() - ORDERS} made again")  # noqa: T201
    assert stripe.deadly == set()
    assert charges.total() - ORDERS >= KILLS, "no kill ever met a call"
    assert [row["state"] for row in rows] == ["processing"] * ORDERS
    assert sorted(payment for payment, _, _ in stripe.taken) == sorted(str(payment["payment"]) for payment in payments)
    assert all(story.count("charged") == 1 for story in stories)
