"""Returns with their orders, refunds and shelves: no piece and no cent is lost or given twice, in any order."""

from collections import Counter
from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from statemachines.declaration import Event
from statemachines.order import Complete, Fulfill, Pay, Refund, RequestReturn, Return
from statemachines.order.model import worth
from statemachines.payments import REFUND, Refunded, RefundFailed, RefundReturned
from statemachines.pieces import Pieces
from statemachines.refund.events import Cancel as CancelRefund
from statemachines.refund.events import Retry, Settle
from statemachines.returns.events import Approve, Cancel, Depart, Inspect, Inspected, Lose, Receive, Reject
from statemachines.returns.model import ReturnLine
from statemachines.transaction import Happened
from tests.statemachines.shop import ANNA, MERCHANT, Seen, accepted
from tests.statemachines.store import Store

STEPS = 45
BOUGHT = {"MUG": 4, "POT": 2}
ON_HAND = {"MUG": 10, "POT": 5}
OPEN = ("requested", "approved", "label_sent", "in_transit", "received")
BEGUN = ("refunding", "refunded", "closed")


@given(st.randoms(use_true_random=True))
@settings(max_examples=60, deadline=None)
def test_pieces_and_money_are_conserved(random: Random) -> None:
    life = SoldOrder(random)
    for _ in range(STEPS):
        note(life.happens())
        the_order_knows_what_is_on_its_way_back(life)
        the_shelves_hold_what_was_not_sold_or_came_back(life)
        a_return_knows_what_its_refunds_give(life)
        no_more_is_given_than_was_taken(life)


def the_order_knows_what_is_on_its_way_back(life: "SoldOrder") -> None:
    under_way: Counter[int] = Counter()
    for case in life.store.all("return"):
        if case.state in OPEN:
            under_way.update({line.number: line.quantity for line in life.lines_of(case)})
    for line in life.store.lines(life.order):
        assert line.coming_back == under_way[line.number]
        assert line.returned + line.coming_back <= line.quantity


def the_shelves_hold_what_was_not_sold_or_came_back(life: "SoldOrder") -> None:
    for line in life.store.lines(life.order):
        sound = sum(each.accepted for each in life.store.world.rows(ReturnLine) if each.sku == line.sku)
        on_hand = ON_HAND[line.sku] - BOUGHT[line.sku] + sound + life.over_the_counter[line.number]
        assert life.store.shelf(line.sku) == (on_hand - line.exchanged, 0)


def a_return_knows_what_its_refunds_give(life: "SoldOrder") -> None:
    for case in life.store.all("return"):
        refunds = [refund for refund in life.store.all("refund") if refund.return_case == case.id]
        by_state: Counter[str] = Counter()
        for refund in refunds:
            by_state[refund.state] += refund.amount
        assert case.refund_amount == by_state.total()
        assert case.refunded == by_state["succeeded"]
        assert case.refund_due == by_state["failed"]
        assert case.refund_dropped == by_state["cancelled"] + by_state["rejected"]
        assert not refunds or case.state in BEGUN
        assert (case.state == "refunding") == (case.refunded + case.refund_dropped < case.refund_amount)


def no_more_is_given_than_was_taken(life: "SoldOrder") -> None:
    order = life.order
    assert order.refunded + order.refunding + order.refund_due <= order.paid
    everything = [line for line in life.store.lines(order) if line.returned == line.quantity]
    if len(everything) == 2 and life.all_sound:
        assert order.refunded + order.refunding + order.refund_due + life.dropped() == order.total


