"""What a refund tells its order, and the return that it is for, in the transaction in which it comes to know.

An order counts what is being refunded from the moment it asks: pending until it is given, failed or dropped.
"""

from statemachines.declaration import Event
from statemachines.values import Currency, Name, PositiveAmount, Reference


class Refunded(Event):
    """The money was given back (pending becomes refunded)."""

    refund: Reference
    amount: PositiveAmount
    currency: Currency


class RefundFailed(Event):
    """The gateway refused for good: the money is still owed, a person has to look (pending becomes due)."""

    refund: Reference
    amount: PositiveAmount
    reason: Name


class RefundRetried(Event):
    """What had failed is tried again (due becomes pending)."""

    refund: Reference
    amount: PositiveAmount


class RefundSettled(Event):
    """What had failed was given back in another way (due becomes refunded)."""

    refund: Reference
    amount: PositiveAmount


class RefundDropped(Event):
    """It will not be given: rejected or cancelled (pending, or due if it had failed, becomes nothing)."""

    refund: Reference
    amount: PositiveAmount
    had_failed: bool = False
    goodwill: bool = False
    reason: Name


class RefundReturned(Event):
    """What was given did not arrive and is with us again: a person has to look (refunded becomes due)."""

    refund: Reference
    amount: PositiveAmount
    reason: Name
