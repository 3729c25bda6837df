"""Whoever takes, waits, pays, expires and brings back, in whatever order: every piece is in one place."""

from collections import Counter

from statemachines.exploration import Exploration, Move, explore
from statemachines.reservation import Extend, Release, ReservationLine, Restock, Take
from statemachines.stock import Backorder, Freeze, Receive, Stock, Unfreeze
from statemachines.world import World
from tests.basket import BringBack, Fill, Keep, Pay, PutBack
from tests.statemachines.explored import Database
from tests.statemachines.storeroom import SHOP, Storeroom, pieces

THERE = 2
REQUESTS = (Take, Release, Restock, Extend)
"""What the basket asks of a reservation without looking whether there is still anything to ask for."""


def every_piece_is_in_one_place(world: World) -> str | None:
    """What is on the shelf and promised is what reservations say, and nobody is counted twice."""
    shelf = world.rows(Stock)[0]
    sums: Counter[str] = Counter()
    for line in world.rows(ReservationLine):
        sums[line.state] += line.quantity
    missing = sum(each.missing for each in world.rows(Backorder))
    if (shelf.reserved, shelf.waiting) != (sums["held"], missing):
        return f"{shelf.reserved} promised and {shelf.waiting} waited for; reservations say {sums['held']}, {missing}"
    if shelf.on_hand + sums["taken"] not in (THERE, THERE + 1):
        return f"{shelf.on_hand} on the shelf and {sums['taken']} taken"
    return None


def nobody_waits_beside_free_pieces(world: World) -> str | None:
    shelf, is_woken = world.rows(Stock)[0], any(timer.event in ("wake", "fill") for timer in world.timers)
    if shelf.state == "stocked" and shelf.available and shelf.waiting and not is_woken:
        return f"{shelf.available} are free, {shelf.waiting} are waited for"
    return None


def seen(*fills: Fill, also: tuple[Move, ...] = ()) -> Exploration:
    room = Storeroom()
    room.sells("MUG", THERE)
    moves = [Move("order", fill, SHOP, 1) for fill in fills]
    moves += [Move("order", Pay(), SHOP, None), Move("order", PutBack(), SHOP, None), *also]
    rules = [Database().takes_every_row, every_piece_is_in_one_place, nobody_waits_beside_free_pieces]
    resting = {
        "order": ["filled"],  # it is a basket, and stays as it is once its pieces are put back
        "reservation": ["taken", "partly_taken", "backordered", "held"],
    }
    return explore(room.world, moves, {}, rules, resting=resting, ignoring=["attention"], refusable=REQUESTS)


def test_three_who_want_more_than_there_is() -> None:
    waits, takes = Fill(pieces=pieces(MUG=2), patient=True), Fill(pieces=pieces(MUG=1))
    found = seen(waits, waits, takes)
    assert found.reached["reservation"] >= {"held", "backordered", "taken", "released", "expired"}
    assert found.idle == ()


def test_pieces_that_arrive_and_come_back_while_others_wait() -> None:
    waits, paid = Fill(pieces=pieces(MUG=2), patient=True), Fill(pieces=pieces(MUG=2), patient=True, paid=True)
    back = Move("order", BringBack(pieces=pieces(MUG=1)), SHOP, 1)
    found = seen(waits, paid, also=(back, Move("stock", Receive(quantity=1), SHOP, 1)))
    assert found.reached["reservation"] >= {"partly_taken", "taken", "backordered"}


def test_a_shelf_that_is_frozen_while_others_wait() -> None:
    waits = Fill(pieces=pieces(MUG=2), patient=True)
    frozen = [Move("stock", each, SHOP, 1) for each in (Freeze(), Unfreeze(), Receive(quantity=1))]
    found = seen(waits, waits, also=(*frozen, Move("order", Keep(), SHOP, None)))
    assert found.reached["stock"] == {"stocked", "frozen"}
