"""Whatever people, carriers and time do with a shipment, and however often: its order can rely on what it is told."""

import re
from collections.abc import Callable, Iterator
from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from statemachines.carrier import (
    CREATE_SHIPMENT,
    CancellationRefused,
    CancelShipment,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentRefused,
)
from statemachines.declaration import Event
from statemachines.shipment import Arrived, Book, Cancel, Deliver, Dispatch, Lose, SendBack, Shipment, shipment
from statemachines.shipment.model import SENT
from statemachines.transaction import Asked, Happened, Outcome
from tests.statemachines.dock import BERLIN, CARRIER, MERCHANT, Dock, created

STEPS = 40

STORY = re.compile(r"(cancelled )?|sent (delivered |returned |lost (delivered |returned )?)?")
"""What an order may be told of one shipment, but for refused recalls."""

LAST = {"delivered": "delivered", "lost": "lost", "returned_to_sender": "returned", "cancelled": "cancelled"}
"""What it was told last, by the shipment's state."""


class AnyVoyage:
    """A shipment to which anything may happen that people, its order, a carrier and time can bring about.

    The carrier answers when it likes, repeats itself, and sends messages out of order.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.dock = Dock(ask_carrier=random.random() < 0.8)
        flags = random.choice([{}, {}, {}, {"gone": True}, {"backordered": True}])
        address = BERLIN if random.random() < 0.9 else None
        self.dock.prepares(address=address, email="anna@shop.example", **flags)
        self.answers: list[Event] = []
        self.recall_is_open = False

    def happens(self) -> str:
        """Let something happen; return what it was."""
        ways: list[Callable[[], str]] = [self.answered, self.answered, self.repeated, self.moved, self.moved]
        ways += [self.recalled, self.waited]
        return self.random.choice(ways)()

    def answered(self) -> str:
        """Let the carrier answer something that it was asked."""
        if not self.dock.open:
            return "nothing to answer"
        asked = self.random.choice(self.dock.open)
        answer = self._answer(asked)
        outcome = self.dock.world.answer(asked, answer)
        assert isinstance(outcome, Happened), f"an answer was lost: {outcome}"
        self.answers.append(answer)
        return f"answer {answer!r}"

    def _answer(self, asked: Asked) -> Event:
        agrees = self.random.random() < 0.6
        if asked.call.effect is CREATE_SHIPMENT:
            return created(f"S{asked.number}") if agrees else ShipmentRefused(reason="no such street")
        about = asked.call.arguments
        assert isinstance(about, CancelShipment)
        if agrees:
            return ShipmentCancelled(shipment=about.shipment)
        return CancellationRefused(shipment=about.shipment, reason="it has been fetched")

    def repeated(self) -> str:
        """Let an answer that was heard before be heard again."""
        if not self.answers:
            return "nothing to repeat"
        answer = self.random.choice(self.answers)
        outcome = self.dock.say(answer, CARRIER)
        assert isinstance(outcome, Happened), f"a repeated answer was refused: {outcome}"
        return f"again {answer!r}"

    def moved(self) -> str:
        """Let somebody tell of the parcel, or do something about it; the carrier may be wrong, and early or late."""
        number = self.random.choice([None, "T1", "X7", self.dock.shipment.tracking])
        events: list[Event] = [Dispatch(tracking=number), Deliver(), Lose(), SendBack()]
        actor = self.random.choice([MERCHANT, CARRIER])
        if actor is MERCHANT:
            events += [Arrived(), Book(address=self.random.choice([None, BERLIN])), Cancel()]
        event = self.random.choice(events)
        return f"{actor} {event!r}: {self._summary(self.dock.say(event, actor))}"

    def recalled(self) -> str:
        """Let the order call it back, which is never refused."""
        self.dock.recalls()
        self.recall_is_open = True
        return "recall"

    def waited(self) -> str:
        """Let time pass until the next timer."""
        timers = self.dock.world.timers
        if timers:
            assert isinstance(self.dock.world.fire(timers[0]), Happened)
        return "time passes"

    @staticmethod
    def _summary(outcome: Outcome) -> str:
        return "yes" if isinstance(outcome, Happened) else outcome.reason


@given(st.randoms(use_true_random=True))
@settings(max_examples=300, deadline=None)
def test_an_order_is_told_one_story_of_a_shipment(random: Random) -> None:
    voyage = AnyVoyage(random)
    for _ in range(STEPS):
        before = len(voyage.dock.told)
        note(f"{voyage.happens()} -> {voyage.dock.state}")
        the_story_is_one_that_can_be(voyage.dock)
        each_recall_is_answered_once(voyage, voyage.dock.told[before:])
        no_carrier_comes_in_vain(voyage)
        it_waits_with_a_clock(voyage.dock)
        the_columns_are_as_the_database_wants_them(voyage.dock.shipment)
        the_customer_is_written_to_once(voyage.dock)


def the_story_is_one_that_can_be(dock: Dock) -> None:
    told = [each for each in dock.told if each != "recall_refused"]
    assert STORY.fullmatch("".join(f"{each} " for each in told)), told
    assert bool(told) == (dock.state in (*SENT, "cancelled"))
    assert told[-1:] == [LAST.get(dock.state, "sent")] or not told
    for event in dock.heard:
        assert [(each.number, each.quantity) for each in vars(event)["lines"]] == [(1, 2), (3, 1)]


def each_recall_is_answered_once(voyage: AnyVoyage, told: list[str]) -> None:
    """By its end, or by a refusal."""
    if "recall_refused" in told:
        assert (voyage.recall_is_open, told.count("recall_refused")) == (True, 1)
    if {"recall_refused", *LAST.values()} & set(told) or voyage.dock.state in ("cancelled", "returned_to_sender"):
        voyage.recall_is_open = False
    assert voyage.dock.shipment.recalled == voyage.recall_is_open


def no_carrier_comes_in_vain(voyage: AnyVoyage) -> None:
    """Every shipment that the carrier made is the one that is meant, or was called off."""
    made = {answer.shipment for answer in voyage.answers if isinstance(answer, ShipmentCreated)}
    assert made <= {voyage.dock.shipment.carrier_shipment, *voyage.dock.called_off}


def it_waits_with_a_clock(dock: Dock) -> None:
    set_ = {timer.name for timer in dock.world.timers}
    final = shipment.states[dock.state].final or dock.state == "lost"
    assert set_ <= set(shipment.timer_names(dock.state))
    assert not (final and set_)


def the_columns_are_as_the_database_wants_them(row: Shipment) -> None:
    assert (row.state in SENT) == (row.sent_at is not None)
    assert (row.state == "delivered") == (row.delivered_at is not None)
    assert row.carrier_shipment or row.state not in ("label", "cancelling", "recalling", "returning")


def the_customer_is_written_to_once(dock: Dock) -> None:
    mails = [mail.template for mail in dock.mails]
    assert mails.count("order_shipped") <= 1
    assert mails.count("order_delivered") == dock.told.count("delivered")
    assert mails.count("delivery_failed") <= dock.told.count("lost") + dock.told.count("returned")


def roads() -> Iterator[str]:
    """Yield the states that some voyages lead to."""
    for seed in range(300):
        voyage = AnyVoyage(Random(seed))
        for _ in range(STEPS):
            voyage.happens()
            yield voyage.dock.state


def test_the_voyages_lead_everywhere() -> None:
    assert set(roads()) == set(shipment.states)
