"""Which locations give the pieces: a stated rule, the same answer every time."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from statemachines.stock.model import Stock


class Portion(NamedTuple):
    """Pieces that one stock gives."""

    stock: Stock
    quantity: int


def free_pieces(stocks: Iterable[Stock]) -> Counter[str]:
    """Return how many pieces each stock may promise, by its id; frozen and retired stocks promise none."""
    return Counter({each.id: each.available for each in stocks if each.state == "stocked"})


def shortage(wanted: Mapping[str, int], stocks: Iterable[Stock]) -> str | None:
    """Return what is lacking, for a person; None if all of it can be promised now.

    What others wait for is not there for anybody who comes later.
    """
    at: dict[str, list[Stock]] = defaultdict(list)
    for each in stocks:
        at[each.sku].append(each)
    lacking = [f"{sku}: {reason}" for sku, quantity in wanted.items() if (reason := _lacks(quantity, at[sku]))]
    return f"not in stock: {'; '.join(lacking)}" if lacking else None


def _lacks(quantity: int, stocks: list[Stock]) -> str | None:
    if not stocks:
        return "the shop has no stock of it"
    usable = [each for each in stocks if each.state == "stocked"]
    if not usable:
        return f"its stock is {stocks[0].state}"
    if waiting := sum(each.waiting for each in stocks):
        return f"{quantity} asked, others wait for {waiting}"
    available = sum(each.available for each in usable)
    return None if available >= quantity else f"{quantity} asked, {available} available"


def choose(wanted: Mapping[str, int], stocks: Sequence[Stock], free: Mapping[str, int]) -> list[Portion]:
    """Choose the locations that give the pieces wanted, as far as there are any.

    The location that has most of what is still missing comes next, until nothing is missing or nobody has more. Of
    locations that have equally much the one with the lowest priority number comes first, then the first by name. So a
    location that has everything gives everything, and otherwise few locations share. A location's priority is the
    lowest that its stocks of these SKUs have.

    Args:
        wanted: the pieces, by SKU.
        stocks: the stocks of these SKUs, in any order.
        free: how many pieces each of them may give, by its id.
    """
    left = Counter(wanted)
    at: dict[str, list[Stock]] = defaultdict(list)
    for each in stocks:
        if free[each.id] > 0 and left[each.sku] > 0:
            at[each.location].append(each)
    portions: list[Portion] = []
    while at:
        gains = {name: sum(min(free[each.id], left[each.sku]) for each in there) for name, there in at.items()}
        best = min(at, key=lambda name: (-gains[name], min(each.priority for each in at[name]), name))
        if not gains[best]:
            break
        for each in sorted(at.pop(best), key=lambda stock: stock.id):
            if quantity := min(free[each.id], left[each.sku]):
                portions.append(Portion(each, quantity))
                left[each.sku] -= quantity
    return portions
