"""How pieces come back: over the counter, or by a return that is inspected."""

import pytest

from statemachines.declaration import Role
from statemachines.order import Complete, Fulfill, Refund, RequestReturn, Return
from statemachines.payments import REFUND
from statemachines.pieces import Pieces
from statemachines.returns.events import Approve, Depart, Inspect, Inspected, Receive, Reject
from statemachines.shipment.events import Deliver, SendBack
from tests.statemachines.shop import ANNA, Seen
from tests.statemachines.store import Store, pieces


def completed_at(store: Store, discount: int, **bought: int) -> Seen:
    """Return a completed order of which the shop took something off."""
    order = store.submitted(store.discounted(discount, **bought))
    store.pay(order)
    store.tell(order, Fulfill())
    store.tell(order, Complete(), ANNA)
    return order


def opened(store: Store, order: Seen, event: RequestReturn | None = None) -> Seen:
    """Ask for a return, and let its pieces arrive."""
    store.tell(order, event or RequestReturn(), ANNA)
    case = store.last("return")
    for step in (Approve(), Depart(), Receive()):
        store.tell(case, step)
    return case


def found(number: int, accepted: int = 0, damaged: int = 0, refused: int = 0, percent: int = 100) -> Inspect:
    line = Inspected(number=number, accepted=accepted, damaged=damaged, refused=refused, percent=percent)
    return Inspect(lines=(line,))


# -- over the counter


def test_a_full_return_restocks_and_refunds_everything(store: Store):
    order = store.completed(MUG=2, POT=1)

    store.tell(order, Return())

    assert (order.state, order.refunding) == ("returned", 6500)
    assert (store.shelf("MUG"), store.shelf("POT")) == ((10, 0), (5, 0))


def test_a_partial_return_by_line_leaves_the_order_completed(store: Store):
    order = store.completed(MUG=3, POT=1)

    store.tell(order, Return(lines=pieces(1, 2)))

    assert (order.state, order.refunding, store.shelf()) == ("completed", 2500, (9, 0))
    assert store.counted(order, "returned") == [2, 0]


def test_the_rest_of_a_partial_return_closes_the_order(store: Store):
    order = store.completed(MUG=3)
    store.tell(order, Return(lines=pieces(1, 2)))
    store.refunded(order)

    store.tell(order, Return())

    assert (order.state, order.refunded, order.refunding, store.shelf()) == ("returned", 2500, 1250, (10, 0))


def test_parts_of_a_discounted_line_come_back_for_its_whole_price(store: Store):
    order = completed_at(store, 1000, MUG=3)

    for _ in range(3):
        store.tell(order, Return(lines=pieces(1, 1)))
        store.refunded(order)

    assert (order.total, order.refunded) == (2750, 2750)
    assert sorted(call.amount for call in store.asked_of(REFUND)) == [916, 917, 917]


def test_never_more_comes_back_than_was_bought(store: Store):
    order = store.completed(MUG=3)
    store.tell(order, Return(lines=pieces(1, 2)))
    twice = (Pieces(number=1, quantity=1), Pieces(number=1, quantity=1))

    refusal = store.why(order, Return(lines=twice))

    assert refusal == "line 1: 2 to return, but 3 bought and 2 returned before"
    assert (order.refunding, store.shelf()) == (2500, (9, 0))


def test_more_of_one_line_does_not_make_up_for_another(store: Store):
    order = store.completed(MUG=2, POT=1)

    assert store.why(order, Return(lines=pieces(1, 3))) == ("line 1: 3 to return, but 2 bought and 0 returned before")


def test_what_is_coming_back_already_does_not_come_back_over_the_counter(store: Store):
    order = store.completed(MUG=2)
    store.tell(order, RequestReturn(), ANNA)

    assert store.why(order, Return()) == "everything was returned before"
    assert store.why(order, Return(lines=pieces(1, 1))) == ("line 1: 1 to return, but 2 bought and 2 returned before")


def test_a_customer_who_asks_after_31_days_is_too_late(store: Store):
    order = store.completed(MUG=2)
    store.wait(days=31)

    assert store.why(order, RequestReturn(), ANNA) == "completed 31 days ago; the return window is 30 days"


def test_only_lines_of_the_order_come_back(store: Store):
    assert store.why(store.completed(MUG=3), Return(lines=pieces(2, 1))) == "the order has no line 2"


def test_a_return_after_31_days_is_refused_with_the_figures(store: Store):
    order = store.completed(MUG=3)

    store.wait(days=31)

    assert store.why(order, Return()) == "completed 31 days ago; the return window is 30 days"


