"""Customers' activity: what they look at and put into the basket, reminders and rewards."""

from statemachines.activity.events import CartAdd, CartRemove, Ordered, ProductView, Resume, Stop, Track
from statemachines.activity.machine import activity
from statemachines.activity.model import Activity, ActivityPolicy, activity_id
from statemachines.activity.occurrences import RECENT_LIMIT

__all__ = [
    "RECENT_LIMIT",
    "Activity",
    "ActivityPolicy",
    "CartAdd",
    "CartRemove",
    "Ordered",
    "ProductView",
    "Resume",
    "Stop",
    "Track",
    "activity",
    "activity_id",
]
