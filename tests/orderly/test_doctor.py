"""The doctor finds what is wrong, for real."""

import asyncio
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from orderly.doctor import Health, examine, file_system_of
from orderly.seed import Seeded
from orderly.settings import Settings
from persistence.database import Database
from tests.gateways.peer import Says, playing
from tests.gateways.services import TOKEN, mail_server
from tests.orderly.conftest import Command, read

MOUNTS = """\
/dev/vda1 / ext4 rw,relatime 0 0
server:/export /srv nfs4 rw 0 0
tmpfs /srv/fast tmpfs rw 0 0
"""


def found(command: Command) -> dict[str, Any]:
    done = command("doctor", "--json")
    diagnoses = json.loads(done.stdout)
    assert done.exit_code == int(any(each["health"] == Health.FAILURE for each in diagnoses))
    return {each["check"]: each for each in diagnoses}


def change(url: str, statement: str, **values: object) -> None:
    """Meddle with the database behind the service's back."""

    async def run() -> None:
        database = Database(url)
        await database.write(lambda connection: connection.execute(text(statement), values))
        await database.close()

    asyncio.run(run())


def test_a_sound_shop_is_well(command: Command, shop: Seeded) -> None:
    diagnoses = found(command)
    assert {name for name, each in diagnoses.items() if each["health"] == Health.FAILURE} == set()
    assert {"workers", "pepper", "clock", "durability", "schema", "states", "backlog"} <= diagnoses.keys()
    shown = command("doctor")
    assert shown.exit_code == 0
    assert "nothing overdue" in shown.output


def test_a_missing_or_empty_database_fails(command: Command, tmp_path: Path) -> None:
    assert found(command)["database"]["remedy"] == "run `orderly migrate`"
    sqlite3.connect(tmp_path / "orderly.db").close()
    assert found(command)["schema"]["remedy"] == "run `orderly migrate`"


def test_a_server_out_of_reach_fails(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERLY_DATABASE_URL", "postgresql://nobody:hunter2@127.0.0.1:1/orderly")
    diagnosis = found(command)["database"]
    assert diagnosis["health"] == Health.FAILURE
    assert "hunter2" not in str(diagnosis)


def test_entities_in_undeclared_states_fail(command: Command, order: str, database_url: str) -> None:
    change(database_url, "UPDATE orders SET state = 'lost'")
    assert found(command)["states"]["finding"] == "no machine declares: 1 of orders in 'lost'"


def test_overdue_timers_are_a_warning(command: Command, order: str, database_url: str) -> None:
    assert found(command)["backlog"]["health"] == Health.OK
    moment = datetime.now(UTC) - timedelta(hours=1)
    spelled = moment.isoformat(" ").replace("+00:00", "") if database_url.startswith("sqlite") else moment
    change(database_url, "UPDATE timers SET due_at = :moment", moment=spelled)
    assert found(command)["backlog"]["finding"] == "3 timers overdue"


def test_parked_effects_are_a_warning(command: Command, order: str, database_url: str) -> None:
    assert read(command("orders", "send", order, "submit", "--as", "customer:ann", "--json"))["state"] == "pending"
    pay = ["orders", "send", order, "pay", "--as", "customer:ann", "--payload", '{"method": "tok_approve"}']
    assert command(*pay).exit_code == 0
    change(database_url, "UPDATE effects SET status = 'parked', finished_at = created_at, error = 'no answer'")
    assert found(command)["parked effects"]["finding"] == "1 given up"


def test_a_pepper_that_others_may_read_fails(command: Command, shop: Seeded, tmp_path: Path) -> None:
    (tmp_path / "orderly.pepper").chmod(0o644)
    assert found(command)["pepper"]["remedy"] == "chmod 600 orderly.pepper"


def test_several_workers_on_sqlite_fail(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERLY_WORKERS", "2")
    assert found(command)["workers"]["health"] == Health.FAILURE


def test_a_postgresql_that_may_lose_commits_is_a_warning(
    command: Command, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERLY_DATABASE_URL", postgresql_url)
    assert command("migrate").exit_code == 0
    change(
        postgresql_url,
        f'ALTER DATABASE "{postgresql_url.rpartition("/")[2].partition("?")[0]}" SET synchronous_commit = off',
    )
    assert found(command)["durability"]["finding"] == "synchronous_commit is off"


@pytest.mark.parametrize(
    ("file", "kind"),
    [("/home/orderly.db", "ext4"), ("/srv/orderly.db", "nfs4"), ("/srv/fast/orderly.db", "tmpfs"), ("/srvx/o", "ext4")],
)
def test_the_file_system_of_a_file_is_that_of_its_longest_mount(file: str, kind: str) -> None:
    assert file_system_of(Path(file), MOUNTS) == kind
    assert file_system_of(Path(file), "") == ""


def test_gateways_in_the_sandbox_are_named_and_well(command: Command) -> None:
    diagnoses = found(command)
    for gateway in ("payments", "mail", "carrier", "sms", "chat", "analytics", "text"):
        assert diagnoses[gateway]["health"] == Health.OK
        assert diagnoses[gateway]["finding"] == "sandbox: nothing leaves this process"


def test_a_real_gateway_out_of_reach_fails(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERLY_MAIL__GATEWAY", "smtp")
    monkeypatch.setenv("ORDERLY_MAIL__HOST", "127.0.0.1")
    monkeypatch.setenv("ORDERLY_MAIL__PORT", "1")
    monkeypatch.setenv("ORDERLY_MAIL__SENDER", "orders@shop.example")
    diagnosis = found(command)["mail"]
    assert diagnosis["health"] == Health.FAILURE
    assert diagnosis["finding"].startswith("smtp: Error connecting to 127.0.0.1 on port 1")
    assert diagnosis["remedy"] == "check the settings ORDERLY_MAIL__…, and that the other side runs"


async def test_real_gateways_are_asked_whether_they_know_us(tmp_path: Path) -> None:
    async with (
        playing(lambda asked: Says(401 if asked.path == "/sms" else 404)) as peer,
        mail_server(login=True) as mails,
    ):
        settings = Settings(
            database_url=f"sqlite:///{tmp_path / 'orderly.db'}",
            mail={
                "gateway": "smtp",
                "host": "127.0.0.1",
                "port": mails.port,
                "security": "none",
                "user": "shop",
                "password": TOKEN,
                "sender": "orders@shop.example",
            },
            carrier={"gateway": "http", "url": f"{peer.url}/carrier", "token": TOKEN},
            sms={"gateway": "http", "url": f"{peer.url}/sms", "token": "wr0ng"},
        )
        diagnoses = {each.check: each for each in await examine(settings)}
    assert (diagnoses["mail"].health, diagnoses["mail"].finding) == (Health.OK, "smtp: reached")
    assert (diagnoses["carrier"].health, diagnoses["carrier"].finding) == (Health.OK, "http: reached")
    assert (diagnoses["sms"].health, diagnoses["sms"].finding) == (
        Health.FAILURE,
        "http: answered 401: check the token",
    )
    assert mails.mails == []
