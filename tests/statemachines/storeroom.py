"""A storeroom in memory: products at several locations, and baskets for which pieces are kept."""

from collections import Counter
from datetime import timedelta

from statemachines.decision import Refused
from statemachines.declaration import Actor, Event, Role
from statemachines.product import Create, OpenLocation, product
from statemachines.registry import Registry
from statemachines.reservation import PiecesOf, Reservation, ReservationLine, reservation
from statemachines.stock import Backorder, Receive, Stock, stock
from statemachines.transaction import Outcome
from statemachines.world import World
from tests.basket import BringBack, Fill, Pay, PutBack, basket

SHOP = Actor("shop", Role.MERCHANT)
NOW = timedelta()


def pieces(**quantities: int) -> tuple[PiecesOf, ...]:
    """Name pieces by their SKUs, for example ``pieces(MUG=2)``."""
    return tuple(PiecesOf(sku=sku, quantity=quantity) for sku, quantity in quantities.items())


class Storeroom:
    """Raises events in a world and looks at what is on its shelves."""

    def __init__(self) -> None:
        self.world = World(Registry([product, stock, reservation, basket]))

    # -- given

    def sells(self, sku: str, on_hand: int = 0, **elsewhere: int) -> None:
        """Sell a product, with so many pieces at the main location and elsewhere; the first elsewhere is asked first
        after the main one.
        """
        self.told("product", None, Create(sku=sku, name=sku, price=100, currency="EUR", on_hand=on_hand))
        for priority, (location, there) in enumerate(elsewhere.items(), 2):
            self.opens(sku, location, there, priority)

    def opens(self, sku: str, location: str, on_hand: int, priority: int = 1) -> None:
        """Keep stock of a product elsewhere, too."""
        self.told("product", sku, OpenLocation(location=location, priority=priority, on_hand=on_hand))

    def filled(self, *, patient: bool = False, **quantities: int) -> str:
        """Fill a basket; return its id."""
        return self.told("order", None, Fill(pieces=pieces(**quantities), patient=patient))

    def waits(self, **quantities: int) -> str:
        """Fill a basket for which not everything is there; return its id."""
        return self.filled(patient=True, **quantities)

    def paid(self, *, patient: bool = False, **quantities: int) -> str:
        name = self.filled(patient=patient, **quantities)
        self.told("order", name, Pay())
        return name

    # -- when

    def tell(self, machine: str, id: str | None, event: Event) -> Outcome:  # noqa: A002
        return self.world.raise_(machine, id, event, SHOP)

    def told(self, machine: str, id: str | None, event: Event) -> str:  # noqa: A002
        return self.world.given(machine, id, event, SHOP)

    def refusal(self, *, patient: bool = False, **quantities: int) -> str:
        """Return why a basket can't be filled."""
        return self.why("order", None, Fill(pieces=pieces(**quantities), patient=patient))

    def why(self, machine: str, id: str | None, event: Event) -> str:  # noqa: A002
        """Return why an event is refused."""
        outcome = self.tell(machine, id, event)
        assert isinstance(outcome, Refused), outcome
        return outcome.reason

    def receives(self, name: str, quantity: int) -> None:
        self.told("stock", name, Receive(quantity=quantity))

    def puts_back(self, order: str, **quantities: int) -> None:
        """Put pieces back, or everything; what others wait for goes to them."""
        self.told("order", order, PutBack(pieces=pieces(**quantities)))
        self.settle()

    def brings_back(self, order: str, **quantities: int) -> None:
        self.told("order", order, BringBack(pieces=pieces(**quantities)))
        self.settle()

    def settle(self) -> None:
        """Let everything that is due happen."""
        self.world.advance(NOW)

    # -- then

    def stock(self, name: str) -> Stock:
        row = self.world.entity("stock", name)
        assert isinstance(row, Stock)
        return row

    def shelf(self, name: str) -> tuple[int, int]:
        """Return the pieces on hand, and how many of them are promised."""
        return self.stock(name).on_hand, self.stock(name).reserved

    def reservation(self, order: str) -> Reservation:
        (row,) = (each for each in self.world.rows(Reservation) if each.order_id == order)
        return row

    def state(self, order: str) -> str:
        return self.reservation(order).state

    def attention(self, order: str) -> object:
        return vars(self.world.entity("order", order))["attention"]

    def lines(self, order: str, state: str = "held") -> Counter[str]:
        """Return the order's pieces in a state, by the stock that they are from."""
        name, sums = self.reservation(order).id, Counter[str]()
        for line in self.world.rows(ReservationLine):
            if line.reservation_id == name and line.state == state:
                sums[line.stock_id] += line.quantity
        return sums

    def missing(self, order: str) -> dict[str, int]:
        """Return what the order waits for, by SKU."""
        name = self.reservation(order).id
        return {
            each.sku: each.missing
            for each in self.world.rows(Backorder)
            if each.reservation_id == name and each.missing
        }
