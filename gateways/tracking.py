"""What carriers tell by webhook while a parcel is on its way, in the form that Standard Webhooks recommends."""

from pydantic import BaseModel

from gateways.incoming import Body, Request, Source
from statemachines.carrier import CarrierReference
from statemachines.order import Complete, Fulfill


class _Parcel(BaseModel):
    order: str
    """The order's id, as it was given to the carrier with the shipment."""
    tracking: CarrierReference | None = None


class _News(BaseModel):
    data: _Parcel


def _shipped(body: Body) -> Request:
    """The parcel left the house."""
    parcel = _News.model_validate(body).data
    return Request("order", parcel.order, Fulfill(tracking=parcel.tracking))


def _delivered(body: Body) -> Request:
    """The parcel arrived."""
    return Request("order", _News.model_validate(body).data.order, Complete())


CARRIER = Source(kinds={"shipment.shipped": _shipped, "shipment.delivered": _delivered})
"""Carriers' messages."""
