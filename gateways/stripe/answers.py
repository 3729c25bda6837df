"""What Stripe answers, as far as it is looked at (https://docs.stripe.com/api/payment_intents/object)."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

from gateways.http import HttpAnswer
from gateways.port import NoAnswer
from gateways.stripe.declines import TRANSIENT
from statemachines.values import Name, Url

_OUR_FAULT = frozenset(
    {
        "account_invalid",
        "api_key_expired",
        "platform_api_key_expired",
        "secret_key_required",
        "testmode_charges_only",
    }
)
"""Refusals that speak of the account and not of the payment."""


class Failure(BaseModel):
    """Why Stripe did not do what it was asked, or why a payment failed."""

    type: str = ""
    code: str | None = None
    decline_code: str | None = None
    message: str | None = None
    payment_intent: "Intent | None" = None
    answered: int = 402
    """The HTTP status it came with."""

    @property
    def exact_code(self) -> str:
        """The most exact code there is."""
        return self.decline_code or self.code or ""

    @property
    def is_of_the_card(self) -> bool:
        """Whether the payment method was declined; any other failure is of the request."""
        return self.answered == 402 or self.type == "card_error"

    @property
    def is_transient(self) -> bool:
        """Whether the same payment may be approved a moment later."""
        return self.is_of_the_card and self.exact_code in TRANSIENT


class Redirect(BaseModel):
    """Where the customer's browser is to be sent."""

    url: Url


class NextAction(BaseModel):
    """What the customer has to do."""

    redirect_to_url: Redirect | None = None


class Multicapture(BaseModel):
    """Whether a card lets what is held be taken in several pieces."""

    status: str


class Card(BaseModel):
    """What is known of the card."""

    multicapture: Multicapture | None = None


class Method(BaseModel):
    """What it was paid with."""

    card: Card | None = None


class Charge(BaseModel):
    """One try at a payment."""

    payment_method_details: Method | None = None


class Made(BaseModel):
    """What was made at Stripe, by us or by others."""

    metadata: dict[str, Any] | None = None

    @property
    def effect(self) -> str | None:
        """The id of the effect that it was made for; None if we did not make it."""
        effect = (self.metadata or {}).get("effect")
        return effect if isinstance(effect, str) else None


M = TypeVar("M", bound=Made)


class Listed(BaseModel, Generic[M]):
    """What Stripe lists or finds, the newest first."""

    data: list[M]
    has_more: bool = False

    def made_for(self, effect: str) -> M | None:
        """Return what was made for an effect, if there is any.

        Raises:
            NoAnswer: it is not among those shown, and there are more.
        """
        made = next((each for each in self.data if each.effect == effect), None)
        if made is None and self.has_more:
            raise NoAnswer("what an earlier attempt did can't be looked up: there are too many to see them all")
        return made


class Intent(Made):
    """A payment, from its first attempt to its end."""

    id: Name
    status: str
    amount: int = Field(ge=0)
    currency: str
    amount_received: int | None = None
    amount_capturable: int | None = None
    latest_charge: "Charge | str | None" = None
    next_action: NextAction | None = None
    last_payment_error: Failure | None = None

    @property
    def received(self) -> int:
        """What was taken, by now."""
        if self.amount_received is None and self.status == "succeeded":
            return self.amount
        return self.amount_received or 0

    @property
    def held(self) -> int:
        """What is held ready still."""
        if self.status != "requires_capture":
            return 0
        return self.amount - self.received if self.amount_capturable is None else self.amount_capturable

    @property
    def waits_for_us(self) -> bool:
        """Whether it is to be confirmed: the bank was not asked yet, or could not decide when it was."""
        match self.status:
            case "requires_confirmation":
                return True
            case "requires_payment_method":
                return self.last_payment_error is None or self.last_payment_error.is_transient
        return False

    @property
    def is_taken_in_pieces(self) -> bool:
        """Whether what is held may be taken in several pieces."""
        charge = self.latest_charge
        card = (
            charge.payment_method_details.card if isinstance(charge, Charge) and charge.payment_method_details else None
        )
        return card is not None and card.multicapture is not None and card.multicapture.status == "available"


class Refund(Made):
    """Money given back."""

    id: Name
    status: str
    amount: int = Field(ge=0)
    currency: str
    failure_reason: str | None = None


class Problem(BaseModel):
    """The body of every refusal."""

    error: Failure


def failure_of(answer: HttpAnswer) -> Failure | None:
    """Return why Stripe refuses, or None if it does not.

    Raises:
        NoAnswer: it says that our key or our account is wrong, that it is busy with the same payment, that the payment
            is not where it was when it was looked at, or nothing that it is known to say.
    """
    match answer.status:
        case 200:
            return None
        case 401 | 403:
            raise NoAnswer("the gateway does not accept our key: check it and its permissions")
        case 409:
            raise NoAnswer("the gateway is still busy with this or another request for the same payment")
        case 400 | 402 | 404:
            failure = answer.read(Problem).error
            if failure.code in _OUR_FAULT:
                raise NoAnswer(f"the gateway does not accept our account ({failure.code})")
            if failure.code == "payment_intent_unexpected_state":
                raise NoAnswer("the payment has changed meanwhile")
            return failure.model_copy(update={"answered": answer.status})
    raise NoAnswer(f"answered {answer.status}")
