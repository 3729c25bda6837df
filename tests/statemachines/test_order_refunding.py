"""How money goes back: by refunds of its payments, the oldest first, and by the customer's bank."""

import pytest
from pydantic import ValidationError

from statemachines.letters import RefundMade
from statemachines.order import Cancel, Refund, RefundAgain, RequestReturn
from statemachines.payment.events import DisputeLost, DisputeWon
from statemachines.payments import REFUND
from statemachines.pieces import Pieces
from statemachines.refund.events import Accept, Clarify, Refuse, Settle
from statemachines.values import MAX_AMOUNT, money
from tests.statemachines.shop import ANNA, MERCHANT, Seen
from tests.statemachines.store import Store, pay, pieces

ONE = {"number": 1, "quantity": 1}


def given(store: Store) -> list[int]:
    """Return what the gateway was asked to give back, each time."""
    return [call.amount for call in store.asked_of(REFUND)]


def in_two_payments(store: Store) -> Seen:
    """Place an order of 25.00 EUR that was paid by 10.00 and 15.00 EUR."""
    order = store.pending(MUG=2)
    for amount in (1000, 1500):
        store.tell(order, pay(amount), ANNA)
        store.charged(order)
    return order


# -- asking


def test_the_shop_gives_an_amount_back(store: Store):
    order = store.paid(MUG=2)

    store.tell(order, Refund(amount=500, reason="a scratch"))
    assert (order.state, order.refunding, order.refunded) == ("processing", 500, 0)
    store.refunded(order)

    assert (order.refunding, order.refunded, given(store)) == (0, 500, [500])


def test_the_customer_is_told_what_was_given_back(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund(amount=500))

    store.refunded(order)

    assert [letter.amount for letter in store.letters(RefundMade)] == [500]


def test_the_price_of_some_pieces_is_given_back(store: Store):
    order = store.completed(MUG=2, POT=1)

    store.tell(order, Refund(lines=pieces(2, 1)))

    assert order.refunding == 4000


def test_all_that_is_left_is_given_back(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund(amount=500))

    store.tell(order, Refund())

    assert order.refunding == 2500


def test_what_a_customer_asks_for_waits_for_the_shop(store: Store):
    order = store.completed(MUG=2)

    store.tell(order, Refund(amount=500), ANNA)
    assert (order.refunding, given(store), store.last("refund").state) == (500, [], "requested")
    store.tell(store.last("refund"), Accept())

    assert given(store) == [500]


def test_what_the_shop_refuses_may_be_asked_for_once_more(store: Store):
    order = store.completed(MUG=2)
    store.tell(order, Refund(), ANNA)

    store.tell(store.last("refund"), Refuse(reason="it is used"))
    assert (order.refunding, order.attention) == (0, "refund of 25.00 EUR dropped: it is used")
    store.tell(order, Refund(), ANNA)

    assert order.refunding == 2500


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (Refund(amount=1, lines=pieces(1, 1)), "give either an amount or lines"),
        (Refund(lines=pieces(2, 1)), "the order has no line 2"),
        (Refund(lines=pieces(1, 3)), "line 1: 3 to refund, 2 kept and not refunded before"),
        (Refund(lines=(Pieces(number=1, quantity=2),) * 2), "line 1: 4 to refund, 2 kept and not refunded before"),
        (
            Refund(amount=2001),
            "20.01 EUR asked back, but 25.00 EUR were taken and 5.00 EUR of it are back, on their way back or lost",
        ),
    ],
)
def test_never_more_is_given_back_than_was_taken(store: Store, event: Refund, reason: str):
    order = store.paid(MUG=2)
    store.tell(order, Refund(amount=500))

    assert store.why(order, event) == reason
    assert order.refunding == 500


def test_of_an_order_of_which_nothing_was_taken_nothing_is_given_back(store: Store):
    assert store.why(store.held(MUG=2), Refund()) == "there is nothing to give back"


