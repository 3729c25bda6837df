"""Exploring finds what goes wrong, by one of the shortest ways, and says how it comes to that."""

from collections.abc import Iterator

import pytest

from statemachines.commands import Command, Set
from statemachines.declaration import Actor, Role, Transition
from statemachines.exploration import Exploration, Invariant, Move, TooMuch, Violated, explore
from statemachines.likeness import Numbers
from statemachines.machine import Machine
from statemachines.registry import Registry
from statemachines.world import World
from tests.statemachines.lamps import (
    KEEPER,
    Broke,
    Dim,
    Install,
    Lamp,
    Light,
    Lit,
    Press,
    Remove,
    Switch,
    TurnedOn,
    changed,
    count_off,
    is_new,
    lamp,
    switch,
)

LIGHT = Move("lamp", Light(), KEEPER, times=2)
ANSWERS = {"power.ask": lambda _: [Lit(), Broke()]}
RESTING = {"lamp": ["dark"], "switch": ["ready"]}


def hung(*machines: Machine, lamps: int = 1) -> World:
    """Return a world with a switch and lamps, of these machines where they are given."""
    world = World(Registry({machine.name: machine for machine in (switch, lamp, *machines)}.values()))
    world.given("switch", None, Install(lamps=lamps), KEEPER)
    return world


def explored(world: World, *moves: Move, invariants: tuple[Invariant, ...] = ()) -> Exploration:
    return explore(world, moves or [LIGHT], ANSWERS, invariants, resting=RESTING)


def found(world: World, *moves: Move, invariants: tuple[Invariant, ...] = ()) -> list[str]:
    """Return the lines that tell what goes wrong."""
    with pytest.raises(Violated) as caught:
        explored(world, *moves, invariants=invariants)
    return [line.strip() for line in str(caught.value).splitlines()]


def the_switch_counts_the_lamps_that_are_lit(world: World) -> str | None:
    lit = sum(lamp.state == "lit" for lamp in world.rows(Lamp))
    counted = sum(switch.on for switch in world.rows(Switch))
    return None if lit == counted else f"{lit} lamps are lit, {counted} are counted"


COUNTED = (the_switch_counts_the_lamps_that_are_lit,)


def test_a_state_is_reached_once_by_whichever_way() -> None:
    seen = explored(hung())
    # dark, waiting, lit, lit after one, two and three reminders, dark again, broken, and that with a call still open
    assert seen.reached == {"switch": {"ready"}, "lamp": {"dark", "waiting", "lit", "broken"}}
    assert (seen.states, seen.idle) == (9, ())


def test_a_world_that_was_explored_before_is_explored_as_if_it_was_not() -> None:
    world = hung(lamps=2)
    assert explored(world) == explored(world) == explored(hung(lamps=2))
    seen, anew = Numbers(()), Numbers(())
    anew("something else")
    assert world.shape(seen) == hung(lamps=2).shape(Numbers(()))
    assert world.shape(anew) == hung(lamps=2).shape(anew)


def test_two_that_have_nothing_to_do_with_each_other_are_seen_in_every_combination() -> None:
    assert explored(hung(lamps=2)).states == 9 * 9


def test_an_invariant_that_holds_is_found_to_hold() -> None:
    assert explored(hung(lamps=2), invariants=COUNTED).states == 81


def test_an_invariant_that_does_not_is_shown_by_a_shortest_way() -> None:
    careless = changed(switch, count_off)
    assert found(hung(careless, lamps=2), invariants=COUNTED) == [
        "the switch counts the lamps that are lit: 0 lamps are lit, 1 are counted",
        "1. keeper: light()",
        "lamp lam_0001 light: dark -> waiting",
        "2. power.ask of lam_0001 is answered: lit()",
        "lamp lam_0001 lit: waiting -> lit",
        "switch swi_0001 turned_on: ready",
        "3. timer 'dim' of lamp lam_0001",
        "lamp lam_0001 dim: lit -> dark",
        "switch swi_0001 turned_off: ready",
    ]


def test_it_is_wrong_to_rest_nowhere() -> None:
    with pytest.raises(Violated, match="from here no way leads to rest: lamp lam_0001 in 'lit'"):
        explore(hung(), [LIGHT], ANSWERS, resting={"switch": ["ready"]})


def test_where_a_bound_keeps_one_from_going_on_is_no_dead_end() -> None:
    lasting = changed(lamp, is_new)
    explore(hung(lasting), [LIGHT], ANSWERS, resting={"switch": ["ready"]})


def test_an_answer_that_is_refused_is_lost() -> None:
    deaf = changed(lamp, less=(Lit, "broken"))
    assert found(hung(deaf)) == [
        "the answer is lost: lamp in state 'broken' takes no 'lit'; it takes broke",
        "1. keeper: light()",
        "lamp lam_0001 light: dark -> waiting",
        "2. timer 'patience' of lamp lam_0001",
        "lamp lam_0001 broke: waiting -> broken",
        "3. power.ask of lam_0001 is answered: lit()",
    ]


def test_what_is_sent_to_a_state_that_takes_no_such_event_is_heard_by_nobody() -> None:
    deaf = changed(switch, less=(TurnedOn, "removed"))
    first, *_ = found(hung(deaf), LIGHT, Move("switch", Remove(), KEEPER))
    assert first.startswith("nobody hears what is sent: switch 'swi_0001' refused 'turned_on'")


def test_what_another_refuses_by_a_guard_is_a_refusal_like_others() -> None:
    press = Move("switch", Press(lamp="lam_0001"), KEEPER, times=2)
    patient = changed(lamp, rows=[Transition(Light, ["waiting", "lit", "broken"], None)])
    explored(hung(patient), press)


def test_an_action_that_fails_is_found() -> None:
    def fail(_: Lamp) -> Iterator[Command]:
        yield Set(used=1 // 0)

    broken = changed(lamp, rows=[Transition(Dim, "lit", "dark", [], [fail])], less=(Dim, "lit"))
    first, *_ = found(hung(broken))
    assert first == "ZeroDivisionError: integer division or modulo by zero"


def test_a_move_that_was_refused_everywhere_is_told() -> None:
    def never(_: Lamp) -> str | None:
        return "not today"

    unwilling = changed(lamp, rows=[Transition(Light, "dark", "waiting", [never])], less=(Light, "dark"))
    assert explored(hung(unwilling)).idle == (LIGHT,)


def test_nobody_is_to_do_what_the_role_never_may() -> None:
    with pytest.raises(ValueError, match="the role customer may not raise 'light'"):
        explored(hung(), Move("lamp", Light(), Actor("anna", Role.CUSTOMER)))


def test_a_call_that_nobody_answers_is_no_answer() -> None:
    with pytest.raises(LookupError, match=r"'answers' says nothing of power\.ask, which lamp 'lam_0001' waits for"):
        explore(hung(), [LIGHT], {}, resting=RESTING)


def test_there_is_a_limit() -> None:
    with pytest.raises(TooMuch, match="more than 80 states"):
        explore(hung(lamps=2), [LIGHT], ANSWERS, resting=RESTING, limit=80)
