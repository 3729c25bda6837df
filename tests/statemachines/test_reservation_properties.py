"""Whatever happens in whatever order: no piece is lost, promised twice or given to who came later."""

from collections import Counter
from datetime import timedelta
from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from statemachines.declaration import Event
from statemachines.product import Discontinue, OpenLocation, Relist
from statemachines.reservation import PiecesOf, Reservation, ReservationLine, reservation
from statemachines.stock import Adjust, Backorder, Freeze, Receive, Stock, Unfreeze
from statemachines.transaction import Happened
from tests.basket import BringBack, Fill, Keep, Pay, PutBack
from tests.statemachines.storeroom import Storeroom, pieces

STEPS = 60
SKUS = ["MUG", "POT"]
BEGUN_WITH = {"MUG": 4, "MUG@berlin": 2, "POT": 0, "POT@berlin": 3}


class AnyWeek:
    """Baskets come and go, pieces come and go; chance says which, and what came in is counted."""

    def __init__(self, random: Random) -> None:
        self.random, self.room = random, Storeroom()
        self.room.sells("MUG", 4, berlin=2)
        self.room.sells("POT", 0, berlin=3)
        self.came = Counter(BEGUN_WITH)
        """Pieces that came to each stock and were not written off."""

    def step(self) -> object:
        """Let something happen; return what it was."""
        if self.random.random() < 0.15:
            span = timedelta(minutes=self.random.choice([0, 1, 20, 61]))
            self.room.world.advance(span)
            return span
        machine, name, event = self.choose()
        outcome = self.room.tell(machine, name, event)
        if isinstance(outcome, Happened):
            self.count(name or "", event)
        return machine, name, event, outcome

    def count(self, name: str, event: Event) -> None:
        match event:
            case Receive(quantity=quantity):
                self.came[name] += quantity
            case Adjust(difference=difference):
                self.came[name] += difference
            case OpenLocation(location=location, on_hand=on_hand):
                self.came[f"{name}@{location}"] += on_hand

    def choose(self) -> tuple[str, str | None, Event]:
        orders = self.room.world.ids("order")
        what = self.random.randrange(10)
        if what < 4 or not orders:
            return "order", None, Fill(pieces=self.some_pieces(), patient=self.random.random() < 0.7)
        if what < 7:
            order = self.random.choice(orders[-8:])
            return "order", order, self.random.choice([Pay, Keep, self.put_back, self.bring_back])()
        if what < 9:
            stock = self.random.choice(self.room.world.ids("stock"))
            some = self.random.randint(1, 4)
            received = [Receive(quantity=some)] * 4
            counted = [
                Adjust(difference=self.random.choice([-1, 1]), reason="counted"),
                Freeze(),
                Unfreeze(),
                Unfreeze(),
            ]
            return "stock", stock, self.random.choice([*received, *counted])
        opened = OpenLocation(location="rome", priority=self.random.randint(1, 3), on_hand=2)
        return "product", self.random.choice(SKUS), self.random.choice([opened, Discontinue(), Relist(), Relist()])

    def some_pieces(self) -> tuple[PiecesOf, ...]:
        named = self.random.sample(SKUS, self.random.randint(1, 2))
        return pieces(**{sku: self.random.randint(1, 4) for sku in named})

    def put_back(self) -> Event:
        return PutBack(pieces=self.random.choice([(), self.some_pieces()]))

    def bring_back(self) -> Event:
        return BringBack(pieces=self.some_pieces())


@given(st.randoms(use_true_random=True))
@settings(max_examples=120, deadline=None)
def test_whatever_happens_the_shelves_are_right(random: Random) -> None:
    week = AnyWeek(random)
    for _ in range(STEPS):
        before = Seen(week.room)
        note(f"{week.step()}")
        no_piece_is_lost_or_promised_twice(week)
        the_queue_is_what_those_wait_for_who_wait(week.room)
        nobody_is_served_before_those_who_came_earlier(before, Seen(week.room))
        states_say_what_is_so(week.room)
        clocks_run_where_something_is_to_happen(week.room)
        nobody_waits_for_what_is_there(week.room)


