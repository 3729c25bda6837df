"""Payments: `payment` is the table; beside it stand what a payment is, its events, news, guards and actions."""

from statemachines.payment.machine import payment
from statemachines.payment.model import Payment, PaymentPolicy

__all__ = ["Payment", "PaymentPolicy", "payment"]
