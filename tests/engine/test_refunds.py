"""Refunds on real databases: in full and in part, of several payments, over the limit, and many at once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from engine.envelope import Committed, Forbidden, NotFound, Outcome, Rejected
from engine.inbox import Message
from engine.interventions import CancelEffect
from persistence.tables import TABLES
from statemachines.approval import Approve, Reject
from statemachines.declaration import Actor, Event, Role
from statemachines.machine import SYSTEM
from statemachines.order import Cancel as CancelOrder
from statemachines.order import Pay, RefundAgain
from statemachines.order.events import Refund as AskBack
from statemachines.payment.events import Dispute, DisputeLost, DisputeWon
from statemachines.payments import REFUND
from statemachines.pieces import Pieces
from statemachines.refund import Accept, Cancel, Clarify, Refund, Refuse, Retry, Settle
from tests.conftest import OpenService
from tests.engine.messages import refund as refund_told
from tests.engine.shop import ANNA, BEN, MERCHANT, Shop, committed, rejected
from tests.statemachines.office import approver

PRICE = 20_000
COLLEAGUE = Actor("colin", Role.MERCHANT)
ROOT = Actor("root", Role.ADMIN)


class Counter:
    """The shop's refunds, and what its books say of them."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.service = shop, shop.service

    async def paid(self, *methods: str, **pieces: int) -> str:
        """Have an order paid, by one payment or by several of the same amount."""
        order = await self.shop.pending(**(pieces or {"MUG": 4}))
        total = int(str((await self.shop.row("order", order))["total"]))
        for method in methods or ("tok_approve",):
            committed(
                await self.shop.tell("order", order, Pay(method=method, amount=total // max(len(methods), 1)), ANNA)
            )
            await self.service.settle()
        return order

    async def asks(self, order: str, amount: int | None = None, by: Actor = MERCHANT, **more: Any) -> Outcome:
        return await self.shop.tell("order", order, AskBack(amount=amount, **more), by)

    async def asked(self, order: str, amount: int | None = None, by: Actor = MERCHANT, **more: Any) -> str:
        """Ask for money back; return the newest refund's id."""
        await self.service.advance(timedelta(seconds=1))  # refunds are listed in the order of their moments
        committed(await self.asks(order, amount, by, **more))
        return (await self.refunds())[-1]["id"]  # type: ignore[no-any-return]

    async def silent(self, order: str) -> str:
        """Ask for all that was paid, of a gateway that does not answer; return the refund's id."""
        refund = await self.asked(order)
        given_up = CancelEffect(effect=await self.effect(refund), reason="it never answers")
        committed(await self.tell(refund, given_up, ROOT))
        await self.service.advance(timedelta(hours=24))
        return refund

    async def effect(self, refund: str) -> str:
        """Return the id of the newest call by which a refund asked the gateway."""
        calls = [each for each in await self.shop.effects() if each["name"] == REFUND.name]
        return [str(each["id"]) for each in calls if each["entity_id"] == refund][-1]

    async def tell(self, refund: str, event: Event, by: Actor = MERCHANT) -> Outcome:
        return await self.shop.tell("refund", refund, event, by)

    async def votes(self, refund: str, name: str, event: Event) -> Outcome:
        approval = (await self.shop.row("refund", refund))["approval"]
        return await self.shop.tell("approval", str(approval), event, approver(name))

    async def hears(self, refund: str, status: str, name: str, amount: int) -> None:
        """Let the gateway tell how a refund stands."""
        told = refund_told(status, await self.effect(refund), name=name, amount=amount)
        await self.service.inbox.receive(Message("stripe", name, told))
        await self.service.settle()

    async def refunds(self) -> list[dict[str, Any]]:
        """Return every refund, the oldest first."""
        table = TABLES[Refund]
        statement = select(table).order_by(table.c.created_at, table.c.id)
        return await self.service.database.read(lambda c: [dict(row) for row in c.execute(statement).mappings()])

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.refunds()]

    async def state(self, refund: str) -> object:
        return (await self.shop.row("refund", refund))["state"]

    async def books(self, order: str) -> tuple[int, int, int]:
        """Return what is on its way back, given back and still owed; the payments must say the same."""
        row = await self.shop.row("order", order)
        pending, given, due = (int(str(row[name])) for name in ("refunding", "refunded", "refund_due"))
        question = text("SELECT sum(refunding), sum(refunded), sum(captured) FROM payments WHERE order_id = :order")
        of_payments = await self.service.database.read(lambda c: tuple(c.execute(question, {"order": order}).one()))
        assert of_payments == (pending + due, given, row["paid"])
        return pending, given, due


@pytest.fixture
async def counter(shop: Shop) -> Counter:
    await shop.sells("MUG", "JUG", price=PRICE, on_hand=100)
    return Counter(shop)


# -- in full, in part, of several payments


async def test_all_that_was_paid_is_given_back(counter: Counter) -> None:
    order = await counter.paid(MUG=1)
    refund = await counter.asked(order)
    assert await counter.books(order) == (PRICE, 0, 0)
    await counter.service.settle()
    assert (await counter.state(refund), await counter.books(order)) == ("succeeded", (0, PRICE, 0))
    assert await counter.shop.story("refund", refund) == ["request", "proceed", "refunded"]


async def test_some_is_given_back_and_then_the_rest(counter: Counter) -> None:
    order = await counter.paid(MUG=1)
    for amount in (1, PRICE - 2, None):
        await counter.asked(order, amount)
        await counter.service.settle()
    assert [row["amount"] for row in await counter.refunds()] == [1, PRICE - 2, 1]
    assert await counter.books(order) == (0, PRICE, 0)
    assert rejected(await counter.asks(order)).reason == "there is nothing to give back"


async def test_no_more_is_given_back_than_was_paid(counter: Counter) -> None:
    order = await counter.paid(MUG=1)
    await counter.asked(order, PRICE - 100)
    reason = rejected(await counter.asks(order, 101)).reason
    assert reason.startswith("1.01 EUR asked back, but 200.00 EUR were taken and 199.00 EUR of it are back")


async def test_lines_are_given_back_at_their_prices(counter: Counter) -> None:
    order = await counter.paid(MUG=2, JUG=1)
    refund = await counter.asked(order, lines=(Pieces(number=1, quantity=2),))
    row = await counter.shop.row("refund", refund)
    assert (row["amount"], row["lines"]) == (2 * PRICE, [{"number": 1, "quantity": 2}])


async def test_of_several_payments_each_gives_back_its_part(counter: Counter) -> None:
    order = await counter.paid("tok_approve", "tok_approve", MUG=2)
    await counter.asked(order, PRICE + 100)
    await counter.service.settle()
    made = await counter.refunds()
    assert sorted(row["amount"] for row in made) == [100, PRICE]
    assert len({row["payment_id"] for row in made}) == 2
    assert await counter.books(order) == (0, PRICE + 100, 0)


# -- over the limit


async def test_over_the_limit_another_person_approves(counter: Counter) -> None:
    order = await counter.paid(MUG=4)
    refund = await counter.asked(order, 3 * PRICE)
    await counter.service.settle()
    assert await counter.state(refund) == "awaiting_approval"
    own = rejected(await counter.votes(refund, MERCHANT.id, Approve(round=1)))
    assert own.reason == "'shop' asked for this; nobody decides on their own request"
    committed(await counter.votes(refund, "eve", Approve(round=1)))
    await counter.service.settle()
    assert (await counter.state(refund), await counter.books(order)) == ("succeeded", (0, 3 * PRICE, 0))


async def test_what_is_not_approved_may_be_asked_for_again(counter: Counter) -> None:
    order = await counter.paid(MUG=4)
    refund = await counter.asked(order, 3 * PRICE)
    committed(await counter.votes(refund, "eve", Reject(round=1, reason="too dear")))
    assert (await counter.state(refund), await counter.books(order)) == ("rejected", (0, 0, 0))
    await counter.asked(order, 4 * PRICE)


async def test_nobody_approves_a_refund_to_themselves(counter: Counter) -> None:
    order = await counter.paid(MUG=4)
    refund = await counter.asked(order, 3 * PRICE, by=ANNA)
    committed(await counter.tell(refund, Accept(), COLLEAGUE))
    own = rejected(await counter.votes(refund, "anna", Approve(round=1)))
    assert own.reason.endswith("'anna' asked for this refund; nobody approves their own")
    assert rejected(await counter.votes(refund, "colin", Approve(round=1)))
    committed(await counter.votes(refund, "eve", Approve(round=1)))
    assert await counter.state(refund) == "processing"


async def test_what_was_paid_long_ago_is_approved_first(counter: Counter) -> None:
    order = await counter.paid(MUG=1)
    await counter.service.advance(timedelta(days=61))
    refund = await counter.asked(order, 100)
    assert await counter.state(refund) == "awaiting_approval"


# -- customers


async def test_a_customer_asks_and_the_shop_accepts(counter: Counter) -> None:
    order = await counter.paid(MUG=1)
    refund = await counter.asked(order, 100, by=ANNA)
    await counter.service.settle()
    assert (await counter.state(refund), await counter.books(order)) == ("requested", (100, 0, 0))
    with pytest.raises(Forbidden):
        await counter.tell(refund, Accept(), ANNA)
    committed(await counter.tell(refund, Accept()))
    await counter.service.settle()
    assert await counter.books(order) == (0, 100, 0)


async def test_what_the_shop_refuses_stays_with_it(counter: Counter) -> None:
    order = await counter.paid(MUG=1)
    refund = await counter.asked(order, 100, by=ANNA)
    committed(await counter.tell(refund, Refuse(reason="worn")))
    assert await counter.books(order) == (0, 0, 0)


async def test_customers_call_off_their_own_requests_alone(counter: Counter) -> None:
    order = await counter.paid(MUG=1)
    refund = await counter.asked(order, 100, by=ANNA)
    with pytest.raises(NotFound):
        await counter.tell(refund, Cancel(), BEN)
    committed(await counter.tell(refund, Cancel(), ANNA))
    assert await counter.books(order) == (0, 0, 0)


# -- the gateway


async def test_what_the_gateway_refuses_is_owed_until_it_is_settled(counter: Counter) -> None:
    order = await counter.paid("tok_no_refund", MUG=1)
    refund = await counter.asked(order)
    await counter.service.settle()
    assert (await counter.state(refund), await counter.books(order)) == ("failed", (0, 0, PRICE))
    assert rejected(await counter.asks(order)).reason == "there is nothing to give back"
    committed(await counter.shop.tell("order", order, RefundAgain()))
    assert await counter.books(order) == (PRICE, 0, 0)
    await counter.service.settle()
    committed(await counter.tell(refund, Settle(reason="by bank transfer")))
    assert await counter.books(order) == (0, PRICE, 0)


async def test_what_did_not_arrive_is_owed_again(counter: Counter) -> None:
    order = await counter.paid(MUG=1)
    refund = await counter.asked(order)
    await counter.service.settle()
    for told in ("evt_1", "evt_2"):
        await counter.hears(refund, "failed", told, PRICE)
        row = await counter.shop.row("refund", refund)
        assert (row["state"], row["attention"]) == ("failed", "the refund failed (failed)")
        assert await counter.books(order) == (0, 0, PRICE)
    committed(await counter.tell(refund, Retry()))
    assert await counter.books(order) == (PRICE, 0, 0)


async def test_a_gateway_that_is_silent_does_not_give_twice(counter: Counter) -> None:
    order = await counter.paid(MUG=1)
    refund = await counter.silent(order)
    assert (await counter.state(refund), await counter.books(order)) == ("failed", (0, 0, PRICE))
    assert rejected(await counter.tell(refund, Retry())).guard == "outcome_is_known"
    assert rejected(await counter.shop.tell("order", order, RefundAgain())).guard == "has_refund_due"
    assert await counter.books(order) == (0, 0, PRICE)
    await counter.hears(refund, "succeeded", "evt_1", PRICE)
    assert (await counter.state(refund), await counter.books(order)) == ("succeeded", (0, PRICE, 0))


async def test_a_person_says_what_a_silent_gateway_shows(counter: Counter) -> None:
    order = await counter.paid(MUG=1)
    refund = await counter.silent(order)
    committed(await counter.tell(refund, Clarify(given=True, reason="seen in the dashboard")))
    await counter.hears(refund, "succeeded", "evt_1", PRICE)
    row = await counter.shop.row("refund", refund)
    assert (row["state"], row["refund"], row["attention"]) == ("succeeded", "re_1", None)
    assert await counter.books(order) == (0, PRICE, 0)


# -- disputes


@pytest.mark.parametrize(
    ("end", "state", "given"),
    [(DisputeWon, "succeeded", PRICE), (DisputeLost, "cancelled", 0)],
)
async def test_a_refund_waits_for_the_end_of_a_dispute(
    counter: Counter, end: type[DisputeWon | DisputeLost], state: str, given: int
) -> None:
    order = await counter.paid(MUG=1)
    refund = await counter.asked(order, by=ANNA)
    payment = str((await counter.shop.row("refund", refund))["payment_id"])
    claim = Dispute(dispute="du_1", amount=PRICE, currency="EUR", reason="it never came")
    committed(await counter.shop.tell("payment", payment, claim, SYSTEM))
    committed(await counter.tell(refund, Accept()))
    await counter.service.settle()
    assert (await counter.state(refund), await counter.books(order)) == ("approved", (PRICE, 0, 0))
    decided = end(dispute="du_1", amount=PRICE, currency="EUR")
    committed(await counter.shop.tell("payment", payment, decided, SYSTEM))
    await counter.service.advance(timedelta(days=1))
    assert (await counter.state(refund), await counter.books(order)) == (state, (0, given, 0))
    assert (await counter.shop.row("order", order))["charged_back"] == PRICE - given


# -- the order is called off


async def test_an_order_that_is_called_off_waits_for_nobody_s_consent(counter: Counter) -> None:
    order = await counter.paid(MUG=4)
    asked, approved = await counter.asked(order, 100, by=ANNA), await counter.asked(order, 3 * PRICE)
    committed(await counter.shop.tell("order", order, CancelOrder()))
    await counter.service.settle()
    assert await counter.shop.state(order) == "cancelled"
    assert (await counter.state(asked), await counter.state(approved)) == ("succeeded", "succeeded")
    assert await counter.books(order) == (0, 4 * PRICE, 0)


# -- many at once


async def test_20_who_ask_at_once_get_no_more_than_was_paid(counter: Counter) -> None:
    order = await counter.paid(MUG=1)
    outcomes = await asyncio.gather(*(counter.asks(order, PRICE // 5) for _ in range(20)))
    assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 5
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, Rejected)}
    assert len(reasons) == 1
    assert reasons.pop().startswith("40.00 EUR asked back, but 200.00 EUR were taken")
    await counter.service.settle()
    assert (await counter.states(), await counter.books(order)) == (["succeeded"] * 5, (0, PRICE, 0))


async def test_64_who_want_it_all_on_two_services_get_it_once(open_service: OpenService, postgresql_url: str) -> None:
    async with open_service(postgresql_url) as one, open_service(postgresql_url, seed=2) as other:
        counters = [Counter(Shop(one)), Counter(Shop(other))]
        await counters[0].shop.sells("MUG", price=PRICE)
        order = await counters[0].paid(MUG=1)
        outcomes = await asyncio.gather(*(counters[n % 2].asks(order) for n in range(64)))
        assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 1
        reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, Rejected)}
        assert reasons == {"there is nothing to give back"}
        await asyncio.gather(*(each.service.settle() for each in counters))
        assert await counters[0].books(order) == (0, PRICE, 0)
