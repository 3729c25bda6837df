"""What has to hold can be broken: a machine that lacks a guard, an action or a row is found out, and how is shown."""

import re

import pytest

from statemachines.exploration import Move, Violated
from statemachines.order import order
from statemachines.order.approving import ask_no_longer
from statemachines.order.compensation import give_money_back
from statemachines.order.events import Fulfill, Refund, RequestReturn, Submit
from statemachines.order.ledger import record
from statemachines.order.model import OrderPolicy
from statemachines.order.returning import restock_sound
from statemachines.order.stocking import give_back_stock
from statemachines.refund.actions import record_success
from statemachines.refund.events import Retry
from statemachines.refund.guards import outcome_is_known
from statemachines.refund.machine import refund
from statemachines.refund.news import Refunded
from statemachines.returns.events import Approve, Inspect, Receive
from statemachines.shipment.events import Deliver
from statemachines.world import World
from tests.statemachines.explored import CANCEL, PUT_RIGHT, anna, delivered, explored, merchant, paid, shop
from tests.statemachines.lamps import changed

REFUND = merchant("order", Refund(amount=1000), 1)


def complaint(world: World, *moves: Move, database: bool = True) -> list[str]:
    """Return what is wrong, and the steps that lead there."""
    with pytest.raises(Violated) as found:
        explored(world, *moves, database=database)
    wrong, *way = str(found.value).splitlines()
    return [wrong, *(step.split(". ", 1)[1] for step in way if re.match(r" *\d+\. ", step))]


def test_an_order_that_keeps_its_pieces_when_it_expires() -> None:
    assert complaint(shop(other=changed(order, give_back_stock))) == [
        "an order that was called off leaves nothing behind: ord_0001 is cancelled and its pieces are reserved",
        "timer 'expire' of order ord_0001",
    ]


def test_a_return_that_puts_nothing_back_on_the_shelf() -> None:
    inspect = Inspect.model_validate({"lines": [{"number": 1, "accepted": 1}]})
    moves = [anna("order", RequestReturn(), 1), *(merchant("return", each) for each in (Approve(), Receive(), inspect))]
    assert complaint(delivered(other=changed(order, restock_sound)), *moves, PUT_RIGHT[2]) == [
        "no piece is lost or there twice: 2 on hand, 0 reserved; it should be 3 and 0",
        "anna: request_return()",
        "shop: approve()",
        "shop: receive()",
        f"shop: inspect(lines={inspect.lines})",
    ]


def test_a_refund_that_is_tried_again_before_its_outcome_is_known() -> None:
    moves = [REFUND, merchant("refund", Retry(), 1), PUT_RIGHT[2]]
    given = "payments.refund of rfd_0001 is answered: refunded(amount=1000, currency='EUR', refund='gw_rfd_0001')"
    assert complaint(paid(other=changed(refund, outcome_is_known)), *moves, database=False) == [
        "no more goes back than was taken: the gateway took 1000 and gave 2000 back",
        "shop: refund(amount=1000)",
        "timer 'unanswered' of refund rfd_0001",
        "shop: retry()",
        given,
        given,
    ]


def test_an_order_that_does_not_note_what_it_is_told() -> None:
    wrong, *_ = complaint(paid(other=changed(order, record)), REFUND)
    assert wrong == (
        "an order knows what its payments and refunds know: ord_0001 says refunded=0; its payments and refunds say 1000"
    )


def test_an_order_that_does_not_listen() -> None:
    wrong, *way = complaint(paid(other=changed(order, less=(Refunded, "processing"))), REFUND)
    assert wrong.startswith("nobody hears what is sent: order 'ord_0001' refused 'refunded'")
    assert len(way) == 2


def test_a_refund_that_the_database_would_not_take() -> None:
    wrong, *_ = complaint(paid(other=changed(refund, record_success)), REFUND)
    assert wrong.startswith("takes every row: Refund: ck_refunds_processed_at")


def test_an_order_that_keeps_the_money_and_waits_for_ever() -> None:
    sent = [merchant("order", Fulfill()), merchant("shipment", Deliver())]
    wrong, *way = complaint(paid(other=changed(order, give_money_back)), *sent, CANCEL[1], *PUT_RIGHT)
    assert wrong == "from here no way leads to rest: order ord_0001 in 'cancelling'"
    assert way == ["shop: cancel()"]


def test_an_approval_that_outlives_its_order() -> None:
    world = shop(submitted=False, order=OrderPolicy(approval_above=500), other=changed(order, ask_no_longer))
    assert complaint(world, anna("order", Submit()), CANCEL[0]) == [
        "nobody votes on what has ended: apr_0001 is pending, but ord_0001 is cancelled",
        "anna: submit()",
        "anna: cancel()",
    ]
