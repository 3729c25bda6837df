"""Payments through Stripe: `payments` is the gateway; beside it stand its settings, answers, amounts and declines."""

from gateways.stripe.payments import StripePayments
from gateways.stripe.settings import StripeSettings

__all__ = ["StripePayments", "StripeSettings"]
