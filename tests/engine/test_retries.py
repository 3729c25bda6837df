"""Attempts without an answer are followed by others, as declared, until the effect is given up."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from gateways.port import ActionRequired, Done, NoAnswer, Refused
from persistence.tables import TABLES, EffectRow
from statemachines.declaration import Retry
from tests.conftest import NOON
from tests.engine.works import DROP, FETCH, GUESS, LOOK, QUICKLY, End, Works

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)

retries = st.builds(
    Retry,
    attempts=st.integers(1, 50),
    first_delay=st.timedeltas(timedelta(milliseconds=1), HOUR),
    factor=st.floats(1, 10),
    longest_delay=st.timedeltas(timedelta(milliseconds=1), timedelta(hours=24)),
)


@given(retries, st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_lies_between_nothing_and_the_longest_and_grows_with_the_attempts(retry, attempts, chance) -> None:
    pause, longest = retry.pause(attempts, chance), retry.pause(attempts, 1.0)
    assert timedelta() <= pause <= longest <= retry.longest_delay
    assert longest <= retry.pause(attempts + 1, 1.0)
    assert retry.pause(1, 1.0) == min(retry.first_delay, retry.longest_delay)
    assert abs(pause - longest * chance) < timedelta(milliseconds=1)


async def test_each_attempt_that_failed_is_told_of_and_the_pauses_are_jittered(works: Works) -> None:
    works.peer.does["bolts"].extend(NoAnswer(f"broken {n}") for n in range(4))
    await works.ask("bolts")
    await works.advance(HOUR)
    effect, attempts = await works.effect(), await works.attempts()
    assert (effect["status"], effect["attempts"], effect["outcome"]["event"]) == ("done", 5, "answered")
    assert [attempt["error"] for attempt in attempts] == [f"broken {n}" for n in range(4)]
    assert [call.number for call in works.peer.calls] == [1, 2, 3, 4, 5]
    assert {call.key for call in works.peer.calls} == {effect["id"]}
    ends = [attempt["ended_at"] for attempt in attempts]
    pauses = [later - earlier for earlier, later in zip(ends, [*ends[1:], effect["finished_at"]], strict=True)]
    for number, pause in enumerate(pauses, 1):
        assert timedelta() < pause <= FETCH.retry.pause(number, 1.0)
    assert len({pause / FETCH.retry.pause(number, 1.0) for number, pause in enumerate(pauses, 1)}) == 4


async def test_the_other_side_may_say_when_to_come_again(small_works: Works) -> None:
    small_works.peer.does["bolts"].append(NoAnswer("too many calls", retry_after=timedelta(minutes=20)))
    await small_works.ask("bolts")
    await small_works.advance(timedelta(minutes=20) - SECOND)
    assert (await small_works.effect())["status"] == "pending"
    await small_works.advance(SECOND)
    assert (await small_works.effect())["status"] == "done"


async def test_no_attempt_begins_after_the_deadline(small_works: Works) -> None:
    small_works.peer.does["bolts"].extend([NoAnswer("later", retry_after=timedelta(hours=12))] * 3)
    await small_works.ask("bolts")
    await small_works.advance(timedelta(days=2))
    effect = await small_works.effect()
    assert (effect["status"], effect["attempts"], effect["error"]) == ("parked", 2, "later")
    assert effect["finished_at"] == NOON + timedelta(hours=12) <= NOON + FETCH.retry.within


async def test_an_effect_is_parked_with_its_last_error_after_its_last_attempt(works: Works) -> None:
    works.peer.down |= {"depot", "oracle"}
    await works.ask("bolts", by=DROP)
    await works.advance(HOUR)
    effect = await works.effect()
    assert (effect["status"], effect["attempts"], effect["error"]) == ("parked", QUICKLY.attempts, "nobody is there")
    assert len(await works.attempts()) == QUICKLY.attempts
    assert await works.next_due() is None


async def test_a_fallback_takes_the_place_of_an_answer_where_losing_it_is_acceptable(works: Works) -> None:
    works.peer.down |= {"depot", "oracle"}
    await works.ask("the weather", by=GUESS)
    await works.advance(HOUR)
    effect = await works.effect()
    assert (effect["status"], effect["attempts"]) == ("done", QUICKLY.attempts)
    assert effect["outcome"] == {"event": "answered", "text": "who knows"}
    assert (await works.row())["name"] == "who knows"
    assert len(await works.attempts()) == QUICKLY.attempts, "the last attempt is not told of"


async def test_a_fallback_that_its_entity_refuses_ends_the_effect_with_the_reason(small_works: Works) -> None:
    small_works.peer.down |= {"depot", "oracle"}
    await small_works.ask("the weather", by=GUESS)
    await small_works.tell("J", End())
    await small_works.advance(HOUR)
    effect = await small_works.effect()
    assert (effect["status"], await small_works.story()) == ("done", ["begin", "ask", "end"])
    assert "takes no 'answered'" in effect["error"] or "nothing can happen" in effect["error"]


# -- answers -------------------------------------------------------------------------------------------------------


async def test_without_an_event_the_outcome_stands_in_the_effect_alone(small_works: Works) -> None:
    await small_works.ask("scrap", by=DROP)
    await small_works.settle()
    effect = await small_works.effect()
    assert (effect["status"], effect["outcome"]) == ("done", {"text": "scrap is done"})
    assert await small_works.story() == ["begin", "ask"]


async def test_a_refusal_is_reported_or_parked_for_a_person_and_never_tried_again(small_works: Works) -> None:
    small_works.peer.does["bolts"].append(Refused({"reason": "out of bolts"}))
    small_works.peer.does["scrap"].append(Refused({"reason": "no room"}))
    await small_works.ask("bolts")
    await small_works.ask("scrap", by=DROP)
    await small_works.advance(HOUR)
    fetched, dropped = await small_works.effects()
    assert (fetched["status"], fetched["outcome"]) == ("done", {"event": "denied", "reason": "out of bolts"})
    assert (dropped["status"], dropped["error"]) == ("parked", "no room")
    assert len(small_works.peer.calls) == 2


async def test_an_action_that_is_required_is_reported_where_it_is_declared_and_parked_elsewhere(
    small_works: Works,
) -> None:
    for what in ("bolts", "scrap"):
        small_works.peer.does[what].append(ActionRequired({"url": "https://depot.example/confirm"}))
    await small_works.ask("bolts")
    await small_works.ask("scrap", by=DROP)
    await small_works.advance(HOUR)
    assert await small_works.statuses() == {"bolts": "done", "scrap": "parked"}
    assert await small_works.story() == ["begin", "ask", "ask", "confirm"]


async def test_an_answer_that_makes_no_sense_is_asked_for_again(small_works: Works) -> None:
    small_works.peer.does["bolts"].extend([Done({"text": 5}), Done({"txt": "bolts"}), Done({"text": "nul\0"})])
    await small_works.ask("bolts")
    await small_works.advance(HOUR)
    assert [attempt["error"] for attempt in await small_works.attempts()] == ["the gateway's answer makes no sense"] * 3
    assert (await small_works.row())["name"] == "bolts is done"


async def test_a_gateway_that_fails_is_tried_again_and_its_error_stays_within(small_works: Works) -> None:
    small_works.peer.does["bolts"].append(RuntimeError("the password is swordfish"))
    await small_works.ask("bolts", "nuts")
    await small_works.advance(HOUR)
    assert await small_works.statuses() == {"bolts": "done", "nuts": "done"}
    assert [attempt["error"] for attempt in await small_works.attempts()] == ["RuntimeError in the gateway"]


async def test_words_of_the_other_side_that_no_database_takes_hurt_nobody(works: Works) -> None:
    works.peer.does["bolts"].append(NoAnswer("nul\0 and \ud800" + "x" * 100_000))
    works.peer.does["scrap"].append(Done({"text": "nul\0 and \ud800"}))
    works.peer.does["waste"].append(Refused({"reason": "nul\0 and \ud800"}))
    await works.ask("bolts", "nuts")
    await works.ask("scrap", "waste", "ash", by=DROP)
    await works.advance(HOUR)
    statuses = await works.statuses()
    assert statuses.pop("scrap") in ("done", "parked")
    assert statuses == {"bolts": "done", "nuts": "done", "waste": "parked", "ash": "done"}
    assert {effect["lost"] for effect in await works.effects()} == {0}
    assert all(len(attempt["error"]) < 2000 for attempt in await works.attempts())


async def test_arguments_that_are_no_longer_understood_are_parked_and_block_nobody(works: Works) -> None:
    await works.ask("bolts", "nuts")
    id_ = (await works.effects())[0]["id"]
    effects = TABLES[EffectRow]
    spoil = update(effects).where(effects.c.id == id_).values(arguments={"wat": 1})
    await works.database.write(lambda c: c.execute(spoil))
    await works.settle()
    spoilt, fine = await works.effects()
    assert (spoilt["status"], fine["status"]) == ("parked", "done")
    assert "arguments are not understood" in spoilt["error"]
    assert works.peer.tasks() == [fine["arguments"]["what"]]


# -- answers that are kept -----------------------------------------------------------------------------------------


async def test_an_answer_is_used_again_for_the_same_key_until_it_is_too_old(small_works: Works) -> None:
    await small_works.ask("a", "a", "b", by=LOOK)
    await small_works.settle()
    await small_works.ask("a", by=LOOK)
    await small_works.settle()
    asked = len(small_works.peer.calls)
    assert {effect["outcome"]["text"] for effect in await small_works.effects()} == {"a is done", "b is done"}
    await small_works.advance(HOUR - SECOND)
    await small_works.ask("a", by=LOOK)
    await small_works.settle()
    assert len(small_works.peer.calls) == asked
    await small_works.advance(SECOND)
    await small_works.ask("a", by=LOOK)
    await small_works.settle()
    assert len(small_works.peer.calls) == asked + 1


async def test_only_what_was_done_is_kept(small_works: Works) -> None:
    small_works.peer.does["a"].extend([NoAnswer("hm"), Done({"text": "at last"})])
    await small_works.ask("a", by=LOOK)
    await small_works.advance(timedelta(minutes=1))
    await small_works.ask("a", by=LOOK)
    await small_works.settle()
    assert len(small_works.peer.calls) == 2
    assert {effect["outcome"]["text"] for effect in await small_works.effects()} == {"at last"}
