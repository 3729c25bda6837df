"""Approvals: requests that others decide on, one level after the other."""

from statemachines.approval.events import (
    Abstain,
    ApprovalOpened,
    Approve,
    Approved,
    Comment,
    Delegate,
    Reject,
    Rejected,
    Request,
    RequestChanges,
    Resubmit,
    Withdraw,
)
from statemachines.approval.machine import approval
from statemachines.approval.model import Approval, ApprovalSeat, ApprovalVote
from statemachines.approval.policy import ApprovalPolicy, Level

__all__ = [
    "Abstain",
    "Approval",
    "ApprovalOpened",
    "ApprovalPolicy",
    "ApprovalSeat",
    "ApprovalVote",
    "Approve",
    "Approved",
    "Comment",
    "Delegate",
    "Level",
    "Reject",
    "Rejected",
    "Request",
    "RequestChanges",
    "Resubmit",
    "Withdraw",
    "approval",
]
