"""Whatever happens to a return, in whatever order: no piece is told or restocked twice, and no answer is refused."""

from collections import Counter
from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from statemachines.carrier import (
    CancellationRefused,
    CancelShipment,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentRefused,
)
from statemachines.commands import Call
from statemachines.declaration import Event
from statemachines.machine import SYSTEM
from statemachines.refund.news import (
    RefundDropped,
    Refunded,
    RefundFailed,
    RefundRetried,
    RefundReturned,
    RefundSettled,
)
from statemachines.returns.events import (
    Approve,
    Cancel,
    Depart,
    Lose,
    NothingOwed,
    Receive,
    RefundBegun,
    Reject,
    ReplacementRefused,
    ReplacementSent,
    SendLabel,
)
from statemachines.returns.machine import returns
from statemachines.returns.news import ReturnDropped, ReturnSettled
from statemachines.transaction import Happened, Outcome
from tests.statemachines.goods_in import RETURN_TO, GoodsIn
from tests.statemachines.shop import ANNA, MERCHANT, accepted

STEPS = 40
ON_HAND = {"MUG": 10, "JUG": 5}
ANNOUNCED = {1: 3, 2: 1}


@given(st.randoms(use_true_random=True))
@settings(max_examples=300, deadline=None)
def test_pieces_money_and_news_stay_in_step(random: Random) -> None:
    life = AnyReturn(random)
    for _ in range(STEPS):
        note(f"{life.happens()} -> {life.hall.state}")
        every_piece_is_told_once(life.hall)
        every_piece_is_accounted_for(life.hall)
        the_money_is_where_the_refunds_say(life)
        it_waits_for_nothing_without_a_clock(life.hall)


def every_piece_is_told_once(hall: GoodsIn) -> None:
    still_out = hall.state in ("requested", "approved", "label_sent", "in_transit", "received")
    assert hall.pieces_told() == ({} if still_out else ANNOUNCED)
    assert len(hall.told) == (0 if still_out else 1)


def every_piece_is_accounted_for(hall: GoodsIn) -> None:
    for line in hall.case_lines().values():
        assert line.accepted + line.damaged + line.refused in (0, line.quantity)


def the_money_is_where_the_refunds_say(life: "AnyReturn") -> None:
    case, money = life.hall.case, life.money
    assert (case.refunded, case.refund_due, case.refund_dropped) == (money["given"], money["due"], money["dropped"])
    if case.refund_amount:
        left = money["pending"] + money["due"]
        given = "refunded" if money["given"] else "closed"
        assert case.state == ("refunding" if left else given)
    assert bool(case.refund_due) <= bool(case.attention)


def it_waits_for_nothing_without_a_clock(hall: GoodsIn) -> None:
    timers = set(hall.timers(hall.case))
    fired = {"overdue", "remind", "label_overdue"}
    assert set(returns.timer_names(hall.state)) - timers <= fired
    assert timers <= {*returns.timer_names(hall.state), "label_overdue"}


