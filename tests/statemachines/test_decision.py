"""Deciding and explaining, on a lift that is small enough to see through."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from statemachines.commands import Call, Command, Send, Set, Start
from statemachines.decision import Accepted, Refused, TimerSet, decide, explain
from statemachines.declaration import (
    NEW,
    Actor,
    After,
    DeclarationError,
    Effect,
    Entity,
    Event,
    Load,
    Policy,
    Role,
    State,
    Transition,
)
from statemachines.machine import Machine
from statemachines.payments import ChargeArguments, Charged, Declined
from tests.statemachines.shop import accepted, refused

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class LiftPolicy(Policy):
    """What the landlord may choose."""

    most: int = 300
    doors: timedelta = timedelta(seconds=10)


class Lift(Entity):
    """A lift in a house."""

    floor: int = 0
    load: int = 0


class Build(Event):
    """Put the lift in."""


class Go(Event, by=[Role.CUSTOMER]):
    """Ride to a floor."""

    floor: int


class Stop(Event):
    """Open the doors."""


class Board(Event, by=[Role.CUSTOMER]):
    """Get in."""

    weight: int


class Reset(Event, by=[Role.MERCHANT]):
    """Open the doors anew."""


class Break(Event):
    """Stand still."""


class Weigh(Event):
    """Find out whether the lift carries its load."""


def carries(lift: Lift, policy: LiftPolicy) -> str | None:
    return None if lift.load <= policy.most else f"{lift.load} kg on board, {policy.most} kg allowed"


def is_elsewhere(lift: Lift, event: Go) -> str | None:
    return None if event.floor != lift.floor else f"it is on floor {lift.floor} already"


def is_day(now: datetime) -> str | None:
    return None if 6 <= now.hour < 22 else "it sleeps at night"


def lives_here(actor: Actor, tenants: list[Lift]) -> str | None:
    return None if actor.id in [tenant.id for tenant in tenants] else f"{actor.id} does not live here"


def floor_exists(event: Go, floors: list[Lift]) -> str | None:
    return None if floors else f"there is no floor {event.floor}"


def explodes(lift: Lift) -> str | None:
    raise ZeroDivisionError("a guard")


def ride(event: Go) -> Iterator[Command]:
    yield Set(floor=event.floor)
    yield Send("light", "hall", Stop())


def take_in(lift: Lift, event: Board) -> Iterator[Command]:
    yield Set(load=lift.load + event.weight)


def break_half_way(lift: Lift) -> Iterator[Command]:
    yield Set(floor=99)
    raise ZeroDivisionError("an action")


def open_doors() -> Iterator[Command]:
    yield Send("doors", "hall", Go(floor=1))


def close_doors() -> Iterator[Command]:
    yield Send("doors", "hall", Go(floor=0))


def ring() -> Iterator[Command]:
    yield Start("bell", Stop, NOON)


def by_load(lift: Lift, policy: LiftPolicy) -> timedelta:
    return policy.doors * (1 + lift.load // 100)


def any_key(lift: Lift) -> list[str]:
    return [lift.id]


def floor_asked(event: Go) -> list[str]:
    return [str(event.floor)]


LIFT = Machine(
    Lift,
    plural="lifts",
    prefix="lift",
    policy=LiftPolicy(),
    states=[
        State(
            "open",
            [After(by_load, Stop, "close"), After(timedelta(hours=8), Break)],
            entry=[open_doors],
            exit=[close_doors],
        ),
        State("riding", [After(timedelta(minutes=1), Stop)]),
        State("broken", final=True),
    ],
    transitions=[
        Transition(Build, NEW, "open"),
        Transition(Go, "open", "riding", [is_day, carries, is_elsewhere], [ride, ring]),
        Transition(Board, "open", None, [], [take_in]),
        Transition(Stop, "open", None),
        Transition(Reset, "open", "open", [], [ring]),
        Transition(Stop, "riding", "open"),
        Transition(Break, ["open", "riding"], "broken"),
        Transition(Weigh, "riding", "broken", [carries], [break_half_way]),
        Transition(Weigh, "open", "broken", [explodes]),
    ],
)


def lift(state: str = "open", **columns: int) -> Lift:
    return Lift(id="lift_1", state=state, **columns)


# -- accepted, refused, no such event


def test_an_accepted_event_says_what_will_be_and_changes_nothing():
    given = lift()

    decision = accepted(decide(LIFT, given, Go(floor=3), NOON))

    assert (decision.source, decision.target, decision.event) == ("open", "riding", Go(floor=3))
    assert decision.changes == {"floor": 3}
    assert given == lift()


def test_a_refused_event_names_the_guard_its_reason_and_what_is_possible():
    decision = decide(LIFT, lift(floor=3), Go(floor=3), NOON)

    assert decision == Refused(
        "open", "go", "is_elsewhere", "it is on floor 3 already", ("go", "board", "stop", "reset", "break", "weigh")
    )


def test_an_event_that_the_state_does_not_take_is_told_what_it_takes():
    decision = refused(decide(LIFT, lift("riding"), Board(weight=70), NOON))

    assert decision.guard is None
    assert decision.reason == "lift in state 'riding' takes no 'board'; it takes stop, break, weigh"


def test_a_final_state_takes_nothing_any_more():
    decision = refused(decide(LIFT, lift("broken"), Stop(), NOON))

    assert decision.reason == "lift in state 'broken' takes no 'stop'; nothing can happen to it any more"


def test_a_lift_begins_only_by_being_built():
    accepted(decide(LIFT, lift(NEW), Build(), NOON))

    decision = refused(decide(LIFT, lift(NEW), Stop(), NOON))

    assert decision.reason == "no lift begins with 'stop'"


def test_what_exists_is_not_created_again():
    decision = refused(decide(LIFT, lift(), Build(), NOON))

    assert decision.reason == "lift 'lift_1' exists already"


# -- guards


def test_guards_are_asked_in_their_order_and_the_first_refusal_counts():
    overloaded_at_night = refused(decide(LIFT, lift(load=400), Go(floor=0), NOON.replace(hour=23)))
    overloaded = refused(decide(LIFT, lift(load=400), Go(floor=0), NOON))

    assert (overloaded_at_night.guard, overloaded.guard) == ("is_day", "carries")
    assert overloaded.reason == "400 kg on board, 300 kg allowed"


def test_the_rows_of_one_event_are_tried_in_their_order():
    machine = Machine(
        Lift,
        plural="lifts",
        prefix="lift",
        policy=LiftPolicy(),
        states=[State("open"), State("riding"), State("broken", final=True)],
        transitions=[
            Transition(Build, NEW, "open"),
            Transition(Weigh, "open", "riding", [is_day, carries]),
            Transition(Weigh, "open", "broken", [is_day]),
            Transition(Break, "riding", "broken"),
        ],
    )

    assert decide(machine, lift(load=100), Weigh(), NOON).target == "riding"
    assert decide(machine, lift(load=400), Weigh(), NOON).target == "broken"
    assert decide(machine, lift(load=400), Weigh(), NOON.replace(hour=2)).guard == "is_day"


def test_a_policy_changes_the_figures_and_not_the_machine():
    strict = LIFT.with_policy(LiftPolicy(most=50))

    refused(decide(strict, lift(load=60), Go(floor=1), NOON))
    accepted(decide(LIFT, lift(load=60), Go(floor=1), NOON))


def test_a_row_may_leave_several_states():
    for state in ("open", "riding"):
        assert decide(LIFT, lift(state), Break(), NOON).target == "broken"


def test_guards_are_given_what_they_name():
    machine = Machine(
        Lift,
        plural="lifts",
        prefix="lift",
        loads=[Load("tenants", Lift, by="state", keys=any_key)],
        states=[State("open"), State("broken", final=True)],
        transitions=[Transition(Build, NEW, "open"), Transition(Break, "open", "broken", [lives_here])],
    )
    tenants = SimpleNamespace(tenants=[Lift(id="anna")])

    assert [load.name for load in machine.needs(lift(), Break())] == ["tenants"]
    accepted(decide(machine, lift(), Break(), NOON, tenants, Actor("anna", Role.CUSTOMER)))
    assert (
        decide(machine, lift(), Break(), NOON, tenants, Actor("ben", Role.CUSTOMER)).reason == "ben does not live here"
    )


# -- what is loaded


def needs(*transitions: Transition, of: Lift) -> list[str]:
    """Return what must be loaded for a ride to the second floor, if there are such rows for it."""
    machine = Machine(
        Lift,
        plural="lifts",
        prefix="lift",
        loads=[Load("floors", Lift, by="state", keys=any_key), Load("tenants", Lift, by="state", keys=any_key)],
        policy=LiftPolicy(),
        states=[State("open"), State("riding"), State("broken", final=True)],
        transitions=[Transition(Build, NEW, "open"), Transition(Stop, "riding", "broken", [lives_here]), *transitions],
    )
    return [load.name for load in machine.needs(of, Go(floor=2))]


def test_what_guards_ask_for_is_loaded():
    assert needs(Transition(Go, "open", "riding", [floor_exists]), of=lift()) == ["floors"]


def test_what_another_state_or_another_event_asks_for_is_not_loaded():
    assert needs(Transition(Go, "open", "riding", [floor_exists]), of=lift("riding")) == []


def test_what_a_row_asks_for_that_the_entity_rules_out_is_not_loaded():
    row = Transition(Go, "open", "riding", [is_elsewhere, floor_exists])

    assert needs(row, of=lift(floor=2)) == []
    assert needs(row, of=lift(floor=1)) == ["floors"]


def test_what_rows_ask_for_is_not_loaded_if_one_before_them_is_taken():
    rows = Transition(Go, "open", "riding", [carries]), Transition(Go, "open", "broken", [floor_exists])

    assert needs(*rows, of=lift(load=100)) == []
    assert needs(*rows, of=lift(load=301)) == ["floors"]


def test_what_rows_ask_for_is_loaded_if_the_time_or_the_caller_may_rule_them_out():
    rows = (
        Transition(Go, "open", "riding", [is_day, floor_exists]),
        Transition(Go, "open", "broken", [lives_here]),
    )

    assert needs(*rows, of=lift()) == ["floors", "tenants"]


# -- actions and commands


def test_columns_become_changes_and_the_rest_stays_commands_in_their_order():
    decision = decide(LIFT, lift("open"), Go(floor=3), NOON)

    leaving = Send("doors", "hall", Go(floor=0))
    assert decision.commands == [leaving, Send("light", "hall", Stop()), Start("bell", Stop, NOON)]


def test_leaving_a_state_acts_before_the_row_and_entering_one_after_it():
    decision = decide(LIFT, lift(), Reset(), NOON)

    assert decision.commands == [
        Send("doors", "hall", Go(floor=0)),
        Start("bell", Stop, NOON),
        Send("doors", "hall", Go(floor=1)),
    ]


def test_creation_enters_its_state_and_leaves_none():
    assert decide(LIFT, lift(NEW), Build(), NOON).commands == [Send("doors", "hall", Go(floor=1))]


def test_an_internal_transition_neither_leaves_nor_enters():
    decision = decide(LIFT, lift(load=70), Board(weight=80), NOON)

    assert decision == Accepted("open", "open", Board(weight=80), {"load": 150}, [])


@pytest.mark.parametrize("state", ["open", "riding"])
def test_an_exception_in_a_guard_or_an_action_leaves_the_lift_as_it_was(state: str):
    given = lift(state, floor=2)

    with pytest.raises(ZeroDivisionError):
        decide(LIFT, given, Weigh(), NOON)

    assert given == lift(state, floor=2)
    assert decide(LIFT, given, Break(), NOON).target == "broken"


def test_an_effect_found_only_at_run_time_must_be_marked_too():
    effects = {"charge": Effect("payments.charge", ChargeArguments, ok=Charged, failed=Declined)}

    def pay(lift: Lift) -> Iterator[Command]:
        arguments = ChargeArguments(amount=1, currency="EUR", method="tok", order=lift.id)
        yield Call(effects["charge"], arguments)

    machine = Machine(
        Lift,
        plural="lifts",
        prefix="lift",
        states=[State("open"), State("broken", final=True)],
        transitions=[Transition(Build, NEW, "open"), Transition(Break, "open", "broken", [], [pay])],
    )

    with pytest.raises(DeclarationError, match=r"pay calls payments\.charge without being marked"):
        decide(machine, lift(), Break(), NOON)


# -- timers


def test_entering_a_state_sets_its_timers_and_leaving_cancels_them():
    riding = decide(LIFT, lift(), Go(floor=3), NOON)
    stopped = decide(LIFT, lift("riding"), Stop(), NOON)
    broken = decide(LIFT, lift("riding"), Break(), NOON)

    assert riding.cancels == ("close", "break")
    assert riding.starts == [TimerSet("stop", "stop", NOON + timedelta(minutes=1))]
    assert stopped.cancels == ("stop",)
    assert [timer.name for timer in stopped.starts] == ["close", "break"]
    assert (broken.cancels, broken.starts) == (("stop",), [])


def test_a_self_transition_sets_the_timers_anew_and_an_internal_one_lets_them_run():
    anew, internal = decide(LIFT, lift(), Reset(), NOON), decide(LIFT, lift(), Stop(), NOON)

    assert (anew.cancels, len(anew.starts)) == (("close", "break"), 2)
    assert (internal.cancels, internal.starts) == ((), ())


def test_a_computed_timer_sees_the_policy_and_the_columns_as_they_will_be():
    slow = LIFT.with_policy(LiftPolicy(doors=timedelta(seconds=20)))

    timer = decide(slow, lift("riding", load=250), Stop(), NOON).starts[0]

    assert timer == TimerSet("close", "stop", NOON + timedelta(seconds=60))


# -- explaining


def explained(given: Lift, now: datetime = NOON):
    return {explanation.event: explanation for explanation in explain(LIFT_WITHOUT_FAULTS, given, now)}


LIFT_WITHOUT_FAULTS = Machine(
    Lift,
    plural="lifts",
    prefix="lift",
    policy=LiftPolicy(),
    loads=[Load("floors", Lift, by="state", keys=floor_asked)],
    states=[State("open"), State("riding"), State("broken", final=True)],
    transitions=[
        Transition(Build, NEW, "open"),
        Transition(Go, "open", "riding", [is_elsewhere, floor_exists, is_day, carries]),
        Transition(Weigh, "open", "broken", [carries]),
        Transition(Break, ["open", "riding"], "broken"),
    ],
)


def test_an_explanation_lists_every_event_of_the_state_and_who_may_raise_it():
    given = explained(lift())

    assert list(given) == ["go", "weigh", "break"]
    assert (given["weigh"].allowed, given["weigh"].targets, given["weigh"].guard) == (True, ("broken",), None)
    assert given["go"].roles == {Role.CUSTOMER}


def test_an_explanation_gives_the_reason_why_not():
    given = explained(lift(load=400))

    assert (given["weigh"].allowed, given["weigh"].guard) == (False, "carries")
    assert given["weigh"].reason == "400 kg on board, 300 kg allowed"
    assert given["break"].allowed


def test_guards_about_the_payload_stay_open_and_their_loads_are_not_needed():
    assert explained(lift())["go"].depends_on_payload == ("is_elsewhere", "floor_exists")


def test_what_no_payload_could_change_is_refused_already():
    given = explained(lift(), NOON.replace(hour=23))["go"]

    assert (given.allowed, given.guard, given.reason) == (False, "is_day", "it sleeps at night")
    assert given.depends_on_payload == ()


def test_nothing_is_left_to_explain_at_the_end():
    assert explain(LIFT, lift("broken"), NOON) == []
