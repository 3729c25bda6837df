"""What columns need that other programs write: defaults of the database's own, and checks of SQLite's texts."""

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class utc_now(FunctionElement[datetime]):  # noqa: N801  (named like the functions of SQL)
    """The database's time, as a default of columns that other programs leave out."""

    inherit_cache = True


@compiles(utc_now, "sqlite")
def _now_on_sqlite(_element: object, _compiler: object, **_options: object) -> str:
    return "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))"


@compiles(utc_now, "postgresql")
def _now_on_postgresql(_element: object, _compiler: object, **_options: object) -> str:
    return "now()"


def json_check(table: str, column: str) -> CheckConstraint:
    """Return SQLite's check that a text is JSON, where other programs write; PostgreSQL has a type for it."""
    return CheckConstraint(f"{column} IS NULL OR json_valid({column})", name=f"ck_{table}_{column}").ddl_if(
        dialect="sqlite"
    )


def moment_check(table: str, column: str) -> CheckConstraint:
    """Return SQLite's check that a text is a moment: a day that there is, and a time to the microsecond."""
    seconds = f"substr({column}, 1, 19)"
    form = f"{column} GLOB '????-??-?? ??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]'"
    there_is = f"{seconds} = datetime(julianday({seconds}))"
    return CheckConstraint(f"{form} AND {there_is}", name=f"ck_{table}_{column}_form").ddl_if(dialect="sqlite")
