"""Admins step in on what waits: with a reason that stands in the history, and never against what is being done."""

import asyncio
from datetime import timedelta
from random import Random

import pytest

from engine.envelope import Forbidden, NotFound, Rejected
from engine.interventions import CancelEffect, CancelTimer, FireTimer, PostponeTimer, RetryEffect
from gateways.port import NoAnswer
from orderly.service import Service
from statemachines.declaration import NEW, Actor, After, Event, Role, State, Transition
from statemachines.machine import Machine
from statemachines.product import Product
from statemachines.registry import Registry
from tests.conftest import NOON
from tests.engine.shop import Shop
from tests.engine.works import DROP, FETCH, Ask, AskInVain, Begin, Forget, Works, committed, job
from tests.waiting import until

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ADA = Actor("ada", Role.ADMIN)
MENDED = "their server is mended"


class Ring(Event):
    """Ring."""


async def refusal(works: Works, event: Event, id: str = "J", machine: str = "job") -> str:  # noqa: A002
    """Return why an intervention is refused."""
    outcome = await works.admin(event, id, machine)
    assert isinstance(outcome, Rejected), outcome
    return outcome.reason


async def parked(works: Works, what: str = "scrap") -> str:
    """Have an effect given up; return its id."""
    works.peer.down.add("depot")
    await works.ask(what, by=DROP)
    await works.advance(HOUR)
    works.peer.down.clear()
    return str((await works.effect())["id"])


# -- effects -------------------------------------------------------------------------------------------------------


async def test_a_parked_effect_is_tried_again_under_the_same_key_with_all_its_attempts(works: Works) -> None:
    effect = await parked(works)
    for _ in range(2):
        works.peer.does["scrap"].append(NoAnswer("still broken"))
    committed(await works.admin(RetryEffect(effect=effect, reason=MENDED)))
    await works.advance(HOUR)
    row, record = await works.effect(), (await works.history())[-1]
    assert (row["status"], row["attempts"], row["retrying_since"]) == ("done", 3, NOON + HOUR)
    assert {call.key for call in works.peer.calls} == {effect}
    assert [call.number for call in works.peer.calls] == [1, 2, 3, 1, 2, 3]
    assert len(await works.attempts()) == 5
    assert (record["event"], record["actor"], record["reason"]) == ("retry_effect", "admin:ada", MENDED)
    assert (record["source"], record["target"], record["payload"]["effect"]) == ("open", "open", effect)


async def test_an_effect_that_waits_for_its_next_attempt_is_tried_at_once(small_works: Works) -> None:
    works = small_works
    works.peer.does["bolts"].append(NoAnswer("later", retry_after=HOUR))
    await works.ask("bolts")
    await works.settle()
    committed(await works.admin(RetryEffect(effect=(await works.effect())["id"], reason="no need to wait")))
    await works.settle()
    assert ((await works.effect())["status"], works.clock.now()) == ("done", NOON)


async def test_only_what_the_effect_allows_is_edited_and_it_has_to_make_sense(works: Works) -> None:
    works.peer.down.add("depot")
    await works.ask("blots")
    await works.settle()
    works.peer.down.clear()
    effect = (await works.effect())["id"]
    for wrong in ({"urgent": True}, {"what": "bolts", "colour": "red"}):
        reason = await refusal(works, RetryEffect(effect=effect, reason="mistyped", arguments=wrong))
        assert "can't be edited" in reason
    for wrong in ({"what": ""}, {"what": 5}):
        assert "what: " in await refusal(works, RetryEffect(effect=effect, reason="mistyped", arguments=wrong))
    committed(await works.admin(RetryEffect(effect=effect, reason="mistyped", arguments={"what": "bolts"})))
    await works.settle()
    row = await works.effect()
    assert (row["status"], row["arguments"]) == ("done", {"what": "bolts", "urgent": False})
    assert works.peer.tasks()[-1] == "bolts"
    assert (await works.history())[-2]["payload"]["arguments"] == {"what": "bolts"}


async def test_an_effect_that_is_not_editable_is_not_edited(small_works: Works) -> None:
    effect = await parked(small_works)
    reason = await refusal(small_works, RetryEffect(effect=effect, reason="mistyped", arguments={"what": "ash"}))
    assert reason == "what of depot.drop can't be edited"


async def test_a_cancelled_effect_is_never_made(works: Works) -> None:
    await works.ask("bolts", "nuts")
    bolts = (await works.find("bolts"))["id"]
    committed(await works.admin(CancelEffect(effect=bolts, reason="bought elsewhere")))
    await works.advance(HOUR)
    row = await works.find("bolts")
    assert (row["status"], row["error"], row["finished_at"]) == ("cancelled", "bought elsewhere", NOON)
    assert works.peer.tasks() == ["nuts"]
    assert await works.story() == ["begin", "ask", "cancel_effect", "answered"]


