"""The phases of an order's life, as lists of states."""

IN_WORK = ["processing", "on_hold", "fraud_hold", "customer_action_required", "payment_due"]
"""Paid, nothing has left."""
OUT = ["partially_shipped", "fulfilled", "partially_delivered"]
"""Parcels are under way."""
ARRIVED = ["delivered", "completed", "returned"]
UNPAID = ["awaiting_approval", "pending", "paying", "failed"]
"""Submitted, and not paid as it should be."""
CALLED_OFF = ["cancelling", "cancellation_failed"]
LATER = [*IN_WORK, *OUT, *ARRIVED]
"""Everything from payment on that was not called off."""
