"""The audit that the other tests rely on: it agrees with sound books, and notices each kind of damage."""

from datetime import timedelta

import pytest

from statemachines.order import Cancel
from tests.engine.books import audit
from tests.engine.shop import MERCHANT, Shop, committed


@pytest.fixture
async def busy(shop: Shop) -> Shop:
    """A shop with orders in many states, one of them paid, one refunded."""
    await shop.sells("MUG")
    await shop.draft(MUG=1)
    await shop.pending(MUG=1)
    cancelled = await shop.paid(MUG=2)
    committed(await shop.tell("order", cancelled, Cancel(), MERCHANT))
    await shop.service.settle()
    await shop.paid(MUG=3)
    await shop.service.advance(timedelta(minutes=1))
    await shop.paying("tok_timeout", MUG=1)
    return shop


async def test_finds_sound_books_in_order(busy: Shop) -> None:
    assert await busy.service.database.read(audit) == 2 + 1 + 3 + 19 + 8 + 5


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE stock SET on_hand = on_hand + 1",
        "UPDATE stock SET reserved = reserved + 1",
        "UPDATE orders SET paid = paid + 1 WHERE paid > 0",
        "UPDATE orders SET refunded = 0 WHERE refunded > 0",
        "UPDATE orders SET currency = 'JPY' WHERE paid > 0",
        "UPDATE payments SET captured = captured + 1 WHERE captured > 0",
        "UPDATE orders SET state = 'fulfilled' WHERE state = 'processing'",
        "UPDATE orders SET version = version + 1",
        "UPDATE orders SET stock_held = 'nothing'",
        "UPDATE effects SET status = 'pending' WHERE status = 'done'",
        "UPDATE effects SET status = 'done', error = NULL, outcome = '{\"event\":\"charged\"}' WHERE status <> 'done'",
        "DELETE FROM timers",
        "DELETE FROM order_lines",
    ],
)
async def test_notices_damage(busy: Shop, damage: str) -> None:
    await busy.service.database.write(lambda connection: connection.exec_driver_sql(damage))
    with pytest.raises(AssertionError):
        await busy.service.database.read(audit)
