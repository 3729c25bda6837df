"""Messages go where anybody may be sent to, and nowhere else, whatever names and answers say."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import IPv4Address, ip_address

import pytest
import trustme

from gateways import deliveries, http
from gateways.deliveries import KEPT_PEERS, MEDIA_TYPE, Messenger, Resolver
from gateways.http import HttpAnswer
from gateways.port import NoAnswer
from statemachines.hosts import Address, is_public
from tests.gateways import faults
from tests.gateways.peer import Asked, Peer, Says, apart, playing
from tests.waiting import until

SOON = timedelta(seconds=2)
HERE = "127.0.0.1"


class Names:
    """A resolver that answers one thing after the other, and the last from then on."""

    def __init__(self, *answers: str | Sequence[str] | OSError) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append((host, port))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, OSError):
            raise answer
        return [ip_address(each) for each in ([answer] if isinstance(answer, str) else answer)]


@asynccontextmanager
async def messenger(names: Names | Resolver | None = None, *, allow_private: bool = False) -> AsyncIterator[Messenger]:
    opened = Messenger(allow_private=allow_private, connections=10, resolve=names)
    yield opened
    await opened.aclose()


async def post(sender: Messenger, url: str, attempt: int = 1, within: timedelta = SOON) -> HttpAnswer:
    return await sender.post(url, {"webhook-id": "evt_1"}, b'{"id":"evt_1"}', timeout=within, attempt=attempt)


async def refused(sender: Messenger, url: str) -> str:
    with pytest.raises(NoAnswer) as refusal:
        await post(sender, url)
    return str(refusal.value)


@pytest.fixture
async def other() -> AsyncIterator[Peer]:
    """Somebody on this machine, who takes everything."""
    async with playing(lambda asked: Says(200)) as peer:
        yield peer


@pytest.fixture
def taken_for_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine's own address pass for one that anybody may have, so that connections can be seen."""
    monkeypatch.setattr(deliveries, "is_public", lambda address: address == IPv4Address(HERE) or is_public(address))


def port_of(peer: Peer) -> int:
    return int(peer.url.rpartition(":")[2])


# -- what is sent


async def test_a_message_arrives_as_it_was_signed(other: Peer) -> None:
    async with messenger(allow_private=True) as sender:
        assert (await post(sender, f"{other.url}/hooks/a%20b?key=x%2Fy&z")).status == 200
    (asked,) = other.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/hooks/a%20b?key=x%2Fy&z", b'{"id":"evt_1"}')
    assert asked.headers["host"] == other.url.removeprefix("http://")
    assert (asked.headers["webhook-id"], asked.headers["content-type"]) == ("evt_1", MEDIA_TYPE)


@pytest.mark.parametrize(("url", "path"), [("", "/"), ("/", "/"), ("?x=1", "/?x=1")])
async def test_an_address_without_a_path_leads_to_the_root(other: Peer, url: str, path: str) -> None:
    async with messenger(allow_private=True) as sender:
        await post(sender, other.url + url)
    assert other.asked[0].path == path


@pytest.mark.parametrize("status", [200, 204, 301, 400, 410, 429, 500, 503])
async def test_the_status_is_told_whatever_it_is(status: int) -> None:
    async with playing(lambda asked: Says(status)) as peer, messenger(allow_private=True) as sender:
        assert (await post(sender, peer.url)).status == status


async def test_connections_are_used_again(other: Peer) -> None:
    async with messenger(allow_private=True) as sender:
        for _ in range(5):
            await post(sender, other.url)
    assert (len(other.asked), other.connections) == (5, 1)


async def test_connections_to_addresses_not_used_for_long_are_closed(other: Peer, monkeypatch) -> None:
    monkeypatch.setattr(deliveries, "KEPT_PEERS", 1)
    assert KEPT_PEERS > 1
    async with playing(lambda asked: Says(200)) as another, messenger(allow_private=True) as sender:
        await post(sender, other.url)
        await post(sender, another.url)
        await until(lambda: (other.open, another.open) == (0, 1))
        assert (await post(sender, other.url)).status == 200


# -- where nothing is sent


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::]",
        "169.254.169.254",
        "10.0.0.1",
    ],
)
async def test_nothing_is_sent_to_this_machine_or_a_private_network(other: Peer, host: str) -> None:
    async with messenger() as sender:
        assert (await refused(sender, f"http://{host}:{port_of(other)}/")).startswith(host.strip("[]"))
    assert other.connections == 0


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "169.254.169.254", "64:ff9b::7f00:1", "fe80::1%lo"]
)
async def test_nothing_is_sent_to_a_name_that_leads_there(other: Peer, address: str) -> None:
    async with messenger(Names(address)) as sender:
        reason = await refused(sender, f"http://shop.example:{port_of(other)}/")
    assert reason == "shop.example leads to an address that is not public"
    assert other.connections == 0


async def test_nothing_is_sent_if_any_of_a_names_addresses_leads_there(other: Peer) -> None:
    async with messenger(Names(["93.184.216.34", HERE])) as sender:
        assert "not public" in await refused(sender, f"http://shop.example:{port_of(other)}/")
    assert other.connections == 0


