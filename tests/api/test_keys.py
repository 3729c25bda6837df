"""API keys: their form, who makes and revokes them, and that they are nowhere but with their owner."""

import io
import json
import logging
import re
from datetime import timedelta

import pytest
import structlog
from sqlalchemy import text

from api import keys as module
from api.keys import CACHED_FOR, Keys, TooManyKeys
from engine.clock import VirtualClock
from orderly import logs
from orderly.settings import Settings
from statemachines.declaration import Role
from tests.api.conftest import OpenShop
from tests.api.shop import Shop, assert_problem

FORM = re.compile(r"ord_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}")
ASKED = {"principal": "carl", "role": "customer"}


async def test_an_admin_makes_a_key_that_works_and_is_shown_once(shop: Shop) -> None:
    made = (await shop.admin.post("/keys", json=ASKED)).json()
    assert FORM.fullmatch(made["key"])
    assert made["key"].split("_")[2] == made["id"]
    carl = await shop.caller(made["key"])
    assert (await carl.get("/whoami")).json() == {"principal": "carl", "role": "customer"}
    kept = next(key for key in (await shop.admin.get("/keys")).json() if key["id"] == made["id"])
    assert (kept["created_by"], kept["revoked_at"]) == ("admin:root", None)
    assert made["key"].split("_")[3] not in (await shop.admin.get("/keys")).text


async def test_the_database_holds_only_a_hash(any_shop: Shop) -> None:
    secret = (await any_shop.key("carl", Role.CUSTOMER)).split("_")[3]
    rows = await any_shop.service.database.read(lambda c: c.execute(text("SELECT * FROM api_keys")).all())
    assert secret not in str(rows)
    assert all(re.search(r"'[0-9a-f]{64}'", str(tuple(row))) for row in rows)


async def test_a_mistyped_key_is_told_without_asking_the_database(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    key = await shop.key("carl", Role.CUSTOMER)
    asked: list[str] = []
    find = module.rows.find
    monkeypatch.setattr(module.rows, "find", lambda c, key_id: asked.append(key_id) or find(c, key_id))
    for mistyped in (_swap(key, 12), _swap(key, 30), _swap(key, -1), key[:-1], key + "0", key.upper(), f" {key}x"):
        caller = await shop.caller(mistyped)
        assert_problem(await caller.get("/whoami"), 401, "unauthorized")
    assert asked == []


def _swap(key: str, place: int) -> str:
    place %= len(key)
    return key[:place] + ("x" if key[place] != "x" else "y") + key[place + 1 :]


async def test_a_right_name_with_a_wrong_secret_is_refused(shop: Shop) -> None:
    one, other = await shop.key("carl", Role.CUSTOMER), await shop.key("dora", Role.CUSTOMER)
    body = f"ord_live_{one.split('_')[2]}_{other.split('_')[3]}"
    forged = await shop.caller(f"{body}_{module._checksum(body)}")
    assert_problem(await forged.get("/whoami"), 401, "unauthorized")


async def test_secrets_are_compared_in_constant_time(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    compare = module.hmac.compare_digest
    monkeypatch.setattr(module.hmac, "compare_digest", lambda a, b: compared.append(len(a)) or compare(a, b))
    assert (await shop.ann.get("/whoami")).status_code == 200
    assert compared == [64]


async def test_a_revoked_key_stops_at_once_here_and_within_five_seconds_elsewhere(
    shop: Shop, clock: VirtualClock
) -> None:
    key = await shop.key("carl", Role.CUSTOMER)
    carl, elsewhere = await shop.caller(key), Keys(shop.service.database, clock, "pepper")
    assert (await carl.get("/whoami")).status_code == 200
    assert await elsewhere.recognise(key)
    assert (await shop.admin.delete(f"/keys/{key.split('_')[2]}")).status_code == 204
    assert_problem(await carl.get("/whoami"), 401, "unauthorized")
    clock.advance(CACHED_FOR)
    assert timedelta(seconds=5) >= CACHED_FOR
    assert await elsewhere.recognise(key) is None
    assert_problem(await shop.admin.delete(f"/keys/{key.split('_')[2]}"), 404, "not-found")


async def test_a_key_expires(shop: Shop, clock: VirtualClock) -> None:
    made = (await shop.admin.post("/keys", json={**ASKED, "days": 1})).json()
    carl = await shop.caller(made["key"])
    clock.advance(timedelta(days=1) - timedelta(seconds=1))
    assert (await carl.get("/whoami")).status_code == 200
    clock.advance(timedelta(seconds=1))
    assert_problem(await carl.get("/whoami"), 401, "unauthorized")


async def test_a_principal_has_two_active_keys_at_most(shop: Shop) -> None:
    first = (await shop.admin.post("/keys", json=ASKED)).json()
    await shop.admin.post("/keys", json=ASKED)
    problem = assert_problem(await shop.admin.post("/keys", json=ASKED), 409, "too-many-keys")
    assert "revoke one first" in problem["detail"]
    await shop.admin.delete(f"/keys/{first['id']}")
    assert (await shop.admin.post("/keys", json=ASKED)).status_code == 201
    with pytest.raises(TooManyKeys):
        await shop.key("carl", Role.CUSTOMER)


async def test_an_asked_key_is_checked(shop: Shop) -> None:
    for wrong in ({"role": "system"}, {"principal": ""}, {"principal": "a b"}, {"days": 0}, {"days": 366}, {"x": 1}):
        assert_problem(await shop.admin.post("/keys", json={**ASKED, **wrong}), 422, "invalid")


async def test_no_log_answer_or_error_ever_holds_a_key(
    open_shop: OpenShop, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, answers, before = io.BytesIO(), [], structlog.get_config()
    async with open_shop() as shop:
        logs.configure(Settings(log_level="debug"), file)  # type: ignore[arg-type]
        caplog.set_level(logging.DEBUG)
        key = await shop.key("carl", Role.CUSTOMER)
        carl, mistyped = await shop.caller(key), await shop.caller(_swap(key, -1))
        answers += [await carl.get("/whoami"), await mistyped.get("/whoami"), await shop.admin.get("/keys")]
        answers += [await carl.get(f"/orders/{key}"), await carl.post("/orders", json={"lines": []})]
        monkeypatch.setattr(shop.service.registry["order"].entity, "owner_column", "nowhere")
        answers.append(await carl.get("/orders"))
        answers.append(await shop.admin.delete(f"/keys/{key.split('_')[2]}"))
        answers.append(await carl.get("/whoami"))
        structlog.configure(**before)
    assert [answer.status_code for answer in answers] == [200, 401, 200, 404, 201, 500, 204, 401]
    secret = key.split("_")[3]
    assert b"unexpected_error" in file.getvalue()
    assert secret not in file.getvalue().decode() + caplog.text
    assert all(secret not in answer.text + json.dumps(dict(answer.headers)) for answer in answers[:3] + answers[4:])