@pytest.mark.parametrize("event", [RetryEffect, CancelEffect])
async def test_nobody_steps_in_on_what_is_done_or_being_done(small_works: Works, event) -> None:
    works, leave = small_works, asyncio.Event()
    works.peer.does["bolts"].append(leave)
    await works.ask("bolts")
    effect = (await works.effect())["id"]
    await works.runner.run()
    assert await refusal(works, event(effect=effect, reason="in a hurry")) == "the effect is running"
    leave.set()
    await works.settle()
    assert await refusal(works, event(effect=effect, reason="in a hurry")) == "the effect is done"


async def test_an_effect_is_found_only_where_it_belongs(small_works: Works) -> None:
    works = small_works
    await works.ask("bolts")
    await works.begin("K")
    effect = (await works.effect())["id"]
    for id_, name in (("K", effect), ("J", "eff_nobody")):
        assert "there is no effect" in await refusal(works, CancelEffect(effect=name, reason="x"), id_)
    with pytest.raises(NotFound):
        await works.admin(CancelEffect(effect=effect, reason="x"), "L")
    assert (await works.row())["version"] == 2


async def test_an_effect_of_another_machine_with_the_same_name_is_not_found(database, clock) -> None:
    task = Machine(
        Product,
        name="task",
        plural="tasks",
        key=lambda event: event.sku,
        states=[State("open"), State("ended", final=True)],
        transitions=[Transition(Begin, NEW, "open"), Transition(Ring, "open", "ended")],
    )
    async with Works.open(database, clock, machines=Registry([job, task])) as works:
        await works.ask("bolts")
        effect = (await works.effect())["id"]
        # Both names stand for the same row of one table here; the effect is the job's alone.
        assert "there is no effect" in await refusal(works, CancelEffect(effect=effect, reason="x"), "J", "task")
        committed(await works.admin(CancelEffect(effect=effect, reason="x")))


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.ADMIN, Role.SYSTEM)])
async def test_only_admins_step_in(small_works: Works, role) -> None:
    await small_works.ask("bolts")
    effect = (await small_works.effect())["id"]
    for event in (RetryEffect(effect=effect, reason="x"), CancelEffect(effect=effect, reason="x")):
        with pytest.raises(Forbidden):
            await small_works.tell("J", event, Actor("carl", role))


async def test_an_intervention_and_the_runner_never_both_have_their_way(works: Works) -> None:
    random = Random(7)
    for number in range(12):
        await works.ask(f"thing {number}")
        effect = (await works.find(f"thing {number}"))["id"]
        cancel = asyncio.create_task(works.admin(CancelEffect(effect=effect, reason="changed my mind")))
        for _ in range(random.randrange(6)):
            await asyncio.sleep(0)
        _, outcome = await asyncio.gather(works.settle(), cancel)
        await works.settle()
        status = (await works.find(f"thing {number}"))["status"]
        called = f"thing {number}" in works.peer.tasks()
        assert (status, called) == (("done", True) if isinstance(outcome, Rejected) else ("cancelled", False))


# -- what is withdrawn ---------------------------------------------------------------------------------------------


async def test_what_nobody_attempted_is_withdrawn_and_asked_for_otherwise(works: Works) -> None:
    await works.ask("bolts", "nuts")
    await works.ask("scrap", by=DROP)
    await works.begin("K")
    await works.tell("K", Ask(by=FETCH.name, tasks=("screws",)))
    committed(await works.tell("J", Forget(by=FETCH.name, instead=("nails",))))
    await works.settle()
    assert await works.statuses() == {
        "bolts": "cancelled",
        "nuts": "cancelled",
        "nails": "done",
        "scrap": "done",
        "screws": "done",
    }
    assert sorted(works.peer.tasks()) == ["nails", "scrap", "screws"]


async def test_what_was_asked_for_in_the_same_commit_is_withdrawn_and_told_of(works: Works) -> None:
    await works.begin("J")
    asked, forgotten = Ask(by=FETCH.name, tasks=("bolts",)), Forget(by=FETCH.name, instead=("nails",))
    works.batches.clear()
    await asyncio.gather(works.tell("J", asked), works.tell("J", forgotten))
    assert len(works.batches) == 1
    await works.settle()
    assert await works.statuses() == {"bolts": "cancelled", "nails": "done"}


async def test_second_thoughts_within_one_event_count(small_works: Works) -> None:
    await small_works.begin("J")
    committed(await small_works.tell("J", AskInVain(what="bolts")))
    await small_works.settle()
    assert (await small_works.effect())["status"] == "cancelled"
    assert small_works.peer.calls == []


async def test_what_was_attempted_is_not_withdrawn(small_works: Works) -> None:
    works = small_works
    works.peer.does["bolts"].append(NoAnswer("it broke off"))
    await works.ask("bolts")
    await works.settle()
    committed(await works.tell("J", Forget(by=FETCH.name)))
    await works.advance(HOUR)
    assert await works.statuses() == {"bolts": "done"}


async def test_what_a_person_has_tried_again_was_attempted(small_works: Works) -> None:
    works = small_works
    effect = await parked(works)
    committed(await works.admin(RetryEffect(effect=effect, reason=MENDED)))
    committed(await works.tell("J", Forget(by=DROP.name)))
    await works.settle()
    assert await works.statuses() == {"scrap": "done"}


