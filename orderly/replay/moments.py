"""When things happen: the file gives the moment of an invoice, the rest is what a careful shop would do.

An order is created, submitted and paid when its invoice was written. The carrier collects it on the next day that is no
Sunday, at four in the afternoon. Half of the customers (those with an even invoice number) confirm that it arrived four
days later, at noon; of the others nothing is heard, and the order completes by itself when the shop's policy says.

Moments are rounded up to a tick, so that what happens about the same time can share a commit. Between an order's
placing and its first credit lies a tick at least: time for the payment gateway to answer.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Final

COLLECTED_AT: Final = time(16, tzinfo=UTC)
CONFIRMED_AFTER: Final = timedelta(days=4)
CONFIRMED_AT: Final = time(12, tzinfo=UTC)

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


def confirmation(invoice: str, collected: datetime) -> datetime | None:
    """Return when the customer says that the order arrived, if ever."""
    if int(invoice) % 2:
        return None
    return datetime.combine(collected.date() + CONFIRMED_AFTER, CONFIRMED_AT)
