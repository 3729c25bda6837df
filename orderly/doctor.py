"""The doctor: what is wrong with an installation, what may become wrong, and what to do about it.

A failure is what keeps the service from working or from keeping its promises; a warning is what a person should know.
"""

import asyncio
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from gateways.port import NoAnswer
from orderly.outside import Gateway, Outside, Reachable
from orderly.settings import PREFIX, Settings
from persistence import health, queries, schema
from persistence.database import Database
from statemachines.registry import MACHINES

SQLITE_SOUND = (3, 51, 3)
"""Before this release, two connections that write and checkpoint at once may corrupt a file in WAL mode."""

CLOCK_TOLERANCE = timedelta(seconds=2)
REACH = timedelta(seconds=3)
"""How long each of the other sides may take to show that it is there."""

PATIENCE = timedelta(minutes=1)
"""How long past its time an effect or timer counts as overdue: many times longer than work is looked for."""

_REMOTE_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs"}
)


class Health(StrEnum):
    """How something stands."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What one check found."""

    check: str
    health: Health
    finding: str
    remedy: str = ""


async def examine(settings: Settings) -> list[Diagnosis]:
    """Check an installation from its settings to its backlog. Nothing is changed."""
    found = [*_setup(settings), *await _outside(settings)]
    if settings.is_sqlite:
        found += _sqlite_file(settings)
    if any(each.check == "database" and each.health is Health.FAILURE for each in found):
        return found
    database = Database(settings.database_url, pool_size=1, synchronous=settings.sqlite_synchronous)
    try:
        started = datetime.now(UTC)
        theirs = await database.read(health.clock)
        found.append(_clock(theirs, started, datetime.now(UTC)))
        found += await database.read(_database)
    except (SQLAlchemyError, OSError) as error:
        reason = (str(getattr(error, "orig", None) or error) or type(error).__name__).splitlines()[0]
        found.append(
            Diagnosis("database", Health.FAILURE, reason, "check ORDERLY_DATABASE_URL, and that the server runs")
        )
    finally:
        await database.close()
    return found


def _setup(settings: Settings) -> Iterator[Diagnosis]:
    if settings.is_sqlite and settings.workers > 1:
        yield Diagnosis(
            "workers",
            Health.FAILURE,
            f"{settings.workers} workers on SQLite, which one process writes",
            "set ORDERLY_WORKERS=1, or use PostgreSQL",
        )
    else:
        yield Diagnosis("workers", Health.OK, str(settings.workers))
    if settings.longest_wait >= settings.shutdown_grace:
        yield Diagnosis(
            "shutdown",
            Health.WARNING,
            "an answer may be held longer than a shutdown waits for it",
            "set ORDERLY_LONGEST_WAIT below ORDERLY_SHUTDOWN_GRACE",
        )
    yield _pepper(settings)


def _pepper(settings: Settings) -> Diagnosis:
    if settings.key_pepper.get_secret_value():
        return Diagnosis("pepper", Health.OK, "given as a setting")
    file = Path(settings.key_pepper_file)
    if not file.exists():
        return Diagnosis("pepper", Health.OK, f"will be made at first use, in {file}")
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        return Diagnosis("pepper", Health.FAILURE, f"others may read {file} (mode {mode:03o})", f"chmod 600 {file}")
    if not file.read_text().strip():
        return Diagnosis("pepper", Health.FAILURE, f"{file} is empty", "restore it from a backup; keys depend on it")
    return Diagnosis("pepper", Health.OK, f"kept in {file}, for its owner only")


async def _outside(settings: Settings) -> list[Diagnosis]:
    """Say which gateways are in use, and whether the real ones are reached; all of them are asked at once."""
    outside = Outside(settings)
    try:
        return await asyncio.gather(*(_gateway(settings, name, each) for name, each in outside.gateways.items()))
    finally:
        await outside.aclose()


async def _gateway(settings: Settings, name: str, gateway: Gateway) -> Diagnosis:
    chosen = getattr(settings, name).gateway
    if not isinstance(gateway, Reachable):
        return Diagnosis(name, Health.OK, f"{chosen}: nothing leaves this process")
    try:
        await gateway.reach(REACH)
    except NoAnswer as error:
        remedy = f"check the settings {PREFIX}{name.upper()}__…, and that the other side runs"
        return Diagnosis(name, Health.FAILURE, f"{chosen}: {error}", remedy)
    return Diagnosis(name, Health.OK, f"{chosen}: reached")


def _sqlite_file(settings: Settings) -> Iterator[Diagnosis]:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < SQLITE_SOUND:
        yield Diagnosis(
            "sqlite version",
            Health.WARNING,
            f"{version} has the WAL-reset bug if several processes write",
            "keep to one writing process, or update SQLite to 3.51.3 or later",
        )
    else:
        yield Diagnosis("sqlite version", Health.OK, version)
    file = Path(Database(settings.database_url).url.database or "")
    if not file.is_file():
        yield Diagnosis("database", Health.FAILURE, f"there is no file '{file}'", "run `orderly migrate`")
        return
    kind = file_system_of(file.resolve(), _mounts())
    if kind in _REMOTE_FILE_SYSTEMS:
        yield Diagnosis(
            "disk", Health.FAILURE, f"'{file}' lies on {kind}, which keeps no locks", "move it to a local disk"
        )
    else:
        yield Diagnosis("disk", Health.OK, f"local ({kind or 'unknown kind'})")


