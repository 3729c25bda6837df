"""How money that is held ready is taken when parcels leave, and what is not needed let go."""

from statemachines.order import Edit, Fulfill, Pay, Ship
from statemachines.payment.events import Void
from statemachines.payments import CAPTURE, VOID
from statemachines.pieces import Pieces
from statemachines.shipment.events import Lose, SendBack
from tests.statemachines.shop import ANNA
from tests.statemachines.store import Store, ship

# -- the money that was held for them


def test_what_a_parcel_holds_is_taken_when_it_leaves(store: Store):
    order = store.held(MUG=2, POT=1)
    first, _ = store.in_two_parcels(order)

    store.dispatch(first)
    assert [(call.amount, call.final) for call in store.asked_of(CAPTURE)] == [(2500, False)]
    store.captured(order)

    assert (order.paid, order.authorized) == (2500, 4000)


def test_with_the_last_parcel_the_rest_is_taken_for_good(store: Store):
    order = store.held(MUG=2, POT=1)
    first, second = store.in_two_parcels(order)
    store.dispatch(first)
    store.captured(order)

    store.dispatch(second)
    store.captured(order)

    assert [(call.amount, call.final) for call in store.asked_of(CAPTURE)] == [(2500, False), (4000, True)]
    assert (order.state, order.paid, order.authorized) == ("fulfilled", 6500, 0)
    assert store.last("payment").state == "captured"


def test_parcels_that_leave_before_the_gateway_answers_are_paid_one_after_the_other(store: Store):
    order = store.held(MUG=2, POT=1)
    first, second = store.in_two_parcels(order)
    store.dispatch(first)
    store.dispatch(second)

    store.captured(order)
    store.captured(order)

    assert (order.paid, order.authorized) == (6500, 0)


def test_parts_of_a_discounted_line_sum_to_its_price(store: Store):
    order = store.submitted(store.discounted(1000, MUG=3))
    store.tell(order, Pay(method="tok_approve", take="later"), ANNA)
    store.authorized(order)

    for _ in range(3):
        store.tell(order, ship(1, 1))
        store.dispatch(store.last("shipment"))
        store.captured(order)

    assert (order.paid, order.authorized, order.total) == (2750, 0, 2750)


def test_of_several_payments_the_oldest_is_taken_first(store: Store):
    order = store.pending(MUG=2, POT=1)
    for amount in (3000, 3500):
        store.tell(order, Pay(method="tok_approve", amount=amount, take="later"), ANNA)
        store.authorized(order)
    first, second = store.in_two_parcels(order)

    store.dispatch(first)
    store.captured(order)
    assert [payment.captured for payment in store.all("payment")] == [2500, 0]
    store.dispatch(second)
    store.captured(order)
    store.captured(order)

    assert [payment.captured for payment in store.all("payment")] == [3000, 3500]


def test_what_is_held_and_no_longer_needed_is_let_go_with_the_last_parcel(store: Store):
    order = store.held(MUG=2, POT=1)
    store.tell(order, Edit(remove=(Pieces(number=2, quantity=1),)))

    store.tell(order, Fulfill())
    store.captured(order)

    assert (order.paid, order.authorized, store.last("payment").state) == (2500, 0, "captured")


def test_a_payment_of_which_nothing_is_needed_is_let_go_with_the_last_parcel(store: Store):
    order = store.pending(MUG=2, POT=1)
    for amount in (2500, 4000):
        store.tell(order, Pay(method="tok_approve", amount=amount, take="later"), ANNA)
        store.authorized(order)
    store.tell(order, Edit(remove=(Pieces(number=2, quantity=1),)))

    store.tell(order, Fulfill())
    store.captured(order)
    assert len(store.asked_of(VOID)) == 1
    store.voided(order)

    assert (order.paid, order.authorized, order.attention) == (2500, 0, None)


def test_of_what_is_held_beside_what_was_taken_the_rest_is_taken(store: Store):
    order = store.pending(MUG=2, POT=1)
    store.tell(order, Pay(method="tok_approve", amount=2500), ANNA)
    store.charged(order)
    store.tell(order, Pay(method="tok_approve", take="later"), ANNA)
    store.authorized(order)
    store.tell(order, Edit(remove=(Pieces(number=1, quantity=2),)))

    store.tell(order, Fulfill())
    store.captured(order)

    assert (order.total, order.paid, order.refunding, order.authorized) == (4000, 4000, 0, 0)


def test_money_that_is_let_go_and_not_needed_does_not_stop_the_order(store: Store):
    order = store.pending(MUG=2, POT=1)
    for amount in (2500, 4000):
        store.tell(order, Pay(method="tok_approve", amount=amount, take="later"), ANNA)
        store.authorized(order)
    store.tell(order, Edit(remove=(Pieces(number=2, quantity=1),)))

    store.tell(store.last("payment"), Void())
    store.voided(order)

    assert (order.state, order.authorized, order.attention) == ("processing", 2500, None)


def test_money_that_somebody_lets_go_does_not_keep_a_parcel_from_leaving(store: Store):
    order = store.held(MUG=2)
    store.tell(order, Ship())
    store.tell(store.last("payment"), Void())

    store.dispatch(store.last("shipment"))

    assert (order.state, store.asked_of(CAPTURE)) == ("fulfilled", [])


def test_a_capture_that_is_refused_is_for_a_person_to_settle(store: Store):
    order = store.held(MUG=2)
    store.tell(order, Fulfill())

    store.capture_refused(order)

    assert (order.state, order.paid, order.authorized, order.attention) == (
        "fulfilled",
        0,
        2500,
        "a payment is stuck: expired",
    )
    assert store.chat[-1].endswith("the gateway won't take what it holds: expired")


def test_what_is_taken_at_once_is_not_taken_again_when_the_parcel_leaves(store: Store):
    store.fulfilled(MUG=2)

    assert store.asked_of(CAPTURE) == []


def test_a_parcel_that_is_sent_again_is_not_paid_again(store: Store):
    order = store.held(MUG=2)
    store.tell(order, Fulfill())
    store.captured(order)
    store.tell(store.last("shipment"), SendBack())

    store.tell(order, Fulfill())

    assert (order.state, order.paid, len(store.asked_of(CAPTURE))) == ("fulfilled", 2500, 1)


def test_what_a_person_should_look_at_stays_when_other_money_is_taken(store: Store):
    order = store.held(MUG=2, POT=1)
    first, second = store.in_two_parcels(order)
    store.dispatch(first)
    store.captured(order)
    store.tell(first, Lose())
    lost = order.attention

    store.dispatch(second)
    store.captured(order)

    assert (order.paid, order.attention) == (6500, lost)
    assert "is lost" in lost
