"""The low-stock check: tells of products that run out, of each once until there is enough of it again."""

from collections.abc import Iterator, Sequence
from functools import partial

from engine.jobs import Occasion
from persistence import reports
from statemachines.job import MAX_ALERTS, Result
from statemachines.letters import LowStock, StockLow
from statemachines.messages import PostMessage, SendMail

POST_LENGTH = 3000
"""Longer lists are posted in parts."""


class LowStockCheck:
    """Tells of low stocks by mail and in the chat.

    Args:
        to: who gets the mail.
    """

    def __init__(self, to: Sequence[str]) -> None:
        self._to = to

    async def __call__(self, occasion: Occasion) -> Result:
        """Return whom to tell of what; the run's end notes that it was told."""
        rows = await occasion.database.read(partial(reports.low_stocks, most=MAX_ALERTS + 1))
        low = [LowStock.model_validate(row) for row in rows[:MAX_ALERTS]]
        if not low:
            return Result(summary="nothing more is low")
        return Result(
            summary=f"low: {', '.join(each.sku for each in low)}",
            mails=tuple(SendMail(to=each, message=StockLow(products=tuple(low))) for each in self._to),
            posts=tuple(PostMessage(text=text) for text in _posts(low)),
            low=tuple(each.sku for each in low),
            more=len(rows) > MAX_ALERTS,
        )


def _posts(low: Sequence[LowStock]) -> Iterator[str]:
    text = "Running out:"
    for each in low:
        line = f"\n• {each.name} ({each.sku}): {each.available} left, reorder level {each.reorder_level}"
        if len(text) + len(line) > POST_LENGTH:
            yield text
            text = "Running out as well:"
        text += line
    yield text
