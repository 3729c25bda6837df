"""Whatever happens while an order is paid, called off or paid late, money is where the order says, and finds an end."""

import pytest

from statemachines.order.events import (
    Clear,
    Edit,
    Fail,
    GoOnWithout,
    Hold,
    Pay,
    Refund,
    ReportUnavailable,
    Retry,
    Ship,
    Suspect,
)
from statemachines.payment.events import Confirm, Settle, Void
from statemachines.payment.events import Retry as RetryPayment
from statemachines.shipment.events import Deliver, Dispatch
from tests.statemachines.explored import (
    CANCEL,
    ONE_PIECE,
    PUT_RIGHT,
    anna,
    asked_first,
    explored,
    merchant,
    paid,
    shop,
    wrongly_charged,
)

NOW = Pay(method="tok_1", take="now")
LATER = Pay(method="tok_1", take="later")
ENDS = {"cancelled", "processing", "failed", "cancellation_failed"}


def test_money_that_is_taken_at_once() -> None:
    seen = explored(shop(), anna("order", NOW, 2), *CANCEL, *PUT_RIGHT[:-1])
    assert seen.reached["order"] >= ENDS
    assert seen.reached["payment"] == {"capturing", "captured", "declined", "failed", "voided"}
    assert seen.idle == ()


def test_money_that_is_held_ready() -> None:
    stuck = [merchant("payment", each, 1) for each in (RetryPayment(), Settle(reason="seen to"), Void())]
    seen = explored(shop(), anna("order", LATER, 1), *CANCEL, *stuck, merchant("order", Retry(), 1))
    assert seen.reached["order"] >= {*ENDS, "payment_due"}
    assert seen.reached["payment"] >= {"authorized", "voiding", "voided", "expired", "failed"}
    assert seen.idle == ()


@pytest.mark.parametrize(("pay", "effect"), [(NOW, "payments.charge"), (LATER, "payments.authorize")])
def test_a_bank_that_wants_to_hear_from_the_customer_first(pay: Pay, effect: str) -> None:
    stuck = [merchant("payment", each, 1) for each in (RetryPayment(), Void())]
    seen = explored(shop(), anna("order", pay, 1), *CANCEL, *stuck, *PUT_RIGHT[:4], answers={effect: asked_first})
    assert seen.reached["payment"] >= {"requires_action", "voiding", "voided", "failed", "declined"}
    assert seen.reached["order"] >= ENDS


def test_a_gateway_that_takes_something_else() -> None:
    sent = [merchant("order", Ship(), 1), *(merchant("shipment", each) for each in (Dispatch(), Deliver()))]
    moves = [anna("order", NOW, 1), *CANCEL, *sent, *PUT_RIGHT[:4]]
    seen = explored(shop(), *moves, answers={"payments.charge": wrongly_charged})
    assert seen.reached["order"] >= {"cancelled", "completed", "failed"}


def test_a_payment_that_waits_for_the_customer_to_say_with_what() -> None:
    confirm = anna("payment", Confirm(method="tok_1"))
    seen = explored(shop(), anna("order", Pay(), 2), confirm, *CANCEL, *PUT_RIGHT[:4])
    assert seen.reached["payment"] >= {"created", "captured", "declined", "expired", "voided"}
    assert seen.reached["order"] >= ENDS


def test_two_payments_for_one_order() -> None:
    part = Pay(method="tok_1", amount=400, take="now")
    seen = explored(shop(), anna("order", part, 1), anna("order", NOW, 1), *CANCEL, PUT_RIGHT[0], *PUT_RIGHT[2:-1])
    assert seen.reached["order"] >= ENDS
    assert seen.idle == ()


def test_two_holds_for_one_order() -> None:
    part = Pay(method="tok_1", amount=400, take="later")
    seen = explored(shop(), anna("order", part, 1), anna("order", LATER, 1), *CANCEL, PUT_RIGHT[0], PUT_RIGHT[-1])
    assert seen.reached["order"] >= {*ENDS, "payment_due"}


def test_a_paid_order_that_is_changed() -> None:
    more, less = (
        Edit.model_validate({"add": [{"sku": "MUG", "quantity": 1}]}),
        Edit.model_validate({"remove": ONE_PIECE}),
    )
    seen = explored(paid(2), anna("order", more, 1), anna("order", less, 1), anna("order", NOW, 1), *CANCEL, *PUT_RIGHT)
    assert seen.reached["order"] >= {*ENDS, "payment_due", "on_hold"} - {"failed"}


def test_an_order_that_is_held_suspected_and_failed() -> None:
    held = [merchant("order", each, 1) for each in (Hold(reason="wait"), Suspect(reason="odd"), Fail(reason="broken"))]
    back = merchant("order", Refund(amount=400), 1)
    sent = [merchant("order", Ship(), 1), *(merchant("shipment", each) for each in (Dispatch(), Deliver()))]
    seen = explored(paid(), *held, merchant("order", Clear()), back, *sent, *CANCEL, *PUT_RIGHT[1:])
    assert seen.reached["order"] >= {"on_hold", "fraud_hold", "failed", "cancelled", "completed"}


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
