"""What an activity is: its columns, and the figures that a shop may choose."""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Self

from pydantic import model_validator
from sqlalchemy import JSON, CheckConstraint, UniqueConstraint
from sqlmodel import Field

from statemachines.activity.occurrences import RECENT_LIMIT
from statemachines.declaration import Entity, Policy
from statemachines.privacy import PRIVATE
from statemachines.values import Reference, Span

Times = Annotated[int, Field(ge=0, le=RECENT_LIMIT)]


class ActivityPolicy(Policy):
    """What a shop may choose about the patterns in what customers do, and what follows from them."""

    within: Span = timedelta(hours=24)
    """How far apart the first and the last occurrence of a pattern may lie, and how long occurrences are kept."""
    views: Times = 3
    """So many views of one product that lies in no basket call for a reminder; 0 for none."""
    product_reminder_after: Span = timedelta(hours=2)
    """How long after the customer was last seen a reminder of a product is sent."""
    basket_adds: Times = 1
    """So many times something is put into a basket and not ordered before it calls for reminders; 0 for none."""
    basket_reminder_after: Span = timedelta(hours=1)
    """How long after the customer was last seen the first reminder of a basket is sent."""
    basket_reminder_again_after: Span = timedelta(hours=24)
    """How long after the customer was last seen the second and last reminder of a basket is sent."""
    reward_products: Times = 5
    """So many different products put into the basket earn a reward; 0 for none."""
    reward_again_after: Annotated[Span, Field(ge=timedelta(hours=1))] | None = None
    """How long after a reward another can be earned; empty for never."""
    reward_code: Reference | None = None
    """The code that every reward names; empty for a code of its own for each."""

    @model_validator(mode="after")
    def _reminds_in_order(self) -> Self:
        if self.basket_reminder_again_after <= self.basket_reminder_after:
            raise ValueError("the second reminder of a basket must come after the first")
        return self


class Activity(Entity):
    """What one customer lately did in the shop, and what came of it."""

    __tablename__ = "activities"
    __table_args__ = (
        UniqueConstraint("customer", name="uq_activities_customer"),
        CheckConstraint("reminders >= 0", name="ck_activities_reminders"),
        CheckConstraint("rewards >= 0", name="ck_activities_rewards"),
        CheckConstraint(
            "(rewards = 0) = (rewarded_at IS NULL) AND (rewards = 0) = (reward_code IS NULL)",
            name="ck_activities_rewarded",
        ),
    )
    owner_column: ClassVar[str | None] = "customer"
    search_columns: ClassVar[tuple[str, ...]] = ("id",)

    customer: str = Field(default="", max_length=100)
    email: Annotated[str | None, PRIVATE] = Field(default=None, max_length=254, description="where reminders go")
    recent: Annotated[list[dict[str, Any]], PRIVATE] = Field(
        default_factory=list, sa_type=JSON, description="what the customer did lately, the oldest first"
    )
    seen_at: datetime | None = Field(default=None, description="when the customer last did something")
    interest: Annotated[str | None, PRIVATE] = Field(
        default=None, max_length=64, description="the product that the customer keeps coming back to"
    )
    reminders: int = Field(default=0, description="how many reminders fell due, sent or not")
    reminded_at: datetime | None = Field(default=None, description="when the last of them fell due")
    rewards: int = Field(default=0, description="how many rewards were earned")
    rewarded_at: datetime | None = Field(default=None, description="when the last reward was earned")
    reward_code: Annotated[str | None, PRIVATE] = Field(
        default=None, max_length=100, description="what the customer shows for the last reward"
    )


def activity_id(customer: str) -> str:
    """Return the id of a customer's activity: known without asking, and it names nobody in addresses and logs."""
    return f"act_{hashlib.sha256(customer.encode()).hexdigest()[:26]}"
