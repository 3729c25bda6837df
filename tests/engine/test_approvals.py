"""Approvals on real databases: many who decide at once, and entities that wait for them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import text

from engine.clock import VirtualClock
from engine.envelope import Committed, Outcome, Rejected
from orderly.service import Service
from orderly.settings import Settings
from persistence.tables import EffectRow
from statemachines.approval import (
    ApprovalPolicy,
    ApprovalVote,
    Approve,
    Reject,
    Request,
    RequestChanges,
    Resubmit,
    Withdraw,
)
from statemachines.decision import Refused
from statemachines.declaration import Actor, Event
from statemachines.registry import MACHINES, Registry
from tests.conftest import OpenService
from tests.deal import Ask, Change, Offer, deal
from tests.engine.books import rows
from tests.engine.shop import ANNA, Shop, committed, rejected
from tests.statemachines.office import approver
from tests.statemachines.week import AnyWeek

EXPENSE = Request(kind="expense", reference="E-14", description="the trip", amount=5000, currency="EUR")
VOTERS = [approver(f"p{number}") for number in range(64)]


def policy(**figures: object) -> ApprovalPolicy:
    return ApprovalPolicy.model_validate(figures)


def board(quorum: int) -> ApprovalPolicy:
    """A policy by which so many of all approvers have to approve."""
    return policy(levels=[{"name": "board", "quorum": quorum, "rejections": quorum}])


async def votes(service: Service) -> list[tuple[str, str]]:
    kept = await service.database.read(lambda connection: rows(connection, ApprovalVote))
    return [(vote["person"], vote["choice"]) for vote in kept]


@pytest.fixture
def two_services(open_service: OpenService, postgresql_url: str):  # type: ignore[no-untyped-def]
    """Open two services on one PostgreSQL."""

    @asynccontextmanager
    async def opened(approval: ApprovalPolicy) -> AsyncIterator[list[Shop]]:
        async with (
            open_service(postgresql_url, approval=approval) as one,
            open_service(postgresql_url, seed=2, approval=approval) as other,
        ):
            yield [Shop(one), Shop(other)]

    return opened


async def at_once(shops: list[Shop], asked: str, told: Sequence[tuple[Actor, Event]]) -> list[Outcome]:
    """Raise events on both services at the same time."""
    turns = [shops[number % 2].tell("approval", asked, event, by) for number, (by, event) in enumerate(told)]
    return await asyncio.gather(*turns)


def reasons(outcomes: list[Outcome]) -> Counter[str]:
    return Counter(outcome.reason for outcome in outcomes if isinstance(outcome, Rejected))


DECIDED = "takes no '{}'; nothing can happen to it any more"


async def test_64_approve_at_once_on_two_services_and_just_the_quorum_decides(two_services) -> None:
    async with two_services(board(3)) as shops:
        asked = committed(await shops[0].tell("approval", None, EXPENSE, ANNA)).id
        outcomes = await at_once(shops, asked, [(voter, Approve(round=1)) for voter in VOTERS])
        assert sorted(o.state for o in outcomes if isinstance(o, Committed)) == ["approved", "pending", "pending"]
        assert reasons(outcomes) == {f"approval in state 'approved' {DECIDED.format('approve')}": 61}
        assert await votes(shops[0].service) == sorted(
            (row["actor"].removeprefix("approver:"), "approve")
            for row in await shops[1].history("approval", asked)
            if row["event"] == "approve"
        )
        assert (await shops[0].row("approval", asked))["version"] == 4


async def test_one_person_who_approves_64_times_at_once_has_voted_once(two_services) -> None:
    async with two_services(board(2)) as shops:
        asked = committed(await shops[0].tell("approval", None, EXPENSE, ANNA)).id
        outcomes = await at_once(shops, asked, [(VOTERS[0], Approve(round=1))] * 64)
        assert reasons(outcomes) == {"'p0' has voted already: approve": 63}
        assert (await shops[0].row("approval", asked))["state"] == "pending"
        assert await votes(shops[0].service) == [("p0", "approve")]


async def test_those_who_approve_reject_and_withdraw_at_once_come_to_one_end(two_services) -> None:
    async with two_services(board(2)) as shops:
        for _ in range(5):
            asked = committed(await shops[0].tell("approval", None, EXPENSE, ANNA)).id
            told: list[tuple[Actor, Event]] = [(voter, Approve(round=1)) for voter in VOTERS[:20]]
            told += [(voter, Reject(round=1, reason="too dear")) for voter in VOTERS[20:40]]
            told += [(ANNA, Withdraw()), (ANNA, Resubmit(amount=1)), (VOTERS[40], RequestChanges(round=1, reason="?"))]
            Random(asked).shuffle(told)
            outcomes = await at_once(shops, asked, told)
            ends = [
                o for o in outcomes if isinstance(o, Committed) and o.state in ("approved", "rejected", "withdrawn")
            ]
            assert len(ends) <= 1
            state = (await shops[0].row("approval", asked))["state"]
            assert [end.state for end in ends] == [state][: len(ends)]
            assert all(outcome.reason for outcome in outcomes if isinstance(outcome, Rejected))


@pytest.mark.parametrize("seed", range(3))
async def test_any_week_is_the_same_on_a_database_as_in_memory(open_service, database_url, seed) -> None:
    week = AnyWeek(Random(seed))
    async with open_service(database_url, approval=policy(**week.policy)) as service:
        shop = Shop(service)
        asked = EXPENSE.model_copy(update={"amount": week.amount})
        name = committed(await shop.tell("approval", None, asked, week.asker)).id
        for _ in range(40):
            what = week.choose()
            decision = week.happens(what)
            if isinstance(what, int):
                await service.advance(timedelta(hours=what))
            else:
                actor, event = what
                outcome = await shop.tell("approval", name, event, actor)
                assert getattr(outcome, "reason", None) == (decision.reason if isinstance(decision, Refused) else None)
            row = await shop.row("approval", name)
            for column in ("state", "version", "round", "level", "fingerprint", "decided_because"):
                assert row[column] == getattr(week.office.approval, column)
        kept = await service.database.read(lambda connection: rows(connection, ApprovalVote))
        assert len(kept) == len(week.office.votes)


async def test_what_is_decided_is_asked_of_nobody_any_more(open_service, database_url) -> None:
    figures = policy(announce_to="approvals@shop.example")
    async with open_service(database_url, approval=figures) as service:
        shop = Shop(service)
        asked = EXPENSE.model_copy(update={"mail": "anna@home.example"})
        name = committed(await shop.tell("approval", None, asked, ANNA)).id
        committed(await shop.tell("approval", name, Approve(round=1), VOTERS[0]))
        await service.settle()
        sent = await service.database.read(lambda connection: rows(connection, EffectRow))
        assert [(row["arguments"]["to"], row["status"]) for row in sent] == [
            ("approvals@shop.example", "cancelled"),
            ("anna@home.example", "done"),
        ]


async def test_reminders_and_ends_come_by_themselves(open_service, database_url) -> None:
    figures = policy(announce_to="approvals@shop.example")
    async with open_service(database_url, approval=figures) as service:
        shop = Shop(service)
        name = committed(await shop.tell("approval", None, EXPENSE, ANNA)).id
        await service.advance(timedelta(hours=72))
        told = [(row["event"], row["target"]) for row in await shop.history("approval", name)]
        assert told == [
            ("request", "pending"),
            ("remind", "pending"),
            ("remind", "pending"),
            ("escalate", "escalated"),
            ("remind", "escalated"),
            ("give_up", "rejected"),
        ]
        assert await shop.timers() == []


# -- entities that wait for approval ---------------------------------------------------------------------------------


@asynccontextmanager
async def dealing(url: str, clock: VirtualClock, *seeds: int) -> AsyncIterator[list[Shop]]:
    """Open services in which there are deals."""
    async with AsyncExitStack() as stack:
        machines = Registry([*MACHINES, deal])
        chosen = Settings(database_url=url, key_pepper="pepper", approval=board(2))
        opened = [
            Service.open(chosen, clock=clock, random=Random(seed), machines=machines, migrate=True) for seed in seeds
        ]
        yield [Shop(await stack.enter_async_context(service)) for service in opened]


async def waiting_deal(shop: Shop) -> tuple[str, str]:
    """Offer a deal that waits for approval; return its name and the approval's."""
    offered = committed(await shop.tell("deal", None, Offer(customer="anna", total=5000))).id
    committed(await shop.tell("deal", offered, Ask()))
    return offered, str((await shop.row("deal", offered))["approval"])


