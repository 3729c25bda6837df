"""The gateway to Stripe's payment intents and refunds (https://docs.stripe.com/api), over HTTP alone.

Every payment is a payment intent, confirmed as it is made, with the order and the effect in its metadata, so that
webhooks about it find their way. The effect's id is the idempotency key. Stripe forgets keys after a day: what is asked
for again later, by a person, is looked for first. Before money that is held ready is taken or let go, and before money
is given back, the payment is looked at: what an earlier attempt did whose answer was lost is then found done, and a
currency that is not the payment's is refused before anything moves.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from gateways.http import Deadline, HttpAnswer, HttpPeer
from gateways.port import ActionRequired, Answer, Attempt, Done, Handlers, NoAnswer, Refused
from gateways.quoting import quoted
from gateways.stripe.amounts import in_minor_units, in_stripes_units
from gateways.stripe.answers import Failure, Intent, Listed, Made, Refund, failure_of
from gateways.stripe.declines import decline
from gateways.stripe.settings import StripeSettings
from statemachines.payments import (
    AUTHORIZE,
    CAPTURE,
    CHARGE,
    PATIENCE,
    REFUND,
    VOID,
    AuthorizeArguments,
    CaptureArguments,
    ChargeArguments,
    RefundArguments,
    VoidArguments,
)
from statemachines.values import money

TRIES = 3
"""How many attempts may end in a decline that may be over in a moment; then it is final."""

_INTENTS = "/payment_intents"
_IN_PIECES = {"payment_method_options[card][request_multicapture]": "if_available"}

M = TypeVar("M", bound=BaseModel)
Ours = TypeVar("Ours", bound=Made)


class StripePayments:
    """Moves money through Stripe.

    Raises:
        ValueError: the settings lack the key, or hold what cannot be sent; the message does not hold it.
    """

    def __init__(self, settings: StripeSettings) -> None:
        self._secret = settings.secret_key
        if not self._secret.get_secret_value():
            raise ValueError("Stripe's secret key is missing")
        headers = {
            "Authorization": f"Bearer {self._secret.get_secret_value()}",
            "Stripe-Version": settings.api_version,
        }
        self._peer = HttpPeer(f"{settings.url.rstrip('/')}/v1", headers=headers)
        self._in_pieces = settings.multicapture
        self._way_back = {"return_url": settings.return_url} if settings.return_url else {}

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""
        return {
            CHARGE.name: self.charge,
            AUTHORIZE.name: self.authorize,
            CAPTURE.name: self.capture,
            VOID.name: self.void,
            REFUND.name: self.refund,
        }

    async def charge(self, attempt: Attempt) -> Answer:
        """Take money.

        Raises:
            NoAnswer: what became of it is not known, or it is to be tried again.
        """
        asked = attempt.arguments
        assert isinstance(asked, ChargeArguments)
        return await self._pay(attempt, asked, "automatic", "succeeded")

    async def authorize(self, attempt: Attempt) -> Answer:
        """Hold money ready.

        Raises:
            NoAnswer: what became of it is not known, or it is to be tried again.
        """
        asked = attempt.arguments
        assert isinstance(asked, AuthorizeArguments)
        return await self._pay(attempt, asked, "manual", "requires_capture")

    async def capture(self, attempt: Attempt) -> Answer:
        """Take money that is held ready.

        Raises:
            NoAnswer: what became of it is not known, or it is to be tried again.
        """
        asked = attempt.arguments
        assert isinstance(asked, CaptureArguments)
        named = {"amount": asked.amount, "payment": asked.payment}
        try:
            captured = await self._capture(attempt, asked, Deadline(attempt.timeout))
        except _Refusal as no:
            return Refused({**named, "reason": str(no)})
        held = in_minor_units(captured.held, asked.currency)
        return Done({**named, "currency": asked.currency, "total": asked.captured + asked.amount, "held": held})

    async def void(self, attempt: Attempt) -> Answer:
        """Let money go that is held ready, or call a payment off that waits for the customer.

        Raises:
            NoAnswer: what became of it is not known, or it is to be tried again.
        """
        asked = attempt.arguments
        assert isinstance(asked, VoidArguments)
        named = {"payment": asked.payment}
        try:
            await self._void(attempt, asked, Deadline(attempt.timeout))
        except _Refusal as no:
            return Refused({**named, "reason": str(no)})
        return Done(named)

    async def refund(self, attempt: Attempt) -> Answer:
        """Give money back.

        Raises:
            NoAnswer: what became of it is not known, or it is to be tried again.
        """
        asked = attempt.arguments
        assert isinstance(asked, RefundArguments)
        named = {"amount": asked.amount}
        try:
            refund = await self._refund(attempt, asked, Deadline(attempt.timeout))
        except _Refusal as no:
            return Refused({**named, "reason": str(no)})
        return Done({**named, "currency": asked.currency, "refund": refund.id})

    async def reach(self, timeout: timedelta) -> None:  # noqa: ASYNC109  (kept by the peer)
        """Ask for the latest payment, to see that Stripe is there and accepts our key.

        Raises:
            NoAnswer: it is not, or it does not.
        """
        failure_of(await self._peer.request("GET", _INTENTS, params={"limit": "1"}, timeout=timeout))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._peer.aclose()

    async def _pay(
        self, attempt: Attempt, asked: ChargeArguments | AuthorizeArguments, capture: str, paid: str
    ) -> Answer:
        deadline = Deadline(attempt.timeout)
        try:
            amount = _amount(asked.amount, asked.currency)
            ended = await self._confirmed(attempt, asked, amount, capture, deadline)
            if isinstance(ended, Failure):
                return self._declined(ended, attempt)
            if ended.status != paid and (attempt.number > 1 or ended.status == "processing"):
                # Under the same key Stripe says again what it said first, whatever has happened since.
                ended = await self._found(ended.id, deadline)
        except _Refusal as no:
            return Refused({"reason": str(no)})
        if (ended.amount, ended.currency) != (amount, asked.currency.lower()):
            raise NoAnswer("answered about a payment of another amount")
        if ended.status == paid == "succeeded" and ended.amount_received not in (None, amount):
            raise NoAnswer("took another amount")
        if ended.status == paid:
            return Done({"amount": asked.amount, "currency": asked.currency, "payment": ended.id})
        match ended.status:
            case "requires_action":
                redirect = ended.next_action and ended.next_action.redirect_to_url
                return ActionRequired({"payment": ended.id, "url": redirect.url if redirect else None})
            case "requires_payment_method":
                return self._declined(ended.last_payment_error or Failure(), attempt)
            case "canceled":
                return Refused({"reason": "the payment was called off"})
        raise _unexpected(ended)

    async def _confirmed(
        self,
        attempt: Attempt,
        asked: ChargeArguments | AuthorizeArguments,
        amount: int,
        capture: str,
        deadline: Deadline,
    ) -> Intent | Failure:
        """Make the payment, or go on with what an earlier attempt made of it."""
        query = {"query": f"metadata['effect']:'{attempt.key}'"}
        made = await self._made_before(attempt, f"{_INTENTS}/search", query, Listed[Intent], deadline)
        if made is None:
            ended, is_repeated = await self._make(attempt, asked, amount, capture, deadline)
            if isinstance(ended, Intent):
                return ended
            made = ended.payment_intent
            if not (ended.is_transient and made and is_repeated):
                return ended
        # What an earlier attempt made: as Stripe found or repeats it, it may stand otherwise by now.
        found = await self._found(made.id, deadline)
        if not found.waits_for_us:
            return found
        form = {"payment_method": asked.method, **self._way_back}
        answer = await self._post(f"{_path(found.id)}/confirm", form, f"{attempt.key}-{attempt.number}", deadline)
        return failure_of(answer) or answer.read(Intent)

    async def _make(
        self,
        attempt: Attempt,
        asked: ChargeArguments | AuthorizeArguments,
        amount: int,
        capture: str,
        deadline: Deadline,
    ) -> tuple[Intent | Failure, bool]:
        """Make the payment; tell how it went, and whether Stripe only repeats what it said to an earlier attempt."""
        form = {
            "amount": str(amount),
            "currency": asked.currency.lower(),
            "payment_method": asked.method,
            "confirm": "true",
            "capture_method": capture,
            **_metadata(attempt, asked.order),
            **(_IN_PIECES if self._in_pieces and capture == "manual" else {}),
            **(self._way_back or {"payment_method_types[]": "card"}),
        }
        answer = await self._post(_INTENTS, form, attempt.key, deadline)
        return failure_of(answer) or answer.read(Intent), answer.headers.get("Idempotent-Replayed") == "true"

    def _declined(self, failure: Failure, attempt: Attempt) -> Refused:
        if not failure.is_of_the_card:
            return Refused({"reason": self._reason(failure)})
        values = decline(failure.exact_code)
        if failure.is_transient and attempt.number < TRIES:
            raise NoAnswer(f"{values['reason']} ({values['code']})")
        return Refused(values)

    async def _capture(self, attempt: Attempt, asked: CaptureArguments, deadline: Deadline) -> Intent:
        found = await self._found(asked.payment, deadline)
        amount, total = (
            _amount(asked.amount, asked.currency, found),
            _amount(asked.captured + asked.amount, asked.currency),
        )
        if found.amount_received == total:
            return found  # by an earlier attempt whose answer was lost
        match found.status:
            case "requires_capture" | "succeeded" if found.received != total - amount:
                raise _Refusal("another amount was captured before")
            case "requires_capture" if amount > found.held:
                held = money(in_minor_units(found.held, asked.currency), asked.currency)
                raise _Refusal(f"{money(asked.amount, asked.currency)} asked, {held} held ready")
            case "requires_capture":
                pass
            case "canceled" | "succeeded":
                raise _Refusal("the payment was let go, or held ready for too long")
            case "requires_payment_method" | "requires_confirmation" | "requires_action":
                raise _Refusal("nothing is held ready")
            case _:
                raise _unexpected(found)
        form = {"amount_to_capture": str(amount)}
        if not asked.final and found.is_taken_in_pieces:
            form["final_capture"] = "false"
        answer = await self._post(f"{_path(asked.payment)}/capture", form, attempt.key, deadline)
        captured = self._agreed(answer, Intent)
        if captured.status not in ("succeeded", "requires_capture") or captured.amount_received not in (None, total):
            raise _unexpected(captured)
        if captured.status == "requires_capture" and "final_capture" not in form:
            raise _unexpected(captured)
        return captured

    async def _void(self, attempt: Attempt, asked: VoidArguments, deadline: Deadline) -> None:
        found = await self._found(asked.payment, deadline)
        if found.received and in_minor_units(found.received, found.currency.upper()) != asked.captured:
            raise _Refusal("the payment was captured before")
        match found.status:
            case "canceled" | "succeeded":
                return
            case "processing":
                raise _unexpected(found)
        answer = await self._post(f"{_path(asked.payment)}/cancel", {}, attempt.key, deadline)
        left = self._agreed(answer, Intent)
        if left.status != "canceled" and not (asked.captured and left.status == "succeeded"):
            raise _unexpected(left)

    async def _refund(self, attempt: Attempt, asked: RefundArguments, deadline: Deadline) -> Refund:
        found = await self._found(asked.payment, deadline)
        amount = _amount(asked.amount, asked.currency, found)
        match found.status:
            case "processing":
                raise _unexpected(found)
            case status if status != "succeeded" and not found.received:
                raise _Refusal("nothing was taken")
        newest = {"payment_intent": asked.payment, "limit": "100"}
        refund = await self._made_before(attempt, "/refunds", newest, Listed[Refund], deadline)
        if refund is None:
            form = {"payment_intent": asked.payment, "amount": str(amount), **_metadata(attempt, asked.order)}
            refund = self._agreed(await self._post("/refunds", form, attempt.key, deadline), Refund)
        if (refund.amount, refund.currency) != (amount, asked.currency.lower()):
            raise NoAnswer("answered about a refund of another amount")
        if refund.status in ("failed", "canceled"):
            raise _Refusal(f"the refund failed ({quoted(refund.failure_reason or refund.status)})")
        return refund  # one that is pending is on its way; a webhook tells if it does not arrive

    async def _made_before(
        self, attempt: Attempt, path: str, params: Mapping[str, str], listed: type[Listed[Ours]], deadline: Deadline
    ) -> Ours | None:
        """Return what an earlier attempt made, if the effect is so old that its key does not tell."""
        if attempt.age <= PATIENCE.within:
            return None
        answer = await self._peer.request("GET", path, params=params, timeout=deadline.left)
        if failure := failure_of(answer):  # which is no answer about the money: it may have moved
            raise NoAnswer(f"what an earlier attempt did can't be looked up: {self._reason(failure)}")
        return answer.read(listed).made_for(attempt.key)

    async def _found(self, payment: str, deadline: Deadline) -> Intent:
        shown = {"expand[]": "latest_charge"} if self._in_pieces else None
        answer = await self._peer.request("GET", _path(payment), params=shown, timeout=deadline.left)
        if answer.status == 404:
            raise _Refusal("unknown payment")
        return self._agreed(answer, Intent)

    async def _post(self, path: str, form: Mapping[str, str], key: str, deadline: Deadline) -> HttpAnswer:
        headers = {"Idempotency-Key": key}
        return await self._peer.request("POST", path, form=form, headers=headers, timeout=deadline.left)

    def _agreed(self, answer: HttpAnswer, model: type[M]) -> M:
        if failure := failure_of(answer):
            raise _Refusal(self._reason(failure))
        return answer.read(model)

    def _reason(self, failure: Failure) -> str:
        if failure.type == "idempotency_error":
            return "the idempotency key was used before for another request"
        return quoted(failure.message or "", [self._secret]) or f"answered {failure.answered}"


class _Refusal(Exception):
    """A final no; its text is the reason."""


def _amount(amount: int, currency: str, payment: Intent | None = None) -> int:
    """Return an amount in Stripe's units; refuse what it cannot say, and what is not in the payment's currency."""
    if payment and payment.currency != currency.lower():
        raise _Refusal(f"the payment is in {quoted(payment.currency.upper())}, not in {currency}")
    try:
        return in_stripes_units(amount, currency)
    except ValueError as error:
        raise _Refusal(str(error)) from None


def _path(payment: str) -> str:
    return f"{_INTENTS}/{quote(payment, safe='')}"


def _metadata(attempt: Attempt, order: str) -> dict[str, str]:
    return {"metadata[order]": order, "metadata[effect]": attempt.key}


def _unexpected(payment: Intent) -> NoAnswer:
    return NoAnswer(f"the payment is '{quoted(payment.status)}'")
