"""Which hosts may be called by somebody else's address, and which addresses can be read in one way only."""

from ipaddress import ip_address

import pytest
from pydantic import TypeAdapter, ValidationError

from statemachines.hosts import EndpointUrl, is_public, why_not_public

URL = TypeAdapter(EndpointUrl)

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "2001:2::1",
    "3fff::1",
    "4000::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_not_anybody_may_have_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))
    assert why_not_public(address) is not None
    assert why_not_public(f"[{address}]") is not None


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_an_address_that_anybody_may_have_is_public(address: str) -> None:
    assert is_public(ip_address(address))
    assert why_not_public(address) is None


@pytest.mark.parametrize(
    "host", ["2130706433", "127.1", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "1.2.3.4.5", "127.0.0.01", "8.8.8.0x8"]
)
def test_a_number_in_another_notation_is_neither_address_nor_name(host: str) -> None:
    assert why_not_public(host) == "is no address in the usual notation"


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "localhost.", "a.localhost", "printer", "db.internal", "nas.local", "x.home.arpa"],
)
def test_a_name_that_leads_nowhere_but_into_a_network_of_ones_own_is_not_public(host: str) -> None:
    assert why_not_public(host) == "is a name within a network"


@pytest.mark.parametrize(
    "host", ["shop.example", "shop.example.", "a-1.b.co", "xn--mller-kva.example", "localhost.example"]
)
def test_any_other_name_may_lead_to_a_public_host(host: str) -> None:
    assert why_not_public(host) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "https://shop.example/",
        "https://shop.example:8443/hooks/a%20b?key=value&x=1",
        "http://93.184.216.34/hook",
        "https://[2606:4700::1111]:444/hook",
        "https://shop.example?x",
    ],
)
def test_an_address_is_taken_as_it_is(url: str) -> None:
    assert URL.validate_python(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example",
        "ftp://shop.example",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user:password@shop.example",
        "https://shop.example@127.0.0.1",
        "https://shop.example#@127.0.0.1",
        "https://shop.example\\@127.0.0.1",
        "https://shop.example /x",
        "https://shop.example/\r\nHost: other",
        "https://shop.example/a b",
        "https://shop.example/ü",
        "https://müller.example",
        "https://shop.example:port",
        "https://shop.example:123456",
        "https://-shop.example",
        "https://[::1%25lo]/",
        " https://shop.example",
        "https://shop.example/" + "x" * 2000,
    ],
)
def test_an_address_that_could_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        URL.validate_python(url)
