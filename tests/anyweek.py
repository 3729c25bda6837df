"""A week in a storeroom: baskets come and go, pieces come and go; chance says which."""

from collections import Counter
from collections.abc import Sequence
from random import Random

from statemachines.declaration import Event
from statemachines.product import Discontinue, OpenLocation, Relist
from statemachines.reservation import PiecesOf
from statemachines.stock import Adjust, Freeze, Receive, Unfreeze
from tests.basket import BringBack, Fill, Keep, Pay, PutBack, Wish

SKUS = ["MUG", "POT"]
LOCATIONS = ["berlin", "rome"]

Told = tuple[str, str | None, Event]
"""A machine, an entity, and what happens to it."""


class AnyWeek:
    """Chooses what happens, and counts which pieces came in; a shop that sells mugs and pots is to begin with."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.came: Counter[str] = Counter()
        """Pieces that came to each stock and were not written off."""

    def happened(self, told: Told) -> None:
        """Note what was accepted."""
        _, name, event = told
        match event:
            case Receive(quantity=quantity) if name:
                self.came[name] += quantity
            case Adjust(difference=difference) if name:
                self.came[name] += difference
            case OpenLocation(location=location, on_hand=on_hand):
                self.came[f"{name}@{location}"] += on_hand

    def choose(self, orders: Sequence[str]) -> Told:
        """Choose an event for a new basket, one of the last ones, a stock or a product."""
        what = self.random.randrange(10)
        if what < 4 or not orders:
            paid = self.random.random() < 0.1
            return "order", None, Fill(pieces=self._pieces(), patient=self.random.random() < 0.7, paid=paid)
        if what < 7:
            return "order", self.random.choice(orders[-8:]), self._event()
        sku = self.random.choice(SKUS)
        if what < 9:
            return "stock", self.random.choice([sku, *(f"{sku}@{each}" for each in LOCATIONS)]), self._movement()
        opened = OpenLocation(
            location=self.random.choice(LOCATIONS),
            priority=self.random.randint(1, 3),
            on_hand=self.random.randint(0, 3),
        )
        return "product", sku, self.random.choice([opened, opened, Discontinue(), Relist(), Relist()])

    def _event(self) -> Event:
        events = [Pay(), Keep(), PutBack(), PutBack(pieces=self._pieces()), BringBack(pieces=self._pieces())]
        events += [Wish(pieces=self._pieces(), patient=self.random.random() < 0.5)] * 2
        return self.random.choice(events)

    def _movement(self) -> Event:
        received = Receive(quantity=self.random.randint(1, 4))
        counted = Adjust(difference=self.random.choice([-1, 1]), reason="counted")
        return self.random.choice([received, received, received, counted, Freeze(), Unfreeze(), Unfreeze()])

    def _pieces(self) -> tuple[PiecesOf, ...]:
        named = self.random.sample(SKUS, self.random.randint(1, 2))
        return tuple(PiecesOf(sku=sku, quantity=self.random.randint(1, 4)) for sku in named)