def test_a_return_on_the_30th_day_is_accepted(store: Store):
    order = store.completed(MUG=3)
    store.wait(days=30)

    store.tell(order, Return())

    assert order.state == "returned"


def test_what_was_given_back_before_is_not_given_back_again(store: Store):
    order = store.completed(MUG=2)
    store.tell(order, Refund(amount=2000))

    store.tell(order, Return())

    assert (order.state, order.refunding) == ("returned", 2500)


@pytest.mark.parametrize(("bought", "owed"), [(1, 0), (2, 1250)])
def test_the_price_of_a_piece_that_was_refunded_and_kept_is_not_given_again_when_it_comes_back(
    store: Store, bought: int, owed: int
):
    order = store.completed(MUG=bought, POT=1)
    store.tell(order, Refund(lines=pieces(1, 1)))
    store.refunded(order)

    store.tell(order, Return(lines=pieces(1, bought)))

    assert order.refunding == owed


# -- by a return


def test_a_customer_asks_to_send_pieces_back(store: Store):
    order = store.delivered(MUG=3)

    store.tell(order, RequestReturn(lines=pieces(1, 2)), ANNA)

    assert (order.state, store.counted(order, "coming_back"), order.refunding) == ("delivered", [2], 0)
    assert (store.last("return").state, store.last("return").order_id) == ("requested", order.id)


def test_what_is_coming_back_is_not_asked_for_twice(store: Store):
    order = store.delivered(MUG=3)
    store.tell(order, RequestReturn(lines=pieces(1, 2)), ANNA)

    assert store.why(order, RequestReturn(lines=pieces(1, 2)), ANNA) == (
        "line 1: 2 to return, but 3 bought and 2 returned before"
    )


def test_once_everything_is_coming_back_there_is_nothing_to_ask_for(store: Store):
    order = store.delivered(MUG=3)
    store.tell(order, RequestReturn(), ANNA)

    assert store.why(order, RequestReturn(), ANNA) == "everything was returned before"


def test_what_the_shop_does_not_take_back_stays_with_the_customer(store: Store):
    order = store.delivered(MUG=3)
    store.tell(order, RequestReturn(), ANNA)

    store.tell(store.last("return"), Reject(reason="it is used"))

    assert (order.state, store.counted(order, "coming_back"), order.refunding) == ("delivered", [0], 0)


def test_sound_pieces_go_back_on_the_shelf_and_are_refunded(store: Store):
    order = store.delivered(MUG=3)
    case = opened(store, order, RequestReturn(lines=pieces(1, 2)))

    store.tell(case, found(1, accepted=2))
    assert (order.refunding, store.shelf(), case.state) == (2500, (9, 0), "refunding")
    store.refunded(order)

    assert (order.state, order.refunded, case.state) == ("delivered", 2500, "refunded")
    assert (store.counted(order, "coming_back"), store.counted(order, "returned")) == ([0], [2])


def test_an_order_of_which_everything_came_back_is_returned(store: Store):
    order = store.delivered(MUG=3)

    store.tell(opened(store, order), found(1, accepted=3))

    assert (order.state, order.refunding) == ("returned", 3750)


@pytest.mark.parametrize(
    ("percent", "refunded"),
    [(100, 1250), (80, 1000), (50, 625), (33, 413), (1, 13), (0, 0)],
    ids=lambda figure: str(figure),
)
def test_damaged_pieces_are_refunded_in_part(store: Store, percent: int, refunded: int):
    order = store.delivered(MUG=3)
    case = opened(store, order, RequestReturn(lines=pieces(1, 1)))

    store.tell(case, found(1, damaged=1, percent=percent))

    assert (order.refunding, store.shelf(), store.counted(order, "returned")) == (refunded, (7, 0), [1])


def test_half_a_minor_unit_is_given_to_the_customer(store: Store):
    store.sells("PIN", price=1)
    order = store.delivered(PIN=1)

    store.tell(opened(store, order), found(1, damaged=1, percent=50))

    assert order.refunding == 1


def test_of_each_piece_what_was_found_of_it_counts(store: Store):
    order = store.delivered(MUG=3)

    store.tell(opened(store, order), found(1, accepted=1, damaged=1, refused=1, percent=60))

    assert (order.state, order.refunding, store.shelf()) == ("delivered", 1250 + 750, (8, 0))
    assert store.counted(order, "returned") == [2]


