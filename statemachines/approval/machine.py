"""An approval: a request that others decide on, one level after the other.

Whoever asks puts the request: for an entity of this system, which asks by itself, or for anything outside of it. It
is pending until the people of a level have voted. Once so many of them have approved, the next level is asked, and
after the last it is approved. Enough rejections reject it. An approver may also send it back for changes; what is
changed is voted on anew. A level that does not decide in time is escalated: those who stand in reserve may vote too.
If that is of no use either, the request is rejected.

Nobody decides on their own request, nobody votes twice, and every vote is kept, with what it was given for.
"""

from statemachines.approval.actions import (
    hand_on,
    keep_vote,
    move_up,
    put_again,
    put_request,
    remind_again,
    seat_approvers,
    tell_opened,
)
from statemachines.approval.events import (
    Abstain,
    Approve,
    Comment,
    Delegate,
    Escalate,
    Expire,
    GiveUp,
    Reject,
    Remind,
    Request,
    RequestChanges,
    Resubmit,
    Withdraw,
)
from statemachines.approval.guards import (
    an_entity_asks_itself,
    another_level_decides,
    asks_in_own_name,
    asks_no_less_than_the_policy,
    changes_something,
    enough_may_vote,
    goes_to_another_voter,
    has_a_vote,
    has_a_vote_to_hand_on,
    has_seen_this_round,
    is_not_asked_already,
    is_not_the_requester,
    is_the_requesters,
    keeps_its_currency,
    more_approvals_are_needed,
    more_rejections_are_needed,
    others_can_decide,
    rounds_are_left,
    somebody_decides,
    somebody_decides_on_the_change,
    the_entity_says_what_it_asks,
    the_reserve_can_decide,
    votes_once,
)
from statemachines.approval.model import OPEN, UNDECIDED, Approval, ApprovalSeat, ApprovalVote
from statemachines.approval.notices import (
    announce,
    announce_again,
    ask_next_level,
    call_for_help,
    remind,
    tell_delegate,
)
from statemachines.approval.outcomes import (
    ask_for_changes,
    grant,
    let_lapse,
    remind_of_changes,
    take_back,
    turn_down,
    turn_down_unheard,
)
from statemachines.approval.policy import ApprovalPolicy
from statemachines.declaration import NEW, After, Guard, Load, Role, State, Transition
from statemachines.machine import Machine


def own_id(approval: Approval) -> list[str]:
    """Name the approval itself."""
    return [approval.id]


def entity_that_asks(event: Request) -> list[str]:
    """Name the entity that asks for a new approval."""
    return [event.reference] if event.machine else []


GOOD_REQUEST: list[Guard] = [
    asks_in_own_name,
    an_entity_asks_itself,
    is_not_asked_already,
    asks_no_less_than_the_policy,
    somebody_decides,
    enough_may_vote,
]
VOTE: list[Guard] = [is_not_the_requester, has_seen_this_round, votes_once, has_a_vote]
CHANGE: list[Guard] = [
    is_the_requesters,
    the_entity_says_what_it_asks,
    keeps_its_currency,
    somebody_decides_on_the_change,
    rounds_are_left,
]
TO_VOTER: list[Guard] = [has_a_vote_to_hand_on, goes_to_another_voter]

approval = Machine(
    Approval,
    plural="approvals",
    prefix="apr",
    policy=ApprovalPolicy(),
    readers=[Role.CUSTOMER, Role.MERCHANT, Role.APPROVER, Role.ADMIN, Role.SYSTEM],
    loads=[
        Load("namesakes", Approval, by="reference", keys=entity_that_asks),
        Load("seats", ApprovalSeat, by="approval_id", keys=own_id, lock=True),
        Load("votes", ApprovalVote, by="approval_id", keys=own_id),
    ],
    states=[
        State("pending", [After("escalate_after", Escalate), After("remind_after", Remind)]),
        State("escalated", [After("reject_after", GiveUp), After("remind_every", Remind)]),
        State("changes_requested", [After("changes_within", Expire), After("remind_after", Remind)]),
        State("approved", final=True),
        State("rejected", final=True),
        State("expired", final=True),
        State("withdrawn", final=True),
    ],
    transitions=[
        #          event           from                 to                   only if                                                then
        Transition(Request,        NEW,                 "pending",           GOOD_REQUEST,                                          [put_request, seat_approvers, announce, tell_opened]),
        Transition(Approve,        OPEN,                None,                [*VOTE, more_approvals_are_needed],                    [keep_vote]),
        Transition(Approve,        OPEN,                "pending",           [*VOTE, another_level_decides],                        [keep_vote, move_up, ask_next_level]),
        Transition(Approve,        OPEN,                "approved",          VOTE,                                                  [keep_vote, grant]),
        Transition(Reject,         OPEN,                None,                [*VOTE, more_rejections_are_needed, others_can_decide], [keep_vote]),
        Transition(Reject,         OPEN,                "rejected",          VOTE,                                                  [keep_vote, turn_down]),
        Transition(Abstain,        OPEN,                None,                [*VOTE, others_can_decide],                            [keep_vote]),
        Transition(Abstain,        "pending",           "escalated",         [*VOTE, the_reserve_can_decide],                       [keep_vote, call_for_help]),
        Transition(Abstain,        OPEN,                "rejected",          VOTE,                                                  [keep_vote, turn_down]),
        Transition(RequestChanges, OPEN,                "changes_requested", VOTE,                                                  [keep_vote, ask_for_changes]),
        Transition(Resubmit,       OPEN,                "pending",           [*CHANGE, changes_something],                          [put_again, announce_again]),
        Transition(Resubmit,       "changes_requested", "pending",           CHANGE,                                                [put_again, announce_again]),
        Transition(Delegate,       OPEN,                None,                TO_VOTER,                                              [hand_on, tell_delegate]),
        Transition(Comment,        UNDECIDED,           None),
        Transition(Remind,         OPEN,                None,                [],                                                    [remind, remind_again]),
        Transition(Remind,         "changes_requested", None,                [],                                                    [remind_of_changes, remind_again]),
        Transition(Escalate,       "pending",           "escalated",         [],                                                    [call_for_help]),
        Transition(GiveUp,         "escalated",         "rejected",          [],                                                    [turn_down_unheard]),
        Transition(Expire,         "changes_requested", "expired",           [],                                                    [let_lapse]),
        Transition(Withdraw,       UNDECIDED,           "withdrawn",         [is_the_requesters],                                   [take_back]),
    ],
)  # fmt: skip
