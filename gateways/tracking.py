"""What carriers tell by webhook while a parcel is on its way, in the form that Standard Webhooks recommends."""

from collections.abc import Callable, Mapping
from typing import Self

from pydantic import BaseModel, model_validator

from gateways.incoming import Body, Reading, Request, Source, Unroutable
from statemachines.carrier import CarrierReference
from statemachines.declaration import Event
from statemachines.order import Complete, Fulfill
from statemachines.returns.events import Depart, Receive
from statemachines.returns.events import Lose as LoseReturn
from statemachines.shipment import Deliver, Dispatch, Lose, SendBack
from statemachines.values import Text


class _Parcel(BaseModel):
    reference: str | None = None
    """Our name for the shipment or the return, as it was given to the carrier."""
    order: str | None = None
    """The order's id, of carriers that were not given a reference."""
    tracking: CarrierReference | None = None
    reason: Text | None = None

    @model_validator(mode="after")
    def _is_about_something(self) -> Self:
        if not (self.reference or self.order):
            raise ValueError("names neither a shipment nor an order")
        return self


class _News(BaseModel):
    data: _Parcel


Meanings = Mapping[str, Callable[[_Parcel], Event]]

_MACHINES = {"shp": "shipment", "ret": "return"}
"""What references name, by how they begin."""


def _reading(meanings: Meanings) -> Reading:
    """Return what says what a message means to the shipment, the return or the order that it names."""

    def read(body: Body) -> Request:
        parcel = _News.model_validate(body).data
        name = parcel.reference or parcel.order or ""
        machine = _MACHINES.get(name.partition("_")[0], "") if parcel.reference else "order"
        if machine not in meanings:
            raise Unroutable("it is about nothing that could be told so")
        return Request(machine, name, meanings[machine](parcel))

    return read


_SHIPPED: Meanings = {
    "shipment": lambda parcel: Dispatch(tracking=parcel.tracking),
    "return": lambda parcel: Depart(tracking=parcel.tracking),
    "order": lambda parcel: Fulfill(tracking=parcel.tracking),
}
_DELIVERED: Meanings = {
    "shipment": lambda _: Deliver(),
    "return": lambda _: Receive(),
    "order": lambda _: Complete(),
}
_LOST: Meanings = {
    "shipment": lambda parcel: Lose(reason=parcel.reason),
    "return": lambda parcel: LoseReturn(reason=parcel.reason),
}
_RETURNED: Meanings = {"shipment": lambda parcel: SendBack(reason=parcel.reason)}

CARRIER = Source(
    kinds={
        "shipment.shipped": _reading(_SHIPPED),
        "shipment.delivered": _reading(_DELIVERED),
        "shipment.lost": _reading(_LOST),
        "shipment.returned": _reading(_RETURNED),
    }
)
"""Carriers' messages."""
