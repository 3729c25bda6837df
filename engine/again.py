"""Running a transaction again where others were in its way."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from persistence.database import Database, is_transient

T = TypeVar("T")

TRIES: Final = 5


async def write(database: Database, work: Callable[[Connection], T]) -> T:
    """Run `work` in a transaction, and once more in another if it met with a deadlock or a conflict."""
    for left in reversed(range(TRIES)):
        try:
            return await database.write(work)
        except SQLAlchemyError as error:
            if not left or not is_transient(error):
                raise
            await asyncio.sleep(0.02)
    raise AssertionError