class SoldOrder:
    """An order of two lines with an uneven discount, paid by two payments, of which pieces come back."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.store = Store.stocked()
        self.order = self.store.submitted(self.store.discounted(random.choice([0, 7, 1001]), **BOUGHT))
        for amount in (random.randint(1, self.order.total - 1), None):
            self.store.tell(self.order, Pay(method="tok_approve", amount=amount), ANNA)
            self.store.charged(self.order)
        self.store.tell(self.order, Fulfill())
        self.store.tell(self.order, Complete(), ANNA)
        self.over_the_counter: Counter[int] = Counter()
        self.all_sound = True

    def happens(self) -> str:
        ways = [
            self.anna_asks,
            self.somebody_acts,
            self.somebody_acts,
            self.somebody_inspects,
            self.the_gateway_answers,
        ]
        rare = [self.the_shop_settles, self.pieces_come_over_the_counter, self.time_passes]
        way = self.random.choice([*ways, *ways, *rare])
        return f"{way.__name__}: {way()}"

    def anna_asks(self) -> str:
        event = RequestReturn(lines=self._some_pieces(), wish=self.random.choice(["refund", "refund", "exchange"]))
        return self._try(self.order, event)

    def somebody_acts(self) -> str:
        """Move a return on, mostly, so that enough of them arrive."""
        case = self._any("return")
        on: list[Event] = [Approve(), Depart(), Receive()]
        off: list[Event] = [Cancel(), Reject(reason="worn"), Lose()]
        return self._try(case, self.random.choice([*on * 5, *off])) if case else "nothing"

    def somebody_inspects(self) -> str:
        case = self._any("return", "received")
        if case is None:
            return "nothing"
        found = []
        for line in self.lines_of(case):
            accepted = self.random.choice([line.quantity, self.random.randint(0, line.quantity)])
            damaged = self.random.randint(0, line.quantity - accepted)
            refused = line.quantity - accepted - damaged
            percent = self.random.choice([0, 33, 100])
            found.append(
                Inspected(number=line.number, accepted=accepted, damaged=damaged, refused=refused, percent=percent)
            )
            self.all_sound = self.all_sound and (damaged == 0 or percent == 100)
        self.store.tell(case, Inspect(lines=tuple(found)))
        self.all_sound = self.all_sound and case.state != "exchanged"
        return f"{found}"

    def the_gateway_answers(self) -> str:
        open_calls = self.store.waiting(self.order, REFUND)
        if not open_calls:
            return "nothing"
        call = self.random.choice(open_calls)
        amount = vars(call.call.arguments)["amount"]
        answers: list[Event] = [Refunded(amount=amount, currency="EUR", refund=f"re_{call.number}")] * 3
        answer = self.random.choice([*answers, RefundFailed(amount=amount, reason="account closed")])
        accepted(self.store.note(self.store.world.answer(call, answer)))
        return answer.event_name

    def the_shop_settles(self) -> str:
        """Do something about a refund, or give some money back beside the returns."""
        refund = self._any("refund")
        if refund is None:
            return "nothing"
        if refund.state == "succeeded":
            if refund.refund is None:  # those settled by hand have no name at the gateway
                return "nothing"
            self.store.system(
                refund, RefundReturned(amount=refund.amount, refund=refund.refund, reason="account closed")
            )
            return "came back"
        events: list[Event] = [Retry(), Settle(reason="by bank transfer"), CancelRefund(reason="a mistake")]
        return self._try(refund, self.random.choice(events))

    def pieces_come_over_the_counter(self) -> str:
        if self.random.random() < 0.3:
            self.all_sound = False
            return self._try(self.order, Refund(amount=self.random.randint(1, 500)))
        event = Return(lines=self._some_pieces())
        outcome = self._try(self.order, event)
        if outcome.endswith("Happened"):
            self.over_the_counter.update({line.number: line.quantity for line in event.lines})
        return outcome

    def time_passes(self) -> str:
        days = self.random.choice([1, 8, 15])
        self.store.wait(days=days)
        return f"{days} days"

    def lines_of(self, case: Seen) -> list[ReturnLine]:
        return [line for line in self.store.world.rows(ReturnLine) if line.return_id == case.id]

    def dropped(self) -> int:
        """Return what was owed and will not be given after all."""
        ended = [refund for refund in self.store.all("refund") if refund.state in ("cancelled", "rejected")]
        return sum(refund.amount for refund in ended)

    def _some_pieces(self) -> tuple[Pieces, ...]:
        numbers = self.random.choice([(1,), (2,), (1, 2)])
        return tuple(Pieces(number=number, quantity=self.random.randint(1, 2)) for number in numbers)

    def _any(self, machine: str, state: str | None = None) -> Seen | None:
        found = [each for each in self.store.all(machine) if state in (None, each.state)]
        return self.random.choice(found) if found else None

    def _try(self, seen: Seen, event: Event) -> str:
        by = ANNA if ANNA.role in event.raised_by and self.random.random() < 0.5 else MERCHANT
        outcome = self.store.note(self.store.world.raise_(seen.machine_name, seen.id, event, by))
        return f"{seen.machine_name} {event.event_name} {type(outcome).__name__}"


def test_random_lives_see_every_way_in_which_returns_end() -> None:
    """Or they would show little."""
    seen: Counter[str] = Counter()
    for seed in range(60):
        life = SoldOrder(Random(seed))
        for _ in range(STEPS):
            life.happens()
        seen.update(case.state for case in life.store.all("return"))
        seen[life.order.state] += 1
    assert {"refunded", "refunding", "exchanged", "closed", "rejected", "cancelled", "expired", "returned"} <= set(seen)


def test_parts_that_come_back_one_by_one_add_up_to_the_price_of_all() -> None:
    store = Store.stocked()
    order = store.submitted(store.discounted(1001, **BOUGHT))
    store.tell(order, Pay(method="tok_approve"), ANNA)
    store.charged(order)
    store.tell(order, Fulfill())
    store.tell(order, Complete(), ANNA)
    first = [worth(line, 1) for line in store.lines(order)]
    for number, quantity in ((1, 1), (1, 2), (2, 1), (1, 1), (2, 1)):
        store.tell(order, RequestReturn(lines=(Pieces(number=number, quantity=quantity),)), ANNA)
        case = store.last("return")
        for event in (Approve(), Receive(), Inspect(lines=(Inspected(number=number, accepted=quantity),))):
            store.tell(case, event)
        outcome = store.refunded(order)
        assert isinstance(outcome, Happened)
    assert store.all("return")[0].refunded == first[0]
    assert (order.state, order.refunded) == ("returned", order.total)
