"""How Alembic reaches the database: over the connection it is handed, or else the one that the settings name."""

import asyncio
import os
from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection
from sqlalchemy.sql.schema import SchemaItem
from sqlmodel.sql.sqltypes import UTCDateTime

from persistence.database import Database
from persistence.tables import metadata


def rendered(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """Write moments in the words of the database: a migration outlives the names of this program."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UTCDateTime) else False


def run(connection: Connection) -> None:
    """Run the migrations that are asked for."""
    dialect = connection.dialect.name

    def is_here(item: SchemaItem, *_: object) -> bool:
        return bool(item.info.get("only", dialect) == dialect)

    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=dialect == "postgresql",
        transactional_ddl=True,
        include_object=is_here,
        render_item=rendered,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _run_alone() -> None:
    database = Database(os.environ.get("ORDERLY_DATABASE_URL", "sqlite:///orderly.db"))
    try:
        await database.write(run)
    finally:
        await database.close()


handed = context.config.attributes.get("connection")
if handed is not None:
    run(handed)
else:
    asyncio.run(_run_alone())
