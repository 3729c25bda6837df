"""Messages: twice, late, out of order or before our own call has returned, the outcome is the same."""

from collections.abc import AsyncIterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from engine.inbox import PAUSES, Inbox, Message
from persistence.tables import TABLES, InboxRow
from statemachines.declaration import Actor, Role
from statemachines.order import Cancel, Complete, Pay
from tests.conftest import OpenService
from tests.engine.messages import Json, intent, parcel, refund
from tests.engine.shop import ANNA, Shop, committed

ROOT = Actor("root", Role.ADMIN)


class Post:
    """What arrives at a shop by post, and what became of it."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.service = shop, shop.service

    async def arrives(self, source: str, *messages: Json) -> None:
        for number, message in enumerate(messages):
            name = message.get("id") or f"msg_{number}_{message['type']}"
            await self.service.inbox.receive(Message(source, name, message))

    async def rows(self) -> list[dict[str, Any]]:
        table = TABLES[InboxRow]
        statement = select(table).order_by(table.c.seq)
        return await self.service.database.read(lambda c: [dict(row) for row in c.execute(statement).mappings()])

    async def row(self) -> dict[str, Any]:
        (row,) = await self.rows()
        return row

    async def statuses(self) -> list[str]:
        return [row["status"] for row in await self.rows()]

    async def charge(self) -> dict[str, Any]:
        """Return the newest charge that an order asked for."""
        return [effect for effect in await self.shop.effects() if effect["name"] == "payments.charge"][-1]


@pytest.fixture
async def post(shop: Shop) -> Post:
    await shop.sells("MUG")
    return Post(shop)


# -- answers to effects


async def test_a_payment_is_heard_of_before_our_own_call_was_made(post: Post) -> None:
    order = await post.shop.paying(MUG=1)
    effect = await post.charge()
    await post.arrives("stripe", intent("succeeded", effect["id"], "pi_1"))
    await post.service.inbox.run()
    row = await post.shop.row("order", order)
    assert (row["state"], row["paid"]) == ("processing", 1250)
    payment = effect["entity_id"]
    assert (await post.shop.row("payment", payment))["payment"] == "pi_1"
    told, story = await post.row(), await post.shop.history("payment", payment)
    assert (told["status"], told["machine"], told["entity_id"]) == ("applied", "payment", payment)
    assert (told["event"], told["event_id"]) == ("charged", story[-1]["event_id"])
    assert (story[-1]["actor"], story[-1]["cause"]) == ("system:inbox.stripe", effect["id"])
    await post.service.settle()
    assert (await post.charge())["status"] == "done"
    assert await post.shop.story("order", order) == ["create", "submit", "pay", "charged"]


async def test_the_answer_to_our_own_call_comes_second_and_changes_nothing(post: Post) -> None:
    order = await post.shop.paying("tok_slow", MUG=1)
    await post.service.effects.run()
    effect = await post.charge()
    assert effect["status"] == "running"
    await post.arrives("stripe", intent("succeeded", effect["id"], "pi_1"))
    await post.service.inbox.run()
    await post.service.effects.finish()
    row = await post.shop.row("order", order)
    assert (row["state"], row["version"]) == ("processing", 4)
    assert (await post.shop.row("payment", effect["entity_id"]))["payment"] == "pi_1"


async def test_a_payment_that_is_known_already_is_noted_as_such(post: Post) -> None:
    order = await post.shop.paid(MUG=1)
    effect = await post.charge()
    await post.arrives("stripe", intent("succeeded", effect["id"], effect["outcome"]["payment"]))
    await post.service.settle()
    row = await post.row()
    assert (row["status"], row["reason"]) == ("applied", f"{effect['id']} was answered before")
    assert row["finished_at"]
    assert (await post.shop.row("order", order))["version"] == 4


async def test_a_decline_is_not_believed_while_the_call_may_be_repeated(post: Post) -> None:
    order = await post.shop.paying("tok_fail_once", MUG=1)
    await post.service.effects.run()
    await post.service.effects.finish()
    effect = await post.charge()
    assert effect["status"] == "pending"
    error = {"type": "card_error", "code": "card_declined", "decline_code": "processing_error"}
    await post.arrives("stripe", intent("payment_failed", effect["id"], "pi_1", last_payment_error=error))
    await post.service.inbox.run()
    row = await post.row()
    assert (row["status"], row["reason"]) == ("pending", f"{effect['id']} is still being tried")
    await post.service.advance(timedelta(minutes=5))
    assert await post.shop.state(order) == "processing"
    row = await post.row()
    assert row["status"] == "refused"
    assert row["reason"] == f"{effect['id']} was answered with 'charged'; now 'declined' is said"


async def test_what_the_customer_did_is_heard_by_message(post: Post) -> None:
    for kind, state in (("succeeded", "processing"), ("payment_failed", "pending")):
        post.service.clock.advance(timedelta(seconds=1))
        order = await post.shop.paying("tok_action", MUG=1)
        await post.service.settle()
        assert await post.shop.state(order) == "paying"
        effect = await post.charge()
        assert effect["outcome"]["event"] == "customer_action_required"
        error = {"type": "card_error", "code": "payment_intent_authentication_failure"}
        await post.arrives("stripe", intent(kind, effect["id"], f"pi_{kind}", last_payment_error=error))
        await post.service.settle()
        assert await post.shop.state(order) == state
    assert (await post.shop.row("order", order))["attention"] == "declined: the customer did not confirm the payment"
    assert await post.statuses() == ["applied", "applied"]


async def test_a_call_that_was_given_up_may_still_be_answered(post: Post) -> None:
    order = await post.shop.paying("tok_timeout", MUG=1)
    await post.service.advance(timedelta(hours=23))
    effect = await post.charge()
    assert effect["status"] == "parked"
    await post.arrives("stripe", intent("succeeded", effect["id"], "pi_1"))
    await post.service.settle()
    assert await post.shop.state(order) == "processing"
    assert (await post.charge())["status"] == "done"


async def test_money_of_another_amount_is_left_to_a_person(post: Post) -> None:
    order = await post.shop.paying(MUG=1)
    effect = await post.charge()
    await post.arrives("stripe", intent("succeeded", effect["id"], "pi_1", amount=1))
    await post.service.inbox.run()
    row = await post.shop.row("order", order)
    assert (row["state"], row["paid"], row["attention"]) == ("failed", 1, "0.01 EUR taken, 12.50 EUR asked")


async def test_a_message_that_contradicts_what_is_known_is_left_to_a_person(post: Post) -> None:
    order = await post.shop.paid(MUG=1)
    effect = await post.charge()
    await post.arrives("stripe", intent("succeeded", effect["id"], effect["outcome"]["payment"], amount=1))
    await post.service.settle()
    row = await post.row()
    assert (row["status"], row["reason"]) == ("refused", f"{effect['id']} was answered before, with another amount")
    assert await post.shop.state(order) == "processing"


async def test_a_refund_that_is_told_twice_is_counted_once(post: Post) -> None:
    order = await post.shop.paid(MUG=1)
    committed(await post.shop.tell("order", order, Cancel()))
    effect = next(each for each in await post.shop.effects() if each["name"] == "payments.refund")
    told = [("pending", "evt_1"), ("succeeded", "evt_2"), ("succeeded", "evt_3")]
    await post.arrives("stripe", *(refund(status, effect["id"], name=name) for status, name in told))
    await post.service.inbox.run()
    await post.service.settle()
    row = await post.shop.row("order", order)
    assert (row["refunded"], row["refunding"]) == (1250, 0)
    assert await post.statuses() == ["unknown", "applied", "applied"]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            intent("succeeded", "eff_of_another_shop", "pi_1"),
            "'stripe' has nothing to do with an effect 'eff_of_another",
        ),
        (intent("succeeded", "", "pi_1", metadata={}), "it is about nothing that we asked for"),
        (intent("succeeded", "eff_1", "pi_1", amount=-1), "amount: Input should be greater"),
        ({"id": "evt_1", "type": "payment_intent.succeeded"}, "data: Field required"),
        ({"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": []}}, "data.object: Input should be"),
    ],
)
async def test_a_message_about_nothing_of_ours_is_kept_for_a_person(post: Post, message: Json, reason: str) -> None:
    await post.arrives("stripe", message)
    await post.service.settle()
    row = await post.row()
    assert row["status"] == "unroutable"
    assert row["reason"].startswith(reason)


async def test_only_payments_are_answered_by_whom_payments_are_made(post: Post, monkeypatch) -> None:
    await post.shop.paying(MUG=1)
    effect = await post.charge()
    source = post.service.inbox._sources["stripe"]
    lying = {"stripe": type(source)(source.kinds, answers="mail")}
    inbox = Inbox(post.service.database, post.service.dispatcher, post.service.registry, post.service.clock, lying, {})
    await inbox.receive(Message("stripe", "evt_1", intent("succeeded", effect["id"], "pi_1")))
    await inbox.run()
    assert await post.statuses() == ["unroutable"]


# -- events that are asked for


async def test_a_parcel_moves_its_order_on(post: Post) -> None:
    order = await post.shop.paid(MUG=1)
    await post.arrives("carrier", parcel("shipped", order, tracking="JD 0146"), parcel("delivered", order))
    await post.service.settle()
    assert await post.shop.story("order", order) == [
        "create",
        "submit",
        "pay",
        "charged",
        "fulfill",
        "shipment_sent",
        "complete",
    ]
    story = await post.shop.history("order", order)
    assert (story[4]["actor"], story[4]["payload"]) == ("system:inbox.carrier", {"tracking": "JD 0146"})
    assert story[4]["cause"] == f"inbox/{(await post.rows())[0]['seq']}"


async def test_a_message_that_comes_too_early_is_waited_for(post: Post) -> None:
    order = await post.shop.pending(MUG=1)
    await post.arrives("carrier", parcel("delivered", order), parcel("shipped", order))
    await post.service.settle()
    first = (await post.rows())[0]
    assert (first["status"], first["attempts"]) == ("pending", 1)
    assert first["reason"].startswith("order in state 'pending' takes no 'complete'")
    assert first["due_at"] == post.service.clock.now() + timedelta(seconds=5)
    committed(await post.shop.tell("order", order, Pay(method="tok_approve"), ANNA))
    await post.service.advance(timedelta(minutes=3))
    assert await post.shop.state(order) == "completed"
    assert await post.statuses() == ["applied", "applied"]


async def test_in_the_end_nothing_comes_of_what_came_too_early(post: Post) -> None:
    order = await post.shop.pending(MUG=1)
    await post.arrives("carrier", parcel("shipped", order), parcel("shipped", "ord_nobody", id="other"))
    await post.service.settle()
    tries = []
    for pause in PAUSES:
        await post.service.advance(pause - timedelta(seconds=1))
        assert await post.statuses() == ["pending", "pending"]
        await post.service.advance(timedelta(seconds=1))
        tries.append((await post.rows())[0]["attempts"])
    assert tries == [2, 3, 4, 5, 6]
    refused, unroutable = await post.rows()
    assert (refused["status"], unroutable["status"]) == ("refused", "unroutable")
    assert unroutable["reason"] == "there is no order 'ord_nobody'"
    assert await post.service.next_due() != refused["due_at"]


async def test_what_can_never_be_taken_any_more_is_not_waited_for(post: Post) -> None:
    order = await post.shop.fulfilled(MUG=1)
    committed(await post.shop.tell("order", order, Complete(), ANNA))
    await post.arrives("carrier", parcel("delivered", order))
    await post.service.settle()
    row = await post.row()
    assert (row["status"], row["attempts"]) == ("refused", 1)
    assert row["reason"].startswith("order in state 'completed' takes no 'complete'")


async def test_what_nobody_acts_on_is_kept(post: Post) -> None:
    await post.arrives("carrier", {"type": "parcel.weighed", "grams": 300}, {"type": ["odd"]}, {"type": ""})
    await post.arrives("stripe", {"id": "evt_1", "object": "event", "type": "customer.created"})
    await post.service.settle()
    assert await post.statuses() == ["unknown"] * 4
    first = (await post.rows())[0]
    assert (first["body"], first["reason"]) == (
        {"type": "parcel.weighed", "grams": 300},
        "nothing is done about 'parcel.weighed'",
    )


async def test_a_message_that_breaks_its_reading_holds_up_none_of_the_others(post: Post, monkeypatch) -> None:
    order = await post.shop.paid(MUG=1)
    kinds = dict(post.service.inbox._sources["carrier"].kinds)
    monkeypatch.setattr(
        "engine.meanings.Meanings._told",
        lambda self, row: 1 / 0 if row["kind"] == "poison" else kinds[row["kind"]](row["body"]),
    )
    await post.arrives("carrier", {"type": "poison"}, parcel("shipped", order))
    await post.service.settle()
    assert await post.statuses() == ["unroutable", "applied"]
    assert (await post.rows())[0]["reason"] == "it could not be understood (ZeroDivisionError)"


# -- the same outcome whatever happens on the way


@pytest.fixture
async def quick(open_service: OpenService, sqlite_url: str) -> AsyncIterator[Post]:
    """A shop whose commits need not outlive a power failure."""
    async with open_service(sqlite_url, sqlite_synchronous="NORMAL") as opened:
        await Shop(opened).sells("MUG", on_hand=1000)
        yield Post(Shop(opened))


async def end_of(post: Post, method: str, telling: list[str], random: Random) -> tuple[object, ...]:
    """Let an order be paid for and all that is told of it arrive, some of it twice, in an order that chance brings.

    Return how the order stands when nothing moves any more.
    """
    order = await post.shop.paying(method, MUG=1)
    effect = (await post.charge())["id"]
    moment = {"type": "card_error", "decline_code": "try_again_later"}
    messages = {
        "paid": ("stripe", intent("succeeded", effect, "pi_1", name=f"evt_1_{order}")),
        "paid, again": ("stripe", intent("succeeded", effect, "pi_1", name=f"evt_2_{order}")),
        "declined": (
            "stripe",
            intent("payment_failed", effect, "pi_1", name=f"evt_3_{order}", last_payment_error=moment),
        ),
        "shipped": ("carrier", {"id": f"msg_1_{order}", **parcel("shipped", order, tracking="JD1")}),
        "delivered": ("carrier", {"id": f"msg_2_{order}", **parcel("delivered", order)}),
    }
    steps = [*telling, *random.choices(telling, k=3), "our call", "our call", *["work"] * random.randrange(5)]
    random.shuffle(steps)
    for step in steps:
        if step == "our call":
            await post.service.effects.run()
            await post.service.effects.finish()
        elif step == "work":
            await post.service.inbox.run()
        else:
            await post.arrives(*messages[step])
    await post.service.advance(timedelta(minutes=45))
    row = await post.shop.row("order", order)
    story = [event for event in await post.shop.story("order", order) if event != "customer_action_required"]
    waiting = [each for each in await post.statuses() if each not in ("applied", "refused")]
    return row["state"], row["paid"], row["payment_tries"], row["stock_held"], tuple(story), tuple(waiting)


@pytest.mark.parametrize("seed", range(25))
async def test_however_a_payment_and_its_parcel_are_told_of_the_end_is_the_same(quick: Post, seed: int) -> None:
    random = Random(seed)
    method = random.choice(["tok_approve", "tok_fail_once", "tok_action", "tok_timeout"])
    telling = ["paid", "paid, again", "shipped", "delivered", *["declined"] * (method != "tok_action")]
    story = ("create", "submit", "pay", "charged", "fulfill", "shipment_sent", "complete")
    assert await end_of(quick, method, telling, random) == ("completed", 1250, 0, "taken", story, ())


@pytest.mark.parametrize("seed", range(10))
async def test_however_a_decline_is_told_it_counts_once(quick: Post, seed: int) -> None:
    random = Random(seed)
    method = random.choice(["tok_decline", "tok_action"])
    story = ("create", "submit", "pay", "declined", "expire")
    assert await end_of(quick, method, ["declined"], random) == ("cancelled", 0, 1, "nothing", story, ())
