"""What a person is told of a suspicious declaration, and that the shop's own are not."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from pydantic import BaseModel

from statemachines.commands import Call, Command, Send
from statemachines.declaration import NEW, Action, After, Effect, Entity, Event, Role, State, Transition, asks
from statemachines.machine import Machine
from statemachines.mentions import mentions
from statemachines.registry import MACHINES
from statemachines.verification import Finding, verify


class Claim(Entity):
    """A damage reported to an insurance."""


class Report(Event, by=[Role.CUSTOMER]):
    """Say what is broken."""


class Examine(Event, by=[Role.MERCHANT]):
    """Have an expert look."""


class Approved(Event):
    """The expert agrees."""


class Rejected(Event):
    """The expert does not."""


class Close(Event, by=[Role.MERCHANT]):
    """Put it away."""


class GiveUp(Event):
    """Nobody answered."""


class Forgotten(Event):
    """Nobody ever says so."""


class Question(BaseModel):
    """What the expert is asked."""


EXPERT = Effect("expert.examine", Question, ok=Approved, failed=Rejected)


@asks(EXPERT)
def ask_expert(claim: Claim) -> Iterator[Command]:
    yield Call(EXPERT, Question())


def is_small(claim: Claim) -> str | None:
    return None


PATIENCE = After(timedelta(days=3), GiveUp)
OPEN, EXAMINED = State("open"), State("examined", [PATIENCE])
SETTLED, CLOSED = State("settled", final=True), State("closed", final=True)
REPORT = Transition(Report, NEW, "open")
EXAMINE = Transition(Examine, "open", "examined", [], [ask_expert])
ANSWERED = [
    Transition(Approved, "examined", "settled"),
    Transition(Rejected, "examined", "closed"),
    Transition(GiveUp, "examined", "closed", [], []),
    Transition(Approved, "closed", None),
    Transition(Rejected, "closed", None),
]


def claim(states: list[State], *rows: Transition) -> Machine:
    return Machine(Claim, plural="claims", prefix="claim", states=states, transitions=rows)


def codes(machine: Machine, *among: Machine) -> list[tuple[str, str]]:
    return [(finding.code, finding.place) for finding in verify(machine, among)]


@pytest.mark.parametrize("machine", list(MACHINES), ids=repr)
def test_the_shops_own_machines_are_clean(machine: Machine):
    assert verify(machine) == []


def test_a_claim_that_is_always_answered_is_clean():
    assert codes(claim([OPEN, EXAMINED, SETTLED, CLOSED], REPORT, EXAMINE, *ANSWERED)) == []


def test_a_state_that_only_a_forgotten_event_leads_to_is_unreachable():
    lost = State("lost", final=True)
    forgotten = Transition(Forgotten, "open", "lost")

    found = codes(claim([OPEN, lost, CLOSED], REPORT, Transition(Close, "open", "closed"), forgotten))

    assert found == [("unreachable", lost.line), ("unraised-event", forgotten.line)]


def test_states_that_turn_in_a_circle_are_dead_ends():
    here, there = State("here"), State("there")
    rows = [Transition(Close, "open", "closed"), Transition(Examine, "open", "here")]
    rows += [Transition(Examine, "here", "there"), Transition(Examine, "there", "here")]

    found = codes(claim([OPEN, CLOSED, here, there], REPORT, *rows))

    assert found == [("dead-end", here.line), ("dead-end", there.line)]


def test_without_a_final_state_a_circle_is_fine():
    here = State("here")
    rows = [Transition(Examine, "open", "here"), Transition(Examine, "here", "open")]

    assert codes(claim([OPEN, here], REPORT, *rows)) == []


def test_without_a_final_state_one_that_only_a_forgotten_event_leaves_is_a_dead_end():
    here, back = State("here"), Transition(Forgotten, "here", "open")

    found = codes(claim([OPEN, here], REPORT, Transition(Examine, "open", "here"), back))

    assert found == [("dead-end", here.line), ("unraised-event", back.line)]


def test_waiting_without_a_timeout_is_endless():
    examined = State("examined")
    rows = [row for row in ANSWERED if row.event is not GiveUp]

    found = codes(claim([OPEN, examined, SETTLED, CLOSED], REPORT, EXAMINE, *rows))

    assert found == [("endless-wait", examined.line)]


def test_waiting_for_a_timeout_that_may_be_refused_is_endless():
    rows = [row for row in ANSWERED if row.event is not GiveUp]
    refusable = Transition(GiveUp, "examined", "closed", [is_small])

    found = codes(claim([OPEN, EXAMINED, SETTLED, CLOSED], REPORT, EXAMINE, *rows, refusable))

    assert found == [("endless-wait", EXAMINED.line)]


def test_an_effect_without_a_failure_path_is_found_at_its_row():
    rows = [row for row in ANSWERED if row.event is not Rejected]

    (finding,) = verify(claim([OPEN, EXAMINED, SETTLED, CLOSED], REPORT, EXAMINE, *rows, _late_rejection()), ())

    text = "expert.examine is asked for, but 'examined' takes no 'rejected'"
    assert finding == Finding("unanswered-effect", EXAMINE.line, text)
    assert str(finding) == f"{EXAMINE.line}: {text} (unanswered-effect)"


def _late_rejection() -> Transition:
    return Transition(Rejected, "closed", None)


def test_an_internal_row_takes_its_effects_answer_in_each_of_its_states():
    ask = Transition(Examine, ["open", "closed"], None, [], [ask_expert])
    rows = [Transition(Close, "open", "closed", [is_small]), Transition(Approved, ["open", "closed"], None)]

    found = codes(claim([OPEN, CLOSED], REPORT, ask, *rows, Transition(Rejected, "open", None)))

    assert found == [("unanswered-effect", ask.line)]


def test_an_effect_asked_for_on_entering_a_state_is_answered_there():
    examined = State("examined", [PATIENCE], entry=[ask_expert])
    silent = Transition(Examine, "open", "examined")
    rows = [row for row in ANSWERED if row.event is not Rejected]

    found = codes(claim([OPEN, examined, SETTLED, CLOSED], REPORT, silent, *rows, _late_rejection()))

    assert found == [("unanswered-effect", silent.line)]


def test_an_answer_that_comes_after_the_timeout_must_not_be_lost():
    rows = [row for row in ANSWERED if row.sources != ("closed",)]

    found = codes(claim([OPEN, EXAMINED, SETTLED, CLOSED], REPORT, EXAMINE, *rows))

    assert found == [("lost-outcome", EXAMINE.line)] * 2


def test_guards_of_one_name_tell_no_rows_apart():
    def another() -> object:
        def is_small(claim: Claim) -> str | None:
            return "it is large"

        return is_small

    first, second = Transition(Close, "open", "closed", [is_small]), Transition(Close, "open", None, [another()])

    assert codes(claim([OPEN, CLOSED], REPORT, first, second)) == [("overlap", second.line)]


def test_an_event_that_another_machine_sends_is_not_forgotten():
    def remember(claim: Claim) -> Iterator[Command]:
        yield Send("claim", "claim_1", Forgotten())

    receiver = claim([OPEN, CLOSED], REPORT, Transition(Forgotten, "open", "closed"))
    sender = claim([OPEN, CLOSED], REPORT, Transition(Close, "open", "closed", [], [remember]))

    assert {code for code, _ in codes(receiver)} == {"unreachable", "dead-end", "unraised-event"}
    assert codes(receiver, sender) == []


# -- what a function names


def _asked_by(effect: Effect) -> Action:
    def ask(claim: Claim) -> list[Command]:
        return [Call(each, Question()) for each in (effect,)]

    return ask


def _with_effect(effect: Effect, claim: Claim) -> list[Command]:
    return [Call(effect, Question())]


def _recurses(claim: Claim) -> list[Command]:
    return [*_recurses(claim), *ask_expert(claim)]


@pytest.mark.parametrize("action", [ask_expert, _asked_by(EXPERT), partial(_with_effect, EXPERT), _recurses])
def test_a_functions_code_tells_what_it_may_ask_for(action: Action):
    assert EXPERT in list(mentions(action))


def test_a_function_without_python_code_tells_nothing():
    assert list(mentions(len)) == []
