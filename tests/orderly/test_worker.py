"""The worker as a real program: beside a server that leaves the work to it, told to stop, and killed."""

import asyncio
import time
from pathlib import Path

import asyncpg
import httpx
import pytest
from sqlalchemy.engine import make_url

from api.transitions import WAIT_POLL
from tests.orderly.programs import Server, orderly, running, until, working

CLAIMED = (
    "SELECT e.status, e.attempts, e.error FROM effects e JOIN payments p ON p.id = e.entity_id "
    "WHERE p.order_id = $1 AND e.name = 'payments.charge'"
)
END_OF_LEASE = "UPDATE effects SET due_at = now() WHERE status = 'running' RETURNING id"


@pytest.fixture
def url(postgresql_url: str) -> str:
    """The URL of an empty PostgreSQL database, as another program may read it."""
    return make_url(postgresql_url).set(drivername="postgresql").render_as_string(hide_password=False)


def ask(url: str, statement: str, *values: object) -> tuple[object, ...]:
    """Return the first row that the database answers with."""

    async def asked() -> tuple[object, ...]:
        connection = await asyncpg.connect(url)
        try:
            return tuple(await connection.fetchrow(statement, *values) or ())
        finally:
            await connection.close()

    return asyncio.run(asked())


def submitted(client: httpx.Client, email: str | None = None) -> str:
    basket = {"lines": [{"sku": "MUG-BLUE", "quantity": 1}], "email": email}
    order: str = client.post("/orders", json=basket).raise_for_status().json()["id"]
    client.post(f"/orders/{order}/submit").raise_for_status()
    return order


def pay(client: httpx.Client, order: str, method: str = "tok_approve", wait: int = 0) -> str:
    """Pay an order; return its state when the answer comes."""
    asked = {"json": {"method": method}, "headers": {"Prefer": f"wait={wait}"}}
    return str(client.post(f"/orders/{order}/pay", **asked).raise_for_status().json()["state"])


def being_charged(server: Server, url: str) -> str:
    """Return an order whose payment the gateway is being asked for, slowly."""
    with server.client("customer") as ann:
        order = submitted(ann)
        pay(ann, order, "tok_slow")
    until(lambda: ask(url, CLAIMED, order)[0] == "running", "the gateway is asked")
    return order


def test_a_worker_does_at_once_what_a_server_leaves_to_it(tmp_path: Path, url: str) -> None:
    with running(tmp_path, "--no-work", database_url=url) as server, server.client("customer") as ann:
        assert "what falls due is left to `orderly worker`" in server.output
        early = submitted(ann)
        assert pay(ann, early, wait=2) == "paying"
        waits = []
        with working(tmp_path, database_url=url) as worker:
            until(lambda: ann.get(f"/orders/{early}").json()["state"] == "processing", "what waited is done")
            while len(waits) < 5 or (min(waits) >= WAIT_POLL and len(waits) < 30):
                order, started = submitted(ann), time.monotonic()
                assert pay(ann, order, wait=10) == "processing"
                waits.append(time.monotonic() - started)
            assert worker.terminate() == 0
        # A server that is not told that the worker has committed looks after half a second, and not before.
        assert min(waits) < WAIT_POLL
        assert worker.log.count('"target":"processing"') == 1 + len(waits)
        assert '"target":"processing"' not in server.log
        assert server.terminate() == 0


def test_on_sigterm_a_call_that_was_begun_is_finished(tmp_path: Path, url: str) -> None:
    settings = {"database_url": url, "sandbox_slowness": "PT2S"}
    with running(tmp_path, "--no-work", **settings) as server, working(tmp_path, **settings) as worker:
        order = being_charged(server, url)
        assert worker.terminate() == 0
        assert ask(url, CLAIMED, order) == ("done", 1, None)
        assert [line for line in worker.log.splitlines() if '"level":"error"' in line] == []


def test_what_takes_longer_than_the_grace_is_handed_back_and_done_by_another(tmp_path: Path, url: str) -> None:
    with running(tmp_path, "--no-work", database_url=url) as server:
        with working(tmp_path, database_url=url, sandbox_slowness="PT20S", shutdown_grace="PT2S") as worker:
            order = being_charged(server, url)
            started = time.monotonic()
            assert worker.terminate() == 0
            assert time.monotonic() - started < 18
        assert ask(url, CLAIMED, order)[:2] == ("pending", 1)
        with working(tmp_path, "other", database_url=url, sandbox_slowness="PT0S"):
            until(lambda: ask(url, CLAIMED, order)[:2] == ("done", 2), "another worker has done it")


def test_what_a_killed_worker_had_begun_is_done_by_another_when_its_lease_ends(tmp_path: Path, url: str) -> None:
    with running(tmp_path, "--no-work", database_url=url) as server:
        with working(tmp_path, database_url=url, sandbox_slowness="PT20S") as worker:
            order = being_charged(server, url)
            worker.kill()
        with working(tmp_path, "other", database_url=url, sandbox_slowness="PT0S"), server.client("admin") as admin:
            assert ask(url, CLAIMED, order)[0] == "running"
            ask(url, END_OF_LEASE)
            until(lambda: ask(url, CLAIMED, order)[:2] == ("done", 2), "another worker has done it")
            story = [each["event"] for each in admin.get(f"/orders/{order}/history").json()["items"]]
            assert story == ["create", "submit", "pay", "charged"]


def test_figures_of_a_worker_are_seen_at_the_server_with_which_it_shares_a_directory(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "figures"))
    down = 'orderly_circuits_open{destination="mail"} 1.0'
    with (
        running(tmp_path, "--no-work", database_url=url) as server,
        working(tmp_path, database_url=url) as worker,
        server.client("customer") as ann,
        server.client("admin") as admin,
    ):
        for _ in range(20):
            pay(ann, submitted(ann, "silent@shop.example"))
        until(lambda: down in admin.get("/metrics").text, "the worker has found out that no mail goes out")
        assert (
            'orderly_effect_attempts_total{answered="yes",effect="payments.charge"} 20.0' in admin.get("/metrics").text
        )
        worker.kill()
        figures = admin.get("/metrics").text
        assert down not in figures
        assert 'orderly_effect_attempts_total{answered="yes",effect="payments.charge"} 20.0' in figures


def test_sqlite_is_written_by_a_server_or_a_worker_but_not_by_both(tmp_path: Path) -> None:
    with running(tmp_path, "--no-work") as server:
        with server.client("customer") as ann:
            order = submitted(ann)
            pay(ann, order)
        ended = orderly(tmp_path, "worker")
        assert ended.returncode == 2
        assert "another server or worker uses '" in ended.stderr
        assert "postgresql://" in ended.stderr
        assert server.terminate() == 0
    with working(tmp_path) as worker:
        ended = orderly(tmp_path, "serve", "--port", "0")
        assert ended.returncode == 2
        assert "another server or worker uses '" in ended.stderr
        until(lambda: '"target":"processing"' in worker.log, "the worker has done what the server left")
        assert worker.terminate() == 0


@pytest.mark.parametrize("migrated", [False])
def test_a_worker_without_a_database_says_what_to_do(tmp_path: Path, url: str) -> None:
    for settings in ({}, {"database_url": url}):
        ended = orderly(tmp_path, "worker", **settings)
        assert ended.returncode == 2
        assert "run `orderly migrate`" in ended.stderr
        assert "Traceback" not in ended.stderr