async def test_a_name_that_leads_elsewhere_a_moment_later_is_not_asked_twice(other: Peer, monkeypatch) -> None:
    """What is connected to is the very address that was checked: between the two nobody is asked again."""
    asked_system = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **_: asked_system.append(arguments) or [])
    names = Names("192.0.2.1", HERE)
    monkeypatch.setattr(deliveries, "is_public", lambda address: str(address) == "192.0.2.1")
    async with messenger(names) as sender:
        with pytest.raises(NoAnswer):
            await post(sender, f"http://shop.example:{port_of(other)}/", within=timedelta(seconds=0.3))
    assert names.asked == [("shop.example", port_of(other))]
    assert [each for each in asked_system if "192.0.2.1" not in map(str, each)] == []
    assert other.connections == 0


async def test_a_name_is_checked_anew_for_every_message(other: Peer, taken_for_public: None) -> None:
    names = Names(HERE, "10.0.0.1")
    url = f"http://shop.example:{port_of(other)}/"
    async with messenger(names) as sender:
        assert (await post(sender, url)).status == 200
        assert "not public" in await refused(sender, url)
    assert len(other.asked) == 1


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/", "http://169.254.169.254/latest/", "//localhost:{port}"])
async def test_redirects_are_not_followed(other: Peer, taken_for_public: None, target: str) -> None:
    def redirect(asked: Asked) -> Says:
        return Says(302, headers={"Location": target.format(port=port_of(other))})

    async with playing(redirect) as peer, messenger(Names(HERE)) as sender:
        assert (await post(sender, f"http://shop.example:{port_of(peer)}/")).status == 302
        assert len(peer.asked) == 1
    assert other.connections == 0


async def test_a_host_with_several_addresses_is_tried_at_one_after_the_other(other: Peer, taken_for_public) -> None:
    names = Names(["127.0.0.1", "127.0.0.2"])
    async with messenger(names, allow_private=True) as sender:
        url = f"http://shop.example:{port_of(other)}/"
        assert (await post(sender, url, attempt=1)).status == 200
        with pytest.raises(NoAnswer):
            await post(sender, url, attempt=2)  # there nobody listens
        assert (await post(sender, url, attempt=3)).status == 200
    assert other.asked[0].headers["host"] == f"shop.example:{port_of(other)}"


# -- who does not answer


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), OSError("no")])
async def test_a_name_that_nobody_knows_is_no_answer(error: OSError) -> None:
    async with messenger(Names(error)) as sender:
        assert await refused(sender, "https://shop.example/secret") == "the host name does not resolve"
    async with messenger(Names([])) as sender:
        assert await refused(sender, "https://shop.example/secret") == "the host name does not resolve"


async def test_a_name_that_is_not_resolved_in_time_is_no_answer(monkeypatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(0.5) or [])
    monkeypatch.setattr(deliveries, "RESOLVE_TIMEOUT", timedelta(seconds=0.05))
    async with messenger(Resolver()) as sender:
        assert await refused(sender, "https://shop.example") == "the host name was not resolved in time"


async def test_the_machines_resolver_knows_this_machine() -> None:
    assert ip_address(HERE) in await Resolver()("localhost", 80)


@pytest.mark.parametrize("fault", [faults.resets, faults.hangs, faults.hangs_up, faults.speaks_garbage])
async def test_who_answers_nothing_that_is_http_gives_no_answer_in_time(fault) -> None:
    async with playing(lambda asked: fault(Says(200))) as peer, messenger(allow_private=True) as sender:
        began = time.monotonic()
        with pytest.raises(NoAnswer) as unanswered:
            await post(sender, f"{peer.url}/secret-path", within=timedelta(seconds=0.5))
        assert time.monotonic() - began < 5
        assert "secret-path" not in str(unanswered.value)


async def test_a_body_without_end_is_not_waited_for() -> None:
    async def pour(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with playing(lambda asked: pour) as peer, messenger(allow_private=True) as sender:
        began = time.monotonic()
        assert (await post(sender, peer.url)).status == 200
        assert time.monotonic() - began < 5


# -- TLS: the connection goes to an address, the certificate is of a name


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def safe(authority: trustme.CA) -> Iterator[Peer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("shop.example").configure_cert(context)
    with apart(Peer(lambda asked: Says(200)), context) as peer:
        yield peer


@pytest.fixture
def trusting(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    monkeypatch.setattr(http, "_tls", lambda: context)


async def test_the_certificate_is_that_of_the_name(safe: Peer, trusting: None) -> None:
    async with messenger(Names(HERE), allow_private=True) as sender:
        assert (await post(sender, f"https://shop.example:{port_of(safe)}/")).status == 200
        assert (await post(sender, f"https://shop.example.:{port_of(safe)}/")).status == 200
        assert "certificate does not hold" in await refused(sender, f"https://erp.example:{port_of(safe)}/")
        assert "certificate does not hold" in await refused(sender, f"https://{HERE}:{port_of(safe)}/")
    assert [asked.headers["host"].partition(":")[0] for asked in safe.asked] == ["shop.example"] * 2


async def test_a_certificate_that_nobody_vouches_for_does_not_hold(safe: Peer) -> None:
    async with messenger(Names(HERE), allow_private=True) as sender:
        assert "certificate does not hold" in await refused(sender, f"https://shop.example:{port_of(safe)}/")
    assert safe.asked == []