class Seen:
    """Who waited for what, and what everybody had got, at one moment."""

    def __init__(self, room: Storeroom) -> None:
        self.queue = {(row.sku, row.ticket): row.model_copy() for row in room.world.rows(Backorder)}
        self.waiting = {row.id for row in room.world.rows(Stock) if row.waiting}
        self.reservations = set(room.world.ids("reservation"))
        self.got: Counter[tuple[str, str]] = Counter()
        """Pieces of each product that came to each reservation, kept or given back since."""
        for line in room.world.rows(ReservationLine):
            self.got[line.reservation_id, line.sku] += line.quantity


def no_piece_is_lost_or_promised_twice(week: AnyWeek) -> None:
    kept: dict[str, Counter[str]] = {state: Counter() for state in ("held", "taken", "released")}
    for line in week.room.world.rows(ReservationLine):
        kept[line.state][line.stock_id] += line.quantity
    for stock in week.room.world.rows(Stock):
        assert 0 <= stock.reserved <= stock.on_hand
        assert stock.reserved == kept["held"][stock.id], "promised, but to nobody, or to two"
        assert stock.on_hand + kept["taken"][stock.id] == week.came[stock.id], "pieces are lost, or came from nowhere"


def the_queue_is_what_those_wait_for_who_wait(room: Storeroom) -> None:
    waited_for: Counter[str] = Counter()
    for row in room.world.rows(Backorder):
        waited_for[row.sku] += row.missing
        main = room.stock(row.sku)
        assert (row.page is None) == (row.missing == 0)
        assert row.ticket <= main.tickets
        assert row.missing == 0 or row.ticket > main.served, "whoever waits was passed over"
    for stock in room.world.rows(Stock):
        assert stock.waiting == (waited_for[stock.id] if stock.id == stock.sku else 0)


def nobody_is_served_before_those_who_came_earlier(before: Seen, after: Seen) -> None:
    """Of two who wait for a product the later gets something only once the earlier has all, or gave up."""
    for (sku, ticket), row in before.queue.items():
        if after.got[row.reservation_id, sku] > before.got[row.reservation_id, sku]:
            earlier = [after.queue[name, other] for name, other in before.queue if name == sku and other < ticket]
            assert not any(each.missing for each in earlier), "overtaken by who came later"
    for sku, ticket in after.queue.keys() - before.queue.keys():
        assert all(other < ticket for name, other in before.queue if name == sku)
    for name in after.reservations - before.reservations:
        assert not any(after.got[name, sku] for sku in before.waiting), "overtaken by who has just come"


def states_say_what_is_so(room: Storeroom) -> None:
    for row in room.world.rows(Reservation):
        states = {line.state for line in room.world.rows(ReservationLine) if line.reservation_id == row.id}
        missing = sum(each.missing for each in room.world.rows(Backorder) if each.reservation_id == row.id)
        assert row.missing == missing
        assert (row.state in ("backordered", "partly_taken")) == (missing > 0)
        assert "held" not in states or row.state in ("held", "backordered")
        assert "taken" not in states or row.state in ("taken", "partly_taken")
        assert row.state != "held" or "held" in states
        assert row.state != "taken" or "taken" in states


def clocks_run_where_something_is_to_happen(room: Storeroom) -> None:
    set_for = {(timer.id, timer.name): timer.due_at for timer in room.world.timers if timer.name == "expire"}
    for row in room.world.rows(Reservation):
        assert set_for.get((row.id, "expire")) == (row.expires_at if row.state in ("held", "backordered") else None)
        assert set(reservation.timer_names(row.state)) <= {t.name for t in room.world.timers if t.id == row.id}


def nobody_waits_for_what_is_there(room: Storeroom) -> None:
    """Whoever could be served is served as soon as everything that is due has happened."""
    later = room.world.fork()
    later.advance(timedelta())
    stocks = later.rows(Stock)
    for main in stocks:
        free = sum(each.available for each in stocks if each.sku == main.id and each.state == "stocked")
        assert not (main.waiting and free), f"{main.waiting} wait for {main.id}, {free} are free"
