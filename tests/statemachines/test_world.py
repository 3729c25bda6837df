"""A world in memory: what happens in it, and what does not."""

from datetime import timedelta

import pytest

from statemachines.decision import Refused
from statemachines.declaration import Actor, Role
from statemachines.transaction import Happened, SentRefused
from statemachines.world import BEGINNING, World
from tests.statemachines.lamps import KEEPER, LAMPS, Blink, Broke, Dim, Install, Lamp, Light, Lit, Note, Press, Switch

HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> World:
    """A switch with two lamps."""
    world = World(LAMPS)
    world.given("switch", None, Install(lamps=2), KEEPER)
    return world


def waiting(world: World) -> World:
    world.given("lamp", "lam_0001", Light(), KEEPER)
    return world


def lit(world: World) -> World:
    world.answer(waiting(world).awaited[0], Lit())
    return world


def test_new_entities_are_numbered_machine_by_machine(world: World) -> None:
    assert (world.ids("switch"), world.ids("lamp")) == (("swi_0001",), ("lam_0001", "lam_0002"))
    assert [lamp.switch for lamp in world.rows(Lamp)] == ["swi_0001"] * 2


def test_an_event_and_all_that_it_leads_to_happen_in_the_order_in_which_it_was_asked_for(world: World) -> None:
    pressed = world.raise_("switch", "swi_0001", Press(lamp="lam_0002"), KEEPER)
    assert isinstance(pressed, Happened)
    assert [str(step) for step in pressed.steps] == [
        "switch swi_0001 press: ready",
        "lamp lam_0002 light: dark -> waiting",
    ]
    assert world.rows(Note) == [Note(lamp="lam_0002", number=1)]


def test_what_another_refuses_happens_not_at_all(world: World) -> None:
    waiting(world)
    pressed = world.raise_("switch", "swi_0001", Press(lamp="lam_0001"), KEEPER)
    assert isinstance(pressed, SentRefused)
    assert (pressed.state, pressed.guard, pressed.id) == ("ready", None, "lam_0001")
    assert pressed.reason.startswith("lamp 'lam_0001' refused 'light': lamp in state 'waiting' takes no 'light'")
    assert [switch.version for switch in world.rows(Switch)] == [1]


def test_what_is_sent_to_nobody_happens_not_at_all(world: World) -> None:
    pressed = world.raise_("switch", "swi_0001", Press(lamp="lam_9999"), KEEPER)
    assert isinstance(pressed, SentRefused)
    assert world.entity("switch", "swi_0001").version == 1


def test_a_role_raises_only_what_it_may(world: World) -> None:
    pressed = world.raise_("switch", "swi_0001", Press(lamp="lam_0001"), Actor("anna", Role.CUSTOMER))
    assert isinstance(pressed, Refused)
    assert pressed.reason == "the role customer may not raise 'press'; it takes merchant"


def test_a_world_that_is_forked_goes_its_own_way(world: World) -> None:
    other = lit(world.fork())
    other.advance(8 * HOUR)
    assert [lamp.state for lamp in world.rows(Lamp)] == ["dark", "dark"]
    assert (world.now, world.timers, world.asked) == (BEGINNING, [], [])


def test_timers_fire_as_they_fall_due(world: World) -> None:
    waiting(world).advance(HOUR)
    assert world.entity("lamp", "lam_0001").state == "broken"
    assert (world.now, world.timers) == (BEGINNING + HOUR, [])


def test_leaving_a_state_cancels_its_timers(world: World) -> None:
    assert [timer.name for timer in lit(world).timers] == ["blink", "dim"]


def test_a_reminder_fires_as_often_as_it_says(world: World) -> None:
    lit(world)
    fired = []
    while (timer := world.timers[0]).event == Blink.event_name:
        world.fire(timer)
        fired.append(world.now - BEGINNING)
    assert fired == [timedelta(minutes=10), timedelta(minutes=15), timedelta(minutes=20)]
    assert timer.event == Dim.event_name


def test_a_timer_fires_once(world: World) -> None:
    (timer,) = waiting(world).timers
    world.fire(timer)
    again = world.fire(timer)
    assert isinstance(again, Refused)
    assert again.reason == "the timer is no longer set"


def test_a_call_is_answered_once(world: World) -> None:
    (call,) = waiting(world).awaited
    assert isinstance(world.answer(call, Lit()), Happened)
    again = world.answer(call, Broke())
    assert isinstance(again, Refused)
    assert again.reason == "power.ask was answered before"


def test_a_call_that_nobody_waits_for_may_be_answered_too(world: World) -> None:
    letter = waiting(world).asked[1]
    assert isinstance(world.answer(letter), Happened)
    assert world.asked[1].status == "answered"


def test_an_answer_is_one_that_the_effect_declares(world: World) -> None:
    with pytest.raises(TypeError, match=r"power\.ask is not answered by Dim"):
        world.answer(waiting(world).awaited[0], Dim())


def test_what_is_withdrawn_is_answered_no_more(world: World) -> None:
    letter = lit(world).asked[1]
    assert letter.status == "withdrawn"
    assert isinstance(world.answer(letter), Refused)


def test_what_is_given_has_to_be_accepted(world: World) -> None:
    with pytest.raises(ValueError, match="it takes light"):
        world.given("lamp", "lam_0001", Dim())
