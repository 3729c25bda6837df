"""A connection that is lost at COMMIT: what happened is looked up, never guessed. On PostgreSQL, cut by a proxy."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.envelope import Committed, DecisionFailed, OutcomeUnknown, Rejected
from persistence import schema
from persistence.database import Database
from statemachines.order import Pay
from tests.engine.proxy import Proxy
from tests.engine.shop import ANNA, Shop
from tests.engine.yard import Close, Overload, Put, Yard

PUT = Put(pieces=1)


@pytest.fixture
async def proxy(postgresql_url: str) -> AsyncIterator[Proxy]:
    direct = Database(postgresql_url)
    await schema.migrate(direct)
    await direct.close()
    async with Proxy(postgresql_url) as opened:
        yield opened


@pytest.fixture
async def far_yard(proxy, clock) -> AsyncIterator[Yard]:
    """A yard whose database lies behind the proxy."""
    database = Database(proxy.url)
    yard = Yard(database, clock)
    await yard.dispatcher.start()
    await yard.build("A", "B")
    yield yard
    await yard.dispatcher.stop()
    await database.close()


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_an_event_whose_commit_was_cut_happens_once_and_has_its_answer(far_yard, proxy, moment) -> None:
    proxy.cuts.append(moment)
    outcome = await far_yard.tell("A", PUT)
    assert proxy.fired == 1
    assert (type(outcome), outcome.version, outcome.entity["on_hand"]) == (Committed, 2, 1)
    assert await far_yard.story("A") == [(1, "build"), (2, "put")]


@pytest.mark.parametrize("cuts", [["before", "after"], ["before", "before", "after"], ["before"] * 4])
async def test_a_commit_may_be_cut_again_and_again(far_yard, proxy, cuts) -> None:
    proxy.cuts.extend(cuts)
    outcome = await far_yard.tell("A", PUT)
    assert proxy.fired == len(cuts)
    assert outcome.version == 2
    assert await far_yard.story("A") == [(1, "build"), (2, "put")]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_each_event_of_a_cut_batch_has_its_own_answer(far_yard, proxy, moment) -> None:
    proxy.cuts.append(moment)
    results = await far_yard.tell_all(("A", PUT), ("A", Close()), ("A", PUT), ("B", PUT))
    assert proxy.fired == 1
    assert [type(result) for result in results] == [Committed, Committed, Rejected, Committed]
    assert [result.version for result in results] == [2, 3, 3, 2]
    assert await far_yard.pieces("A", "B") == [1, 1]


async def test_a_batch_cut_before_its_commit_may_still_have_a_culprit(far_yard, proxy) -> None:
    proxy.cuts.append("before")
    first, second = await asyncio.gather(far_yard.tell("A", PUT), far_yard.tell_all(("A", Overload()), ("B", PUT)))
    assert proxy.fired == 1
    assert first.version == 2
    assert [type(result) for result in second] == [DecisionFailed, Committed]
    assert await far_yard.pieces("A", "B") == [1, 1]


async def test_a_database_that_is_lost_at_each_commit_leaves_the_outcome_unknown(far_yard, proxy) -> None:
    proxy.always = "before"
    outcome = await asyncio.wait_for(far_yard.tell("A", PUT), timeout=10)
    assert isinstance(outcome, OutcomeUnknown)
    proxy.always = None
    assert (await far_yard.tell("A", PUT)).version == 2


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_payment_whose_commit_was_cut_is_asked_for_once(open_service, proxy, moment) -> None:
    async with open_service(proxy.url) as service:
        shop = Shop(service)
        await shop.sells("MUG")
        order = await shop.pending(MUG=1)
        proxy.cuts.append(moment)
        paid = await shop.tell("order", order, Pay(method="tok_approve"), ANNA, key="pay-1")
        again = await shop.tell("order", order, Pay(method="tok_approve"), ANNA, key="pay-1")
        assert proxy.fired == 1
        assert (paid.state, again.replayed, again.version) == ("paying", True, paid.version)
        assert len(await shop.effects()) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_new_order_whose_commit_was_cut_is_placed_once(open_service, proxy, moment) -> None:
    async with open_service(proxy.url) as service:
        shop = Shop(service)
        await shop.sells("MUG")
        proxy.cuts.append(moment)
        order = await shop.draft(reference="shop-1", MUG=1)
        assert proxy.fired == 1
        assert await shop.story("order", order) == ["create"]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_payment_whose_outcome_was_cut_is_settled_once(open_service, proxy, moment) -> None:
    async with open_service(proxy.url) as service:
        shop = Shop(service)
        await shop.sells("MUG")
        order = await shop.paying(MUG=1)
        await service.effects.run()
        proxy.cuts.append(moment)
        await service.effects.finish()
        assert proxy.fired == 1
        assert await shop.story("order", order) == ["create", "submit", "pay", "charged"]
        assert [effect["status"] for effect in await shop.effects()] == ["done"]
