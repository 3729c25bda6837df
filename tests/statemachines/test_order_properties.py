"""Whatever happens to orders, in whatever order: money and pieces stay in balance."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from statemachines.decision import Accepted
from statemachines.declaration import Event
from statemachines.order import Cancel, Complete, Fail, Fulfill, LineReturned, Order, Pay, Retry, Return, Submit, order
from statemachines.payments import REFUND, Charged, Declined, Refunded, RefundFailed
from statemachines.product import Discontinue, Relist
from statemachines.stock import Adjust, Freeze, Receive, Unfreeze
from tests.statemachines.shop import ANNA, BEN, MERCHANT, SYSTEM, Shop

ASKED = st.sampled_from([Submit(), Pay(method="tok_1"), Fulfill(), Complete(), Cancel(), Fail(), Retry(), Return()])
SHELF = st.sampled_from([Receive(quantity=3), Adjust(difference=-2, reason="lost"), Freeze(), Unfreeze()])
LINES = st.lists(st.builds(LineReturned, number=st.integers(1, 3), quantity=st.integers(1, 4)), min_size=1, max_size=3)
AMOUNTS = st.sampled_from([0, 1, 1250, 2500, 4000, 10**9])


class AnyDayInTheShop(RuleBasedStateMachine):
    """Customers, merchant, gateway and clock do what they like; the rules below must hold after each step."""

    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop()
        self.shop.sells("MUG", price=1250, on_hand=10)
        self.shop.sells("POT", price=4000, on_hand=4)
        self.owned = Counter(MUG=10, POT=4)

    @rule(target=orders, mugs=st.integers(1, 6), pots=st.integers(1, 3), by=st.sampled_from([ANNA, BEN]))
    def somebody_orders(self, mugs: int, pots: int, by) -> Order:
        if self.shop.product("MUG").state == "discontinued":
            return self.shop.draft(by=by, POT=pots)
        return self.shop.draft(by=by, MUG=mugs, POT=pots)

    @rule(order=orders, event=ASKED, by=st.sampled_from([ANNA, BEN, MERCHANT]))
    def somebody_asks(self, order: Order, event: Event, by) -> None:
        self.shop.tell(order, event, by)

    @rule(order=orders)
    def the_order_goes_its_way(self, order: Order) -> None:
        for event in (Submit(), Pay(method="tok_1"), Charged(amount=order.total, currency="EUR", payment="p")):
            self.shop.tell(order, event, SYSTEM)

    @rule(order=orders)
    def the_parcel_arrives(self, order: Order) -> None:
        for event in (Fulfill(), Complete()):
            self.shop.tell(order, event, MERCHANT)

    @rule(order=orders, lines=LINES)
    def pieces_come_back(self, order: Order, lines: list[LineReturned]) -> None:
        self.shop.tell(order, Return(lines=tuple(lines)), MERCHANT)

    @rule(order=orders, amount=AMOUNTS, currency=st.sampled_from(["EUR", "USD"]))
    def the_gateway_answers_something(self, order: Order, amount: int, currency: str) -> None:
        self.shop.tell(order, Charged(amount=amount, currency=currency, payment="p"), SYSTEM)

    @rule(order=orders)
    def the_gateway_declines(self, order: Order) -> None:
        self.shop.tell(order, Declined(reason="no funds"), SYSTEM)

    @rule(order=orders, amount=AMOUNTS, kind=st.sampled_from(["refunded", "failed"]))
    def the_gateway_refunds(self, order: Order, amount: int, kind: str) -> None:
        good = Refunded(amount=amount, currency="EUR")
        self.shop.tell(order, good if kind == "refunded" else RefundFailed(amount=amount, reason="closed"), SYSTEM)

    @rule(sku=st.sampled_from(["MUG", "POT"]), event=SHELF)
    def the_merchant_tends_the_shelf(self, sku: str, event: Event) -> None:
        if isinstance(self.shop.tell(self.shop.stock(sku), event), Accepted):
            self.owned[sku] += {Receive: 3, Adjust: -2}.get(type(event), 0)

    @rule(event=st.sampled_from([Discontinue(), Relist()]))
    def the_merchant_tends_the_catalogue(self, event: Event) -> None:
        self.shop.tell(self.shop.product("MUG"), event)

    @rule(hours=st.sampled_from([0.5, 24, 24 * 7, 24 * 14, 24 * 31]))
    def time_passes(self, hours: float) -> None:
        self.shop.wait(hours=hours)

    @rule(order=consumes(orders))
    def an_order_is_left_alone(self, order: Order) -> None:
        pass

    @invariant()
    def states_are_declared_and_have_just_their_timers(self) -> None:
        for each in self.shop.orders:
            assert each.state in order.states
            timers = {name for id_, name in self.shop.timers if id_ == each.id}
            assert timers == set(order.timer_names(each.state))

    @invariant()
    def money_is_in_balance(self) -> None:
        for each in self.shop.orders:
            assert each.paid in (0, each.total)
            assert min(each.refunded, each.refunding) >= 0
            assert each.refunded + each.refunding <= each.paid
            asked = [call.arguments for call in self.shop.calls if call.effect is REFUND]
            given = sum(refund.amount for refund in asked if refund.order == each.id)
            assert each.refunded + each.refunding <= given <= each.paid

    @invariant()
    def no_piece_is_lost_or_promised_twice(self) -> None:
        held = {"nothing": Counter(), "reserved": Counter(), "taken": Counter()}
        for each in self.shop.orders:
            for line in self.shop.lines(each):
                assert 0 <= line.returned <= line.quantity
                held[each.stock_held][line.sku] += line.quantity - line.returned
        for sku, owned in self.owned.items():
            shelf = self.shop.stock(sku)
            assert (shelf.reserved, shelf.on_hand) == (held["reserved"][sku], owned - held["taken"][sku])
            assert 0 <= shelf.reserved <= shelf.on_hand

    @invariant()
    def whoever_holds_pieces_or_money_is_not_forgotten(self) -> None:
        for each in self.shop.orders:
            if each.state == "cancelled":
                assert each.stock_held == "nothing"
            assert each.payment_asked <= (each.state in ("paying", "failed"))


TestAnyDayInTheShop = AnyDayInTheShop.TestCase
TestAnyDayInTheShop.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
