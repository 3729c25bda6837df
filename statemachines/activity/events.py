"""What may be told of a customer's activity, and by whom."""

from typing import Annotated

from pydantic import Field

from statemachines.declaration import Event, Role
from statemachines.messages import MailAddress
from statemachines.privacy import PRIVATE
from statemachines.values import Quantity, Reference, Sku

CUSTOMERS = [Role.CUSTOMER, Role.MERCHANT]
"""The customer itself, or the shop for one."""

Customer = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$", examples=["ann"]), PRIVATE]
"""Somebody, by the name that is on their keys."""

SeenSku = Annotated[Sku, PRIVATE]
"""A product that somebody cares for: nobody's business but theirs and the shop's."""


class Track(Event, by=CUSTOMERS):
    """Begin to keep a customer's activity. Safe to repeat, at every visit for example: there is one for a customer."""

    customer: Customer
    """Whose; a customer names itself."""
    email: MailAddress | None = None
    """Where reminders and rewards go; left out, what was known stays, and without any they are only noted."""


class ProductView(Event, by=CUSTOMERS):
    """The customer looked at a product."""

    sku: SeenSku


class CartAdd(Event, by=CUSTOMERS):
    """The customer put pieces of a product into the basket."""

    sku: SeenSku
    quantity: Quantity = 1


class CartRemove(Event, by=CUSTOMERS):
    """The customer took a product out of the basket again, or emptied it."""

    sku: SeenSku | None = None
    """Which; left out for everything."""


class Ordered(Event, by=[Role.MERCHANT]):
    """The customer ordered: there is nothing to be reminded of."""

    order: Reference | None = None


class Stop(Event, by=CUSTOMERS):
    """Track the customer no longer, and forget what was kept."""


class Resume(Event, by=[Role.CUSTOMER]):
    """Track the customer again; only the customer can want that."""


class RemindOfProduct(Event):
    """The customer has been away for a while and has not come back to the product."""


class RemindOfBasket(Event):
    """The customer has been away for a while and left a basket behind."""


class RemindOfBasketAgain(Event):
    """The customer has been away for long and left a basket behind."""


class Forget(Event):
    """Nothing was seen of the customer for so long that no pattern can come of it any more."""
