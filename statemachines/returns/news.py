"""What a return tells its order, in the transaction in which it comes to know.

Its pieces are on their way back, for the order, from `Request` until it is settled or dropped.
"""

from pydantic import Field

from statemachines.declaration import Event
from statemachines.pieces import MAX_LINES, Pieces
from statemachines.returns.events import Inspected, Wish
from statemachines.values import Name, Reference


class ReturnSettled(Event):
    """The pieces were inspected; the order puts the sound ones back on the shelf."""

    return_case: Reference
    lines: tuple[Inspected, ...] = Field(min_length=1, max_length=MAX_LINES)
    wish: Wish
    inspected_by: Name


class ReturnDropped(Event):
    """The pieces stay with the customer: rejected, cancelled, or they never came."""

    return_case: Reference
    lines: tuple[Pieces, ...] = Field(min_length=1, max_length=MAX_LINES)
    reason: Name
