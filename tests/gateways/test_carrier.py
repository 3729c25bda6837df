"""Shipments over the carrier's HTTP API, and in the sandbox: created, followed, called off."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from gateways.bearer import BearerSettings
from gateways.carrier import HttpCarrier, SandboxCarrier
from gateways.incoming import Request
from gateways.port import Answer, Attempt, Done, NoAnswer, Refused
from gateways.tracking import CARRIER
from statemachines.carrier import (
    CANCEL_SHIPMENT,
    CREATE_SHIPMENT,
    CancelShipment,
    CreateShipment,
    ShipmentCreated,
)
from statemachines.shipment import Dispatch
from tests.gateways.peer import Says, playing
from tests.gateways.services import TOKEN, Carrier, problem

Gateway = HttpCarrier | SandboxCarrier


def shipment(city: str = "Berlin") -> CreateShipment:
    address = {"name": "Ann", "lines": ["Long Street 1"], "postal_code": "12345", "city": city, "country": "DE"}
    contents = [{"sku": "MUG-BLUE", "quantity": 2}]
    return CreateShipment(order="ord_1", reference="shp_1", address=address, contents=contents)


async def attempt(gateway: Gateway, arguments: BaseModel, key: str = "eff_1") -> Answer:
    effect = CREATE_SHIPMENT if isinstance(arguments, CreateShipment) else CANCEL_SHIPMENT
    return await gateway.handlers[effect.name](Attempt(key, arguments, 1, timedelta(seconds=5)))


@pytest.fixture(params=["sandbox", "http"])
async def carrier(request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    if request.param == "sandbox":
        yield SandboxCarrier()
        return
    async with playing(Carrier()) as peer:
        gateway = HttpCarrier(BearerSettings(url=peer.url, token=TOKEN))
        yield gateway
        await gateway.aclose()


async def created(carrier: Gateway, city: str = "Berlin") -> ShipmentCreated:
    answer = await attempt(carrier, shipment(city))
    assert isinstance(answer, Done)
    return ShipmentCreated.model_validate(dict(answer.values))


EXAMPLES = [
    json.loads(each)
    for each in re.findall(
        r"```json\n(.*?)```", (Path(__file__).parents[2] / "docs" / "gateways.md").read_text(), re.DOTALL
    )
]
"""What `docs/gateways.md` shows: a request, its answer, a message."""


async def test_what_the_page_shows_is_what_is_sent_and_understood() -> None:
    request, answer, _ = EXAMPLES
    async with playing(lambda _: Says(201, answer)) as peer:
        gateway = HttpCarrier(BearerSettings(url=peer.url, token=TOKEN))
        made = await attempt(gateway, CreateShipment.model_validate(request))
        await gateway.aclose()
    assert peer.asked[0].json == request
    assert isinstance(made, Done)
    assert made.values["shipment"] == answer["id"]


def test_the_message_that_the_page_shows_moves_a_shipment() -> None:
    *_, message = EXAMPLES
    asked = CARRIER.kinds[message["type"]](message)
    number = Dispatch(tracking="JD014600006281230704")
    assert asked == Request("shipment", message["data"]["reference"], number)


def test_both_carry_out_every_carrier_effect() -> None:
    http = HttpCarrier(BearerSettings(url="https://carrier.example"))
    assert set(http.handlers) == set(SandboxCarrier().handlers) == {CREATE_SHIPMENT.name, CANCEL_SHIPMENT.name}


async def test_a_shipment_can_be_followed_and_its_label_printed(carrier: Gateway) -> None:
    made = await created(carrier)
    assert made.tracking
    assert made.tracking_url.startswith("https://carrier.example/")
    assert made.label_url.startswith("https://carrier.example/")


async def test_a_shipment_is_cancelled_once_however_often_it_is_asked(carrier: Gateway) -> None:
    made = await created(carrier)
    asked = CancelShipment(shipment=made.shipment, order="ord_1")
    first, again = [await attempt(carrier, asked, "eff_2") for _ in range(2)]
    assert first == again == Done({"shipment": made.shipment})


async def test_a_shipment_that_was_fetched_is_not_cancelled(carrier: Gateway) -> None:
    made = await created(carrier, "Hurry")
    answer = await attempt(carrier, CancelShipment(shipment=made.shipment, order="ord_1"), "eff_2")
    assert answer == Refused({"shipment": made.shipment, "reason": "it has been fetched"})
    CANCEL_SHIPMENT.failed.model_validate(dict(answer.values))


async def answered(said: Any, arguments: BaseModel) -> tuple[Answer, str]:
    """Return what an answer comes to, and the path that was asked."""
    async with playing(lambda _: said) as peer:
        gateway = HttpCarrier(BearerSettings(url=peer.url, token=TOKEN))
        try:
            return await attempt(gateway, arguments), peer.asked[0].path
        finally:
            await gateway.aclose()


async def test_a_shipments_name_stays_within_its_place_in_the_path() -> None:
    answer, path = await answered(Says(204, ""), CancelShipment(shipment="A/1 ../x", order="ord_1"))
    assert path == "/shipments/A%2F1%20..%2Fx/cancel"
    assert answer == Done({"shipment": "A/1 ../x"})


async def test_a_carrier_need_not_give_links() -> None:
    answer, _ = await answered(Says(201, {"id": "S1", "tracking": "4000000000000002", "more": 1}), shipment())
    assert answer.values == {"shipment": "S1", "tracking": "4000000000000002", "tracking_url": None, "label_url": None}
    CREATE_SHIPMENT.ok.model_validate(dict(answer.values))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": "S1"},
        {"id": "", "tracking": "T1"},
        {"id": 7, "tracking": "T1"},
        {"id": "S1", "tracking": "T1", "label_url": "javascript:alert(1)"},
        {"id": "S1\nS2", "tracking": "T1"},
        [],
        "<html>OK</html>",
    ],
)
async def test_an_answer_that_names_no_shipment_settles_nothing(body: object) -> None:
    with pytest.raises(NoAnswer, match="answered 200 with"):
        await answered(Says(200, body), shipment())


async def test_a_refusal_that_cannot_be_kept_is_told_by_its_status() -> None:
    answer, _ = await answered(problem(422, "no parcel for card 4111111111111111"), shipment())
    assert answer == Refused({"reason": "answered 422"})
