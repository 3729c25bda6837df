"""What an API's answers come to: yes, no for good, or our own fault."""

from datetime import timedelta
from typing import Any

import pytest

from gateways.bearer import BearerApi, BearerSettings
from gateways.http import HttpAnswer
from gateways.port import Attempt, NoAnswer, Refused
from statemachines.messages import SendSms
from tests.gateways.peer import Says, playing

TOKEN = "tok-live-5up3r53cr3t"
ATTEMPT = Attempt("eff_1", SendSms(to="+491701234567", text="x"), 1, timedelta(seconds=5))


async def posted(said: Any, token: str = TOKEN) -> HttpAnswer | Refused:
    async with playing(lambda _: said) as peer:
        api = BearerApi(BearerSettings(url=f"{peer.url}/v1/", token=token))
        try:
            return await api.post("/things", {"size": 1}, ATTEMPT)
        finally:
            await api.aclose()


async def test_a_call_carries_token_key_and_body() -> None:
    async with playing(lambda _: Says(201, {"id": "t1"})) as peer:
        api = BearerApi(BearerSettings(url=f"{peer.url}/v1/", token=TOKEN))
        answer = await api.post("/things", {"size": 1}, ATTEMPT)
        await api.aclose()
    (asked,) = peer.asked
    assert (asked.method, asked.path, asked.json) == ("POST", "/v1/things", {"size": 1})
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["idempotency-key"] == "eff_1"
    assert isinstance(answer, HttpAnswer)
    assert answer.json() == {"id": "t1"}


async def test_an_api_without_a_token_is_told_none() -> None:
    async with playing(lambda _: Says(200)) as peer:
        api = BearerApi(BearerSettings(url=peer.url))
        await api.post("/things", {}, ATTEMPT)
        await api.aclose()
    assert "authorization" not in peer.asked[0].headers


@pytest.mark.parametrize("status", [400, 404, 405, 409, 410, 413, 415, 422, 451])
async def test_a_no_is_final(status: int) -> None:
    assert await posted(Says(status, {"detail": "no room"})) == Refused({"reason": "no room"})


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 407])
async def test_a_wrong_address_or_token_is_put_right_by_a_person(status: int) -> None:
    with pytest.raises(NoAnswer, match=f"answered {status}: check the address and the credentials"):
        await posted(Says(status, {"detail": "go away"}, {"Location": "https://elsewhere.example"}))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_peer_in_trouble_is_asked_again_when_it_says(status: int) -> None:
    with pytest.raises(NoAnswer) as caught:
        await posted(Says(status, headers={"Retry-After": "7"}))
    assert caught.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"title": "Bad", "detail": "no room"}, "no room"),
        ({"error": {"message": "no room", "code": 3}}, "no room"),
        ({"error": "no room"}, "no room"),
        ({"message": "no room"}, "no room"),
        ({"reason": "no room"}, "no room"),
        ({"title": "no room"}, "no room"),
        ("no room\r\n", "no room"),
        ({"code": 7}, "answered 422"),
        ([1, 2], "answered 422"),
        ({"detail": ""}, "answered 422"),
        ({"detail": "card 4111 1111 1111 1111 refused"}, "answered 422"),
    ],
)
async def test_the_reason_is_found_where_services_put_it(body: object, reason: str) -> None:
    assert await posted(Says(422, body)) == Refused({"reason": reason})


async def test_a_reason_that_cannot_be_read_is_none() -> None:
    garbage = b"HTTP/1.1 422 No\r\nContent-Length: 3\r\nContent-Type: application/json\r\n\r\n\xff{x"
    assert await posted(garbage) == Refused({"reason": "answered 422"})


@pytest.mark.parametrize("url", ["", "ftp://x.example", "x.example", "https://user:hunter2@x.example", "https://"])
def test_an_address_that_cannot_be_used_is_refused_unseen(url: str) -> None:
    with pytest.raises(ValueError, match="a peer's address") as caught:
        BearerApi(BearerSettings(url=url, token=TOKEN))
    assert "hunter2" not in str(caught.value)


async def test_reaching_an_api_asks_for_nothing() -> None:
    async with playing(lambda _: Says(404)) as peer:
        api = BearerApi(BearerSettings(url=peer.url, token=TOKEN))
        await api.reach(timedelta(seconds=3))
        await api.aclose()
    assert [asked.method for asked in peer.asked] == ["HEAD"]


async def test_an_api_that_does_not_know_us_is_not_reached() -> None:
    async with playing(lambda _: Says(401)) as peer:
        api = BearerApi(BearerSettings(url=peer.url, token=TOKEN))
        with pytest.raises(NoAnswer, match="check the token"):
            await api.reach(timedelta(seconds=3))
        await api.aclose()
