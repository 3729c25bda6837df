"""The server as a real program: several processes, real signals, real sockets."""

import contextlib
import os
import signal
import sqlite3
import threading
import time
from pathlib import Path

import httpx
import pytest
from sqlalchemy.engine import make_url

from tests.orderly.programs import orderly, running, until

BASKET = {"lines": [{"sku": "MUG-BLUE", "quantity": 1}]}


def submitted(client: httpx.Client) -> str:
    order: str = client.post("/orders", json=BASKET).raise_for_status().json()["id"]
    client.post(f"/orders/{order}/submit").raise_for_status()
    return order


def test_a_server_is_asked_and_told_to_stop(tmp_path: Path) -> None:
    with running(tmp_path) as server, server.client("customer") as ann:
        assert ann.post("/orders", json=BASKET).status_code == 201
        assert server.terminate() == 0
    assert server.url


def test_the_first_keys_are_printed_once(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        assert {
            role: httpx.get(f"{server.url}/whoami", headers={"Authorization": f"Bearer {server.key(role)}"}).json()[
                "role"
            ]
            for role in ("admin", "merchant", "customer")
        } == {"admin": "admin", "merchant": "merchant", "customer": "customer"}
        printed = server.key("admin")
        assert printed not in server.log
    with running(tmp_path) as server:
        assert "ord_live_" not in server.output


def test_a_request_that_was_begun_is_finished_on_sigterm(tmp_path: Path) -> None:
    answers: list[httpx.Response] = []
    with running(tmp_path, sandbox_slowness="PT2S") as server, server.client("customer") as ann:
        order = submitted(ann)
        pay = {"json": {"method": "tok_slow"}, "headers": {"Prefer": "wait=10"}}
        request = threading.Thread(target=lambda: answers.append(ann.post(f"/orders/{order}/pay", **pay)))
        started = time.monotonic()
        request.start()
        until(lambda: '"target":"paying"' in server.log, "the payment is under way")

        exit_code = server.terminate()
        request.join()

        assert exit_code == 0
        assert 1.5 < time.monotonic() - started < 20
    assert answers[0].status_code == 200
    assert answers[0].json()["state"] == "processing"


def test_what_a_request_asked_for_is_finished_on_sigterm(tmp_path: Path) -> None:
    with running(tmp_path, sandbox_slowness="PT2S") as server:
        with server.client("customer") as ann:
            order = submitted(ann)
            ann.post(f"/orders/{order}/pay", json={"method": "tok_slow"}).raise_for_status()
            until(lambda: effect_status(tmp_path, order) == "running", "the gateway is asked")
        assert server.terminate() == 0
    assert effect_status(tmp_path, order) == "done"


def effect_status(directory: Path, order: str) -> str:
    """Return how an order's effect stands. Asked of the file itself: a command takes longer than the effect."""
    with contextlib.closing(sqlite3.connect(directory / "orderly.db")) as connection:
        of_payment = "SELECT e.status FROM effects e JOIN payments p ON p.id = e.entity_id WHERE p.order_id = ?"
        (status,) = connection.execute(of_payment, (order,)).fetchone()
    return str(status)


def test_an_answer_that_is_held_longer_than_the_grace_does_not_stop_the_shutdown(tmp_path: Path) -> None:
    with running(tmp_path, shutdown_grace="PT2S", longest_wait="PT1M") as server, server.client("customer") as ann:
        order = submitted(ann)
        held = {"json": {"method": "tok_timeout"}, "headers": {"Prefer": "wait=60"}}
        request = threading.Thread(target=lambda: _lost(ann, f"/orders/{order}/pay", held))
        request.start()
        until(lambda: '"target":"paying"' in server.log, "the payment is under way")
        started = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - started < 25
        request.join()


def _lost(client: httpx.Client, path: str, asked: dict[str, object]) -> None:
    try:
        client.post(path, **asked)  # type: ignore[arg-type]
    except httpx.HTTPError:
        return


def socket_url(url: str) -> str:
    """Return a PostgreSQL URL as another program may read it."""
    return make_url(url).render_as_string(hide_password=False)


def test_a_process_that_is_killed_is_replaced(tmp_path: Path, postgresql_url: str) -> None:
    with running(tmp_path, "--workers", "2", database_url=socket_url(postgresql_url)) as server:
        before = until(lambda: len(found := server.workers()) == 2 and found, "two processes serve")
        os.kill(before[0], signal.SIGKILL)
        after = until(lambda: len(found := server.workers()) == 2 and before[0] not in found and found, "a new one")
        assert before[1] in after
        until(server.answers, "it answers again: the other process may have been starting still")
        with server.client("customer") as ann:
            assert [ann.post("/orders", json=BASKET).status_code for _ in range(10)] == [201] * 10
        assert server.terminate() == 0


def test_several_processes_add_up_their_figures(tmp_path: Path, postgresql_url: str) -> None:
    with running(tmp_path, "--workers", "2", database_url=socket_url(postgresql_url)) as server:
        for _ in range(20):
            with server.client("customer") as ann:  # a new connection each: the kernel picks the process
                assert ann.post("/orders", json=BASKET).status_code == 201
        with server.client("admin") as admin:
            figures = admin.get("/metrics").text
    created = 'orderly_transitions_total{event="create",machine="order",outcome="accepted"} 20.0'
    assert created in figures


def test_sqlite_is_served_by_one_process_only(tmp_path: Path) -> None:
    ended = orderly(tmp_path, "serve", "--workers", "2")
    assert ended.returncode == 2
    assert "SQLite is written by one process" in ended.stderr
    assert "postgresql://" in ended.stderr


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        port = server.url.rpartition(":")[2]
        ended = orderly(tmp_path, "serve", "--port", port)
    assert ended.returncode == 2
    assert f"port {port} on 127.0.0.1 is in use" in ended.stderr
    assert "--port" in ended.stderr


def test_a_second_server_on_the_same_sqlite_file_is_refused(tmp_path: Path) -> None:
    with running(tmp_path):
        ended = orderly(tmp_path, "serve", "--port", "0")
        assert ended.returncode == 2
        assert "another server or worker uses '" in ended.stderr
        assert orderly(tmp_path, "orders", "list").returncode == 0


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.7"])
def test_an_address_of_another_machine_is_refused(tmp_path: Path, host: str) -> None:
    ended = orderly(tmp_path, "serve", "--host", host)
    assert ended.returncode == 2
    assert "--host" in ended.stderr


@pytest.mark.parametrize("migrated", [False])
def test_a_database_that_is_not_migrated_is_refused(tmp_path: Path, postgresql_url: str) -> None:
    for settings in ({}, {"database_url": socket_url(postgresql_url)}):
        ended = orderly(tmp_path, "serve", **settings)
        assert ended.returncode == 2
        assert "run `orderly migrate`" in ended.stderr
    assert not (tmp_path / "orderly.db").exists()


def test_a_database_out_of_reach_is_named(tmp_path: Path) -> None:
    ended = orderly(tmp_path, "serve", database_url="postgresql://nobody:hidden@127.0.0.1:1/orderly")
    assert ended.returncode == 2
    assert "check ORDERLY_DATABASE_URL" in ended.stderr
    assert "hidden" not in ended.stderr
    assert "Traceback" not in ended.stderr
