"""Machines drawn as Mermaid text."""

import re
from datetime import timedelta

import pytest

from statemachines.declaration import NEW, After, Entity, Event, State, Transition
from statemachines.diagram import diagram, duration_text
from statemachines.machine import Machine
from statemachines.order import OrderPolicy
from statemachines.registry import MACHINES

# What Mermaid's own parser accepts of what we draw.
ID = r"(?:\[\*\]|[A-Za-z][A-Za-z0-9_]*)"
LINE = re.compile(
    rf'    (?:{ID} --> {ID}(?: : [^:;\n"]+)?|state "[^"\n]+" as {ID}|note right of {ID}|    [^\n]+|end note)'
)


@pytest.mark.parametrize("machine", list(MACHINES), ids=repr)
def test_every_line_is_mermaid(machine: Machine):
    first, *lines = diagram(machine).splitlines()

    assert first == "stateDiagram-v2"
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert lines.count("    end note") == sum("note right of" in line for line in lines)


@pytest.mark.parametrize("machine", list(MACHINES), ids=repr)
def test_every_state_and_row_is_drawn(machine: Machine):
    lines = diagram(machine).splitlines()

    moves = [source for row in machine.transitions if row.target for source in row.sources]
    stays = [source for row in machine.transitions if row.target is None for source in row.sources]
    finals = [state for state in machine.states.values() if state.final]
    assert sum(" --> " in line for line in lines) == len(moves) + len(finals)
    assert sum("stays on" in line for line in lines) == len(stays)


def test_an_order_is_drawn_from_its_creation_to_its_ends():
    lines = [line.strip() for line in diagram(MACHINES["order"]).splitlines()]

    assert lines[1].startswith("[*] --> draft : create [orders_for_itself, ")
    assert "pending --> paying : pay [leaves_that_to_pay]" in lines
    assert "paying --> pending : declined [tries_left]" in lines
    assert lines[-2:] == ["cancelled --> [*]", "returned --> [*]"]


def test_timeouts_bear_their_durations_from_the_shops_policy():
    order = MACHINES["order"].with_policy(OrderPolicy(expire_after=timedelta(hours=36)))

    text = diagram(order)

    assert "pending --> cancelled : expire after 36 hours\n" in text
    assert "fulfilled --> completed : complete or after 14 days\n" in text


def test_internal_transitions_stand_in_a_note():
    assert (
        "    note right of frozen\n"
        "        stays on receive [fits_the_shelf]\n"
        "        stays on adjust [takes_only_what_is_free, fits_the_shelf]\n"
        "        stays on fill\n"
        "        stays on set_reorder_level\n"
        "        stays on set_priority\n"
        "        stays on alert\n"
        "    end note\n"
    ) in diagram(MACHINES["stock"])


class Bag(Entity):
    """A bag at an airport."""


class Check(Event):
    """Hand it in."""


class Load(Event):
    """Put it into the plane."""


def by_plane(bag: Bag) -> timedelta:
    return timedelta(hours=1)


def test_names_that_mermaid_keeps_for_itself_are_drawn_under_others():
    machine = Machine(
        Bag,
        plural="bags",
        prefix="bag",
        states=[State("note", [After(by_plane, Load)]), State('in "transit": now', final=True)],
        transitions=[Transition(Check, NEW, "note"), Transition(Load, "note", 'in "transit": now')],
    )

    assert diagram(machine).splitlines() == [
        "stateDiagram-v2",
        '    state "note" as S1',
        '    state "in  transit   now" as S2',
        "    [*] --> S1 : check",
        "    S1 --> S2 : load after a computed time",
        "    S2 --> [*]",
    ]


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(days=7), "7 days"),
        (timedelta(hours=24), "1 day"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=1.5), "1.5 seconds"),
        (timedelta(0), "0 seconds"),
    ],
)
def test_a_duration_is_spelt_in_its_greatest_whole_unit(duration: timedelta, text: str):
    assert duration_text(duration) == text