def test_once_everything_is_back_there_is_nothing_to_give_back(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund())

    assert store.why(order, Refund()) == "there is nothing to give back"


def test_pieces_are_refunded_once(store: Store):
    order = store.paid(MUG=2, POT=1)
    store.tell(order, Refund(lines=pieces(1, 2)))
    store.refunded(order)

    assert store.why(order, Refund(lines=pieces(1, 1))) == "line 1: 1 to refund, 0 kept and not refunded before"


def test_pieces_that_several_payments_give_back_are_counted_once(store: Store):
    order = in_two_payments(store)
    store.tell(order, Refund(lines=pieces(1, 1)))
    store.tell(order, Refund(lines=pieces(1, 1)))

    assert (order.refunding, given(store)) == (2500, [1000, 250, 1250])
    assert [refund.lines for refund in store.all("refund")] == [[ONE], [], [ONE]]


def test_pieces_of_which_a_refund_was_refused_can_be_refunded(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund(lines=pieces(1, 2)), ANNA)
    store.tell(store.last("refund"), Refuse(reason="why?"))

    store.tell(order, Refund(lines=pieces(1, 2)))

    assert order.refunding == 2500


# -- of several payments


def test_of_several_payments_the_oldest_gives_first(store: Store):
    order = in_two_payments(store)

    store.tell(order, Refund(amount=1200))
    assert [(refund.payment_id, refund.amount) for refund in store.all("refund")] == [
        ("pay_0001", 1000),
        ("pay_0002", 200),
    ]
    store.refunded(order)
    store.refunded(order)

    assert (order.refunded, [payment.refunded for payment in store.all("payment")]) == (1200, [1000, 200])


def test_of_several_payments_one_may_fail_and_the_other_not(store: Store):
    order = in_two_payments(store)
    store.tell(order, Refund())

    store.refund_refused(order)
    store.refunded(order)

    assert (order.refunding, order.refund_due, order.refunded) == (0, 1000, 1500)


# -- when the gateway refuses


def test_a_failed_refund_is_shown_to_a_person(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund())

    store.refund_refused(order)

    assert (order.refunding, order.refunded, order.refund_due) == (0, 0, 2500)
    assert order.attention == "refund of 25.00 EUR failed: account closed"
    assert [post.endswith(f"for order {order.id} needs attention: account closed") for post in store.chat] == [True]


def test_a_refused_refund_stays_due_and_is_asked_again(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund())
    store.refund_refused(order)

    store.tell(order, RefundAgain())
    assert (order.refunding, order.refund_due, order.attention) == (2500, 0, None)
    store.refunded(order)

    assert (order.refunded, store.why(order, RefundAgain())) == (2500, "no refund has failed")


def test_a_refund_may_be_given_in_another_way(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund())
    store.refund_refused(order)

    store.tell(store.last("refund"), Settle(reason="by bank transfer"))

    assert (order.refund_due, order.refunded, order.attention) == (0, 2500, None)


def test_what_the_gateway_never_answered_is_not_asked_again(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund())
    store.wait(hours=24)

    assert store.why(order, RefundAgain()) == (
        "the gateway has not said whether it gave the money back; look there, and clarify the refund"
    )


@pytest.mark.parametrize(("was_given", "due", "refunded"), [(True, 0, 2500), (False, 2500, 0)])
def test_what_the_gateway_never_answered_is_for_a_person_to_clarify(
    store: Store, was_given: bool, due: int, refunded: int
):
    order = store.paid(MUG=2)
    store.tell(order, Refund())
    store.wait(hours=24)
    assert (order.refund_due, order.refunding) == (2500, 0)

    store.tell(store.last("refund"), Clarify(given=was_given, reason="as the gateway shows"))

    assert (order.refund_due, order.refunded) == (due, refunded)


def test_a_refund_that_comes_back_is_due_again(store: Store):
    order = store.paid(MUG=2)
    store.tell(order, Refund())
    store.refunded(order)

    store.came_back(store.last("refund"))
    assert (order.refunded, order.refund_due) == (0, 2500)
    store.tell(order, RefundAgain())
    store.refunded(order)

    assert (order.refunded, order.refund_due) == (2500, 0)