def _mounts() -> str:
    table = Path("/proc/mounts")
    return table.read_text() if table.exists() else ""


def file_system_of(file: Path, mounts: str) -> str:
    """Return the kind of file system a file lies on, by the system's table of mounts; empty if that says nothing."""
    points = [line.split()[1:3] for line in mounts.splitlines() if line.count(" ") >= 2]
    holding = [(point, kind) for point, kind in points if file.is_relative_to(point)]
    return max(holding, key=lambda each: len(each[0]), default=("", ""))[1]


def _clock(theirs: datetime, before: datetime, after: datetime) -> Diagnosis:
    """Compare the clocks; the database was asked between two looks at ours."""
    skew = max(before - theirs, theirs - after, timedelta())
    if skew > CLOCK_TOLERANCE:
        finding = f"{skew.total_seconds():.1f} seconds apart from the database's"
        return Diagnosis("clock", Health.FAILURE, finding, "synchronise both machines' clocks; leases rest on them")
    return Diagnosis("clock", Health.OK, "agrees with the database's")


def _database(connection: Connection) -> list[Diagnosis]:
    found = [_settings(connection.dialect.name, health.settings(connection))]
    revision = schema.current(connection)
    if revision != schema.newest():
        at = f"at revision {revision}" if revision else "empty"
        finding = f"{at}, this program needs {schema.newest()}"
        return [*found, Diagnosis("schema", Health.FAILURE, finding, "run `orderly migrate`")]
    return [
        *found,
        Diagnosis("schema", Health.OK, f"revision {revision}"),
        _states(connection),
        *_backlog(connection),
        _jobs(connection),
    ]


def _settings(dialect: str, values: Mapping[str, str]) -> Diagnosis:
    if dialect == "sqlite":
        wanted = {"journal_mode": "wal", "foreign_keys": "1", "quick_check": "ok"}
        doubtful = {"synchronous": "2"}
    else:
        wanted = {"fsync": "on", "full_page_writes": "on"}
        doubtful = {"synchronous_commit": "on"}
    wrong = [f"{name} is {values.get(name)}" for name, value in wanted.items() if values.get(name) != value]
    if wrong:
        return Diagnosis(
            "durability", Health.FAILURE, ", ".join(wrong), "what is committed may be lost: see the manual"
        )
    less = [f"{name} is {values.get(name)}" for name, value in doubtful.items() if values.get(name) != value]
    if less:
        return Diagnosis("durability", Health.WARNING, ", ".join(less), "the last commits may be lost with the power")
    shown = ", ".join(f"{name} {value}" for name, value in values.items())
    return Diagnosis("durability", Health.OK, shown)


def _states(connection: Connection) -> Diagnosis:
    stranded = [
        f"{count} of {machine.plural} in '{state}'"
        for machine in MACHINES
        for state, count in queries.count_states(connection, machine).items()
        if state not in machine.states
    ]
    if stranded:
        remedy = "write a migration that maps these states, see docs/machines.md"
        return Diagnosis("states", Health.FAILURE, f"no machine declares: {', '.join(stranded)}", remedy)
    return Diagnosis("states", Health.OK, "every entity stands in a declared state")


def _backlog(connection: Connection) -> Iterator[Diagnosis]:
    late = datetime.now(UTC) - PATIENCE
    overdue = {"effects": health.overdue_effects(connection, late), "timers": health.overdue_timers(connection, late)}
    if any(overdue.values()):
        finding = " and ".join(f"{count} {name} overdue" for name, count in overdue.items() if count)
        remedy = "see that `orderly worker` runs, or a server without --no-work"
        yield Diagnosis("backlog", Health.WARNING, finding, remedy)
    else:
        yield Diagnosis("backlog", Health.OK, "nothing overdue")
    if parked := health.parked_effects(connection):
        remedy = "they need a person: `orderly effects list --status parked`, then `show`, `retry` or `cancel`"
        yield Diagnosis("parked effects", Health.WARNING, f"{parked} given up", remedy)
    else:
        yield Diagnosis("parked effects", Health.OK, "none")


def _jobs(connection: Connection) -> Diagnosis:
    rows = queries.list_entities(connection, MACHINES["job"], queries.Filter(), queries.PAGE_LIMIT, None).rows
    if failed := sorted(f"{row['id']} ({row['last_error']})" for row in rows if row["last_outcome"] == "failed"):
        remedy = "`orderly jobs list` shows them, the log says more; then `orderly jobs run`"
        return Diagnosis("jobs", Health.WARNING, f"failed: {', '.join(failed)}", remedy)
    held = [f"a legal hold stands on {row['id']}" for row in rows if row["legal_hold"]]
    return Diagnosis("jobs", Health.OK, "; ".join(held) or f"{len(rows)} known, none failed")