class AnyReturn:
    """One return, to which anything may happen that people, the carrier, refunds and time can do."""

    def __init__(self, random: Random) -> None:
        self.random = random
        policy = {"return_to": random.choice([None, RETURN_TO]), "approve_up_to": random.choice([0, 4])}
        self.hall = GoodsIn(**policy)
        self.hall.requested(wish=random.choice(["refund", "exchange"]))
        self.carrier: list[Call] = []
        """What the carrier was asked for and has not answered."""
        self.taken_up: set[int] = set()
        self.money: Counter[str] = Counter()
        """The money of its refunds: pending, given, due, dropped."""

    def happens(self) -> str:
        ways = [self.somebody_inspects, self.carrier_acts, self.refund_acts, self.time]
        happening = self.random.choice([self.somebody_acts, self.somebody_acts, *ways])
        return f"{happening.__name__}: {happening()}"

    def somebody_acts(self) -> str:
        events: list[Event] = [
            *(Approve(), Depart(), Receive(), Receive(), Depart(tracking="RR1"), SendLabel(tracking="RR2")),
            *(Reject(reason="worn"), Cancel(), Lose()),
        ]
        event = self.random.choice(events)
        return _outcome(self.hall.say(event, self.random.choice([ANNA, MERCHANT, SYSTEM])), event)

    def somebody_inspects(self) -> str:
        found = {}
        for number, quantity in ANNOUNCED.items():
            accepted_, damaged = self.random.randint(0, quantity), self.random.randint(0, 1)
            found[number] = (accepted_, damaged, max(0, quantity - accepted_ - damaged))
        outcome = self.hall.finds(found, percent=self.random.choice([0, 50, 100]))
        if isinstance(outcome, Happened):
            self._order_answers()
        return f"{found} {type(outcome).__name__}"

    def _order_answers(self) -> None:
        """Answer as the order does, in the same transaction."""
        amount = self.random.randint(1, 5000)
        answers: list[Event] = [NothingOwed(), RefundBegun(amount=amount), RefundBegun(amount=amount)]
        if self.hall.case.wish == "exchange":
            answers += [ReplacementSent(), ReplacementRefused(amount=amount)]
        answer = self.random.choice(answers)
        accepted(self.hall.order_says(answer))
        if isinstance(answer, RefundBegun | ReplacementRefused):
            self.money["pending"] += amount

    def carrier_acts(self) -> str:
        """Let the carrier take up what was asked, or answer to what it took up: it answers once, at any time."""
        effects = ("carrier.create_shipment", "carrier.cancel_shipment")
        asked = [call for call in self.hall.calls() if call.effect.name in effects]
        new = [call for call in asked if id(call) not in self.taken_up]
        if new and self.random.random() < 0.6:
            self.taken_up.update(id(call) for call in new)
            self.carrier += new
            return f"takes {len(new)} up"
        if not self.carrier:
            return "nothing"
        call = self.carrier.pop(self.random.randrange(len(self.carrier)))
        answers: list[Event]
        if isinstance(call.arguments, CancelShipment):
            name = call.arguments.shipment
            answers = [ShipmentCancelled(shipment=name), CancellationRefused(shipment=name, reason="fetched already")]
        else:
            answers = [ShipmentCreated(shipment="shp-1", tracking="JD1"), ShipmentRefused(reason="no such street")]
        answer = self.random.choice(answers)
        accepted(self.hall.say(answer, SYSTEM))
        return answer.event_name

    def refund_acts(self) -> str:
        """Let refunds of it tell what became of part of the money."""
        ways = [
            ("pending", "given", Refunded, {"currency": "EUR"}),
            ("pending", "due", RefundFailed, {"reason": "account closed"}),
            ("due", "pending", RefundRetried, {}),
            ("due", "given", RefundSettled, {}),
            ("given", "due", RefundReturned, {"reason": "account closed"}),
            ("pending", "dropped", RefundDropped, {"reason": "rejected"}),
            ("due", "dropped", RefundDropped, {"reason": "called off", "had_failed": True}),
        ]
        open_ways = [way for way in ways if self.money[way[0]]]
        if not open_ways:
            return "nothing"
        source, target, news, more = self.random.choice(open_ways)
        whole = self.money[source]
        amount = self.random.choice([whole, self.random.randint(1, whole)])
        accepted(self.hall.order_says(news.model_validate({"refund": "rfd_1", "amount": amount, **more})))
        self.money[source] -= amount
        self.money[target] += amount
        return f"{amount} from {source} to {target}"

    def time(self) -> str:
        hours = self.random.choice([1, 48, 8 * 24, 31 * 24])
        self.hall.wait(hours=hours)
        return f"{hours} hours"


def _outcome(outcome: Outcome, event: Event) -> str:
    return f"{event.event_name} {type(outcome).__name__}"


def test_a_return_can_end_in_every_way_that_its_table_has() -> None:
    """The random lives reach every state, or they would show little."""
    reached: set[str] = set()
    for seed in range(400):
        life = AnyReturn(Random(seed))
        for _ in range(STEPS):
            life.happens()
            reached.add(life.hall.state)
        for news in life.hall.told:
            assert isinstance(news, ReturnSettled | ReturnDropped)
    assert reached == set(returns.states) - {"inspected"}  # where the order answers at once