# -- when the customer's bank takes money back


def test_what_the_bank_claims_is_counted_as_gone(store: Store):
    order = store.paid(MUG=2)

    store.claims(store.last("payment"), 2500)

    assert (order.state, order.charged_back, order.refundable) == ("processing", 2500, 0)
    assert order.attention == "the customer's bank claims 25.00 EUR back: fraudulent"
    assert store.chat[-1].endswith("needs attention: the bank claims 25.00 EUR back: fraudulent")


def test_what_the_bank_gives_back_is_ours_again(store: Store):
    order = store.paid(MUG=2)
    store.claims(store.last("payment"), 2500)

    store.system(store.last("payment"), DisputeWon(dispute="du_1", amount=2500, currency="EUR"))

    assert (order.charged_back, order.refundable) == (0, 2500)


def test_what_the_bank_keeps_stays_gone(store: Store):
    order = store.paid(MUG=2)
    store.claims(store.last("payment"), 2500)

    store.system(store.last("payment"), DisputeLost(dispute="du_1", amount=2500, currency="EUR"))

    assert (order.charged_back, store.why(order, Refund())) == (2500, "there is nothing to give back")


def test_what_the_bank_claims_is_not_given_back_too(store: Store):
    order = store.paid(MUG=2)
    store.claims(store.last("payment"), 1500)

    store.tell(order, Refund())
    assert (order.refunding, given(store), store.last("refund").state) == (1000, [], "approved")
    store.system(store.last("payment"), DisputeLost(dispute="du_1", amount=1500, currency="EUR"))

    assert given(store) == [1000]


def test_money_that_the_bank_claimed_need_not_be_given_back_when_the_order_is_called_off(store: Store):
    order = store.paid(MUG=2)
    store.claims(store.last("payment"), 2500)

    store.tell(order, Cancel())

    assert (order.state, order.charged_back, given(store)) == ("cancelled", 2500, [])


def test_money_that_is_won_back_for_an_order_that_was_called_off_is_given_back(store: Store):
    order = store.paid(MUG=2)
    store.claims(store.last("payment"), 2500)
    store.tell(order, Cancel())

    store.system(store.last("payment"), DisputeWon(dispute="du_1", amount=2500, currency="EUR"))
    store.refunded(order)

    assert (order.state, order.charged_back, order.refunded) == ("cancelled", 0, 2500)


# -- other currencies


@pytest.mark.parametrize(("currency", "text"), [("JPY", "1250 JPY"), ("KWD", "1.250 KWD"), ("EUR", "12.50 EUR")])
def test_amounts_are_told_in_the_units_of_their_currency(store: Store, currency: str, text: str):
    store.sells("FAN", price=1250, currency=currency)
    order = store.paid(FAN=1)
    store.tell(order, Refund())

    store.refund_refused(order)

    assert money(1250, currency) == text
    assert order.attention == f"refund of {text} failed: account closed"


# -- what is not even asked


@pytest.mark.parametrize("amount", [0, -1, MAX_AMOUNT + 1, 2**63, 2**64, "500", 1.5, True])
def test_a_refund_is_a_positive_whole_number_of_minor_units(amount: object):
    with pytest.raises(ValidationError, match="amount"):
        Refund.model_validate({"amount": amount})


@pytest.mark.parametrize("event", [Refund, RequestReturn])
@pytest.mark.parametrize("line", [{"number": 0, "quantity": 1}, {"number": 1, "quantity": 0}, {"number": 1}])
def test_pieces_are_named_by_line_and_number(event: type[Refund], line: dict[str, int]):
    with pytest.raises(ValidationError, match="lines"):
        event.model_validate({"lines": [line]})


def test_a_customer_and_the_shop_ask_for_refunds():
    assert Refund.raised_by == {ANNA.role, MERCHANT.role}
