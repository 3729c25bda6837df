"""The shop that is replayed: the caller's, with nobody in it, and with no wire to the outside.

Nobody is there to approve, to look, or to answer a reminder, and the file knows nothing of that. So what a shop may
leave to people is switched off here, and what is outside is played by the sandboxes in the process: a replay charges no
card and posts to no chat, whatever the settings say. All other figures stay the caller's, above all how long an order
may be returned and when it completes by itself.
"""

from datetime import timedelta
from typing import Final

from orderly import choices
from orderly.settings import Settings

OWN_WAYS: Final = {
    "sqlite_synchronous": "NORMAL",  # what a power cut takes back, the next run does again
    "batch_limit": 1000,  # nobody waits for a single event
    "payments": choices.Payments(),
    "mail": choices.Mail(),
    "carrier": choices.Carrier(),
    "sms": choices.Sms(),
    "chat": choices.Chat(),
    "analytics": choices.Analytics(),
    "text": choices.Text(),
}


def as_replayed(settings: Settings) -> Settings:
    """Return the settings under which a replay runs.

    Orders and refunds need no approval, orders no review, and money is taken when it is asked for. The carrier is not
    asked, and sends no labels: the plan says itself when parcels leave and arrive. It may say so as late as an order
    completes by itself, and nobody is to be asked about a parcel before. Returns are approved one by one, by the plan.
    """
    order, shipment = settings.order, settings.shipment
    longest = max(shipment.deliver_within, order.complete_after + timedelta(days=1))
    return settings.model_copy(
        update={
            **OWN_WAYS,
            "order": order.model_copy(update={"take": "now", "approval_above": None, "review_above": None}),
            "refund": settings.refund.model_copy(update={"approval_above": 0, "approval_after": timedelta()}),
            "shipment": shipment.model_copy(update={"ask_carrier": False, "deliver_within": longest}),
            "returns": settings.returns.model_copy(update={"approve_up_to": 0, "return_to": None}),
        }
    )
