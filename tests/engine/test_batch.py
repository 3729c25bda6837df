"""Events that share a transaction see each other, and none of them spoils it for the others."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event, text

from engine.envelope import CascadeTooLong, Committed, DecisionFailed, NotFound, Rejected
from persistence.database import Database
from statemachines.order import Pay, Submit
from statemachines.product import Create as CreateProduct
from tests.engine.shop import ANNA, MERCHANT, Shop, basket
from tests.engine.yard import (
    Begin,
    Build,
    Close,
    Count,
    Dispatch,
    Drop,
    Echo,
    Extend,
    Hand,
    LoseCount,
    Overload,
    Pack,
    Put,
    Seal,
    Stumble,
    Yard,
    parcel,
)

PUT = Put(pieces=1)


async def test_events_that_arrive_together_share_a_transaction_and_see_each_other(yard: Yard) -> None:
    results = await yard.tell_all(*[("A", PUT)] * 20)
    assert [result.version for result in results] == list(range(2, 22))
    assert await yard.pieces("A") == [20]
    assert len(yard.batches) == 1


async def test_a_batch_holds_no_more_than_its_limit(database, clock) -> None:
    yard = Yard(database, clock, batch_limit=4)
    await yard.dispatcher.start()
    await yard.build("A")
    yard.batches.clear()
    await yard.tell_all(*[("A", PUT)] * 10)
    await yard.dispatcher.stop()
    assert [len(batch.results) for batch in yard.batches] == [4, 4, 2]


async def test_an_entity_is_created_and_moved_in_one_batch(yard: Yard) -> None:
    created, moved, again = await yard.tell_all((None, Build(sku="D")), ("D", PUT), (None, Build(sku="D")))
    assert (created.version, moved.version) == (1, 2)
    assert again.reason == "shelf 'D' exists already"
    assert await yard.story("D") == [(1, "build"), (2, "put")]


@pytest.mark.parametrize("bad", [Stumble(), Drop(), Overload(), LoseCount()])
async def test_one_event_that_fails_spoils_nothing_for_the_others(yard: Yard, bad) -> None:
    good = [("A", PUT), ("B", PUT), ("A", PUT)]
    results = await yard.tell_all(*good, ("A", bad), *good, ("B", bad), *good)
    assert [type(result) for result in results] == [*[Committed] * 3, DecisionFailed] * 2 + [Committed] * 3
    assert await yard.pieces("A", "B") == [6, 3]
    assert [version for version, _ in await yard.story("A")] == list(range(1, 8))


async def test_one_event_that_is_refused_spoils_nothing_for_the_others(yard: Yard) -> None:
    results = await yard.tell_all(("A", PUT), ("A", Close()), ("A", PUT), ("B", PUT), ("Z", PUT))
    assert [type(result) for result in results] == [Committed, Committed, Rejected, Committed, NotFound]
    assert len(yard.batches) == 1
    assert await yard.pieces("A", "B") == [1, 1]


async def test_an_event_and_those_that_it_sends_are_one_transaction(yard: Yard) -> None:
    await yard.tell("A", Put(pieces=5))
    sent = await yard.tell("A", Hand(to=("B", "C")))
    assert isinstance(sent, Committed)
    assert await yard.pieces("A", "B", "C") == [3, 1, 1]
    assert await yard.story("C") == [(1, "build"), (2, "put")]


async def test_a_sent_event_names_the_event_that_sent_it_as_its_cause(yard: Yard) -> None:
    sent = await yard.tell("A", Hand(to=("B",), pieces=0))
    (received,) = [record for record in yard.batches[0].changes.history if record["entity_id"] == "B"]
    assert (received["cause"], received["actor"]) == (sent.event_id, "system:system")


async def test_the_refusal_of_a_sent_event_refuses_its_sender_and_leaves_nothing(yard: Yard) -> None:
    await yard.tell("C", Close())
    refused = await yard.tell("A", Hand(to=("B", "C"), pieces=0))
    assert refused.reason.startswith("shelf 'C' refused 'put': shelf in state 'closed' takes no 'put'")
    assert (refused.state, refused.version) == ("open", 1)
    assert [await yard.story(sku) for sku in "AB"] == [[(1, "build")]] * 2


async def test_an_event_sent_to_nobody_leaves_nothing(yard: Yard) -> None:
    failed, good = await yard.tell_all(("A", Hand(to=("B", "Z"), pieces=0)), ("B", PUT))
    assert isinstance(failed, NotFound)
    assert good.version == 2
    assert await yard.story("A") == [(1, "build")]


async def test_new_entities_are_one_transaction_with_the_event_that_asked_for_them(yard: Yard) -> None:
    assert isinstance(await yard.tell("A", Extend(skus=("D", "E"))), Committed)
    refused = await yard.tell("A", Extend(skus=("F", "B")))
    assert refused.reason == "shelf 'B' refused 'build': shelf 'B' exists already"
    assert [len(await yard.story(sku)) for sku in "ADEF"] == [2, 1, 1, 0]


async def test_a_new_entity_may_ask_for_rows_under_its_new_id(yard: Yard) -> None:
    assert isinstance(await yard.tell("A", Dispatch()), Committed)
    (begun,) = [record for record in yard.batches[0].changes.history if record["machine"] == "parcel"]
    assert await yard.story(begun["entity_id"], parcel) == [(1, "begin")]


async def test_a_row_added_in_a_batch_stands_beside_those_stored_before(yard: Yard) -> None:
    await _sells_mugs(yard.database)
    begun = await yard.tell(None, Begin(), "parcel")
    await yard.tell(begun.id, Pack(number=1), "parcel")
    results = await yard_tells(yard, begun.id, Pack(number=2), Seal(lines=1), Seal(lines=2))
    assert [type(result) for result in results] == [Committed, Rejected, Committed]


async def test_a_row_added_in_a_batch_hides_none_that_were_stored_before(yard: Yard) -> None:
    await _sells_mugs(yard.database)
    begun = await yard.tell(None, Begin(), "parcel")
    await yard.tell(begun.id, Pack(number=1), "parcel")
    sealed = await yard.tell(begun.id, Pack(number=2, seal=2), "parcel")
    assert isinstance(sealed, Committed)


async def test_an_entity_created_in_a_batch_is_found_by_its_columns(yard: Yard) -> None:
    await yard.tell(None, Begin(customer="ann"), "parcel")
    results = await asyncio.gather(
        yard.tell("A", Count(customer="ann", parcels=1)),
        yard.tell(None, Begin(customer="ann"), "parcel"),
        yard.tell("A", Count(customer="ann", parcels=2)),
    )
    assert [type(result) for result in results] == [Committed] * 3
    assert len(yard.batches) == 2


async def yard_tells(yard: Yard, parcel_id: str, *events) -> list[object]:
    return await asyncio.gather(*(yard.tell(parcel_id, each, "parcel") for each in events))


async def _sells_mugs(database: Database) -> None:
    mug = "INSERT INTO products VALUES ('MUG', 'active', 1, '2026-01-05', '2026-01-05', 'Mug', 1, 'EUR')"
    await database.write(lambda connection: connection.execute(text(mug)))


async def test_a_transaction_holds_a_hundred_events_for_one_and_no_more(yard: Yard) -> None:
    enough, too_many, good = await yard.tell_all(("A", Echo(times=100)), ("B", Echo(times=101)), ("C", PUT))
    assert (enough.version, good.version) == (101, 2)
    assert isinstance(too_many, CascadeTooLong)
    assert len(await yard.story("A")) == 101
    assert await yard.story("B") == [(1, "build")]


# -- a batch asks the database as often for many events as for one ------------------------------------------------


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Collect the statements that are executed meanwhile."""
    statements: list[str] = []

    def count(_connection, _cursor, statement, *_rest) -> None:
        statements.append(statement)

    engine = database._writer.engine
    event.listen(engine, "before_cursor_execute", count)
    yield statements
    event.remove(engine, "before_cursor_execute", count)