async def test_an_entity_hears_of_its_approval_in_the_same_transaction(database_url, clock) -> None:
    async with dealing(database_url, clock, 1) as (shop,):
        offered, asked = await waiting_deal(shop)
        for voter in VOTERS[:2]:
            committed(await shop.tell("approval", asked, Approve(round=1), voter))
        (*_, vote), (*_, told) = await shop.history("approval", asked), await shop.history("deal", offered)
        assert (told["event"], told["cause"], told["at"]) == ("approved", vote["event_id"], vote["at"])


async def test_a_vote_that_its_entity_refuses_is_refused_whole(database_url, clock) -> None:
    async with dealing(database_url, clock, 1) as (shop,):
        offered, asked = await waiting_deal(shop)
        committed(await shop.tell("approval", asked, Approve(round=1), VOTERS[0]))
        await shop.service.database.write(lambda c: c.execute(text("UPDATE orders SET total = 1")))
        outcome = rejected(await shop.tell("approval", asked, Approve(round=1), VOTERS[1]))
        assert outcome.reason == f"deal '{offered}' refused 'approved': '{asked}' is of 50.00 EUR, not of this deal"
        assert await votes(shop.service) == [("p0", "approve")]
        assert (await shop.row("approval", asked))["state"] == "pending"


async def test_an_entity_that_changes_while_others_decide_is_approved_only_as_it_is(postgresql_url, clock) -> None:
    async with dealing(postgresql_url, clock, 1, 2) as shops:
        for number in range(10):
            offered, asked = await waiting_deal(shops[0])
            changes = [shops[1].tell("deal", offered, Change(total=total)) for total in (6000, 7000)]
            decisions = [shops[n % 2].tell("approval", asked, Approve(round=1), VOTERS[n]) for n in range(8)]
            together = [*changes, *decisions]
            Random(number).shuffle(together)
            outcomes = await asyncio.gather(*together)
            row, request = await shops[0].row("deal", offered), await shops[1].row("approval", asked)
            assert (row["state"] == "approved") == (request["state"] == "approved")
            assert row["total"] == request["amount"]
            assert all(outcome.reason for outcome in outcomes if isinstance(outcome, Rejected))
