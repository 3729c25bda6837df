"""A running server and an independent Stripe: what the customer does at the bank is heard by webhook alone."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateways.stripe_double import SECRET_KEY
from tests.gateways.test_payments_conformance import asking_card, localstripe
from tests.orderly.programs import Server, running, until

__all__ = ["localstripe"]

SIGNING_SECRET = "whsec_8a1f"


@pytest.fixture
def server(tmp_path: Path, localstripe: str) -> Any:
    """A server that charges through localstripe, which tells it by webhook."""
    settings = {
        "payments__gateway": "stripe",
        "payments__secret_key": SECRET_KEY,
        "payments__url": localstripe,
        "webhooks__stripe__secrets": SIGNING_SECRET,
    }
    with running(tmp_path, **settings) as started:
        hook = {"url": f"{started.url}/webhooks/stripe", "secret": SIGNING_SECRET}
        httpx.post(f"{localstripe}/_config/webhooks/orderly", json=hook).raise_for_status()
        yield started
        httpx.delete(f"{localstripe}/_config/data")


def paying(merchant: httpx.Client, method: str) -> str:
    lines = {"lines": [{"sku": "MUG-BLUE", "quantity": 1}], "customer": "ann"}
    order = str(merchant.post("/orders", json=lines).json()["id"])
    merchant.post(f"/orders/{order}/submit").raise_for_status()
    merchant.post(f"/orders/{order}/pay", json={"method": method}).raise_for_status()
    return order


def heard(merchant: httpx.Client) -> list[dict[str, Any]]:
    """Return what was heard of, once something was and all of it is settled."""
    entries: list[dict[str, Any]] = merchant.get("/inbox?source=stripe").json()["items"]
    return [] if any(entry["status"] == "pending" for entry in entries) else entries


def test_what_we_know_already_is_heard_and_changes_nothing(server: Server) -> None:
    with server.client("merchant") as merchant:
        order = paying(merchant, "pm_card_visa")
        (entry,) = until(lambda: heard(merchant), "the payment is heard of")
        assert (entry["kind"], entry["status"]) == ("payment_intent.succeeded", "applied")
        assert entry["reason"].endswith("was answered before")
        shown = merchant.get(f"/orders/{order}").json()
        assert (shown["state"], shown["paid"]) == ("processing", shown["total"])


def test_what_the_customer_confirms_at_the_bank_is_heard(server: Server, localstripe: str) -> None:
    with server.client("merchant") as merchant:
        order = paying(merchant, asking_card(localstripe))
        waiting = f"/payments?state=requires_action&q={order}"
        (ours,) = until(lambda: merchant.get(waiting).json()["items"], "the bank asks")
        payment = f"{localstripe}/v1/payment_intents/{ours['payment']}"
        assert merchant.get(f"/orders/{order}").json()["state"] == "paying"
        stripe = httpx.Client(headers={"Authorization": f"Bearer {SECRET_KEY}"})
        secret = stripe.get(payment).json()["client_secret"]
        confirmed = stripe.post(f"{payment}/_authenticate", data={"client_secret": secret, "success": "true"})
        confirmed.raise_for_status()
        (entry,) = until(lambda: heard(merchant), "the payment is heard of")
        assert (entry["status"], entry["entity_id"], entry["event"]) == ("applied", ours["id"], "charged")
        assert merchant.get(f"/orders/{order}").json()["state"] == "processing"
        assert secret not in merchant.get(f"/inbox/{entry['seq']}").text
