"""Whatever happens to parcels, no piece is lost or there twice, and no order is called off with a parcel out."""

from statemachines.order import Order, OrderLine
from statemachines.order.events import Complete, Fulfill, RequestReturn, Ship
from statemachines.payment.events import Void
from statemachines.returns.events import Approve, Inspect, Receive
from statemachines.shipment.events import Book, Cancel, Deliver, Dispatch, Lose, SendBack
from statemachines.world import World
from tests.statemachines.explored import CANCEL, ONE_PIECE, PUT_RIGHT, anna, explored, merchant, paid

WAY = [merchant("shipment", event) for event in (Dispatch(), Deliver())]
ASTRAY = [merchant("shipment", Lose()), merchant("shipment", SendBack(), 1)]
ANY_WAY = [*WAY, *ASTRAY, merchant("shipment", Cancel(), 1)]
FULFILL = merchant("order", Fulfill())
ONE = Ship.model_validate({"lines": ONE_PIECE})


def test_two_parcels_of_one_order() -> None:
    seen = explored(
        paid(2), merchant("order", ONE, 2), merchant("order", Complete()), *ANY_WAY, *CANCEL, *PUT_RIGHT[1:]
    )
    assert seen.reached["order"] >= {"partially_shipped", "partially_delivered", "delivered", "completed", "cancelled"}
    assert seen.reached["shipment"] == {"pending", "in_transit", "lost", "delivered", "returned_to_sender", "cancelled"}


def test_a_parcel_that_the_carrier_fetches() -> None:
    book, ship = merchant("shipment", Book(), 1), merchant("order", Ship(), 2)
    seen = explored(paid(address=True), ship, book, *ANY_WAY, *CANCEL, *PUT_RIGHT[1:])
    assert seen.reached["shipment"] >= {"label", "refused", "cancelling", "recalling", "returning", "delivered"}
    assert seen.reached["order"] >= {"cancelled", "cancellation_failed", "completed"}


def test_money_that_is_taken_when_parcels_leave() -> None:
    seen = explored(paid(2, "later"), merchant("order", ONE, 2), *WAY, CANCEL[1], *PUT_RIGHT)
    assert seen.reached["payment"] >= {"authorized", "capturing", "partially_captured", "captured", "voided", "failed"}


def test_money_that_is_let_go_while_a_parcel_leaves() -> None:
    let_go = merchant("payment", Void(), 1)
    seen = explored(paid(1, "later"), FULFILL, let_go, *WAY, *ASTRAY, CANCEL[1], *PUT_RIGHT)
    assert seen.reached["order"] >= {"fulfilled", "completed", "cancelled"}
    assert seen.reached["payment"] >= {"captured", "voided", "expired", "failed"}


def test_no_order_is_called_off_by_itself_once_something_arrived() -> None:
    def nothing_arrived_of_what_is_cancelled(world: World) -> str | None:
        arrived = {line.order_id for line in world.rows(OrderLine) if line.delivered}
        return next(
            (f"{each.id} is" for each in world.rows(Order) if each.state == "cancelled" and each.id in arrived), None
        )

    moves = [merchant("order", ONE, 1), *WAY, CANCEL[1], PUT_RIGHT[0], PUT_RIGHT[2]]
    resting = ["processing", "on_hold", "partially_shipped", "payment_due", "cancellation_failed"]
    rules = [nothing_arrived_of_what_is_cancelled]
    seen = explored(paid(2, "later"), *moves, also=rules, resting=resting)
    assert seen.reached["order"] >= {"cancelled", "cancellation_failed", "partially_shipped"}


def test_pieces_that_come_back_while_others_are_sent() -> None:
    inspect = Inspect.model_validate({"lines": [{"number": 1, "accepted": 2}]})
    back = [merchant("return", each) for each in (Approve(), Receive(), inspect)]
    parcels = [merchant("order", ONE, 2), *WAY, ASTRAY[1], merchant("order", Complete())]
    seen = explored(paid(2), *parcels, anna("order", RequestReturn(), 1), *back, CANCEL[1], *PUT_RIGHT[1:])
    assert seen.reached["return"] >= {"expired", "refunding", "refunded"}
    assert seen.reached["order"] >= {"partially_delivered", "completed", "returned", "cancelled"}
