"""What is told to an analytics service: things that happened, to be counted. Losing one is acceptable."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from statemachines.declaration import Effect, Retry
from statemachines.values import Name


class Occurrence(BaseModel):
    """Something that happened once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{0,99}$", examples=["order.fulfilled"])]
    subject: Name
    """Whom or what it is about, by an id that names no person."""
    at: datetime
    figures: dict[str, str | int | bool] = Field(default_factory=dict, max_length=50)


TRACK = Effect("analytics.track", Occurrence, retry=Retry(attempts=3, within=timedelta(hours=1)), fallback={})
