"""When others have to agree first: orders above a limit."""

from collections.abc import Iterator

from statemachines.approval import ApprovalOpened, Approved, Rejected, Resubmit
from statemachines.approval import Request as RequestApproval
from statemachines.approval import Withdraw as WithdrawApproval
from statemachines.commands import Command, Send, Set, Spawn
from statemachines.declaration import Actor
from statemachines.order.basket import changed_total
from statemachines.order.events import Cancel, Edit, Explain
from statemachines.order.model import Order, OrderLine, OrderPolicy
from statemachines.product import Product
from statemachines.values import money


def needs_approval(order: Order, policy: OrderPolicy) -> str | None:
    """Hold if orders of this size need an approval."""
    if policy.approval_above is not None and order.total > policy.approval_above:
        return None
    return "the order is not above the limit for approvals"


def stays_within_limit(
    order: Order, event: Edit, lines: list[OrderLine], products: dict[str, Product], policy: OrderPolicy
) -> str | None:
    """Refuse to let a paid order grow beyond what goes without an approval."""
    limit, total = policy.approval_above, changed_total(order, event, lines, products)
    if limit is None or total <= max(limit, order.total):
        return None
    return f"above {money(limit, order.currency)} an order has to be approved first; place another one for more"


def is_what_was_approved(order: Order, event: Approved) -> str | None:
    """Refuse an approval of something else."""
    if (event.approval, event.amount, event.currency) == (order.approval, order.total, order.currency):
        return None
    return f"'{event.approval}' is of {money(event.amount or 0, event.currency or '')}, not of this order"


def ask_approval(order: Order, actor: Actor) -> Iterator[Command]:
    """Ask those who decide on orders of this size."""
    yield Spawn(
        "approval",
        RequestApproval(
            kind="order",
            machine="order",
            reference=order.id,
            description=_description(order),
            amount=order.total,
            currency=order.currency,
            requested_by=actor.id,
        ),
    )


def note_approval(event: ApprovalOpened) -> Iterator[Command]:
    """Note which approval it waits for."""
    yield Set(approval=event.approval)


def explain(order: Order, event: Explain) -> Iterator[Command]:
    """Let those who approve decide anew, knowing more."""
    assert order.approval is not None
    yield Send("approval", order.approval, Resubmit(description=f"{_description(order)}: {event.reason}"[:500]))


def note_rejection(event: Rejected) -> Iterator[Command]:
    """Note why it was not approved."""
    yield Set(attention=f"not approved: {event.reason}")


def ask_no_longer(order: Order, event: Cancel) -> Iterator[Command]:
    """Let those who decide go home."""
    assert order.approval is not None
    yield Send("approval", order.approval, WithdrawApproval(reason=event.reason or "the order was called off"))


def _description(order: Order) -> str:
    return f"order {order.called} of {order.customer}"
