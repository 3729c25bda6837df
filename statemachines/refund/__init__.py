"""Refunds: `machine` is the table; beside it stand what a refund is, its events, news, guards and actions."""

from statemachines.refund.events import (
    Accept,
    Cancel,
    Clarify,
    Explain,
    Owe,
    Proceed,
    Refuse,
    Request,
    Resume,
    Retry,
    Settle,
)
from statemachines.refund.machine import refund
from statemachines.refund.model import Refund, RefundPolicy

__all__ = [
    "Accept",
    "Cancel",
    "Clarify",
    "Explain",
    "Owe",
    "Proceed",
    "Refund",
    "RefundPolicy",
    "Refuse",
    "Request",
    "Resume",
    "Retry",
    "Settle",
    "refund",
]
