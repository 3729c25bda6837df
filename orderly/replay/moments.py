"""When things happen: the file gives the moment of an invoice, the rest is what a careful shop would do.

An order is created, submitted and paid when its invoice was written. It is packed on the morning of the next day that
is no Sunday, and the carrier collects it that afternoon at four. Half of the parcels (those with an even invoice
number) can be followed: they arrive two days later at noon, and two more days later the customer confirms the order.
Of the others nothing is heard: these orders complete by themselves when the shop's policy says, and the shop then
takes it that the parcel has arrived.

Moments are rounded up to a tick, so that what happens about the same time can share a commit. Between an order's
placing and its first credit lies a tick at least: time for the payment gateway to answer.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Final

PACKED_AT: Final = time(8, tzinfo=UTC)
COLLECTED_AT: Final = time(16, tzinfo=UTC)
ARRIVES_AFTER: Final = timedelta(days=2)
CONFIRMED_AFTER: Final = timedelta(days=4)
NOON: Final = time(12, tzinfo=UTC)

_SUNDAY: Final = 6
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def on_tick(moment: datetime, tick: timedelta) -> datetime:
    """Return the first tick that is not before `moment`."""
    return moment + -(moment - EPOCH) % tick


def collection(created: datetime) -> datetime:
    """Return when the carrier collects an order."""
    day = created.date() + timedelta(days=1)
    if day.weekday() == _SUNDAY:
        day += timedelta(days=1)
    return datetime.combine(day, COLLECTED_AT)


def packing(collected: datetime) -> datetime:
    """Return when an order is packed."""
    return datetime.combine(collected.date(), PACKED_AT)


def arrival(collected: datetime) -> datetime:
    """Return when a parcel arrives that can be followed."""
    return datetime.combine(collected.date() + ARRIVES_AFTER, NOON)


def confirmation(invoice: str, collected: datetime) -> datetime | None:
    """Return when the customer says that all is well, if ever."""
    if int(invoice) % 2:
        return None
    return datetime.combine(collected.date() + CONFIRMED_AFTER, NOON)
