"""Signatures, as an independent library verifies them."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from gateways.signatures import standard_key
from gateways.signing import SigningSecrets, sign
from statemachines.subscription import OVERLAP

SECRETS = SigningSecrets("pepper")
BODY = b'{"type":"orderly.order.charged","data":{"reason":"\xc3\xbc"}}'


def now() -> datetime:
    return datetime.now(UTC)


def test_a_message_is_verified_by_its_secret() -> None:
    secret = SECRETS.secret("whs_1", 1)
    headers = sign("evt_1", now(), BODY, [secret])
    assert Webhook(secret).verify(BODY, headers) == {"type": "orderly.order.charged", "data": {"reason": "ü"}}


@pytest.mark.parametrize("spoilt", ["body", "webhook-id", "webhook-timestamp", "secret"])
def test_a_message_that_was_changed_is_not(spoilt: str) -> None:
    secret = SECRETS.secret("whs_1", 1)
    body, headers = BODY, sign("evt_1", now(), BODY, [secret])
    if spoilt == "body":
        body = BODY.replace(b"charged", b"declined")
    elif spoilt == "secret":
        secret = SECRETS.secret("whs_1", 2)
    else:
        headers[spoilt] = {"webhook-id": "evt_2", "webhook-timestamp": str(int(now().timestamp()) - 1)}[spoilt]
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers)


def test_a_message_is_not_verified_long_after_it_was_signed() -> None:
    secret = SECRETS.secret("whs_1", 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, sign("evt_1", now() - timedelta(minutes=6), BODY, [secret]))


def test_while_a_secret_is_rotated_either_verifies() -> None:
    rotated_at = now()
    both = SECRETS.valid("whs_1", 2, rotated_at, rotated_at + OVERLAP - timedelta(seconds=1))
    headers = sign("evt_1", now(), BODY, both)
    for generation in (1, 2):
        assert Webhook(SECRETS.secret("whs_1", generation)).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRETS.secret("whs_1", 3)).verify(BODY, headers)


def test_after_a_day_the_secret_before_verifies_nothing() -> None:
    rotated_at = now()
    only = SECRETS.valid("whs_1", 2, rotated_at, rotated_at + OVERLAP)
    assert only == [SECRETS.secret("whs_1", 2)]
    assert SECRETS.valid("whs_1", 1, None, rotated_at) == [SECRETS.secret("whs_1", 1)]


def test_every_subscription_and_generation_has_a_secret_of_its_own_of_full_strength() -> None:
    made = {SECRETS.secret(name, number) for name in ("whs_1", "whs_11", "whs_2") for number in range(1, 20)}
    assert len(made) == 57
    assert {len(standard_key(secret)) for secret in made} == {32}
    assert SigningSecrets("other").secret("whs_1", 1) not in made
