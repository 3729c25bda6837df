"""Occurrences, and the patterns in them: pure functions over what a customer lately did, the oldest first."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter

RECENT_LIMIT = 100
"""How many occurrences of one customer are kept at most; of more the oldest are forgotten, the basket last."""

Kind = Literal["product_view", "cart_add"]


class Occurrence(BaseModel):
    """Something that a customer did in the shop."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    sku: str
    quantity: int = 1
    at: AwareDatetime
    settled: bool = False
    """Whether it led to a reminder or an order already, and calls for no other reminder."""


Occurrences = Sequence[Occurrence]

_LIST = TypeAdapter(list[Occurrence])


def read(column: Iterable[dict[str, Any]]) -> list[Occurrence]:
    """Return the occurrences that an activity's column holds."""
    return _LIST.validate_python(list(column))


def written(occurrences: Occurrences) -> list[dict[str, Any]]:
    """Return what an activity's column is to hold."""
    return [each.model_dump(mode="json") for each in occurrences]


def since(occurrences: Occurrences, moment: datetime) -> list[Occurrence]:
    """Return what happened at the moment or later."""
    return [each for each in occurrences if each.at >= moment]


def kept(occurrences: Occurrences, now: datetime, within: timedelta) -> list[Occurrence]:
    """Return what is worth keeping: what happened lately, and what still lies in the basket, up to the limit."""
    recent = [each for each in occurrences if each.at >= now - within or _lies_in_basket(each)]
    too_many = max(0, len(recent) - RECENT_LIMIT)
    dispensable = sorted(range(len(recent)), key=lambda number: _lies_in_basket(recent[number]))
    dropped = set(dispensable[:too_many])
    return [each for number, each in enumerate(recent) if number not in dropped]


def views_without_adding(occurrences: Occurrences, sku: str) -> int:
    """Count the views of a product that was not put into the basket, and that no reminder was about."""
    about_it = [each for each in occurrences if each.sku == sku]
    if any(each.kind == "cart_add" or each.settled for each in about_it):
        return 0
    return len(about_it)


def adds_without_order(occurrences: Occurrences) -> int:
    """Count how often something was put into the basket that is not ordered."""
    return sum(map(_lies_in_basket, occurrences))


def different_products_added(occurrences: Occurrences) -> set[str]:
    """Return the SKUs that were put into the basket, ordered since or not."""
    return {each.sku for each in occurrences if each.kind == "cart_add"}


def basket(occurrences: Occurrences) -> Counter[str]:
    """Sum the pieces that lie in the basket by SKU, in the order in which they were first put there."""
    pieces: Counter[str] = Counter()
    for each in filter(_lies_in_basket, occurrences):
        pieces[each.sku] += each.quantity
    return pieces


def without_basket(occurrences: Occurrences, sku: str | None = None) -> list[Occurrence]:
    """Return what is left once a product, or everything, was taken out of the basket again."""
    return [each for each in occurrences if not (_lies_in_basket(each) and sku in (None, each.sku))]


def settled(occurrences: Occurrences, sku: str | None = None) -> list[Occurrence]:
    """Return them with those of one product, or all, settled."""
    return [each.model_copy(update={"settled": True}) if sku in (None, each.sku) else each for each in occurrences]


def _lies_in_basket(each: Occurrence) -> bool:
    return each.kind == "cart_add" and not each.settled