def test_nothing_is_owed_for_what_is_not_taken_back(store: Store):
    order = store.delivered(MUG=3)
    case = opened(store, order)

    store.tell(case, found(1, refused=3))

    assert (order.state, order.refunding, case.state) == ("delivered", 0, "closed")
    assert (store.counted(order, "coming_back"), store.counted(order, "returned")) == ([0], [0])


def test_what_was_not_taken_back_may_be_sent_once_more(store: Store):
    order = store.delivered(MUG=3)
    store.tell(opened(store, order), found(1, refused=3))

    store.tell(order, RequestReturn(), ANNA)

    assert store.counted(order, "coming_back") == [3]


def test_nothing_is_owed_for_what_cost_nothing(store: Store):
    order = completed_at(store, 2500, MUG=2)
    case = opened(store, order)

    store.tell(case, found(1, accepted=2))

    assert (order.state, order.refunding, case.state, store.shelf()) == ("returned", 0, "closed", (10, 0))


def test_nothing_is_owed_for_what_was_refunded_and_kept_before(store: Store):
    order = store.completed(MUG=1, POT=1)
    store.tell(order, Refund(lines=pieces(1, 1)))
    store.refunded(order)
    case = opened(store, order, RequestReturn(lines=pieces(1, 1)))

    store.tell(case, found(1, accepted=1))

    assert (order.refunding, case.state) == (0, "closed")


# -- other pieces instead


def exchanged(store: Store, **bought: int) -> Seen:
    """Return an order of which everything came back and was exchanged."""
    order = store.delivered(**bought)
    case = opened(store, order, RequestReturn(wish="exchange"))
    store.tell(case, found(1, accepted=sum(bought.values())))
    return order


def test_other_pieces_are_sent_instead(store: Store):
    order = exchanged(store, MUG=2)

    assert (order.state, order.refunding, order.parcels) == ("delivered", 0, 1)
    assert (store.last("shipment").state, store.last("return").state) == ("pending", "exchanged")
    assert store.shelf() == (8, 0)


def test_what_was_sent_instead_arrives_like_any_other_parcel(store: Store):
    order = exchanged(store, MUG=2)

    store.dispatch(store.last("shipment"))
    store.tell(store.last("shipment"), Deliver())

    assert (order.state, order.parcels, store.counted(order, "delivered")) == ("delivered", 0, [4])


def test_what_was_sent_instead_may_come_back_and_is_sent_again(store: Store):
    order = exchanged(store, MUG=2)
    store.dispatch(store.last("shipment"))

    store.tell(store.last("shipment"), SendBack())
    store.tell(order, Fulfill())
    store.tell(store.last("shipment"), Deliver())

    assert (order.state, order.parcels) == ("delivered", 0)


def test_damaged_pieces_are_exchanged_too(store: Store):
    order = store.delivered(MUG=2)
    case = opened(store, order, RequestReturn(wish="exchange"))

    store.tell(case, found(1, damaged=2))

    assert (order.parcels, store.shelf(), case.state) == (1, (6, 0), "exchanged")


def test_what_is_not_there_is_refunded_instead(store: Store):
    order = store.delivered(POT=5)
    case = opened(store, order, RequestReturn(lines=pieces(1, 1), wish="exchange"))

    store.tell(case, found(1, damaged=1))

    assert (order.refunding, order.parcels, case.state) == (4000, 0, "refunding")


def test_an_order_of_which_everything_came_back_and_nothing_is_sent_instead_is_returned(store: Store):
    order = store.delivered(POT=5)
    case = opened(store, order, RequestReturn(wish="exchange"))

    store.tell(case, found(1, damaged=5))

    assert (order.state, order.refunding, case.state) == ("returned", 20000, "refunding")


def test_what_was_exchanged_may_be_returned(store: Store):
    order = exchanged(store, MUG=2)
    store.dispatch(store.last("shipment"))
    store.tell(store.last("shipment"), Deliver())

    store.tell(opened(store, order), found(1, accepted=2))

    assert (order.state, order.refunding, store.shelf()) == ("returned", 2500, (10, 0))


# -- who may ask


def test_only_the_merchant_takes_back_over_the_counter():
    assert Return.raised_by == {Role.MERCHANT}


def test_nothing_is_sent_back_that_has_not_arrived(store: Store):
    refusal = store.why(store.paid(MUG=1), RequestReturn(), ANNA)

    assert refusal.startswith("order in state 'processing' takes no 'request_return'")
