"""Whatever people, banks and the gateway do, in whatever order: nothing is given twice, and the news add up."""

from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.statemachines.counter import AnyCounter

STEPS = 50


@given(st.randoms(use_true_random=True))
@settings(max_examples=250, deadline=None)
def test_nothing_is_given_twice_and_the_news_add_up(random: Random) -> None:
    counter = AnyCounter(random)
    for _ in range(STEPS):
        note(counter.step())
        counter.the_news_add_up()
        counter.nothing_is_given_twice()
        counter.approvals_are_open_while_they_are_waited_for()
        counter.a_clock_runs_while_it_waits()
