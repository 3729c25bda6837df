"""Why a card was declined, in words for the customer (https://docs.stripe.com/declines/codes)."""

import re

TRANSIENT = frozenset(
    {"approve_with_id", "issuer_not_available", "processing_error", "reenter_transaction", "try_again_later"}
)
"""Nothing is wrong with the card: the same payment may be approved a moment later."""

_SECRET = frozenset(
    {
        "fraudulent",
        "lost_card",
        "merchant_blacklist",
        "pickup_card",
        "restricted_card",
        "security_violation",
        "stolen_card",
    }
)
"""Whoever holds the card is not to learn that it is known to be stolen or suspected."""

_WORDS = {
    "authentication_required": "the bank wants the customer to confirm the payment",
    "card_not_supported": "the card does not allow this kind of purchase",
    "card_velocity_exceeded": "the limit of the card is reached",
    "currency_not_supported": "the card does not allow this currency",
    "duplicate_transaction": "the same payment was made a moment ago",
    "expired_card": "the card has expired",
    "incorrect_address": "the billing address is wrong",
    "incorrect_cvc": "the security code is wrong",
    "incorrect_number": "the card number is wrong",
    "incorrect_zip": "the postal code is wrong",
    "insufficient_funds": "insufficient funds",
    "invalid_amount": "the bank does not allow this amount",
    "invalid_cvc": "the security code is wrong",
    "invalid_expiry_month": "the expiry date is wrong",
    "invalid_expiry_year": "the expiry date is wrong",
    "invalid_number": "the card number is wrong",
    "live_mode_test_card": "a test card takes no real payments",
    "payment_intent_authentication_failure": "the customer did not confirm the payment",
    "testmode_decline": "only test cards are taken here",
    "withdrawal_count_limit_exceeded": "the limit of the card is reached",
    **dict.fromkeys(TRANSIENT, "the bank cannot decide at the moment"),
}

_CODE = re.compile(r"[a-z][a-z_]{0,59}")


def decline(code: str) -> dict[str, str]:
    """Return the reason and the code of a decline, by Stripe's decline code or its error code.

    A code that nobody is to learn becomes ``generic_decline``, one without words of its own a plain refusal.
    """
    if code in _SECRET or not _CODE.fullmatch(code):
        code = "generic_decline"
    return {"reason": _WORDS.get(code, "the card was declined"), "code": code}
