"""When something may happen to a reservation: each guard is a sentence that holds, or returns the reason why not."""

from collections import Counter

from statemachines.reservation.events import Hold, Release, Restock, Want, by_sku
from statemachines.reservation.model import Reservation, ReservationLine, pieces_in
from statemachines.stock import Backorder, PiecesArrived, Stock, shortage


def is_paid(event: Hold) -> str | None:
    """Hold if the order is paid, so that its pieces are taken at once."""
    return None if event.paid else "the order is not paid"


def all_is_in_stock(event: Want, offers: list[Stock]) -> str | None:
    """Refuse unless every piece can be promised now."""
    return shortage(by_sku(event.pieces), offers)


def may_wait(event: Want, offers: list[Stock]) -> str | None:
    """Refuse an order that wants everything at once."""
    return None if event.allow_backorder else shortage(by_sku(event.pieces), offers)


def will_come(event: Want, offers: list[Stock]) -> str | None:
    """Refuse to wait for what the shop no longer sells."""
    sold = {each.sku for each in offers if each.state != "retired"}
    gone = [sku for sku in by_sku(event.pieces) if sku not in sold]
    return f"no longer sold: {', '.join(gone)}" if gone else None


def keeps_so_many(event: Release, lines: list[ReservationLine], waiting: list[Backorder]) -> str | None:
    """Refuse to give back more than is kept or waited for."""
    return _no_more(by_sku(event.pieces), _kept(lines, waiting), "to give back", "kept")


def took_so_many(event: Restock, lines: list[ReservationLine]) -> str | None:
    """Refuse to put back more than was taken."""
    return _no_more(by_sku(event.pieces), pieces_in("taken", lines), "to put back", "taken")


def gives_all_back(event: Release, lines: list[ReservationLine], waiting: list[Backorder]) -> str | None:
    """Hold if nothing stays with the order."""
    if not event.pieces:
        return None
    left = _kept(lines, waiting) - by_sku(event.pieces)
    return f"{left.total()} pieces stay with the order" if left else None


def waits_no_longer(event: Release, waiting: list[Backorder]) -> str | None:
    """Hold if nothing is waited for once the pieces are given back."""
    left = (_missing(waiting) - by_sku(event.pieces)).total()
    return f"{left} pieces are still waited for" if left else None


def all_has_arrived(reservation: Reservation, event: PiecesArrived) -> str | None:
    """Hold if nothing is missing any more."""
    left = reservation.missing - sum(each.quantity for each in event.pieces)
    return f"{left} pieces are still waited for" if left else None


def _kept(lines: list[ReservationLine], waiting: list[Backorder]) -> Counter[str]:
    return pieces_in("held", lines) + pieces_in("taken", lines) + _missing(waiting)


def _missing(waiting: list[Backorder]) -> Counter[str]:
    missing: Counter[str] = Counter()
    for each in waiting:
        missing[each.sku] += each.missing
    return missing


def _no_more(asked: Counter[str], there: Counter[str], what: str, so_many: str) -> str | None:
    wrong = [f"{sku}: {n} {what}, {there[sku]} {so_many}" for sku, n in asked.items() if n > there[sku]]
    return "; ".join(wrong) or None
