"""Whatever happens to orders, in whatever order: money and pieces stay in balance."""

from collections import Counter
from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from statemachines.decision import Accepted
from statemachines.declaration import Event
from statemachines.order import LineReturned, Order, order
from statemachines.payments import REFUND
from statemachines.product import Discontinue, Relist
from statemachines.stock import Adjust, Freeze, Receive, Unfreeze
from tests.statemachines.shop import ANNA, BEN, MERCHANT, Shop

STEPS = 100


class AnyDay:
    """Customers, merchant, gateway and clock do what they like in a small shop, mostly what the orders' states take."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.shop = Shop()
        self.shop.sells("MUG", price=1250, on_hand=20)
        self.shop.sells("POT", price=4000, on_hand=10)
        self.owned = Counter(MUG=20, POT=10)
        self.shop.draft(MUG=2)

    def step(self) -> str:
        """Let one thing happen and say what."""
        happens = [self.an_order_goes_its_way] * 40 + [self.an_order_is_told_anything] * 4
        happens += [self.somebody_orders, self.the_shelf_changes, self.the_catalogue_changes, self.time_passes]
        return self.random.choice(happens)()

    def somebody_orders(self) -> str:
        if self.shop.product("MUG").state == "discontinued":
            return f"anna orders {self.shop.draft(POT=1).id}"
        placed = self.shop.draft(by=self.random.choice([ANNA, BEN]), MUG=self.random.randint(1, 4), POT=1)
        return f"{placed.customer} orders {placed.id}"

    def an_order_goes_its_way(self) -> str:
        on_their_way = [each for each in self.shop.orders if not order.states[each.state].final]
        if len(on_their_way) < 2:
            return self.somebody_orders()
        each = self.random.choice([*on_their_way, self.shop.orders[-1]])
        return self.tell(each, self.random.choice(order.events_of(each.state)))

    def an_order_is_told_anything(self) -> str:
        return self.tell(self.random.choice(self.shop.orders), self.random.choice([*order.events]))

    def tell(self, each: Order, name: str) -> str:
        event, by = self.event(each, name), self.random.choice([ANNA, MERCHANT])
        if name in ("abandon", "expire", "cancel", "fail") and self.random.random() < 0.85:
            return "patience"
        return f"{each.state} {event!r} by {by}: {self.shop.tell(each, event, by)}"

    def event(self, each: Order, name: str) -> Event:
        """Build an event whose payload mostly fits the order."""
        refund = self.random.choice([each.refunding or 1, each.refunding // 2 or 1, 1250, 10**9])
        pieces = range(self.random.randint(0, 2))
        lines = tuple(
            LineReturned(number=self.random.randint(1, 2), quantity=self.random.randint(1, 3)) for _ in pieces
        )
        payloads: dict[str, dict[str, object]] = {
            "charged": {
                "amount": self.random.choice([each.total, each.total, 1]),
                "currency": self.random.choice(["EUR", "EUR", "USD"]),
                "payment": "pay_1",
            },
            "declined": {"reason": "no funds"},
            "customer_action_required": {"payment": "pay_1", "url": "https://bank.example/confirm"},
            "fail": {"reason": "broken"},
            "refunded": {"amount": refund, "currency": "EUR"},
            "refund_failed": {"amount": refund, "reason": "account closed"},
            "pay": {"method": "tok_1"},
            "return": {"lines": lines},
        }
        return order.events[name](**payloads.get(name, {}))

    def the_shelf_changes(self) -> str:
        sku = self.random.choice(["MUG", "POT"])
        event = self.random.choice([Receive(quantity=3), Adjust(difference=-2, reason="lost"), Freeze(), Unfreeze()])
        if isinstance(self.shop.tell(self.shop.stock(sku), event), Accepted):
            self.owned[sku] += {Receive: 3, Adjust: -2}.get(type(event), 0)
        return f"{sku} {event!r}"

    def the_catalogue_changes(self) -> str:
        event = self.random.choice([Discontinue(), Relist(), Relist()])
        return f"MUG {self.shop.tell(self.shop.product('MUG'), event)}"

    def time_passes(self) -> str:
        hours = self.random.choice([0.5, 24, 24 * 14])
        self.shop.wait(hours=hours)
        return f"{hours} hours pass"


@given(st.randoms(use_true_random=True))
@settings(max_examples=100, deadline=None)
def test_whatever_happens_money_and_pieces_stay_in_balance(random: Random):
    day = AnyDay(random)

    for _ in range(STEPS):
        note(day.step())

        states_are_declared_and_have_just_their_timers(day.shop)
        money_is_in_balance(day.shop)
        no_piece_is_lost_or_promised_twice(day.shop, day.owned)
        a_state_says_what_the_order_holds(day.shop)


def states_are_declared_and_have_just_their_timers(shop: Shop) -> None:
    for each in shop.orders:
        assert each.state in order.states
        timers = {name for id_, name in shop.timers if id_ == each.id}
        assert timers == set(order.timer_names(each.state))


def money_is_in_balance(shop: Shop) -> None:
    for each in shop.orders:
        assert each.paid in (0, 1, each.total)
        assert min(each.refunded, each.refunding, each.refund_due) >= 0
        assert each.refunded + each.refunding + each.refund_due <= each.paid
        asked = [call.arguments for call in shop.calls if call.effect is REFUND]
        given = sum(refund.amount for refund in asked if refund.order == each.id)
        assert each.refunded + each.refunding <= given


def no_piece_is_lost_or_promised_twice(shop: Shop, all_owned: Counter[str]) -> None:
    held = {"nothing": Counter(), "reserved": Counter(), "taken": Counter()}
    for each in shop.orders:
        for line in shop.lines(each):
            assert 0 <= line.returned <= line.quantity
            held[each.stock_held][line.sku] += line.quantity - line.returned
    for sku, owned in all_owned.items():
        shelf = shop.stock(sku)
        assert (shelf.reserved, shelf.on_hand) == (held["reserved"][sku], owned - held["taken"][sku])
        assert 0 <= shelf.reserved <= shelf.on_hand


def a_state_says_what_the_order_holds(shop: Shop) -> None:
    held = {
        "draft": {"nothing"},
        "pending": {"reserved"},
        "paying": {"reserved"},
        "failed": {"nothing", "reserved", "taken"},
        "cancelled": {"nothing"},
    }
    for each in shop.orders:
        assert each.stock_held in held.get(each.state, {"taken"})
        assert (each.paid_at is not None) == (each.stock_held == "taken") or each.state in ("cancelled", "failed")
        assert not each.payment_asked or each.state in ("paying", "failed")
