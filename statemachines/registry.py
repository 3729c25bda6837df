"""Every machine there is. Adding a machine is adding its file and a line here (and a migration for its table)."""

from collections.abc import Iterable, Iterator, Mapping

from statemachines.activity import activity
from statemachines.approval import approval
from statemachines.declaration import Policy
from statemachines.job import job
from statemachines.machine import Machine
from statemachines.order import order
from statemachines.payment import payment
from statemachines.product import product
from statemachines.refund import refund
from statemachines.reservation import reservation
from statemachines.returns.machine import returns
from statemachines.shipment import shipment
from statemachines.stock import stock
from statemachines.subscription import subscription


class Registry:
    """Machines by name.

    Raises:
        ValueError: two machines share a name, a collection or an id prefix.
    """

    def __init__(self, machines: Iterable[Machine]) -> None:
        self._machines = {machine.name: machine for machine in machines}
        for attribute in ("plural", "prefix"):
            values = [value for machine in self if (value := getattr(machine, attribute)) is not None]
            if len(set(values)) < len(values):
                raise ValueError(f"two machines have the same {attribute}")

    def __iter__(self) -> Iterator[Machine]:
        return iter(self._machines.values())

    def __getitem__(self, name: str) -> Machine:
        return self._machines[name]

    def __contains__(self, name: object) -> bool:
        return name in self._machines

    def with_policies(self, policies: Mapping[str, Policy]) -> "Registry":
        """Return the same machines, those named with other figures."""
        return Registry(m.with_policy(policies[m.name]) if m.name in policies else m for m in self)


MACHINES = Registry(
    [order, payment, refund, shipment, returns, product, stock, reservation, approval, activity, job, subscription]
)
