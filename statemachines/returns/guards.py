"""When something may happen to a return: each guard is a sentence that holds, or returns the reason why not."""

from collections import Counter

from statemachines.declaration import Actor, Role
from statemachines.refund.news import RefundDropped, Refunded, RefundSettled
from statemachines.returns.events import Inspect, Request
from statemachines.returns.model import ReturnCase, ReturnLine, ReturnPolicy
from statemachines.stock import MAX_ON_HAND, Stock
from statemachines.values import money


def the_shop_decides(event: Request, policy: ReturnPolicy) -> str | None:
    """Hold if there are more pieces than are approved by themselves."""
    pieces = sum(line.quantity for line in event.lines)
    if pieces > policy.approve_up_to:
        return None
    return f"{pieces} pieces; up to {policy.approve_up_to} are approved by themselves"


def the_label_is_awaited(case: ReturnCase) -> str | None:
    """Hold if the carrier has told of the parcel before it answered."""
    return None if case.label_asked else "no label is waited for any more"


def the_carrier_says_so(actor: Actor) -> str | None:
    """Hold if a message of the carrier tells it, not somebody of the shop."""
    return None if actor.role is Role.SYSTEM else "somebody of the shop says so"


# -- what was found ------------------------------------------------------------------------------------------------


def names_each_line_once(event: Inspect) -> str | None:
    """Refuse what says two things of one line."""
    numbers = Counter(line.number for line in event.lines)
    twice = sorted(number for number, times in numbers.items() if times > 1)
    return f"line {twice[0]} is named twice" if twice else None


def was_announced(event: Inspect, lines: list[ReturnLine]) -> str | None:
    """Refuse lines that the return is not of."""
    numbers = sorted(line.number for line in lines)
    strange = sorted({line.number for line in event.lines} - set(numbers))
    if not strange:
        return None
    return f"line {strange[0]} is not part of the return, which is of line {', '.join(map(str, numbers))}"


def accounts_for_every_piece(event: Inspect, lines: list[ReturnLine]) -> str | None:
    """Refuse a result that leaves pieces out, or knows of more than were announced."""
    found = {line.number: line.accepted + line.damaged + line.refused for line in event.lines}
    for line in lines:
        if (here := found.get(line.number, 0)) != line.quantity:
            return f"line {line.number}: {line.quantity} pieces announced, {here} accounted for"
    return None


def fits_the_shelf(event: Inspect, lines: list[ReturnLine], stock: dict[str, Stock]) -> str | None:
    """Refuse more pieces than a stock can count."""
    for sku, pieces in sound_pieces(event, lines).items():
        if stock[sku].on_hand + pieces > MAX_ON_HAND:
            return f"a stock holds at most {MAX_ON_HAND} pieces; of {sku} there are {stock[sku].on_hand}"
    return None


def sound_pieces(event: Inspect, lines: list[ReturnLine]) -> Counter[str]:
    """Sum the pieces that go back on the shelf, by SKU; a return may name a product on several lines."""
    skus = {line.number: line.sku for line in lines}
    pieces: Counter[str] = Counter()
    for line in event.lines:
        pieces[skus[line.number]] += line.accepted
    return +pieces


# -- the money -----------------------------------------------------------------------------------------------------


def more_is_to_come(case: ReturnCase, event: Refunded | RefundSettled | RefundDropped) -> str | None:
    """Hold if another refund is still under way, or failed."""
    rest = case.refund_amount - case.refunded - case.refund_dropped - event.amount
    return None if rest > 0 else f"nothing is left of {money(case.refund_amount, case.currency)}"


def something_was_given(case: ReturnCase) -> str | None:
    """Hold if part of the money was given back."""
    return None if case.refunded > 0 else "nothing was given back"
