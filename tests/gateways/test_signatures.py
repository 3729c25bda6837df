"""Only messages whose signature holds, over the very bytes that came and within five minutes, are let in."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks

from gateways.signatures import HmacScheme, NotVerified, Scheme, StandardScheme, StripeScheme

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
BODY = b'{"id": "evt_1",  "type":"x", "name": "M\xc3\xbcller"}'
SECRET, OTHER, STRANGER = "whsec_bXktc2VjcmV0LW9mLTI0LWJ5dGVzLS0t", "whsec_" + "b" * 44, "whsec_" + "c" * 44


def stripe(body: bytes = BODY, secret: str = SECRET, at: datetime = NOW) -> dict[str, str]:
    """Sign as Stripe documents it."""
    seconds = int(at.timestamp())
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={seconds},v1={digest},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb"}


def standard(body: bytes = BODY, secret: str = SECRET, at: datetime = NOW) -> dict[str, str]:
    """Sign as an independent implementation does."""
    signature = standardwebhooks.Webhook(secret).sign("msg_1", at, body.decode())
    seconds = str(int(at.timestamp()))
    return {"webhook-id": "msg_1", "webhook-timestamp": seconds, "webhook-signature": signature}


def plain(body: bytes = BODY, secret: str = SECRET, at: datetime = NOW) -> dict[str, str]:
    seconds = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha512).digest()
    return {"x-time": seconds, "x-signature": "sha512=" + base64.b64encode(digest).decode()}


def plain_scheme(secrets: list[str]) -> HmacScheme:
    return HmacScheme(
        secrets, "x-signature", algorithm="sha512", encoding="base64", prefix="sha512=", timestamp_header="x-time"
    )


SCHEMES = [(StripeScheme, stripe), (StandardScheme, standard), (plain_scheme, plain)]
each_scheme = pytest.mark.parametrize(("make", "sign"), SCHEMES, ids=["stripe", "standard", "hmac"])


def verified(scheme: Scheme, headers: dict[str, str], body: bytes = BODY, now: datetime = NOW) -> bool:
    try:
        scheme.verify(headers, body, now)
    except NotVerified:
        return False
    return True


@each_scheme
def test_a_signed_message_is_let_in(make, sign) -> None:
    assert verified(make([SECRET]), sign())


@each_scheme
def test_a_message_signed_with_another_secret_is_not(make, sign) -> None:
    assert not verified(make([SECRET, OTHER]), sign(secret=STRANGER))


@each_scheme
def test_while_secrets_are_rotated_either_holds(make, sign) -> None:
    assert verified(make([OTHER, SECRET]), sign())
    assert verified(make([OTHER, SECRET]), sign(secret=OTHER))


@each_scheme
def test_a_single_changed_byte_is_noticed(make, sign) -> None:
    assert not verified(make([SECRET]), sign(), BODY.replace(b"  ", b" "))


@each_scheme
@pytest.mark.parametrize(("age", "holds"), [(300, True), (301, False), (-300, True), (-301, False), (10**9, False)])
def test_a_signature_holds_for_five_minutes_either_way(make, sign, age, holds) -> None:
    assert verified(make([SECRET]), sign(at=NOW - timedelta(seconds=age))) is holds


@each_scheme
def test_the_signed_time_can_not_be_moved(make, sign) -> None:
    moved = {
        name: value.replace(str(int(NOW.timestamp())), str(int(NOW.timestamp()) + 1)) for name, value in sign().items()
    }
    assert moved != sign()
    assert not verified(make([SECRET]), moved)


@each_scheme
@pytest.mark.parametrize("value", [None, "", "x", "v1,", "v1=", "t=1767614400,v1=zz", "é", "sha512=", "v1," + "é" * 9])
def test_a_header_that_is_missing_or_makes_no_sense_is_no_signature(make, sign, value) -> None:
    for name in sign():
        headers = {**sign(), name: value}
        assert not verified(make([SECRET]), {name: value for name, value in headers.items() if value is not None})


@pytest.mark.parametrize("seconds", ["1767614400.0", "1e9", "-1767614400", " 1767614400", "١٧٦٧٦١٤٤٠٠", "9" * 400])
def test_a_time_is_told_in_whole_seconds(seconds) -> None:
    assert not verified(StandardScheme([SECRET]), {**standard(), "webhook-timestamp": seconds})


def test_of_several_signatures_one_has_to_hold() -> None:
    good = stripe()["stripe-signature"]
    assert verified(StripeScheme([SECRET]), {"stripe-signature": "v1=00ff, " + good.replace(",v1=", ", v1=")})
    good = standard()["webhook-signature"]
    signatures = f"v1a,AAAA v1,bm8= nonsense {good}"
    assert verified(StandardScheme([SECRET]), {**standard(), "webhook-signature": signatures})


def test_signatures_of_other_versions_do_not_count() -> None:
    assert not verified(
        StripeScheme([SECRET]), {"stripe-signature": stripe()["stripe-signature"].replace("v1=", "v0=")}
    )
    old = standard()["webhook-signature"].replace("v1,", "v2,")
    assert not verified(StandardScheme([SECRET]), {**standard(), "webhook-signature": old})


def test_the_independent_library_and_this_one_agree_on_what_holds() -> None:
    headers = standard(at=datetime.now(UTC))
    assert standardwebhooks.Webhook(SECRET).verify(BODY, headers)["id"] == "evt_1"
    assert StandardScheme([SECRET]).verify(headers, BODY, datetime.now(UTC)) == "msg_1"


def test_a_plain_signature_in_hexadecimal_needs_no_time() -> None:
    digest = hmac.new(b"secret", BODY, hashlib.sha256).hexdigest()
    scheme = HmacScheme(["secret"], "x-hub-signature-256", prefix="sha256=")
    assert verified(scheme, {"x-hub-signature-256": f"sha256={digest}"}, now=NOW + timedelta(days=3))
    assert not verified(scheme, {"x-hub-signature-256": digest})


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!", "whsec_" + "A" * 200])
def test_a_secret_that_standard_webhooks_would_not_make_is_refused(secret) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes"):
        StandardScheme([secret])


def test_secrets_do_not_show() -> None:
    shown = [repr(scheme([SECRET])) for scheme in (StripeScheme, StandardScheme, plain_scheme)]
    assert not [text for text in shown if SECRET in text]
