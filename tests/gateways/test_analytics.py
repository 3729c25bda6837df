"""Events told to an analytics service."""

from datetime import UTC, datetime, timedelta

from gateways.analytics import HttpAnalytics
from gateways.bearer import BearerSettings
from gateways.port import Attempt, Done
from statemachines.analytics import Occurrence
from tests.gateways.peer import playing
from tests.gateways.services import TOKEN, analytics


async def test_an_event_is_told_with_the_name_by_which_it_is_counted_once() -> None:
    occurrence = Occurrence(
        name="order.fulfilled",
        subject="ord_1",
        at=datetime(2026, 1, 5, 12, tzinfo=UTC),
        figures={"pieces": 2, "currency": "EUR", "express": True},
    )
    async with playing(analytics) as peer:
        gateway = HttpAnalytics(BearerSettings(url=peer.url, token=TOKEN))
        assert await gateway.track(Attempt("eff_1", occurrence, 1, timedelta(seconds=5))) == Done({})
        await gateway.aclose()
    assert peer.asked[0].json == {
        "batch": [
            {
                "type": "track",
                "messageId": "eff_1",
                "userId": "ord_1",
                "event": "order.fulfilled",
                "timestamp": "2026-01-05T12:00:00+00:00",
                "properties": {"pieces": 2, "currency": "EUR", "express": True},
            }
        ]
    }
