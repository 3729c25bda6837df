"""How Alembic reaches the database: over the connection it is handed, or else the one that the settings name."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection

from persistence.database import Database
from persistence.tables import metadata


def run(connection: Connection) -> None:
    """Run the migrations that are asked for."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=connection.dialect.name == "postgresql",
        transactional_ddl=True,
        user_module_prefix="tables.",
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
