"""Messages by webhook: only signed ones are taken, each is kept once, and many that come at once share commits."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import CapturingLogger

from api.webhooks import ID_LIMIT
from orderly.settings import Settings
from persistence import inbox as rows
from persistence.database import CommitUnknown
from tests.api.conftest import OpenShop
from tests.api.shop import Shop, assert_problem
from tests.conftest import OpenService
from tests.engine.messages import Json, intent, parcel
from tests.gateways.test_signatures import NOW, SECRET, plain, standard, stripe

NEXT_SECRET = "whsec_" + "n" * 44
SIGNED = {"stripe": {"secrets": SECRET}, "carrier": {"secrets": f"{NEXT_SECRET} {SECRET}"}}


@pytest.fixture
async def shop(open_shop: OpenShop) -> AsyncIterator[Shop]:
    """A shop that takes messages from Stripe and from a carrier."""
    async with open_shop(webhooks=SIGNED, webhooks_per_second=0) as opened:
        yield opened


@pytest.fixture
async def any_shop(open_service: OpenService, database_url: str) -> AsyncIterator[Shop]:
    """The same, on each kind of database."""
    async with open_service(database_url, webhooks=SIGNED, webhooks_per_second=0) as service:
        opened = Shop(service)
        await opened.open()
        await opened.sells()
        yield opened
        await opened.close()


def written(message: object) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode()


async def tells(shop: Shop, message: Json | bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    """Let Stripe tell something, as long as it is not told how to sign."""
    body = message if isinstance(message, bytes) else written(message)
    return await shop.nobody.post(
        "/webhooks/stripe", content=body, headers=stripe(body) if headers is None else headers
    )


async def told(shop: Shop) -> list[dict[str, Any]]:
    """Return what was kept, the newest first."""
    return list((await shop.admin.get("/inbox")).json()["items"])


MESSAGE = intent("succeeded", "eff_1", "pi_1", name="evt_1")
BODY = written(MESSAGE)


async def test_a_signed_message_is_kept_and_then_worked_on(shop: Shop) -> None:
    order = await shop.pending()
    await shop.pay(order)
    (payment,) = await shop.children(order, "payments")
    (effect,) = (await shop.ann.get(f"/payments/{payment}/effects")).json()
    answer = await tells(shop, intent("succeeded", effect["id"], "pi_1", name="evt_9"))
    assert (answer.status_code, answer.json()) == (202, {"duplicate": False})
    (entry,) = await told(shop)
    assert (entry["source"], entry["external_id"], entry["kind"]) == ("stripe", "evt_9", "payment_intent.succeeded")
    assert entry["status"] == "pending"
    await shop.service.inbox.run()
    assert (await shop.ann.get(f"/orders/{order}")).json()["state"] == "processing"


@pytest.mark.parametrize(
    ("source", "headers"),
    [
        ("stripe", {}),
        ("stripe", stripe(BODY, "whsec_forged")),
        ("stripe", stripe(BODY + b" ")),
        ("stripe", stripe(BODY, at=NOW - timedelta(seconds=301))),
        ("stripe", stripe(BODY, at=NOW + timedelta(seconds=301))),
        ("stripe", standard(BODY)),
        ("carrier", standard(BODY, "whsec_" + "f" * 44)),
        ("nobody", stripe(BODY)),
        ("nobody", {}),
    ],
)
async def test_a_message_that_is_not_verified_is_told_no_more_than_that(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, source: str, headers: dict[str, str]
) -> None:
    log = CapturingLogger()
    monkeypatch.setattr("api.webhooks.log", log)
    answer = await shop.nobody.post(f"/webhooks/{source}", content=BODY, headers=headers)
    problem = assert_problem(answer, 401, "not-verified")
    assert problem["detail"] == "nothing is taken from this source, or not with this signature"
    assert await told(shop) == []
    assert [call.args for call in log.calls] == [("webhook_not_verified",)]
    assert SECRET not in str(log.calls)


async def test_a_key_is_no_signature(shop: Shop) -> None:
    assert_problem(await shop.admin.post("/webhooks/stripe", content=BODY), 401, "not-verified")


async def test_without_a_secret_nothing_is_taken(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        assert_problem(await tells(shop, BODY, stripe(BODY, "")), 401, "not-verified")


async def test_while_a_secret_is_replaced_both_hold(shop: Shop) -> None:
    body = written(parcel("weighed", "ord_1"))
    for secret in (SECRET, NEXT_SECRET):
        answer = await shop.nobody.post("/webhooks/carrier", content=body, headers=standard(body, secret))
        assert answer.status_code == 202
    assert [entry["external_id"] for entry in await told(shop)] == ["msg_1"]


async def test_a_plain_hmac_is_verified_as_it_was_set_up(open_shop: OpenShop) -> None:
    signing = {
        "scheme": "hmac",
        "secrets": SECRET,
        "header": "X-Signature",
        "algorithm": "sha512",
        "encoding": "base64",
        "prefix": "sha512=",
        "timestamp_header": "X-Time",
    }
    async with open_shop(webhooks={"carrier": signing}) as shop:
        body = written(parcel("weighed", "ord_1"))
        for _ in range(2):
            answer = await shop.nobody.post("/webhooks/carrier", content=body, headers=plain(body))
            assert answer.status_code == 202
        assert answer.json() == {"duplicate": True}
        (entry,) = await told(shop)
        assert entry["external_id"].startswith("sha256:")


# -- bodies


async def test_nobody_interprets_a_body_before_its_signature_holds(shop: Shop) -> None:
    for body in (b"{", b"\xff", b"", b"[" * 100_000):
        assert_problem(await tells(shop, body, stripe(b"other")), 401, "not-verified")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b'"text"',
        b'{"id": "evt_1", "name": "M\xfcller"}',
        b'{"id": "evt_1", "name": "\\u0000"}',
        b'{"id": "evt_1", "name": "\\ud800"}',
        b'{"id": "evt_1", "id": "evt_2"}',
        b'{"id": "evt_1", "amount": NaN}',
        b'{"id": "evt_1", "a": ' + b"[" * 40 + b"]" * 40 + b"}",
        b"[" * 100_000,
        b'{"id": "' + b"x" * (ID_LIMIT + 1) + b'"}',
        b'{"id": "evt_1", "amount": ' + b"9" * 5000 + b"}",
    ],
    ids=range(13),
)
async def test_a_signed_body_that_is_no_message_can_not_be_read(shop: Shop, body: bytes) -> None:
    assert_problem(await tells(shop, body), 400, "malformed")
    assert await told(shop) == []


async def test_a_huge_body_is_not_even_verified(shop: Shop) -> None:
    assert_problem(await tells(shop, b" " * (256 * 1024 + 1), {}), 413, "too-large")
    assert (await tells(shop, {"id": "evt_1", "filler": "x" * 200_000})).status_code == 202


async def test_any_number_that_json_knows_is_kept(any_shop: Shop) -> None:
    body = b'{"id": "evt_1", "large": 123456789012345678901234567890, "exact": 1e400, "small": 1e-400, "half": 0.5}'
    assert (await tells(any_shop, body)).status_code == 202
    (entry,) = await told(any_shop)
    kept = (await any_shop.admin.get(f"/inbox/{entry['seq']}")).json()["body"]
    assert (kept["large"], kept["half"]) == (123456789012345678901234567890, 0.5)


async def test_what_lets_its_holder_act_is_not_kept(shop: Shop) -> None:
    assert (await tells(shop, MESSAGE)).status_code == 202
    answer = await shop.admin.get("/inbox/1")
    assert answer.json()["body"]["data"]["object"]["id"] == "pi_1"
    assert "secret" not in answer.text


async def test_the_type_of_the_body_is_the_senders_affair(shop: Shop) -> None:
    for kind in ("application/json; charset=utf-8", "text/plain", "application/cloudevents+json"):
        body = written({**MESSAGE, "id": kind})
        assert (await tells(shop, body, {**stripe(body), "content-type": kind})).status_code == 202


# -- again, and many at once


async def test_the_same_message_many_times_at_once_is_kept_once(any_shop: Shop) -> None:
    answers = await asyncio.gather(*(tells(any_shop, MESSAGE) for _ in range(20)))
    assert [answer.status_code for answer in answers] == [202] * 20
    assert sorted(answer.json()["duplicate"] for answer in answers) == [False] + [True] * 19
    assert (await tells(any_shop, MESSAGE)).json() == {"duplicate": True}
    assert len(await told(any_shop)) == 1


async def test_many_messages_at_once_share_a_few_commits(any_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, keep = [], rows.keep
    monkeypatch.setattr(rows, "keep", lambda connection, rows: sizes.append(len(rows)) or keep(connection, rows))
    answers = await asyncio.gather(*(tells(any_shop, {**MESSAGE, "id": f"evt_{number}"}) for number in range(500)))
    assert {answer.status_code for answer in answers} == {202}
    assert sum(sizes) == 500
    assert len(sizes) <= 25
    await any_shop.service.settle()
    page = (await any_shop.admin.get("/inbox?status=unroutable&limit=200")).json()
    assert len(page["items"]) == 200


async def test_a_commit_whose_outcome_is_lost_is_made_sure_of(any_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    write, tries = any_shop.service.database.write, []

    async def lose_the_first(work: Any) -> Any:
        result = await write(work)
        tries.append(result)
        if len(tries) == 1:
            raise CommitUnknown
        return result

    monkeypatch.setattr(any_shop.service.database, "write", lose_the_first)
    assert (await tells(any_shop, MESSAGE)).status_code == 202
    monkeypatch.undo()
    assert len(await told(any_shop)) == 1


async def test_a_database_that_is_away_lets_the_sender_try_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(_work: Any) -> Any:
        raise CommitUnknown

    monkeypatch.setattr(shop.service.database, "write", lost)
    answer = await tells(shop, MESSAGE)
    assert_problem(answer, 503, "outcome-unknown")
    assert answer.headers["retry-after"] == "1"


async def test_more_messages_than_may_wait_are_sent_again_later(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.inbox.WAITING_LIMIT", 5)
    answers = await asyncio.gather(*(tells(shop, {**MESSAGE, "id": f"evt_{number}"}) for number in range(50)))
    codes = {answer.status_code for answer in answers}
    assert codes == {202, 503}
    assert len(await told(shop)) == [answer.status_code for answer in answers].count(202)


async def test_a_sender_may_not_flood_us(open_shop: OpenShop) -> None:
    async with open_shop(webhooks=SIGNED, webhooks_per_second=3) as shop:
        for headers in (None, {}, None):
            assert (await tells(shop, MESSAGE, headers)).status_code in (202, 401)
        answer = await tells(shop, MESSAGE)
        assert_problem(answer, 429, "too-many-requests")
        assert answer.headers["retry-after"] == "1"
        await shop.service.advance(timedelta(seconds=1))
        body = written(MESSAGE)
        assert (await tells(shop, body, stripe(body, at=shop.service.clock.now()))).status_code == 202


async def test_only_posts_are_messages(shop: Shop) -> None:
    assert_problem(await shop.nobody.get("/webhooks/stripe"), 405, "method-not-allowed")
    assert_problem(await shop.nobody.post("/webhooks"), 404, "not-found")


def test_secrets_do_not_show_in_settings() -> None:
    assert SECRET not in repr(Settings(webhooks=SIGNED))
