"""An order: from the basket to the parcel, and back if need be.

A draft is submitted once it has lines and every piece is in stock; the pieces are reserved. Large orders may need an
approval first. It is paid by one payment or several, taken at once or held ready until the parcels leave; what looks
like fraud is held. A paid order can still be changed; what it then lacks is paid, what is too much is given back.
Parcels leave one by one, and the order follows them: partially shipped, fulfilled (everything is shipped), partially
delivered, delivered, completed. Pieces come back by returns.

Until something has arrived it can be called off: every step that was taken is taken back, the last one first
(`statemachines.order.compensation`). Amounts, prices and ownership come from the catalogue and the key, never from the
caller; where the money is, the order knows by what its payments and refunds tell (`statemachines.order.ledger`).
"""

from statemachines.declaration import After, Role, State
from statemachines.machine import Machine
from statemachines.order.events import (
    Abandon,
    CompensationOverdue,
    Complete,
    CustomerSilent,
    Expire,
    ExtraUnpaid,
    RemindOfBasket,
    RemindOfBasketAgain,
    ReviewOverdue,
)
from statemachines.order.model import Order, OrderPolicy
from statemachines.order.needs import LOADS
from statemachines.order.rows.buying import BUYING
from statemachines.order.rows.cancelling import CANCELLING
from statemachines.order.rows.paying import PAYING
from statemachines.order.rows.settling import SETTLING
from statemachines.order.rows.shipping import SHIPPING
from statemachines.order.rows.working import WORKING

order = Machine(
    Order,
    plural="orders",
    prefix="ord",
    policy=OrderPolicy(),
    readers=[Role.CUSTOMER, Role.MERCHANT, Role.APPROVER, Role.ADMIN, Role.SYSTEM],
    loads=LOADS,
    states=[
        State("draft", [After("remind_after", RemindOfBasket), After("remind_again_after", RemindOfBasketAgain),
                        After("abandon_after", Abandon)]),
        State("awaiting_approval"),
        State("pending", [After("expire_after", Expire)]),
        State("paying", awaits=["payment"]),
        State("fraud_hold", [After("review_within", ReviewOverdue)]),
        State("processing"),
        State("on_hold"),
        State("customer_action_required", [After("customer_answer_within", CustomerSilent)]),
        State("payment_due", [After("extra_payment_within", ExtraUnpaid)]),
        State("partially_shipped"),
        State("fulfilled", [After("complete_after", Complete)]),
        State("partially_delivered", [After("complete_after", Complete)]),
        State("delivered", [After("complete_after", Complete)]),
        State("completed"),
        State("failed"),
        State("cancelling", [After("compensate_within", CompensationOverdue)], awaits=["shipment", "payment", "refund"]),
        State("cancellation_failed"),
        State("cancelled", final=True),
        State("returned", final=True),
    ],
    transitions=[*BUYING, *PAYING, *WORKING, *SHIPPING, *SETTLING, *CANCELLING],
)  # fmt: skip
