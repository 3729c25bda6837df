"""Returns on real databases: what customers send back is inspected, restocked, and paid back or sent anew."""

import asyncio
from datetime import timedelta

import pytest

from engine.envelope import Committed, Forbidden, NotFound, Rejected
from orderly.service import Service
from statemachines.order import Complete, Fulfill, RequestReturn
from statemachines.pieces import Pieces
from statemachines.refund import Refund
from statemachines.refund.events import Settle
from statemachines.returns.events import Approve, Cancel, Depart, Inspect, Inspected, Receive, SendLabel, Wish
from statemachines.returns.model import ReturnCase, ReturnPolicy
from tests.conftest import OpenService
from tests.engine.shop import ANNA, BEN, MERCHANT, Shop, committed, rejected
from tests.statemachines.goods_in import RETURN_TO


class Returns(Shop):
    """A shop whose customers send things back."""

    async def completed(self, **pieces: int) -> str:
        """Sell pieces, at 12.50 EUR each, that arrive."""
        order = await self.fulfilled(**pieces)
        committed(await self.tell("order", order, Complete(), ANNA))
        return order

    async def requested(self, order: str, *, wish: Wish = "refund", **pieces: int) -> str:
        """Ask to send back pieces of lines named ``line1``, ``line2``; return the return's id."""
        lines = tuple(Pieces(number=int(name[4:]), quantity=quantity) for name, quantity in pieces.items())
        before = await self.returns()
        committed(await self.tell("order", order, RequestReturn(lines=lines, reason="too big", wish=wish), ANNA))
        (new,) = await self.returns() - before
        return new

    async def received(self, order: str, *, wish: Wish = "refund", **pieces: int) -> str:
        case = await self.requested(order, wish=wish, **pieces)
        committed(await self.tell("return", case, Approve()))
        committed(await self.tell("return", case, Depart(tracking="RR1"), ANNA))
        committed(await self.tell("return", case, Receive()))
        return case

    async def finds(self, case: str, *found: Inspected) -> Committed | Rejected:
        outcome = await self.tell("return", case, Inspect(lines=found))
        assert isinstance(outcome, Committed | Rejected)
        return outcome

    async def returns(self) -> set[str]:
        """Return the ids of all returns."""
        return {str(row["id"]) for row in await self._all(ReturnCase)}

    async def money(self, machine: str, id: str, *names: str) -> tuple[object, ...]:  # noqa: A002
        row = await self.row(machine, id)
        return tuple(row[name] for name in names)


@pytest.fixture
async def hall(service: Service) -> Returns:
    """A shop with mugs and jugs, ten of each, on each kind of database."""
    opened = Returns(service)
    await opened.sells("MUG", "JUG")
    return opened


async def test_part_of_two_lines_comes_back_and_is_paid_back(hall: Returns) -> None:
    order = await hall.completed(MUG=3, JUG=2)
    assert await hall.shelf() == (7, 0)
    case = await hall.received(order, line1=2, line2=1)
    committed(await hall.finds(case, Inspected(number=1, accepted=2), Inspected(number=2, accepted=1)))
    assert await hall.money("return", case, "state", "refund_amount", "refunded") == ("refunding", 3750, 0)
    await hall.service.settle()
    assert await hall.money("return", case, "state", "refund_amount", "refunded") == ("refunded", 3750, 3750)
    assert await hall.money("order", order, "state", "refunded", "refunding") == ("completed", 3750, 0)
    assert (await hall.shelf("MUG"), await hall.shelf("JUG")) == ((9, 0), (9, 0))


async def test_damaged_pieces_are_paid_back_in_part_and_not_restocked(hall: Returns) -> None:
    order = await hall.completed(MUG=3)
    case = await hall.received(order, line1=3)
    committed(await hall.finds(case, Inspected(number=1, accepted=1, damaged=1, refused=1, percent=50)))
    await hall.service.settle()
    assert await hall.money("return", case, "state", "refunded") == ("refunded", 1250 + 625)
    assert await hall.shelf() == (8, 0)
    assert await hall.state(order) == "completed"  # one piece stays with the customer


