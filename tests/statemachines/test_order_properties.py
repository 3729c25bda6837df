"""Whatever happens to orders and their children, in whatever order: money and pieces stay in balance."""

from collections import Counter
from random import Random

from hypothesis import given, note, settings
from hypothesis import strategies as st

from statemachines.order import Order, OrderLine
from statemachines.payment import Payment
from statemachines.refund import Refund
from statemachines.refund.model import NOT_GIVEN
from statemachines.reservation.model import PAID, Reservation
from statemachines.returns.model import ReturnCase, ReturnLine
from statemachines.shipment import Shipment, ShipmentLine
from statemachines.stock import Backorder, Stock
from statemachines.world import World
from tests.statemachines.season import Season

STEPS = 120

GIVING = ("requested", "awaiting_approval", "approved", "processing")
"""The states of refunds that are on their way."""
OPEN_RETURNS = ("requested", "approved", "label_sent", "in_transit", "received", "inspected")
IN_THE_HOUSE = ("backordered", "pending", "refused", "label", "cancelling")
UNDER_WAY = ("in_transit", "recalling", "returning")


@given(st.randoms(use_true_random=True))
@settings(max_examples=30, deadline=None)
def test_whatever_happens_money_and_pieces_stay_in_balance(random: Random):
    season = Season(random)

    for _ in range(STEPS):
        note(season.step())

        for order in season.store.orders:
            an_order_knows_where_its_money_is(season.world, order)
            an_order_knows_where_its_pieces_are(season.world, order)
            an_order_that_was_called_off_holds_nothing(order)
        no_piece_is_lost_or_promised_twice(season)


@given(st.randoms(use_true_random=True))
@settings(max_examples=15, deadline=None)
def test_whatever_happened_an_order_that_is_called_off_comes_to_its_end(random: Random):
    season = Season(random)
    for _ in range(STEPS):
        note(season.step())

    season.ends_well()

    for order in season.store.orders:
        assert order.state not in ("cancelling", "cancellation_failed")
        if order.state == "cancelled":
            an_order_knows_where_its_money_is(season.world, order)
            assert (order.asked, order.authorized, order.refunding, order.refund_due) == (0, 0, 0, 0)


def an_order_knows_where_its_money_is(world: World, order: Order) -> None:
    payments = [each for each in world.rows(Payment) if each.order_id == order.id]
    refunds = [each for each in world.rows(Refund) if each.order_id == order.id]
    giving = sum(each.amount for each in refunds if each.state in GIVING)
    due = sum(each.amount for each in refunds if each.state == "failed")
    assert order.asked == sum(each.asked for each in payments)
    assert order.authorized == sum(each.held for each in payments)
    assert order.paid == sum(each.captured for each in payments)
    assert order.charged_back == sum(each.charged_back for each in payments)
    assert (order.refunding, order.refund_due) == (giving, due)
    assert giving + due == sum(each.refunding for each in payments)
    assert order.refunded == sum(each.refunded for each in payments)
    assert order.refunded == sum(each.amount for each in refunds if each.state == "succeeded")
    assert order.goodwill == sum(each.amount for each in refunds if each.goodwill and each.state not in NOT_GIVEN)
    assert order.refundable >= 0
    assert {each.currency for each in (*payments, *refunds)} <= {order.currency}


def an_order_knows_where_its_pieces_are(world: World, order: Order) -> None:
    shipments = {each.id: each.state for each in world.rows(Shipment) if each.order_id == order.id}
    assert order.parcels == sum(state in (*IN_THE_HOUSE, *UNDER_WAY) for state in shipments.values())
    counts: dict[str, Counter[int]] = {name: Counter() for name in ("packed", "shipped", "delivered", "lost")}
    for piece in world.rows(ShipmentLine):
        state = shipments.get(piece.shipment_id, "cancelled")
        here = {
            "packed": state not in ("cancelled", "returned_to_sender"),
            "shipped": state in (*UNDER_WAY, "delivered", "lost"),
            "delivered": state == "delivered",
            "lost": state == "lost",
        }
        for name, counted in here.items():
            counts[name][piece.number] += piece.quantity * counted
    coming = coming_back(world, order)
    for line in lines_of(world, order):
        said = {name: getattr(line, name) for name in counts}
        assert said == {name: count[line.number] for name, count in counts.items()}
        assert line.coming_back == coming[line.number]
        assert line.missing <= line.removed
        assert line.kept - line.unavailable - line.coming_back >= 0
        assert 0 <= line.discount <= line.unit_price * line.quantity


def coming_back(world: World, order: Order) -> Counter[int]:
    open_ = {each.id for each in world.rows(ReturnCase) if each.order_id == order.id and each.state in OPEN_RETURNS}
    coming: Counter[int] = Counter()
    for line in world.rows(ReturnLine):
        if line.return_id in open_:
            coming[line.number] += line.quantity
    return coming


def an_order_that_was_called_off_holds_nothing(order: Order) -> None:
    if order.state == "cancelled":
        assert (order.stock_held, order.parcels) == ("nothing", 0)


def no_piece_is_lost_or_promised_twice(season: Season) -> None:
    world, reserved, gone = season.world, Counter[str](), Counter[str]()
    for order in world.rows(Order):
        for line in lines_of(world, order):
            gone[line.sku] += line.missing
            if order.stock_held == "reserved":
                reserved[line.sku] += line.kept
            elif order.stock_held == "taken":
                gone[line.sku] += line.kept
            else:
                gone[line.sku] += line.unavailable + line.delivered + line.lost
    for damaged in world.rows(ReturnLine):
        gone[damaged.sku] += damaged.damaged
    waiting = Counter[str]()
    for backorder in world.rows(Backorder):
        waiting[backorder.sku] += backorder.missing
        (reservation,) = [each for each in world.rows(Reservation) if each.id == backorder.reservation_id]
        (gone if reservation.state in PAID else reserved)[backorder.sku] -= backorder.missing
    for sku, owned in season.owned.items():
        (shelf,) = [each for each in world.rows(Stock) if each.id == sku]
        assert (shelf.reserved, shelf.on_hand, shelf.waiting) == (reserved[sku], owned - gone[sku], waiting[sku])


def lines_of(world: World, order: Order) -> list[OrderLine]:
    return [line for line in world.rows(OrderLine) if line.order_id == order.id]
