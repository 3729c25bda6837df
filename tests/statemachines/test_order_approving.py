"""Orders above a limit, which others have to agree to first."""

import pytest

from statemachines.approval import Approve, Approved, Reject, RequestChanges, Withdraw
from statemachines.letters import OrderCancelled, PaymentReminder
from statemachines.machine import SYSTEM
from statemachines.order import Cancel, Edit, Explain, OrderPolicy, Pay, Submit
from statemachines.values import money
from tests.statemachines.office import approver
from tests.statemachines.shop import ANNA, Seen
from tests.statemachines.store import Store, asked


@pytest.fixture
def strict() -> Store:
    """A store in which orders above 24.99 EUR need an approval."""
    return Store.stocked(order=OrderPolicy(approval_above=2499))


def approve(store: Store) -> None:
    store.tell(store.last("approval"), Approve(round=1), approver("eve"))


def waiting(store: Store) -> Seen:
    return store.pending(MUG=2)


def test_a_large_order_waits_for_its_approval(strict: Store):
    order = waiting(strict)

    approval = strict.last("approval")
    assert (order.state, order.approval, strict.shelf()) == ("awaiting_approval", approval.id, (10, 2))
    assert (approval.kind, approval.reference, approval.amount) == ("order", order.id, 2500)


def test_who_approves_may_ask_for_more_and_decides_anew(strict: Store):
    order = waiting(strict)
    approval = strict.last("approval")
    strict.tell(approval, RequestChanges(round=1, reason="what for?"), approver("eve"))
    assert (order.state, approval.state) == ("awaiting_approval", "changes_requested")

    strict.tell(order, Explain(reason="a wedding"), ANNA)
    assert (approval.state, approval.description) == ("pending", f"order {order.id} of anna: a wedding")
    strict.tell(approval, Approve(round=2), approver("eve"))

    assert order.state == "pending"


@pytest.mark.parametrize("limit", [None, 2500])
def test_an_order_up_to_the_limit_needs_no_approval(limit: int | None):
    store = Store.stocked(order=OrderPolicy(approval_above=limit))

    assert waiting(store).state == "pending"


def test_an_approved_order_is_to_be_paid(strict: Store):
    order = waiting(strict)

    approve(strict)

    (letter,) = strict.letters(PaymentReminder)
    assert (order.state, letter.total) == ("pending", 2500)
    assert (letter.expires_at - strict.world.now).seconds == 30 * 60


def test_an_approved_order_is_paid_like_any_other(strict: Store):
    order = waiting(strict)
    approve(strict)

    strict.pay(order)

    assert (order.state, strict.shelf()) == ("processing", (8, 0))


def test_an_order_that_is_not_approved_is_called_off(strict: Store):
    order = waiting(strict)

    strict.tell(strict.last("approval"), Reject(round=1, reason="too dear"), approver("eve"))

    assert (order.state, order.attention, strict.shelf()) == ("cancelled", "not approved: too dear", (10, 0))
    assert [letter.reason for letter in strict.letters(OrderCancelled)] == ["too dear"]


def test_an_order_on_which_nobody_decides_is_called_off(strict: Store):
    order = waiting(strict)

    strict.wait(hours=72)

    assert (order.state, strict.shelf()) == ("cancelled", (10, 0))


def test_an_order_of_which_the_approval_is_withdrawn_is_called_off(strict: Store):
    order = waiting(strict)

    strict.tell(strict.last("approval"), Withdraw(), ANNA)

    assert (order.state, strict.shelf()) == ("cancelled", (10, 0))


def test_nobody_decides_on_an_order_that_was_called_off(strict: Store):
    order = waiting(strict)

    strict.tell(order, Cancel(), ANNA)

    assert (order.state, strict.shelf(), strict.last("approval").state) == ("cancelled", (10, 0), "withdrawn")


def test_a_customer_is_told_that_the_shop_called_an_order_off_before_it_was_approved(strict: Store):
    order = strict.pending(MUG=2)

    strict.tell(order, Cancel(reason="no longer made"))

    assert [letter.reason for letter in strict.letters(OrderCancelled)] == ["no longer made"]


def test_an_order_that_waits_is_neither_paid_nor_changed(strict: Store):
    order = waiting(strict)

    for event in (Pay(), Edit(add=asked(POT=1))):
        assert strict.why(order, event, ANNA).startswith("order in state 'awaiting_approval' takes no")


def test_an_order_that_waits_for_its_approval_does_not_expire(strict: Store):
    order = waiting(strict)

    strict.wait(hours=1)

    assert order.state == "awaiting_approval"


def test_nobody_is_asked_about_what_is_not_there(strict: Store):
    order = strict.draft(MUG=11)

    assert strict.why(order, Submit(), ANNA) == "not in stock: MUG: 11 asked, 10 available"
    assert strict.all("approval") == []


@pytest.mark.parametrize(("amount", "currency"), [(2499, "EUR"), (2500, "USD")])
def test_only_what_was_asked_for_is_approved(strict: Store, amount: int, currency: str):
    order = waiting(strict)
    told = Approved(approval=order.approval, amount=amount, currency=currency)

    assert strict.why(order, told, SYSTEM) == (f"'{order.approval}' is of {money(amount, currency)}, not of this order")


def test_nobody_approves_an_order_of_their_own(strict: Store):
    waiting(strict)

    refusal = strict.why(strict.last("approval"), Approve(round=1), approver("anna"))

    assert "anna" in refusal
