"""Carriers: by the HTTP API that `docs/gateways.md` describes, or within the process for trying things out."""

from urllib.parse import quote

from pydantic import BaseModel

from gateways.bearer import BearerApi, BearerSettings
from gateways.port import Answer, Attempt, Done, Handlers, NoAnswer, Refused
from gateways.sent import Sent
from statemachines.carrier import CANCEL_SHIPMENT, CREATE_SHIPMENT, CancelShipment, CarrierReference, CreateShipment
from statemachines.values import Url


class _Shipment(BaseModel):
    """A shipment as the carrier describes it."""

    id: CarrierReference
    tracking: CarrierReference
    tracking_url: Url | None = None
    label_url: Url | None = None


class HttpCarrier:
    """A carrier behind an HTTP API."""

    def __init__(self, settings: BearerSettings) -> None:
        self._api = BearerApi(settings)
        self.reach = self._api.reach
        self.aclose = self._api.aclose

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""
        return {CREATE_SHIPMENT.name: self.create_shipment, CANCEL_SHIPMENT.name: self.cancel_shipment}

    async def create_shipment(self, attempt: Attempt) -> Answer:
        """Have parcels fetched.

        Raises:
            NoAnswer: what became of it is not known, or it is to be tried again.
        """
        asked = attempt.arguments
        assert isinstance(asked, CreateShipment)
        answer = await self._api.post("/shipments", asked.model_dump(mode="json"), attempt)
        if isinstance(answer, Refused):
            return answer
        made = answer.read(_Shipment)
        return Done({"shipment": made.id, **made.model_dump(exclude={"id"})})

    async def cancel_shipment(self, attempt: Attempt) -> Answer:
        """Call a shipment off.

        Raises:
            NoAnswer: what became of it is not known, or it is to be tried again.
        """
        asked = attempt.arguments
        assert isinstance(asked, CancelShipment)
        path = f"/shipments/{quote(asked.shipment, safe='')}/cancel"
        answer = await self._api.post(path, {"order": asked.order}, attempt)
        named = {"shipment": asked.shipment}
        return Refused({**named, **answer.values}) if isinstance(answer, Refused) else Done(named)


class SandboxCarrier:
    """Shipments that move no parcel. The city says what happens.

    | city | a shipment |
    | --- | --- |
    | ``Nowhere`` | is refused |
    | ``Silence`` | is never answered |
    | ``Hurry`` | is created, but fetched at once, so that it can't be cancelled |

    To any other city it is created.
    """

    def __init__(self) -> None:
        self.created: Sent[CreateShipment] = Sent()
        self.cancelled: Sent[CancelShipment] = Sent()

    @property
    def handlers(self) -> Handlers:
        """The effects that this gateway carries out."""
        return {CREATE_SHIPMENT.name: self.create_shipment, CANCEL_SHIPMENT.name: self.cancel_shipment}

    async def create_shipment(self, attempt: Attempt) -> Answer:
        """Keep a shipment.

        Raises:
            NoAnswer: the city asks for it.
        """
        asked = attempt.arguments
        assert isinstance(asked, CreateShipment)
        shipment = f"sbx_{attempt.key}"
        match asked.address.city:
            case "Nowhere":
                return Refused({"reason": "the address is not served"})
            case "Silence":
                raise NoAnswer("the sandbox does not answer")
            case "Hurry":
                shipment = f"sbx_fetched_{attempt.key}"
        self.created.add(attempt.key, asked)
        page = f"https://carrier.example/{shipment}"
        return Done(
            {"shipment": shipment, "tracking": attempt.key, "tracking_url": page, "label_url": f"{page}/label.pdf"}
        )

    async def cancel_shipment(self, attempt: Attempt) -> Answer:
        """Keep a cancellation."""
        asked = attempt.arguments
        assert isinstance(asked, CancelShipment)
        if asked.shipment.startswith("sbx_fetched_"):
            return Refused({"shipment": asked.shipment, "reason": "it has been fetched"})
        self.cancelled.add(attempt.key, asked)
        return Done({"shipment": asked.shipment})