async def _statements(shop: Shop, *told: tuple[str, str | None, object]) -> int:
    with counted(shop.service.database) as statements:
        outcomes = await asyncio.gather(
            *(shop.tell(machine, name, each, ANNA if machine == "order" else MERCHANT) for machine, name, each in told)
        )
    assert all(isinstance(outcome, Committed) for outcome in outcomes)
    return len(statements)


async def test_paying_takes_as_many_statements_for_twenty_orders_as_for_one(shop: Shop) -> None:
    await shop.sells("MUG", on_hand=100)
    orders = [await shop.pending(MUG=1) for _ in range(21)]
    pay = Pay(method="tok_approve")
    one = await _statements(shop, ("order", orders[0], pay))
    assert await _statements(shop, *(("order", order, pay) for order in orders[1:])) == one


async def test_submitting_takes_as_many_statements_for_many_lines_as_for_one(shop: Shop) -> None:
    skus = [f"MUG-{number}" for number in range(20)]
    await shop.sells(*skus)
    small = await shop.draft(**{skus[0]: 1})
    large = [await shop.draft(**dict.fromkeys(skus, 1)) for _ in range(5)]
    one = await _statements(shop, ("order", small, Submit()))
    assert await _statements(shop, *(("order", order, Submit()) for order in large)) == one


async def test_creating_products_with_their_stock_takes_as_many_statements_for_twenty_as_for_one(shop: Shop) -> None:
    made = [CreateProduct(sku=f"MUG-{number}", name="Mug", price=1, currency="EUR") for number in range(21)]
    one = await _statements(shop, ("product", None, made[0]))
    assert await _statements(shop, *(("product", None, each) for each in made[1:])) == one


async def test_drafting_takes_as_many_statements_for_twenty_orders_as_for_one(shop: Shop) -> None:
    await shop.sells("MUG", "POT")
    one = await _statements(shop, ("order", None, basket(MUG=1)))
    assert await _statements(shop, *[("order", None, basket(MUG=1, POT=2))] * 20) == one
