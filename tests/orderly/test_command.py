"""The `orderly` command: what it shows, what it refuses, and how it says so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from orderly.seed import CATALOGUE, Seeded
from statemachines.registry import MACHINES
from tests.orderly.conftest import Command, read

INVOICES = Path(__file__).parents[1] / "replay" / "invoices.csv"


def test_the_help_groups_commands_by_who_uses_them(command: Command) -> None:
    shown = command("--help").output
    for panel in ("For backend engineers", "For operations", "For operators"):
        assert panel in shown
    assert command().output.split() == shown.split()


def test_looking_for_help_does_not_load_the_metrics_library() -> None:
    """It decides when it is imported whether processes share their figures; `serve` must be able to say so first."""
    program = "import sys, orderly.cli; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# -- machines --------------------------------------------------------------------------------------------------------


def test_machines_are_listed(command: Command) -> None:
    listed = command("machines", "list").output
    for machine in MACHINES:
        assert f"/{machine.plural}" in listed
    assert [each["name"] for each in read(command("machines", "list", "--json"))] == [m.name for m in MACHINES]


@pytest.mark.parametrize("name", [machine.name for machine in MACHINES])
def test_a_machine_is_shown_as_its_table(command: Command, name: str) -> None:
    shown = command("machines", "show", name).output
    machine = next(machine for machine in MACHINES if machine.name == name)
    for word in (*machine.states, *machine.events):
        assert word in shown
    assert read(command("machines", "show", name, "--json"))["name"] == name


def test_machines_are_verified(command: Command) -> None:
    assert command("machines", "verify").exit_code == 0
    assert read(command("machines", "verify", "--json")) == []


def test_a_machine_is_drawn(command: Command) -> None:
    assert command("machines", "diagram", "order").output.startswith("stateDiagram-v2")
    assert read(command("machines", "diagram", "order", "--format", "xstate"))["initial"]


def test_an_unknown_machine_is_answered_with_those_there_are(command: Command) -> None:
    done = command("machines", "show", "parcel")
    assert done.exit_code == 2
    assert "there is no machine 'parcel'; there are order" in done.output


# -- orders ----------------------------------------------------------------------------------------------------------


def test_an_order_is_sent_an_event_and_shown(command: Command, order: str) -> None:
    done = command("orders", "send", order, "submit", "--as", "customer:ann")
    assert done.exit_code == 0
    assert f"{order}: submit took it from draft to pending (v2)" in done.output

    shown = read(command("orders", "show", order, "--json"))
    assert shown["order"]["state"] == "pending"
    assert [line["sku"] for line in shown["lines"]] == ["MUG-BLUE"]
    assert [entry["event"] for entry in shown["history"]] == ["create", "submit"]
    assert [timer["event"] for timer in shown["timers"]] == ["expire"]
    assert {each["event"]: each["allowed"] for each in shown["events"]}["pay"] is True
    (reservation,) = shown["children"]
    assert (reservation["machine"], reservation["state"]) == ("reservation", "held")

    text = command("orders", "show", order).output
    for word in ("pending", "25.00 EUR", "MUG-BLUE", "submit", "customer:ann", "expire", "pay", reservation["id"]):
        assert word in text


def test_orders_are_listed(command: Command, order: str) -> None:
    assert order in command("orders", "list").output
    assert [each["id"] for each in read(command("orders", "list", "--state", "draft", "--json"))] == [order]
    assert read(command("orders", "list", "--state", "completed", "--json")) == []
    assert read(command("orders", "list", "--customer", "bob", "--json")) == []


def test_a_refusal_says_which_guard_refused_why_and_what_would_do(command: Command, shop: Seeded) -> None:
    lines = {"lines": [{"sku": "TRAY-OAK", "quantity": 4}]}
    made = command("orders", "send", "new", "create", "--as", "customer:ann", "--payload", json.dumps(lines), "--json")
    done = command("orders", "send", read(made)["id"], "submit", "--as", "customer:ann")
    assert done.exit_code == 1
    assert "'submit' was refused (in_stock): not in stock: TRAY-OAK: 4 asked, 3 available" in done.output
    assert "in state 'draft' it takes: " in done.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["ORDER", "submit", "--as", "admin:root"], 1, "the role admin may not raise 'submit'"),
        (["ORDER", "submit", "--as", "customer:bob"], 1, "there is no order"),
        (["ord_nothere", "submit", "--as", "merchant:shop"], 1, "there is no order 'ord_nothere'"),
        (["ORDER", "fly", "--as", "merchant:shop"], 2, "has no event 'fly'; there are create"),
        (["ORDER", "expire", "--as", "merchant:shop"], 2, "has no event 'expire'"),
        (["ORDER", "submit", "--as", "merchant"], 2, "say role:name, as merchant:shop"),
        (["ORDER", "submit", "--as", "system:me"], 2, "the roles are customer, merchant, approver, admin"),
        (["ORDER", "pay", "--as", "customer:ann", "--payload", "{"], 2, "--payload is not JSON"),
        (["ORDER", "pay", "--as", "customer:ann", "--payload", "[1]"], 2, "must be a JSON object"),
        (["ORDER", "pay", "--as", "customer:ann", "--payload", "@nofile"], 2, "'nofile' can't be read"),
        (["ORDER", "fail", "--as", "merchant:shop"], 2, "reason: Field required"),
    ],
)
def test_what_cannot_be_sent_is_said_plainly(
    command: Command, order: str, arguments: list[str], code: int, said: str
) -> None:
    done = command("orders", "send", *(order if each == "ORDER" else each for each in arguments))
    assert (done.exit_code, done.exception.__class__) == (code, SystemExit)
    assert said in done.output


def test_what_is_not_there_cannot_be_shown(command: Command, shop: Seeded) -> None:
    assert "there is no order 'ord_nothere'" in command("orders", "show", "ord_nothere").output
    assert "there is no state 'lost'" in command("orders", "list", "--state", "lost").output


# -- keys ------------------------------------------------------------------------------------------------------------


def test_a_key_is_made_listed_and_revoked(command: Command, shop: Seeded) -> None:
    made = read(command("keys", "create", "bob", "--role", "merchant", "--days", "7", "--json"))
    assert made["key"].startswith(f"ord_live_{made['id']}_")
    listed = command("keys", "list").output
    assert made["id"] in listed
    assert made["key"] not in listed
    assert command("keys", "revoke", made["key"]).exit_code == 0
    again = command("keys", "revoke", made["id"])
    assert again.exit_code == 1
    assert "there is no active key" in again.output


def test_a_third_active_key_is_refused_with_the_way_out(command: Command, shop: Seeded) -> None:
    for _ in range(2):
        assert command("keys", "create", "bob", "--role", "admin").stdout.startswith("ord_live_")
    done = command("keys", "create", "bob", "--role", "admin")
    assert done.exit_code == 1
    assert "orderly keys revoke" in done.output


def test_a_shop_is_seeded_once(command: Command, shop: Seeded) -> None:
    assert shop.products == len(CATALOGUE)
    assert [key.role for key in shop.keys] == ["admin", "merchant", "customer"]


# -- what stands in the way ------------------------------------------------------------------------------------------


def test_a_missing_database_is_not_made_by_looking_at_it(command: Command, tmp_path: Path) -> None:
    done = command("orders", "list")
    assert done.exit_code == 2
    assert "there is no database 'orderly.db': run `orderly migrate`" in done.output
    assert not (tmp_path / "orderly.db").exists()


def test_migrating_says_from_where_to_where(command: Command) -> None:
    assert command("migrate").output.startswith("from empty to revision ")
    assert command("migrate").output.startswith("already at revision ")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (
            "ORDERLY_DATABASE_URL",
            "nonsense",
            "ORDERLY_DATABASE_URL (in the settings file: database_url) is no database URL",
        ),
        ("ORDERLY_DATABASE_URL", "mysql://db/orderly", "say sqlite:///file or postgresql://"),
        ("ORDERLY_DATABASE_URL", "sqlite:////no/such/folder/orderly.db", "can't be used"),
        ("ORDERLY_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/orderly", "the database can't be used"),
        ("ORDERLY_PROT", "1", "did you mean ORDERLY_PORT?"),
        ("ORDERLY_SETTINGS_FILE", "nofile.toml", "'nofile.toml' can't be read"),
    ],
)
def test_bad_settings_are_said_in_words(
    command: Command, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    done = command("migrate")
    assert (done.exit_code, done.exception.__class__) == (2, SystemExit)
    assert said in done.output


def test_settings_are_shown_with_secrets_hidden(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERLY_KEY_PEPPER", "hunter2")
    monkeypatch.setenv("ORDERLY_DATABASE_URL", "postgresql://orderly:hunter2@db/orderly")
    assert "hunter2" not in command("settings").output
    assert read(command("settings", "--json"))["ORDERLY_DATABASE_URL"] == "postgresql://orderly:***@db/orderly"


def test_invoices_are_replayed_into_a_database_of_their_own(command: Command, tmp_path: Path) -> None:
    assert read(command("replay", INVOICES, "--json"))["adds_up"] is True
    assert (tmp_path / "replay.db").exists()
    missing = command("replay", "nofile.csv")
    assert missing.exit_code == 2
    assert "nofile.csv: No such file" in missing.output


def test_a_postgresql_that_lets_nobody_in_is_said_in_words(
    command: Command, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(postgresql)
    for wrong, said in (
        (url.set(database="nothere"), '"nothere" does not exist'),
        (url.set(username="nobody"), "nobody"),
    ):
        monkeypatch.setenv("ORDERLY_DATABASE_URL", wrong.render_as_string(hide_password=False))
        for arguments in (["migrate"], ["orders", "list"], ["serve", "--port", "0"]):
            done = command(*arguments)
            assert (done.exit_code, done.exception.__class__) == (2, SystemExit)
            assert said in done.output
            assert "check ORDERLY_DATABASE_URL" in done.output