async def test_what_is_being_attempted_is_not_withdrawn(small_works: Works) -> None:
    works = small_works
    leave = asyncio.Event()
    works.peer.does["bolts"].append(leave)
    await works.ask("bolts")
    await works.runner.run()
    await until(lambda: bool(works.peer.calls))
    committed(await works.tell("J", Forget(by=FETCH.name)))
    leave.set()
    await works.settle()
    assert await works.statuses() == {"bolts": "done"}


# -- timers --------------------------------------------------------------------------------------------------------


alarm = Machine(
    Product,
    name="alarm",
    plural="alarms",
    key=lambda event: event.sku,
    states=[State("set", [After(HOUR, Ring)]), State("rung", final=True)],
    transitions=[Transition(Begin, NEW, "set"), Transition(Ring, "set", "rung")],
)


@pytest.fixture
async def alarms(database, clock):
    """A works with the alarm A, which rings in an hour."""
    async with Works.open(database, clock, machines=Registry([alarm])) as opened:
        await opened.tell(None, Begin(sku="A"), machine="alarm")
        yield opened


async def test_a_timer_is_fired_before_its_time(alarms: Works) -> None:
    committed(await alarms.admin(FireTimer(timer="ring", reason="time to get up"), "A", "alarm"))
    await alarms.settle()
    assert await alarms.story("A", "alarm") == ["begin", "fire_timer", "ring"]
    fired, rung = (await alarms.history("A", "alarm"))[1:]
    assert (fired["actor"], fired["reason"]) == ("admin:ada", "time to get up")
    assert (rung["at"], rung["actor"]) == (NOON, "system:timer.ring")


async def test_a_timer_is_postponed_to_a_time_to_come(alarms: Works) -> None:
    early = PostponeTimer(timer="ring", until=NOON, reason="x")
    assert await refusal(alarms, early, "A", "alarm") == "a timer can only be moved to a time to come"
    later = PostponeTimer(timer="ring", until=NOON + 5 * HOUR, reason="a holiday")
    committed(await alarms.admin(later, "A", "alarm"))
    await alarms.advance(6 * HOUR)
    assert [record["at"] for record in await alarms.history("A", "alarm")][-1] == NOON + 5 * HOUR
    assert await alarms.timer_rows() == []


async def test_a_cancelled_timer_does_not_fire(alarms: Works) -> None:
    committed(await alarms.admin(CancelTimer(timer="ring", reason="a holiday"), "A", "alarm"))
    await alarms.advance(2 * HOUR)
    assert await alarms.story("A", "alarm") == ["begin", "cancel_timer"]
    for event in (FireTimer(timer="ring", reason="x"), CancelTimer(timer="rong", reason="x")):
        assert "there is no timer" in await refusal(alarms, event, "A", "alarm")


async def test_a_timer_that_is_about_to_fire_is_cancelled_or_fires(alarms: Works) -> None:
    alarms.clock.advance(HOUR)
    cancel = CancelTimer(timer="ring", reason="too late?")
    outcome, _ = await asyncio.gather(alarms.admin(cancel, "A", "alarm"), alarms.timers.run())
    rung = "ring" in await alarms.story("A", "alarm")
    assert rung == isinstance(outcome, Rejected)


# -- in a whole shop -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "abandoned"),
    [
        (FireTimer(timer="abandon", reason="the customer called"), [NOON]),
        (PostponeTimer(timer="abandon", until=NOON + 30 * DAY, reason="the customer called"), [NOON + 30 * DAY]),
        (CancelTimer(timer="abandon", reason="the customer called"), []),
    ],
)
async def test_an_admin_decides_when_a_basket_is_abandoned_and_says_why(service: Service, event, abandoned) -> None:
    shop = Shop(service)
    await shop.sells("MUG")
    order = await shop.draft(MUG=1)
    committed(await shop.tell("order", order, event, ADA))
    await service.advance(40 * DAY)
    history = await shop.history("order", order)
    (said,) = [record for record in history if record["event"] == event.event_name]
    assert (said["actor"], said["reason"], said["at"]) == ("admin:ada", "the customer called", NOON)
    assert [record["at"] for record in history if record["event"] == "abandon"] == abandoned


@pytest.mark.parametrize(("event", "status", "attempts"), [(RetryEffect, "done", 2), (CancelEffect, "cancelled", 1)])
async def test_an_admin_decides_whether_a_payment_is_tried_again_and_says_why(
    service: Service, event, status, attempts
) -> None:
    shop = Shop(service)
    await shop.sells("MUG")
    await shop.paying("tok_fail_once", MUG=1)
    await service.settle()
    (asked,) = await shop.effects()
    committed(await shop.tell(asked["machine"], asked["entity_id"], event(effect=asked["id"], reason=MENDED), ADA))
    await service.advance(HOUR)
    found = next(effect for effect in await shop.effects() if effect["id"] == asked["id"])
    assert (asked["status"], found["status"], found["attempts"]) == ("pending", status, attempts)
    history = await shop.history(asked["machine"], asked["entity_id"])
    (said,) = [record for record in history if record["event"] == event.event_name]
    assert (said["actor"], said["reason"], said["at"]) == ("admin:ada", MENDED, NOON)
