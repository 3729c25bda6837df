"""Clocks: one that runs evenly whatever the machine takes for the time, and one that stands still until it is moved."""

from datetime import UTC, datetime, timedelta

import pytest

import engine.clock
from engine.clock import HEARD, SteadyClock, VirtualClock
from tests.conftest import NOON

SECOND = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)


class Machine:
    """A machine's two clocks: the one on the wall, which people set, and the one that counts."""

    def __init__(self) -> None:
        self.wall, self.counted = NOON, 5000.0

    def pass_time(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.counted += seconds


@pytest.fixture
def machine(monkeypatch) -> Machine:
    """A machine on which time passes when the test says so."""
    machine = Machine()

    class Datetime(datetime):
        @classmethod
        def now(cls, tz=None) -> datetime:
            return machine.wall.astimezone(tz)

    monkeypatch.setattr(engine.clock, "datetime", Datetime)
    monkeypatch.setattr(engine.clock.time, "monotonic", lambda: machine.counted)
    return machine


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=-400)])
def test_a_jump_of_the_machine_s_clock_moves_nothing(machine: Machine, jump: timedelta) -> None:
    clock = SteadyClock()
    machine.pass_time(10)
    machine.wall += jump
    assert clock.now() == NOON + 10 * SECOND
    machine.pass_time(10)
    assert clock.now() == NOON + 20 * SECOND


def test_it_follows_the_clock_of_the_database(machine: Machine) -> None:
    clock = SteadyClock()
    for there in (NOON + timedelta(hours=2), NOON - timedelta(hours=2), NOON + 5 * MILLISECOND):
        clock.set(there)
        assert clock.now() == there
        machine.pass_time(3)
        assert clock.now() == there + 3 * SECOND


def test_a_slow_answer_of_the_database_does_not_set_it_back(machine: Machine) -> None:
    clock = SteadyClock()
    clock.set(NOON)
    for delay in (0.3, 0.002, 0.9, 0.05):
        machine.pass_time(1)
        told = clock.now()
        machine.pass_time(delay)
        clock.set(told)
        assert clock.now() == told + timedelta(seconds=delay)


def test_it_follows_a_database_whose_clock_is_a_little_slower(machine: Machine) -> None:
    clock, there = SteadyClock(), NOON
    clock.set(there)
    for _ in range(3 * HEARD):
        machine.pass_time(1)
        there += SECOND - MILLISECOND
        before = clock.now()
        clock.set(there)
        assert clock.now() > before - 2 * MILLISECOND
    assert timedelta() <= clock.now() - there <= HEARD * MILLISECOND


def test_its_time_is_aware_and_in_utc() -> None:
    clock = SteadyClock()
    assert clock.now().tzinfo is UTC
    assert abs(clock.now() - datetime.now(UTC)) < 5 * SECOND


def test_a_virtual_clock_stands_still_and_never_goes_back() -> None:
    clock = VirtualClock(NOON)
    clock.advance(SECOND)
    assert clock.now() == NOON + SECOND
    with pytest.raises(ValueError, match="has passed"):
        clock.advance_to(NOON)
