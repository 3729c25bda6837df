"""When an order waits for a person: on hold, looked at for fraud, failed, or not paid in full after a change."""

from collections.abc import Iterator

from statemachines.commands import Command, Set
from statemachines.order.events import Fail, Hold, Suspect
from statemachines.order.model import Order, OrderLine, OrderPolicy
from statemachines.values import money


def has_lines(lines: list[OrderLine]) -> str | None:
    """Refuse an empty order."""
    return None if any(line.kept for line in lines) else "the order has no lines"


def asks_for_attention(order: Order) -> str | None:
    """Refuse if nobody was called."""
    return None if order.attention else "nothing asks for attention"


def note_reason(event: Hold | Suspect | Fail) -> Iterator[Command]:
    """Say what a person should look at."""
    yield Set(attention=event.reason)


def note_review(order: Order, policy: OrderPolicy) -> Iterator[Command]:
    """Say that the order is to be looked at for its size."""
    limit = money(policy.review_above or 0, order.currency)
    yield Set(attention=f"look for fraud: the order is above {limit}")


def note_extra_unpaid(order: Order) -> Iterator[Command]:
    """Say what the order lacks."""
    lacking = money(order.total - order.covered, order.currency)
    yield Set(attention=f"{lacking} were not paid in time; resume, edit or cancel the order")


def note_silence() -> Iterator[Command]:
    """Say that a person has to decide for a customer who does not, since parcels have left."""
    yield Set(attention="the customer does not answer, and parcels have left; go on without what can't be delivered")


def settle_attention() -> Iterator[Command]:
    """Nothing needs a person any more."""
    yield Set(attention=None)
