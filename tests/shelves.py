"""What is true of shelves, queues and reservations at every moment, in memory and on a database."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select
from sqlmodel import SQLModel

from persistence.tables import TABLES, hydrate
from statemachines.reservation import Reservation, ReservationLine
from statemachines.stock import Backorder, Stock
from statemachines.world import World


@dataclass(frozen=True)
class Shelves:
    """All rows of the stock at one moment."""

    stocks: Sequence[Stock]
    lines: Sequence[ReservationLine]
    queue: Sequence[Backorder]
    reservations: Sequence[Reservation]

    @classmethod
    def of_world(cls, world: World) -> "Shelves":
        """Return what a world holds."""
        queue = [row.model_copy() for row in world.rows(Backorder)]
        return cls(world.rows(Stock), world.rows(ReservationLine), queue, world.rows(Reservation))

    @classmethod
    def of_database(cls, connection: Connection) -> "Shelves":
        """Return what a database holds."""
        return cls(*(_rows(connection, kind) for kind in (Stock, ReservationLine, Backorder, Reservation)))

    @property
    def got(self) -> Counter[tuple[str, str]]:
        """Pieces of each product that came to each reservation, whether it keeps them or gave them back."""
        sums: Counter[tuple[str, str]] = Counter()
        for line in self.lines:
            sums[line.reservation_id, line.sku] += line.quantity
        return sums

    def check(self, came: Mapping[str, int]) -> None:
        """Check that all is right.

        Args:
            came: pieces that came to each stock and were not written off.
        """
        self._no_piece_is_lost_or_promised_twice(came)
        self._the_queue_is_what_those_wait_for_who_wait()
        self._states_say_what_is_so()

    def _no_piece_is_lost_or_promised_twice(self, came: Mapping[str, int]) -> None:
        kept: dict[str, Counter[str]] = {state: Counter() for state in ("held", "taken", "released")}
        for line in self.lines:
            kept[line.state][line.stock_id] += line.quantity
        for stock in self.stocks:
            assert 0 <= stock.reserved <= stock.on_hand
            assert stock.reserved == kept["held"][stock.id], "promised, but to nobody, or to two"
            assert stock.on_hand + kept["taken"][stock.id] == came[stock.id], "pieces are lost, or came from nowhere"

    def _the_queue_is_what_those_wait_for_who_wait(self) -> None:
        waited_for: Counter[str] = Counter()
        mains = {each.id: each for each in self.stocks}
        for row in self.queue:
            waited_for[row.sku] += row.missing
            assert (row.page is None) == (row.missing == 0)
            assert row.ticket <= mains[row.sku].tickets
            assert row.missing == 0 or row.ticket > mains[row.sku].served, "whoever waits was passed over"
        for stock in self.stocks:
            assert stock.waiting == (waited_for[stock.id] if stock.id == stock.sku else 0)

    def _states_say_what_is_so(self) -> None:
        missing: Counter[str] = Counter()
        for each in self.queue:
            missing[each.reservation_id] += each.missing
        states = {
            row.id: {line.state for line in self.lines if line.reservation_id == row.id} for row in self.reservations
        }
        for row in self.reservations:
            assert row.missing == missing[row.id]
            assert (row.state in ("backordered", "partly_taken")) == (row.missing > 0)
            assert "held" not in states[row.id] or row.state in ("held", "backordered")
            assert "taken" not in states[row.id] or row.state in ("taken", "partly_taken")
            assert row.state != "held" or "held" in states[row.id]
            assert row.state != "taken" or states[row.id]

    def check_nobody_overtook(self, before: "Shelves") -> None:
        """Check that since an earlier moment nobody was served before those who came earlier.

        Of two who wait for a product the later gets something only once the earlier has all, or gave up.
        """
        got, had = self.got, before.got
        now = {(row.sku, row.ticket): row for row in self.queue}
        first: dict[tuple[str, str], Backorder] = {}
        for row in sorted(before.queue, key=lambda row: row.ticket):
            if row.missing:  # whoever wanted more later has a later place for that, too
                first.setdefault((row.reservation_id, row.sku), row)
        for row in first.values():
            if got[row.reservation_id, row.sku] > had[row.reservation_id, row.sku]:
                earlier = [now[e.sku, e.ticket] for e in before.queue if e.sku == row.sku and e.ticket < row.ticket]
                assert not any(each.missing for each in earlier), "overtaken by who came later"
        waited_for = {each.id for each in before.stocks if each.waiting}
        for name in {row.id for row in self.reservations} - {row.id for row in before.reservations}:
            assert not any(got[name, sku] for sku in waited_for), "overtaken by who has just come"

    def check_nobody_waits_for_what_is_there(self) -> None:
        """Check that everybody is served who could be; so it is once all that was due has happened."""
        for main in (each for each in self.stocks if each.waiting):
            free = sum(each.available for each in self.stocks if each.sku == main.id and each.state == "stocked")
            assert not free, f"{main.waiting} wait for {main.id}, {free} are free"


def _rows(connection: Connection, kind: type[SQLModel]) -> list[Any]:
    table = TABLES[kind]
    statement = select(table).order_by(*table.primary_key.columns)
    return [hydrate(kind, dict(row)) for row in connection.execute(statement).mappings()]
