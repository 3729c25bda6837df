"""Whatever happens while an order is paid, called off or paid late, money is where the order says, and finds an end."""

from statemachines.order.events import Edit, GoOnWithout, Pay, ReportUnavailable, Retry, Ship
from statemachines.payment.events import Retry as RetryPayment
from statemachines.payment.events import Settle, Void
from statemachines.shipment.events import Deliver, Dispatch
from tests.statemachines.explored import CANCEL, ONE_PIECE, PUT_RIGHT, anna, explored, merchant, paid, shop

NOW = Pay(method="tok_1", take="now")
LATER = Pay(method="tok_1", take="later")
ENDS = {"cancelled", "processing", "failed", "cancellation_failed"}


def test_money_that_is_taken_at_once() -> None:
    seen = explored(shop(), anna("order", NOW, 3), *CANCEL, *PUT_RIGHT[:-1])
    assert seen.reached["order"] >= ENDS
    assert seen.reached["payment"] == {"capturing", "captured", "declined", "failed", "voided"}
    assert seen.idle == ()


def test_money_that_is_held_ready() -> None:
    stuck = [merchant("payment", each, 1) for each in (RetryPayment(), Settle(reason="seen to"), Void())]
    seen = explored(shop(), anna("order", LATER, 1), *CANCEL, *stuck, merchant("order", Retry(), 1))
    assert seen.reached["order"] >= {*ENDS, "payment_due"}
    assert seen.reached["payment"] >= {"authorized", "voiding", "voided", "expired", "failed"}
    assert seen.idle == ()


def test_two_payments_for_one_order() -> None:
    part = Pay(method="tok_1", amount=400, take="now")
    seen = explored(shop(), anna("order", part, 1), anna("order", NOW, 1), *CANCEL, *PUT_RIGHT[:-1])
    assert seen.reached["order"] >= ENDS
    assert seen.idle == ()


def test_two_holds_for_one_order() -> None:
    part = Pay(method="tok_1", amount=400, take="later")
    seen = explored(shop(), anna("order", part, 1), anna("order", LATER, 1), *CANCEL, *PUT_RIGHT[:1], *PUT_RIGHT[-2:])
    assert seen.reached["order"] >= {*ENDS, "payment_due"}


def test_a_paid_order_that_is_changed() -> None:
    more, less = (
        Edit.model_validate({"add": [{"sku": "MUG", "quantity": 1}]}),
        Edit.model_validate({"remove": ONE_PIECE}),
    )
    seen = explored(paid(2), anna("order", more, 1), anna("order", less, 1), anna("order", NOW, 1), *CANCEL, *PUT_RIGHT)
    assert seen.reached["order"] >= {*ENDS, "payment_due", "on_hold"} - {"failed"}


def test_an_order_of_which_something_is_missing() -> None:
    report = ReportUnavailable.model_validate({"lines": ONE_PIECE})
    seen = explored(
        paid(2),
        merchant("order", report, 2),
        anna("order", GoOnWithout()),
        merchant("order", Ship()),
        *(merchant("shipment", each) for each in (Dispatch(), Deliver())),
        *CANCEL,
        *PUT_RIGHT[1:],
    )
    assert seen.reached["order"] >= {"customer_action_required", "cancelled", "completed"}
