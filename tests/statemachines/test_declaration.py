"""A wrong declaration fails at import, and says where."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from pydantic import BaseModel

from statemachines.commands import Call, Command, Set
from statemachines.declaration import NEW, After, DeclarationError, Effect, Entity, Event, Load, State, Transition, asks
from statemachines.machine import Machine


class Parcel(Entity):
    """Something on its way."""

    weight: int = 0


class Post(Event):
    """Hand it in."""


class Deliver(Event):
    """Hand it over."""


class Lose(Event):
    """Nobody knows where it is."""


class Address(BaseModel):
    """Where to ask."""


TRACK = Effect("carrier.track", Address, ok=Deliver, failed=Lose)
STATES = [State("posted"), State("delivered", final=True)]
POSTED = Transition(Post, NEW, "posted")
DELIVERED = Transition(Deliver, "posted", "delivered")


def is_light(parcel: Parcel) -> str | None:
    """Refuse what nobody can carry."""
    return None if parcel.weight < 30 else "too heavy"


def is_paid(parcel: Parcel) -> str | None:
    """Refuse what nobody paid for."""
    return None


def parcel(*rows: Transition, states: list[State] = STATES, prefix: str | None = "par", **more: object) -> Machine:
    return Machine(Parcel, plural="parcels", prefix=prefix, states=states, transitions=rows, **more)


def fails(*rows: Transition, says: str, **declaration: object) -> None:
    """Check that the declaration fails with a message that begins with a line of this file."""
    with pytest.raises(DeclarationError, match=re.escape(says)) as error:
        parcel(*rows, **declaration)
    assert re.match(rf"{re.escape(__file__)}:\d+: ", str(error.value))


def test_a_good_declaration_is_a_machine():
    machine = parcel(POSTED, DELIVERED)

    assert (machine.name, machine.initial, machine.creation) == ("parcel", "posted", Post)
    assert machine.events_of("posted") == ("deliver",)


def test_the_message_names_the_very_line():
    row = Transition(Deliver, "posted", "nowhere")
    line = row.line

    with pytest.raises(DeclarationError, match=f"^{re.escape(line)}: unknown state 'nowhere'$"):
        parcel(POSTED, row)


@pytest.mark.parametrize(("source", "target"), [("nowhere", "delivered"), ("posted", "nowhere")])
def test_an_unknown_state_fails(source: str, target: str):
    fails(POSTED, Transition(Deliver, source, target), says="unknown state 'nowhere'")


def test_a_row_back_to_before_it_existed_fails():
    fails(POSTED, DELIVERED, Transition(Lose, "posted", NEW), says="no row leads to '(new)'")


def test_a_row_from_no_state_fails():
    fails(POSTED, DELIVERED, Transition(Lose, [], "delivered"), says="this row leaves no state")


def test_a_state_declared_twice_fails():
    fails(POSTED, DELIVERED, states=[*STATES, State("posted")], says="state 'posted' is declared twice")


def test_a_row_declared_twice_fails():
    fails(
        POSTED, DELIVERED, Transition(Deliver, "posted", "delivered"), says="'deliver' from 'posted' is declared twice"
    )


def test_a_source_named_twice_fails():
    fails(POSTED, Transition(Deliver, ["posted", "posted"], "delivered"), says="declared twice")


@pytest.mark.parametrize("event", ["deliver", Event, str])
def test_an_event_without_a_payload_type_fails(event):
    fails(POSTED, Transition(event, "posted", "delivered"), says="has no payload type")


def test_an_event_without_a_docstring_fails():
    class Burn(Event):
        pass

    fails(POSTED, DELIVERED, Transition(Burn, "posted", "delivered"), says="event Burn has no docstring")


def test_two_events_of_one_name_fail():
    def another() -> type[Event]:
        class Deliver(Event):
            """Hand it to the neighbour."""

        return Deliver

    fails(POSTED, DELIVERED, Transition(another(), "posted", None), says="two events are named 'deliver'")


@pytest.mark.parametrize(
    ("earlier", "later"),
    [([], []), ([], [is_light]), ([is_light], [is_light]), ([is_light], [is_paid, is_light])],
)
def test_rows_that_no_guard_tells_apart_fail(earlier, later):
    first = Transition(Lose, "posted", "delivered", earlier)
    second = Transition(Lose, "posted", None, later)

    fails(
        POSTED, DELIVERED, first, second, says=f"can never be taken: whenever its guards hold, the row at {first.line}"
    )


def test_rows_that_a_guard_tells_apart_are_fine():
    light = Transition(Lose, "posted", "delivered", [is_light, is_paid])

    parcel(POSTED, DELIVERED, light, Transition(Lose, "posted", None, [is_light]), Transition(Lose, "posted", "posted"))


def test_an_unreachable_state_fails():
    states = [*STATES, State("lost")]

    fails(POSTED, DELIVERED, Transition(Deliver, "lost", "delivered"), states=states, says="'lost' is unreachable")


def test_states_that_only_reach_each_other_are_unreachable():
    rows = [Transition(Deliver, "lost", "found"), Transition(Deliver, "found", "lost")]

    fails(POSTED, DELIVERED, *rows, states=[*STATES, State("lost"), State("found")], says="'lost' is unreachable")


def test_a_state_without_a_way_out_that_is_not_final_fails():
    states = [*STATES, State("lost")]
    rows = [Transition(Lose, "posted", "lost"), Transition(Deliver, "lost", None), Transition(Lose, "lost", "lost")]

    fails(POSTED, DELIVERED, *rows, states=states, says="'lost' has no way out and is not final")


def test_a_final_state_that_is_left_fails():
    fails(
        POSTED, DELIVERED, Transition(Lose, "delivered", "posted"), says="'delivered' is final, but this row leaves it"
    )


def test_a_final_state_may_take_note():
    parcel(POSTED, DELIVERED, Transition(Lose, "delivered", None))


def test_a_timeout_that_no_row_takes_fails():
    states = [State("posted", [After(timedelta(days=9), Lose)]), STATES[1]]

    fails(POSTED, DELIVERED, states=states, says="'posted' has no row for its timeout's event 'lose'")


def test_two_timers_of_one_name_fail():
    timeouts = [After(timedelta(days=9), Deliver), After(timedelta(days=10), Deliver)]

    fails(POSTED, DELIVERED, states=[State("posted", timeouts), STATES[1]], says="two timers named 'deliver'")


def test_a_timeout_of_a_figure_that_the_policy_does_not_have_fails():
    fails(
        POSTED,
        DELIVERED,
        states=[State("posted", [After("deliver_wihtin", Deliver)]), STATES[1]],
        says="the policy has no time span 'deliver_wihtin'",
    )


def test_a_final_state_with_a_timeout_fails():
    states = [STATES[0], State("delivered", [After(timedelta(days=9), Deliver)], final=True)]

    fails(POSTED, DELIVERED, states=states, says="'delivered' is final and must have no timeout")


def test_an_unknown_parameter_fails():
    def is_near(parcel: Parcel, distance: int) -> str | None:
        return None

    says = "is_near asks for 'distance', which is neither a load nor one of ['actor', 'event', 'now', 'policy']"

    fails(POSTED, Transition(Deliver, "posted", "delivered", [is_near]), says=says)


async def is_known_far_away(parcel: Parcel) -> str | None:
    return None


@pytest.mark.parametrize("function", [is_known_far_away, "is_light"])
def test_a_guard_or_an_action_that_is_not_a_plain_function_fails(function):
    fails(POSTED, Transition(Deliver, "posted", "delivered", [function]), says="is not a plain function")
    fails(POSTED, Transition(Deliver, "posted", "delivered", [], [function]), says="is not a plain function")
    fails(POSTED, DELIVERED, states=[State("posted", exit=[function]), STATES[1]], says="is not a plain function")


def test_an_action_in_the_place_of_guards_fails():
    def weigh(parcel: Parcel) -> Iterator[Command]:
        yield Set(weight=3)

    says = "weigh yields commands: it is an action, not a guard"

    fails(POSTED, Transition(Deliver, "posted", "delivered", [weigh]), says=says)


def test_entry_actions_in_the_place_of_final_fail():
    states = [State("posted", [], [track]), STATES[1]]

    fails(POSTED, DELIVERED, states=states, says="name its entry and exit actions by keyword")


@pytest.mark.parametrize("identity", [{"prefix": None}, {"prefix": "par", "key": lambda event: "x"}])
def test_a_machine_has_either_a_prefix_or_a_key(identity):
    with pytest.raises(DeclarationError, match="give either the prefix of its ids or the key"):
        parcel(POSTED, DELIVERED, **identity)


def test_a_machine_that_nothing_creates_fails():
    with pytest.raises(DeclarationError, match="parcel: no row creates it"):
        parcel(DELIVERED)


def test_two_creating_events_fail():
    fails(POSTED, DELIVERED, Transition(Lose, NEW, "posted"), says="a machine has one creating event")


def test_a_creation_that_leads_nowhere_fails():
    fails(Transition(Post, NEW, None), DELIVERED, says="must name the state it starts in")


def test_loads_by_a_column_that_is_not_there_or_declared_twice_fail():
    def own_id(parcel: Parcel) -> list[str]:
        return [parcel.id]

    neighbours = Load("neighbours", Parcel, by="id", keys=own_id)

    with pytest.raises(DeclarationError, match="'neighbours' is by 'street', which Parcel does not have"):
        parcel(POSTED, DELIVERED, loads=[Load("neighbours", Parcel, by="street", keys=own_id)])
    with pytest.raises(DeclarationError, match="load 'neighbours' is declared twice"):
        parcel(POSTED, DELIVERED, loads=[neighbours, Load("neighbours", Parcel, by="state", keys=own_id)])


# -- effects


def track(parcel: Parcel) -> Iterator[Command]:
    yield Call(TRACK, Address())


def track_far_away(parcel: Parcel) -> Iterator[Command]:
    yield from (command for command in track(parcel))


def tracker(effect: Effect):
    def track_it(parcel: Parcel) -> Iterator[Command]:
        yield Call(effect, Address())

    return track_it


@pytest.mark.parametrize("action", [track, track_far_away, tracker(TRACK)])
def test_an_action_that_calls_an_effect_without_a_mark_fails(action):
    says = f"{action.__name__} calls carrier.track without being marked @asks for it"

    fails(Transition(Post, NEW, "posted", [], [action]), DELIVERED, says=says)
    fails(POSTED, DELIVERED, states=[State("posted", entry=[action]), STATES[1]], says=says)


def test_an_action_that_is_marked_is_fine():
    machine = parcel(Transition(Post, NEW, "posted", [], [asks(TRACK)(tracker(TRACK))]), DELIVERED)

    assert machine.effects_of(machine.transitions[0]) == (TRACK,)
    assert machine.is_waiting("posted")


def test_an_effect_without_argument_type_fails():
    untyped = Effect("carrier.track", dict, ok=Deliver, failed=Lose)

    @asks(untyped)
    def ask(parcel: Parcel) -> list[Command]:
        return []

    fails(Transition(Post, NEW, "posted", [], [ask]), DELIVERED, says="effect carrier.track has no argument type")
