"""What is asked of a carrier, and the answers it may give."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from statemachines.declaration import Effect, Event
from statemachines.privacy import PRIVATE
from statemachines.values import Name, Quantity, Reference, Sku, Url

CarrierReference = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,99}$", examples=["JD014600003RU"])]
"""The carrier's own name for a parcel or a shipment; often a long number, so it is not searched for card numbers."""

Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", examples=["DE"])]
"""An ISO 3166-1 alpha-2 code."""


class ShipmentCreated(Event):
    """The carrier will fetch the parcels."""

    shipment: CarrierReference
    """The carrier's name for the shipment, needed to cancel it."""
    tracking: CarrierReference
    """What the customer follows the parcels by."""
    tracking_url: Url | None = None
    label_url: Annotated[Url | None, PRIVATE] = None
    """Where the label to print is; it shows the address."""


class ShipmentRefused(Event):
    """The carrier will not take the shipment."""

    reason: Name


class ShipmentCancelled(Event):
    """The carrier will not fetch the parcels after all."""

    shipment: CarrierReference


class CancellationRefused(Event):
    """The carrier can't cancel the shipment any more."""

    shipment: CarrierReference
    reason: Name


class Address(BaseModel):
    """Where parcels go."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    is_private: ClassVar[bool] = True

    name: Name
    lines: tuple[Name, ...] = Field(min_length=1, max_length=4)
    postal_code: Annotated[str, Field(max_length=20)] = ""
    city: Name
    region: Annotated[str, Field(max_length=100)] = ""
    country: Country


class Contents(BaseModel):
    """Pieces of one product in a shipment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: Sku
    quantity: Quantity


class CreateShipment(BaseModel):
    """Have parcels fetched and brought to an address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    order: Reference
    reference: Reference
    """Our own name for the shipment, which the carrier's messages about it give back."""
    address: Address
    parcels: Quantity = 1
    contents: tuple[Contents, ...] = Field(min_length=1, max_length=1000)


class CancelShipment(BaseModel):
    """Call a shipment off before it is fetched."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shipment: CarrierReference
    order: Reference


CREATE_SHIPMENT = Effect(
    "carrier.create_shipment", CreateShipment, ok=ShipmentCreated, failed=ShipmentRefused, editable=("address",)
)
CANCEL_SHIPMENT = Effect("carrier.cancel_shipment", CancelShipment, ok=ShipmentCancelled, failed=CancellationRefused)
