"""A small honest double of Stripe: it keeps a ledger, honours idempotency keys and misbehaves when told to.

It runs in a thread with a loop of its own, behind a real socket. What it does about keys is what Stripe documents: an
answer is kept once the request was carried out, declines and all, and said again under the same key; the same key with
another request is an error; what was refused before it began is not kept.
"""

import re
from collections import deque
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tests.gateways.peer import Asked, Peer, Says

SECRET_KEY = "sk_test_double0000000000"

DECLINES = {
    "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_visa_chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", None),
}
METHODS = {*DECLINES, "pm_card_visa", "pm_card_chargeDeclinedProcessingError", "pm_card_authenticationRequired"}
NEW_PAYMENT = {
    "amount",
    "currency",
    "payment_method",
    "confirm",
    "capture_method",
    "metadata[order]",
    "metadata[effect]",
    "return_url",
    "payment_method_types[]",
    "payment_method_options[card][request_multicapture]",
}

Json = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the next request that would move money."""

    say: Callable[[Says], Any] = lambda said: said
    """Makes of the honest answer what is said, see `Peer`."""
    carried_out: bool = True
    """Whether the request was carried out all the same."""


class Refusal(Exception):
    def __init__(self, status: int, type_: str = "invalid_request_error", **error: Any) -> None:
        self.says = Says(status, {"error": {"type": type_, **error}})


@dataclass
class StripeDouble(Peer):
    """The account of one shop."""

    respond: Any = None
    intents: dict[str, Json] = field(default_factory=dict)
    taken: list[tuple[str, int, str]] = field(default_factory=list)
    """Payment, amount, currency: each time that money was really taken."""
    given_back: list[tuple[str, int]] = field(default_factory=list)
    refunds: list[Json] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    takes_in_pieces: bool = True
    """Whether cards let what is held be taken in several pieces."""
    is_searchable: bool = True
    """Whether payments may be searched; in some countries they may not."""
    bad_moments: int = 0
    """How often the bank of `pm_card_chargeDeclinedProcessingError` will still say so."""
    kept: dict[str, tuple[Any, Says]] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Any:
        self.asked.append(asked)
        fault = self.faults.popleft() if self.faults and asked.method == "POST" else None
        if fault and not fault.carried_out:
            return fault.say(Says(200))
        said = self._keyed(asked)
        return fault.say(said) if fault else said

    def authenticate(self, payment: str) -> None:
        """The customer confirms the payment to the bank."""
        self._approve(self.intents[payment])

    def _keyed(self, asked: Asked) -> Says:
        key, request = asked.headers.get("idempotency-key"), (asked.path, asked.body)
        if asked.headers.get("authorization") != f"Bearer {SECRET_KEY}":
            return Refusal(401, message="Invalid API Key provided: sk_test_********0000").says
        if key in self.kept:
            earlier, said = self.kept[key]
            if earlier != request:
                return Refusal(400, "idempotency_error", message="Keys are for one set of parameters only.").says
            return Says(said.status, said.body, {"Idempotent-Replayed": "true"})
        try:
            said = self._carry_out(asked)
        except Refusal as refusal:
            said = refusal.says
        if key and said.status in (200, 402):
            self.kept[key] = (request, said)
        return said

    def _carry_out(self, asked: Asked) -> Says:
        form = dict(parse_qsl(asked.body.decode(), strict_parsing=bool(asked.body)))
        match asked.method, asked.path.partition("?")[0].split("/")[2:]:
            case "GET", ["payment_intents"]:
                return Says(200, {"object": "list", "data": []})
            case "POST", ["payment_intents"]:
                return self._shown(self._pay(form))
            case "GET", ["payment_intents", "search"]:
                return self._shown(self._found(dict(parse_qsl(asked.path.partition("?")[2]))["query"]))
            case "GET", ["payment_intents", payment]:
                return self._shown(self._intent(payment))
            case "POST", ["payment_intents", payment, "confirm"]:
                states = ("requires_payment_method", "requires_confirmation")
                return self._shown(self._confirm(self._in(payment, *states), form))
            case "POST", ["payment_intents", payment, "capture"]:
                return self._shown(self._capture(payment, form))
            case "POST", ["payment_intents", payment, "cancel"]:
                states = ("requires_payment_method", "requires_capture", "requires_action")
                intent = self._in(payment, *states)
                intent |= {"status": "canceled", "amount_capturable": 0}
                return self._shown(intent)
            case "GET", ["refunds"]:
                query = dict(parse_qsl(asked.path.partition("?")[2]))
                made = [each for each in reversed(self.refunds) if each["payment_intent"] == query["payment_intent"]]
                most = min(int(query.get("limit", 10)), 100)
                return self._shown({"object": "list", "data": made[:most], "has_more": len(made) > most})
            case "POST", ["refunds"]:
                return self._shown(self._refund(form))
        raise Refusal(404, message=f"Unrecognized request URL ({asked.method}: {asked.path}).")

    def _pay(self, form: dict[str, str]) -> Json:
        if unknown := form.keys() - NEW_PAYMENT:
            raise Refusal(400, code="parameter_unknown", message=f"Received unknown parameter: {unknown.pop()}")
        if not form["amount"].isdigit() or int(form["amount"]) < 1:
            raise Refusal(
                400, code="parameter_invalid_integer", message="This value must be greater than or equal to 1."
            )
        if form["currency"] == "zzz":
            raise Refusal(400, message="Invalid currency: zzz.")
        if form["payment_method"] not in METHODS:
            message = f"No such PaymentMethod: '{form['payment_method']}'"
            raise Refusal(400, code="resource_missing", param="payment_method", message=message)
        intent = {
            "id": f"pi_{len(self.intents) + 1:04}",
            "object": "payment_intent",
            "status": "requires_confirmation",
            "amount": int(form["amount"]),
            "amount_received": 0,
            "amount_capturable": 0,
            "latest_charge": None,
            "currency": form["currency"],
            "capture_method": form["capture_method"],
            "metadata": _metadata(form),
            "next_action": None,
            "last_payment_error": None,
        }
        self.intents[intent["id"]] = intent
        if "payment_method_options[card][request_multicapture]" in form:
            status = "available" if self.takes_in_pieces else "unavailable"
            intent["latest_charge"] = {"payment_method_details": {"card": {"multicapture": {"status": status}}}}
        return self._confirm(intent, form)

    def _found(self, query: str) -> Json:
        if not self.is_searchable:
            raise Refusal(400, message="Search is not available in your country.")
        asked = re.fullmatch(r"metadata\['(\w+)'\]:'(\w+)'", query)
        if asked is None:
            raise Refusal(400, message="We were unable to parse your search query.")
        found = [each for each in self.intents.values() if each["metadata"].get(asked[1]) == asked[2]]
        return {"object": "search_result", "data": found[::-1]}

    def _confirm(self, intent: Json, form: dict[str, str]) -> Json:
        code, decline_code = DECLINES.get(form["payment_method"], (None, None))
        if form["payment_method"] == "pm_card_chargeDeclinedProcessingError" and self.bad_moments > 0:
            self.bad_moments -= 1
            code = "processing_error"
        if code:
            error = {"type": "card_error", "code": code, "decline_code": decline_code, "message": "Declined."}
            intent |= {"status": "requires_payment_method", "last_payment_error": error}
            raise Refusal(402, "card_error", **{**error, "payment_intent": deepcopy(intent)})
        if form["payment_method"] != "pm_card_authenticationRequired":
            return self._approve(intent)
        intent["status"] = "requires_action"
        if way_back := form.get("return_url"):
            page = {"url": f"https://bank.example/confirm/{intent['id']}", "return_url": way_back}
            intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": page}
        else:
            intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
        return intent

    def _approve(self, intent: Json) -> Json:
        intent["next_action"] = None
        if intent["capture_method"] == "manual":
            intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
            return intent
        return self._take(intent, intent["amount"])

    def _take(self, intent: Json, amount: int) -> Json:
        intent |= {"status": "succeeded", "amount_received": intent["amount_received"] + amount, "amount_capturable": 0}
        self.taken.append((intent["id"], amount, intent["currency"]))
        return intent

    def _capture(self, payment: str, form: dict[str, str]) -> Json:
        intent, amount = self._in(payment, "requires_capture"), int(form["amount_to_capture"])
        left = intent["amount_capturable"] - amount
        if left < 0:
            raise Refusal(400, code="amount_too_large", message="The requested capture amount is too large.")
        if form.get("final_capture", "true") == "true":
            return self._take(intent, amount)
        if not (intent["latest_charge"] and self.takes_in_pieces):
            raise Refusal(400, param="final_capture", message="Multicapture is not available for this PaymentIntent.")
        self._take(intent, amount)
        if left:
            intent |= {"status": "requires_capture", "amount_capturable": left}
        return intent

    def _refund(self, form: dict[str, str]) -> Json:
        intent, amount = (
            self._in(form["payment_intent"], "succeeded", "requires_capture", "canceled"),
            int(form["amount"]),
        )
        left = intent["amount_received"] - sum(sum_ for payment, sum_ in self.given_back if payment == intent["id"])
        if amount > left:
            message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            raise Refusal(400, message=message)
        self.given_back.append((intent["id"], amount))
        name = f"re_{len(self.given_back):04}"
        made = {"id": name, "status": "succeeded", "amount": amount, "currency": intent["currency"]}
        made |= {"payment_intent": intent["id"], "metadata": _metadata(form)}
        self.refunds.append(made)
        return made

    def _intent(self, payment: str) -> Json:
        if payment not in self.intents:
            raise Refusal(404, code="resource_missing", message=f"No such payment_intent: '{payment}'")
        return self.intents[payment]

    def _in(self, payment: str, *states: str) -> Json:
        intent = self._intent(payment)
        if intent["status"] not in states:
            message = f"This PaymentIntent has a status of {intent['status']}."
            raise Refusal(400, code="payment_intent_unexpected_state", message=message, payment_intent=deepcopy(intent))
        return intent

    def _shown(self, thing: Json) -> Says:
        return Says(200, deepcopy(thing))


def _metadata(form: dict[str, str]) -> Json:
    return {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")}
