"""Whatever is asked back, approved, refused, disputed or called off: never more goes back than was taken."""

from statemachines.approval.events import Approve, Reject
from statemachines.declaration import Actor, Role
from statemachines.exploration import Move
from statemachines.machine import SYSTEM
from statemachines.order.events import Refund
from statemachines.payment.events import Dispute, DisputeLost, DisputeWon
from statemachines.refund.events import Accept, Cancel, Refuse
from statemachines.refund.model import RefundPolicy
from tests.statemachines.explored import CANCEL, EVE, PUT_RIGHT, anna, explored, merchant, paid

MIA = Actor("mia", Role.MERCHANT)
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
        Move("approval", lambda asked: Approve(round=asked.round), EVE, None),
        Move("approval", lambda asked: Reject(round=asked.round, reason="no"), EVE, None),
        CANCEL[1],
        *PUT_RIGHT[1:4],
    )
    assert seen.reached["refund"] >= {"requested", "awaiting_approval", "succeeded", "rejected", "cancelled", "failed"}
    assert seen.reached["approval"] >= {"approved", "rejected", "withdrawn"}
    assert seen.idle == ()


def test_refunds_of_a_payment_that_is_disputed() -> None:
    claim = {"dispute": "dp_1", "amount": 1000, "currency": "EUR"}
    told = [Dispute(reason="fraud", **claim), DisputeWon(**claim), DisputeLost(**claim)]
    seen = explored(
        paid(),
        BY_SHOP,
        merchant("order", Refund(amount=400), 1),
        *(Move("payment", each, SYSTEM, None) for each in told),
        CANCEL[1],
        *PUT_RIGHT[1:4],
    )
    assert seen.reached["payment"] >= {"disputed", "dispute_won", "dispute_lost"}
    assert seen.reached["order"] >= {"cancelled", "cancellation_failed"}
