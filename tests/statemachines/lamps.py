"""Lamps and their switch: two small machines that play together, for testing what tests machines."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from sqlmodel import Field, SQLModel

from statemachines.commands import Add, Call, Command, Send, Set, Spawn, Withdraw
from statemachines.declaration import NEW, Actor, After, Effect, Entity, Event, Load, Role, State, Transition, asks
from statemachines.machine import Machine
from statemachines.registry import Registry

KEEPER = Actor("keeper", Role.MERCHANT)
KEEPERS = [Role.MERCHANT]


class Lamp(Entity):
    switch: str = ""
    used: int = 0


class Note(SQLModel):
    lamp: str = Field(primary_key=True)
    number: int = Field(primary_key=True)


class Switch(Entity):
    on: int = 0


class Install(Event, by=KEEPERS):
    """Put a switch up, and lamps beside it."""

    lamps: int = 1


class Hang(Event):
    """Hang a lamp beside its switch."""

    switch: str


class Press(Event, by=KEEPERS):
    """Light a lamp by its switch."""

    lamp: str


class Remove(Event, by=KEEPERS):
    """Take the switch down."""


class Light(Event, by=KEEPERS):
    """Give light."""


class Lit(Event):
    """The power came."""


class Broke(Event):
    """No power came."""


class Dim(Event):
    """It is late."""


class Blink(Event):
    """Show that the lamp is on."""


class TurnedOn(Event):
    """A lamp is on."""


class TurnedOff(Event):
    """A lamp is off."""


class Current(BaseModel):
    lamp: str


POWER = Effect("power.ask", Current, ok=Lit, failed=Broke)
LETTER = Effect("mail.send", Current)


def install(event: Install) -> Iterator[Command]:
    yield from (Spawn("lamp", Hang(switch="swi_0001")) for _ in range(event.lamps))


def press(event: Press) -> Iterator[Command]:
    yield Send("lamp", event.lamp, Light())


def hang(event: Hang) -> Iterator[Command]:
    yield Set(switch=event.switch)


@asks(POWER, LETTER)
def ask_for_power(lamp: Lamp, notes: list[Note]) -> Iterator[Command]:
    yield Call(POWER, Current(lamp=lamp.id))
    yield Call(LETTER, Current(lamp=lamp.id))
    yield Add(Note(lamp=lamp.id, number=len(notes) + 1))


@asks(LETTER)
def tell_on(lamp: Lamp) -> Iterator[Command]:
    yield Withdraw(LETTER)
    yield Set(used=lamp.used + 1)
    yield Send("switch", lamp.switch, TurnedOn())


def tell_off(lamp: Lamp) -> Iterator[Command]:
    yield Send("switch", lamp.switch, TurnedOff())


def count_on(switch: Switch) -> Iterator[Command]:
    yield Set(on=switch.on + 1)


def count_off(switch: Switch) -> Iterator[Command]:
    yield Set(on=switch.on - 1)


def is_new(lamp: Lamp) -> str | None:
    return "it is worn out" if lamp.used else None


lamp = Machine(
    Lamp,
    plural="lamps",
    prefix="lam",
    loads=[Load("notes", Note, by="lamp", keys=lambda lamp: [lamp.id])],
    states=[
        State("dark"),
        State("waiting", [After(timedelta(hours=1), Broke, "patience")]),
        State("lit", [After(timedelta(minutes=10), Blink, every=timedelta(minutes=5), times=3),
                      After(timedelta(hours=8), Dim)]),
        State("broken", final=True),
    ],
    transitions=[
        Transition(Hang, NEW, "dark", [], [hang]),
        Transition(Light, "dark", "waiting", [is_new], [ask_for_power]),
        Transition(Lit, "waiting", "lit", [], [tell_on]),
        Transition(Lit, ["broken", "dark"], None),
        Transition(Broke, "waiting", "broken"),
        Transition(Broke, "broken", None),
        Transition(Blink, "lit", None),
        Transition(Dim, "lit", "dark", [], [tell_off]),
    ],
)  # fmt: skip

switch = Machine(
    Switch,
    name="switch",
    plural="switches",
    prefix="swi",
    states=[State("ready"), State("removed", final=True)],
    transitions=[
        Transition(Install, NEW, "ready", [], [install]),
        Transition(Press, "ready", None, [], [press]),
        Transition(TurnedOn, "ready", None, [], [count_on]),
        Transition(TurnedOff, "ready", None, [], [count_off]),
        Transition(Remove, "ready", "removed"),
        Transition(TurnedOn, "removed", None),
        Transition(TurnedOff, "removed", None),
    ],
)

LAMPS = Registry([switch, lamp])


def changed(machine: Machine, *without: Any, rows: Sequence[Transition] = (), less: Any = None) -> Machine:
    """Return a machine that lacks some of its guards, actions and rows, or has other rows besides.

    Args:
        machine: the machine, which stays as it is.
        without: guards and actions to leave out.
        rows: rows that are tried before its own.
        less: of which event and from which state the rows are left out.
    """
    kept = [
        replace(
            row,
            source=tuple(source for source in row.sources if (row.event, source) != less),
            guards=[each for each in row.guards if each not in without],
            actions=[each for each in row.actions if each not in without],
        )
        for row in machine.transitions
    ]
    return Machine(
        machine.entity,
        name=machine.name,
        plural=machine.plural,
        prefix=machine.prefix,
        key=machine.key,
        states=list(machine.states.values()),
        transitions=[*rows, *(row for row in kept if row.sources)],
        loads=list(machine.loads.values()),
        policy=machine.policy,
        readers=machine.readers,
    )
