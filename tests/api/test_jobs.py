"""Jobs over HTTP: how they stand, and what people may do about them."""

import pytest

from tests.api.shop import Shop, assert_problem


@pytest.fixture
async def office(shop: Shop) -> Shop:
    """A shop whose jobs are known."""
    await shop.service.jobs.declare()
    return shop


async def test_jobs_are_shown_with_their_last_and_next_times_and_outcome(office: Shop) -> None:
    assert (await office.merchant.post("/jobs/daily-sales-report/run")).json()["state"] == "running"
    await office.service.settle()

    listed = {job["id"]: job for job in (await office.approver.get("/jobs")).json()["items"]}
    assert listed.keys() == {"daily-sales-report", "weekly-summary", "low-stock-check", "retention"}
    report = (await office.admin.get("/jobs/daily-sales-report")).json()
    assert report == listed["daily-sales-report"]
    assert (report["last_at"], report["next_at"]) == ("2026-01-05T12:00:00Z", "2026-01-06T06:00:00Z")
    assert (report["last_outcome"], report["last_summary"]) == ("succeeded", "2026-01-04: no orders")
    story = (await office.merchant.get("/jobs/daily-sales-report/history")).json()["items"]
    assert [(each["event"], each["actor"]) for each in story] == [
        ("declare", "system:program"),
        ("run", "merchant:shop"),
        ("finished", "system:jobs.run"),
    ]


async def test_an_admin_pauses_resumes_holds_and_releases(office: Shop) -> None:
    for event, state in (("pause", "paused"), ("resume", "waiting")):
        answer = await office.admin.post(f"/jobs/retention/{event}")
        assert (answer.status_code, answer.json()["state"]) == (200, state)
    held = await office.admin.post("/jobs/retention/hold", json={"reason": "case 7"})
    assert held.json()["legal_hold"] == "case 7"
    refused = await office.admin.post("/jobs/retention/run")
    assert assert_problem(refused, 409, "transition-refused")["detail"] == "a legal hold stands: case 7"
    released = await office.admin.post("/jobs/retention/release", json={"reason": "closed"})
    assert released.json()["legal_hold"] is None


async def test_a_hold_needs_a_reason(office: Shop) -> None:
    assert (await office.admin.post("/jobs/retention/hold")).status_code == 422


async def test_what_a_role_may_not_do(office: Shop) -> None:
    assert (await office.ann.get("/jobs")).status_code == 403
    assert (await office.ann.post("/jobs/retention/run")).status_code == 403
    assert (await office.approver.post("/jobs/retention/run")).status_code == 403
    assert (await office.merchant.post("/jobs/retention/pause")).status_code == 403
    assert (await office.admin.post("/jobs/retention/retire")).status_code == 404
    assert (await office.admin.post("/jobs", json={"name": "mine"})).status_code == 405


async def test_a_job_that_there_is_not(office: Shop) -> None:
    assert_problem(await office.admin.get("/jobs/tea"), 404, "not-found")
    assert_problem(await office.admin.post("/jobs/tea/run"), 404, "not-found")


async def test_a_running_job_is_waited_for(office: Shop) -> None:
    running = office.merchant.post("/jobs/retention/run", headers={"Prefer": "wait=5"})

    answer = await office.settle_while(running)

    assert (answer.json()["state"], answer.json()["last_outcome"]) == ("waiting", "succeeded")
