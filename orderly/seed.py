"""A shop to begin with: a small catalogue, and the first keys."""

from dataclasses import dataclass

from sqlalchemy import Connection

from api.keys import NewKey
from engine.envelope import Envelope, Rejected
from orderly.service import Service
from persistence import keys, queries
from statemachines.declaration import Actor, Role
from statemachines.product import Create

SEED = Actor("seed", Role.MERCHANT)

CATALOGUE = (
    Create(sku="MUG-BLUE", name="Blue mug", price=1250, currency="EUR", on_hand=40, reorder_level=5),
    Create(sku="MUG-RED", name="Red mug", price=1250, currency="EUR", on_hand=40, reorder_level=5),
    Create(sku="TEAPOT", name="Teapot for four", price=3900, currency="EUR", on_hand=12, reorder_level=2),
    Create(sku="TEA-ASSAM", name="Assam, 250 g", price=890, currency="EUR", on_hand=200, reorder_level=20),
    Create(sku="TEA-SENCHA", name="Sencha, 100 g", price=1190, currency="EUR", on_hand=120, reorder_level=20),
    Create(sku="TRAY-OAK", name="Oak tray", price=2750, currency="EUR", on_hand=3, reorder_level=3),
)

FIRST_KEYS = (("admin", Role.ADMIN), ("shop", Role.MERCHANT), ("ann", Role.CUSTOMER))
"""Whose keys are made for a new shop. An admin manages keys, and can neither approve nor move money."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was put into a shop; nothing of what it had before."""

    products: int
    keys: list[NewKey]
    """Shown this once and never again."""


async def seed(service: Service) -> Seeded:
    """Put a catalogue into a shop that has none, and make the first keys of one that has none.

    Raises:
        RuntimeError: the shop refused a product of the catalogue.
    """
    has_products, has_keys = await service.database.read(lambda connection: _has(connection, service))
    products = 0 if has_products else await _fill(service)
    made = [] if has_keys else [await service.keys.create(name, role, str(SEED)) for name, role in FIRST_KEYS]
    return Seeded(products, made)


def _has(connection: Connection, service: Service) -> tuple[bool, bool]:
    products = queries.count_states(connection, service.registry["product"])
    return bool(products), bool(keys.count(connection))


async def _fill(service: Service) -> int:
    for event in CATALOGUE:
        outcome = await service.dispatcher.dispatch(Envelope("product", event, SEED, cause="seed"))
        if isinstance(outcome, Rejected):
            raise RuntimeError(f"the shop refused {event.sku}: {outcome.reason}")  # noqa: TRY004
    return len(CATALOGUE)