async def test_an_order_of_which_everything_came_back_is_returned(hall: Returns) -> None:
    order = await hall.completed(MUG=2)
    case = await hall.received(order, line1=2)
    committed(await hall.finds(case, Inspected(number=1, accepted=2)))
    await hall.service.settle()
    assert await hall.money("order", order, "state", "refunded") == ("returned", 2500)


async def test_pieces_are_exchanged_for_others(hall: Returns) -> None:
    order = await hall.completed(MUG=2)
    case = await hall.received(order, wish="exchange", line1=1)
    committed(await hall.finds(case, Inspected(number=1, damaged=1)))
    await hall.service.settle()
    assert await hall.money("return", case, "state", "refund_amount") == ("exchanged", 0)
    assert await hall.shelf() == (7, 0)
    assert await hall.money("order", order, "refunded", "refunding") == (0, 0)


async def test_the_money_comes_back_if_there_is_nothing_to_exchange_for(hall: Returns) -> None:
    order = await hall.completed(MUG=10)
    case = await hall.received(order, wish="exchange", line1=1)
    committed(await hall.finds(case, Inspected(number=1, damaged=1)))
    await hall.service.settle()
    assert await hall.money("return", case, "state", "refunded") == ("refunded", 1250)


async def test_nothing_is_owed_for_what_is_refused(hall: Returns) -> None:
    order = await hall.completed(MUG=2)
    case = await hall.received(order, line1=2)
    committed(await hall.finds(case, Inspected(number=1, refused=2)))
    await hall.service.settle()
    assert await hall.money("return", case, "state", "refund_amount") == ("closed", 0)
    assert await hall.money("order", order, "state", "refunding", "refunded") == ("completed", 0, 0)


async def test_a_return_that_is_never_sent_expires_and_may_be_asked_for_again(hall: Returns) -> None:
    order = await hall.completed(MUG=2)
    case = await hall.requested(order, line1=2)
    again = await hall.tell("order", order, RequestReturn(lines=(Pieces(number=1, quantity=1),)), ANNA)
    assert "line 1: 1 to return, but 2 bought and 2 returned before" in rejected(again).reason
    committed(await hall.tell("return", case, Approve()))
    await hall.service.advance(timedelta(days=7))
    assert "remind" in await hall.story("return", case)
    await hall.service.advance(timedelta(days=7))
    assert await hall.money("return", case, "state", "ended_because") == ("expired", "the pieces were not sent in time")
    await hall.requested(order, line1=2)


async def test_the_carrier_makes_a_label(open_service: OpenService, sqlite_url: str) -> None:
    policy = ReturnPolicy.model_validate({"return_to": RETURN_TO, "approve_up_to": 1})
    async with open_service(sqlite_url, returns=policy) as service:
        hall = Returns(service)
        await hall.sells("MUG")
        order = await hall.completed(MUG=2)
        case = await hall.requested(order, line1=1)
        assert (await hall.row("return", case))["state"] == "approved"
        await service.settle()
        row = await hall.row("return", case)
        assert (row["state"], str(row["label_url"]).endswith("label.pdf")) == ("label_sent", True)
        assert await hall.story("return", case) == ["request", "shipment_created"]


async def test_who_inspects_second_is_told_that_it_was_done(hall: Returns) -> None:
    order = await hall.completed(MUG=2)
    case = await hall.received(order, line1=2)
    results = await asyncio.gather(*(hall.finds(case, Inspected(number=1, accepted=2)) for _ in range(16)))
    assert sum(isinstance(result, Committed) for result in results) == 1
    assert {result.reason.partition(" takes")[0] for result in results if isinstance(result, Rejected)} == {
        "return in state 'refunding'"
    }
    await hall.service.settle()
    assert await hall.shelf() == (10, 0)
    assert await hall.money("order", order, "refunded") == (2500,)


