"""How a database would go about a statement: by an index, or by reading all of a table."""

import re
from collections.abc import Callable

from sqlalchemy import Connection, event

from persistence.database import Database


async def plan_of(url: str, ask: Callable[[Connection], object]) -> list[str]:
    """Return the lines of the plans of all that is asked.

    Args:
        url: of a database.
        ask: runs statements; what they change is taken back.
    """
    database = Database(url)
    statements = []

    def note(_connection, _cursor, statement, parameters, *_rest) -> None:
        if not statement.startswith("EXPLAIN"):
            statements.append((statement, parameters))

    event.listen(database._writer.engine, "before_cursor_execute", note)

    def explain(connection: Connection) -> list[str]:
        ask(connection)
        verb = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
        plans = [connection.exec_driver_sql(verb + sql, values).all() for sql, values in statements]
        connection.rollback()
        return [str(line[-1]) for plan in plans for line in plan]

    plan = await database._writer.run(explain)
    await database.close()
    assert plan
    return plan


async def full_scans(url: str, ask: Callable[[Connection], object], tables: str) -> list[str]:
    """Return the lines of the plans of all that is asked which read one of the tables from end to end.

    Args:
        url: of a database that the planner knows the size of.
        ask: runs statements; what they change is taken back.
        tables: the names of big tables, as in ``orders|history``.
    """
    plan = await plan_of(url, ask)
    return [line for line in plan if re.search(rf"Seq Scan on ({tables})\b|^SCAN ({tables})$", line)]
