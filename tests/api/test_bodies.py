"""What a body may hold: anything else is refused before it is interpreted, and in words."""

import pytest

from tests.api.conftest import OpenShop
from tests.api.shop import Shop, assert_problem

JSON = {"Content-Type": "application/json"}

MALFORMED = {
    "broken": (b'{"lines": [', "not JSON"),
    "nothing but space": (b"  ", "not JSON"),
    "invalid UTF-8": (b'{"customer": "\xff"}', "not UTF-8"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "not JSON"),
    "UTF-16": ('{"lines": []}'.encode("utf-16"), "not UTF-8"),
    "NaN": (b'{"lines": NaN}', "NaN is not JSON"),
    "infinity": (b'{"lines": -Infinity}', "-Infinity is not JSON"),
    "an escaped NUL": (b'{"customer": "a\\u0000b"}', "NUL"),
    "a raw NUL": (b'{"customer": "a\x00b"}', "not JSON"),
    "an escaped NUL in a key": (b'{"a\\u0000": 1}', "NUL"),
    "half a surrogate pair": (b'{"customer": "\\ud83d"}', "half a surrogate pair"),
    "halves in the wrong order": (b'{"customer": "\\ude00\\ud83d"}', "half a surrogate pair"),
    "a key twice": (b'{"lines": [], "lines": []}', "names a key twice"),
    "a key twice within": (b'{"lines": [{"sku": "A", "sku": "B"}]}', "names a key twice"),
    "33 levels": (b"[" * 33 + b"]" * 33, "deeper than 32 levels"),
    "100,000 levels": (b"[" * 100_000, "deeper than 32 levels"),
    "100,000 objects": (b'{"a":' * 40_000, "deeper than 32 levels"),
    "a number of 5,000 digits": (b'{"lines": ' + b"9" * 5000 + b"}", "too many digits"),
    "two values": (b"{} {}", "not JSON"),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_body_is_refused_before_anyone_interprets_it(shop: Shop, name: str) -> None:
    body, reason = MALFORMED[name]
    answer = await shop.ann.post("/orders", content=body, headers=JSON)
    assert reason in assert_problem(answer, 400, "malformed")["detail"]


async def test_a_whole_emoji_is_a_text_like_any_other(shop: Shop) -> None:
    answer = await shop.merchant.post("/products/MUG/rename", content=b'{"name": "Mug \\ud83d\\ude00"}', headers=JSON)
    assert answer.json()["name"] == "Mug \N{GRINNING FACE}"


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "", "application/xml"]
)
async def test_only_json_is_read(shop: Shop, media_type: str) -> None:
    answer = await shop.ann.post("/orders", content=b'{"lines": []}', headers={"Content-Type": media_type})
    assert_problem(answer, 415, "unsupported-media-type")


async def test_json_may_name_its_encoding(shop: Shop) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert (await shop.ann.post("/orders", content=b'{"lines": []}', headers=headers)).status_code == 201


async def test_a_body_above_the_limit_is_refused_by_its_announcement(open_shop: OpenShop) -> None:
    async with open_shop(body_limit=1024) as shop:
        assert (
            "1024 bytes"
            in assert_problem(await shop.ann.post("/orders", content=b"x" * 1025, headers=JSON), 413, "too-large")[
                "detail"
            ]
        )
        exact = b'{"lines": []' + b" " * (1024 - 13) + b"}"
        assert (await shop.ann.post("/orders", content=exact, headers=JSON)).status_code == 201


async def test_a_body_above_the_limit_is_refused_in_pieces_too(open_shop: OpenShop) -> None:
    async def endless():  # type: ignore[no-untyped-def]
        while True:
            yield b" " * 512

    async with open_shop(body_limit=1024) as shop:
        assert_problem(await shop.ann.post("/orders", content=endless(), headers=JSON), 413, "too-large")


@pytest.mark.parametrize(
    ("announced", "status", "code"),
    [("-1", 400, "malformed"), ("1e3", 400, "malformed"), ("5", 400, "malformed"), ("9" * 5000, 413, "too-large")],
)
async def test_a_lie_about_the_length_is_found_out(shop: Shop, announced: str, status: int, code: str) -> None:
    answer = await shop.ann.post("/orders", content=b'{"lines": []}', headers={**JSON, "Content-Length": announced})
    assert_problem(answer, status, code)


async def test_an_absent_body_is_an_empty_one(shop: Shop) -> None:
    order = await shop.pending()
    errors = assert_problem(await shop.merchant.post(f"/orders/{order}/fail"), 422, "invalid")["errors"]
    assert errors == [{"field": "reason", "reason": "Field required"}]


INVALID_PRICES = [True, False, "1250", "1_000", 100.0, 1e3, -1, 10**12 + 1, 10**30, None, [], {}]


async def test_money_is_a_whole_number_of_minor_units(shop: Shop) -> None:
    for price in INVALID_PRICES:
        answer = await shop.merchant.post("/products/MUG/reprice", json={"price": price})
        problem = assert_problem(answer, 422, "invalid")
        assert [error["field"] for error in problem["errors"]] == ["price"]


async def test_money_is_not_written_as_a_fraction(shop: Shop) -> None:
    for literal in (b"1e3", b"1E0", b"100.0", b"-0.0"):
        answer = await shop.merchant.post("/products/MUG/reprice", content=b'{"price": %s}' % literal, headers=JSON)
        assert "whole number" in assert_problem(answer, 422, "invalid")["detail"]


async def test_money_at_the_limits_is_taken(shop: Shop) -> None:
    for price in (0, 10**12):
        assert (await shop.merchant.post("/products/MUG/reprice", json={"price": price})).json()["price"] == price


async def test_a_refusal_names_every_field_and_why(shop: Shop) -> None:
    asked = {"lines": [{"sku": "MUG", "quantity": 0}, {"sku": " ", "quantity": 1}], "total": 1, "state": "processing"}
    problem = assert_problem(await shop.ann.post("/orders", json=asked), 422, "invalid")
    assert {error["field"] for error in problem["errors"]} == {"lines.0.quantity", "lines.1.sku", "total", "state"}
    assert {error["reason"] for error in problem["errors"] if error["field"] in ("total", "state")} == {
        "Extra inputs are not permitted"
    }


@pytest.mark.parametrize("body", ["[]", "1", '"pay"', "true"])
async def test_a_body_is_an_object(shop: Shop, body: str) -> None:
    assert_problem(await shop.ann.post("/orders", content=body, headers=JSON), 422, "invalid")


@pytest.mark.parametrize("text", ["4242424242424242", "card 4242 4242 4242 4242 exp 12/29", "4242-4242-4242-4242"])
async def test_a_card_number_is_refused_and_not_repeated(shop: Shop, text: str) -> None:
    order = await shop.draft()
    problem = assert_problem(await shop.ann.post(f"/orders/{order}/cancel", json={"reason": text}), 422, "invalid")
    assert "card number" in problem["detail"]
    assert "4242" not in str(problem)
