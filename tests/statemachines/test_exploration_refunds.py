"""Whatever is asked back, approved, refused, disputed or called off: never more goes back than was taken."""

from statemachines.approval.events import Approve as ApproveRequest
from statemachines.approval.events import Reject
from statemachines.declaration import Actor, Role
from statemachines.exploration import Move
from statemachines.machine import SYSTEM
from statemachines.order.events import Refund, RequestReturn, Ship
from statemachines.payment.events import Dispute, DisputeLost, DisputeWon
from statemachines.payments import RefundReturned
from statemachines.refund.events import Accept, Cancel, Refuse
from statemachines.refund.model import RefundPolicy
from statemachines.returns.events import Approve, Inspect, Receive
from statemachines.shipment.events import Deliver, Dispatch, Lose
from tests.statemachines.explored import CANCEL, EVE, PUT_RIGHT, anna, delivered, explored, merchant, paid

MIA = Actor("mia", Role.MERCHANT)
CLAIM = {"dispute": "dp_1", "amount": 1000, "currency": "EUR"}
TOLD = [
    Dispute.model_validate({**CLAIM, "reason": "fraud"}),
    DisputeWon.model_validate(CLAIM),
    DisputeLost.model_validate(CLAIM),
]
DISPUTE = [Move("payment", event, SYSTEM, None) for event in TOLD]
BY_SHOP = merchant("order", Refund(amount=600), 1)
BY_ANNA = anna("order", Refund(amount=400), 1)


def test_refunds_that_the_shop_and_approvers_decide_on() -> None:
    seen = explored(
        paid(refund=RefundPolicy(approval_above=500)),
        BY_SHOP,
        BY_ANNA,
        Move("refund", Accept(), MIA, None),
        merchant("refund", Refuse(reason="no")),
        anna("refund", Cancel()),
        Move("approval", lambda asked: ApproveRequest(round=asked.round), EVE, None),
        Move("approval", lambda asked: Reject(round=asked.round, reason="no"), EVE, None),
        CANCEL[1],
        *PUT_RIGHT[2:4],
    )
    assert seen.reached["refund"] >= {"requested", "awaiting_approval", "succeeded", "rejected", "cancelled", "failed"}
    assert seen.reached["approval"] >= {"approved", "rejected", "withdrawn"}
    assert seen.idle == ()


def test_refunds_of_a_payment_that_is_disputed() -> None:
    seen = explored(paid(), BY_SHOP, merchant("order", Refund(amount=400), 1), *DISPUTE, CANCEL[1], *PUT_RIGHT[1:4])
    assert seen.reached["payment"] >= {"disputed", "dispute_won", "dispute_lost"}
    assert seen.reached["order"] >= {"cancelled", "cancellation_failed"}


def test_a_dispute_while_a_parcel_leaves() -> None:
    parcel = [merchant("shipment", each) for each in (Dispatch(), Deliver(), Lose())]
    seen = explored(paid(), merchant("order", Ship(), 1), *parcel, *DISPUTE, CANCEL[1], *PUT_RIGHT[1:])
    assert seen.reached["payment"] >= {"disputed", "dispute_won", "dispute_lost"}
    assert seen.reached["order"] >= {"cancelled", "cancellation_failed", "completed"}


def test_a_dispute_while_pieces_come_back() -> None:
    inspect = Inspect.model_validate({"lines": [{"number": 1, "accepted": 1}]})
    back = [merchant("return", each) for each in (Approve(), Receive(), inspect)]
    seen = explored(delivered(), anna("order", RequestReturn(), 1), *DISPUTE, *back, *PUT_RIGHT[1:3])
    assert seen.reached["return"] >= {"closed", "refunding", "refunded"}
    assert seen.reached["order"] == {"delivered", "completed", "returned"}


def test_money_that_was_given_back_and_does_not_arrive() -> None:
    came_back = [RefundReturned(amount=amount, refund="gw_rfd_0001", reason="closed") for amount in (600, 1000)]
    moves = [BY_SHOP, CANCEL[1], *(Move("refund", each, SYSTEM, 2) for each in came_back), *PUT_RIGHT[1:4]]
    seen = explored(paid(), *moves)
    assert seen.reached["refund"] >= {"failed", "succeeded"}
    assert seen.idle == ()
