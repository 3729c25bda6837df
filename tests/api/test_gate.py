"""What every answer carries, and how HEAD and OPTIONS are answered."""

import pytest

from tests.api.shop import Shop, assert_problem

PATHS = ["/orders", "/orders/x", "/nowhere", "/docs", "/docs/openapi.json", "/health/live", "/machines/order"]


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "HEAD"])
async def test_every_answer_carries_an_id_and_protects_its_reader(shop: Shop, method: str) -> None:
    ids = set()
    for path in PATHS:
        for caller in (shop.ann, shop.nobody):
            headers = (await caller.request(method, path, headers={"Origin": "https://evil.example"})).headers
            ids.add(headers["x-request-id"])
            assert headers["x-request-id"].startswith("req_")
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "no-referrer"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["cache-control"] == ("no-cache" if path.startswith("/docs") else "no-store")
            assert not [name for name in headers if name.startswith("access-control")]
    assert len(ids) == 2 * len(PATHS)


async def test_head_is_get_without_the_body(shop: Shop) -> None:
    order = await shop.draft()
    for path in (f"/orders/{order}", "/orders", "/docs", "/machines/order?format=mermaid", "/health/live"):
        full, head = await shop.ann.get(path), await shop.ann.head(path)
        assert (head.status_code, head.content) == (full.status_code, b"")
        assert head.headers["content-length"] == str(len(full.content))
        assert head.headers["content-type"] == full.headers["content-type"]
        assert head.headers.get("etag") == full.headers.get("etag")
    assert (await shop.ann.head("/orders/unknown")).status_code == 404
    assert (await shop.nobody.head("/orders")).status_code == 401


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/orders", "GET, HEAD, OPTIONS, POST"),
        ("/orders/x/pay", "OPTIONS, POST"),
        ("/keys/x", "DELETE, OPTIONS"),
        ("/docs", "GET, HEAD, OPTIONS"),
    ],
)
async def test_options_tells_what_a_path_takes(shop: Shop, path: str, allowed: str) -> None:
    answer = await shop.ann.options(path)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (204, allowed, b"")


async def test_options_of_nothing_is_not_found(shop: Shop) -> None:
    assert_problem(await shop.ann.options("/nowhere"), 404, "not-found")
    assert_problem(await shop.nobody.options("/orders"), 401, "unauthorized")
