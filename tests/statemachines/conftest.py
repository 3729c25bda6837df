"""What the tests of several machines together start from."""

import pytest

from tests.statemachines.store import Store


@pytest.fixture
def store() -> Store:
    """Ten mugs at 12.50 EUR and five pots at 40.00 EUR are on the shelf."""
    return Store.stocked()