async def test_what_does_not_add_up_changes_nothing(hall: Returns) -> None:
    order = await hall.completed(MUG=2)
    case = await hall.received(order, line1=2)
    refused = rejected(await hall.finds(case, Inspected(number=1, accepted=1)))
    assert (refused.guard, refused.reason) == (
        "accounts_for_every_piece",
        "line 1: 2 pieces announced, 1 accounted for",
    )
    assert (await hall.shelf(), (await hall.row("return", case))["state"]) == ((8, 0), "received")


async def test_customers_keep_to_their_own_returns(hall: Returns) -> None:
    order = await hall.completed(MUG=2)
    case = await hall.requested(order, line1=2)
    committed(await hall.tell("return", case, Approve()))
    with pytest.raises(Forbidden):
        await hall.tell("return", case, SendLabel(label_url="https://post.example/1.pdf"), ANNA)
    with pytest.raises(NotFound):
        await hall.tell("return", case, Depart(), BEN)


async def test_a_refund_that_fails_is_seen_on_the_return_until_it_was_given_in_another_way(hall: Returns) -> None:
    order = await hall.paying("tok_no_refund", MUG=2)
    await hall.service.settle()
    committed(await hall.tell("order", order, Fulfill()))
    committed(await hall.tell("order", order, Complete(), ANNA))
    case = await hall.received(order, line1=2)
    committed(await hall.finds(case, Inspected(number=1, accepted=2)))
    await hall.service.settle()
    assert await hall.money("return", case, "state", "refund_due") == ("refunding", 2500)
    assert "refund of 25.00 EUR failed" in str((await hall.row("return", case))["attention"])
    (refund,) = await hall._all(Refund)
    committed(await hall.tell("refund", str(refund["id"]), Settle(reason="by bank transfer")))
    assert await hall.money("return", case, "state", "refunded", "refund_due", "attention") == (
        "refunded",
        2500,
        0,
        None,
    )
    assert await hall.money("order", order, "refunded", "refund_due") == (2500, 0)


async def test_two_processes_settle_a_return_once(open_service: OpenService, postgresql_url: str) -> None:
    async with open_service(postgresql_url) as one, open_service(postgresql_url, seed=2) as other:
        halls = [Returns(one), Returns(other)]
        await halls[0].sells("MUG")
        order = await halls[0].completed(MUG=2)
        case = await halls[0].received(order, line1=2)
        results = await asyncio.gather(
            *(
                halls[number % 2].finds(case, Inspected(number=1, accepted=number % 3, refused=2 - number % 3))
                for number in range(64)
            )
        )
        (settled,) = [number for number, result in enumerate(results) if isinstance(result, Committed)]
        reasons = {result.reason.partition(" takes")[0] for result in results if isinstance(result, Rejected)}
        assert reasons == {f"return in state '{'refunding' if settled % 3 else 'closed'}'"}
        await one.settle()
        await other.settle()
        assert await halls[1].shelf() == (8 + settled % 3, 0)
        assert await halls[1].money("order", order, "refunded", "refunding") == (1250 * (settled % 3), 0)


async def test_a_return_is_cancelled_or_received_but_not_both(open_service: OpenService, postgresql_url: str) -> None:
    async with open_service(postgresql_url) as one, open_service(postgresql_url, seed=2) as other:
        halls = [Returns(one), Returns(other)]
        await halls[0].sells("MUG")
        case = await halls[0].requested(await halls[0].completed(MUG=2), line1=2)
        committed(await halls[0].tell("return", case, Approve()))
        events = [(Receive(), MERCHANT), (Cancel(), ANNA)] * 16
        turns = [halls[number // 2 % 2].tell("return", case, *event) for number, event in enumerate(events)]
        results = await asyncio.gather(*turns)
        assert sum(isinstance(result, Committed) for result in results) == 1
        assert (await halls[0].row("return", case))["state"] in ("received", "cancelled")
