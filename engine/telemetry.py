"""What operators see of the engine: a log line for each transition, and counters."""

from functools import cache

import structlog
from prometheus_client import Counter, Gauge, Histogram

from engine.batch import Result
from engine.dispatcher import CommittedBatch
from engine.envelope import Committed, Rejected

log = structlog.get_logger("orderly.transitions")

TRANSITIONS = Counter("orderly_transitions", "Events dispatched.", ["machine", "event", "outcome"])
FAILURES = Counter("orderly_dispatch_errors", "Events neither accepted nor refused.", ["error"])
BATCH_SIZE = Histogram(
    "orderly_batch_size", "Events that shared a commit.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
ATTEMPTS = Counter("orderly_effect_attempts", "Attempts at outbound calls.", ["effect", "answered"])
ATTEMPT_SECONDS = Histogram(
    "orderly_effect_seconds",
    "How long outbound calls took.",
    ["effect"],
    buckets=(0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20),
)
DELIVERIES = Counter("orderly_deliveries", "Attempts to deliver events to subscriptions.", ["outcome"])
CIRCUITS_OPEN = Gauge(
    "orderly_circuits_open", "Processes to which a destination is down.", ["destination"], multiprocess_mode="livesum"
)
INBOX = Counter("orderly_inbox", "Rows of the inbox that were settled.", ["source", "status"])
COMMIT_SECONDS = Histogram(
    "orderly_commit_seconds",
    "From the start of a batch to its commit.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)


@cache
def _counter(machine: str, event: str, outcome: str) -> Counter:
    """Return the counter of one machine's event; finding it anew costs more than counting."""
    return TRANSITIONS.labels(machine, event, outcome)


def on_commit(batch: CommittedBatch) -> None:
    """Count a batch and log each of its transitions."""
    BATCH_SIZE.observe(len(batch.results))
    COMMIT_SECONDS.observe(batch.seconds)
    for record in batch.changes.history:
        _counter(record["machine"], record["event"], "accepted").inc()
        log.info(
            "transition",
            machine=record["machine"],
            id=record["entity_id"],
            version=record["version"],
            event_name=record["event"],
            source=record["source"],
            target=record["target"],
            actor=record["actor"],
            event_id=record["event_id"],
            cause=record["cause"],
        )
    for result in batch.results:
        _count(result)


def _count(result: Result) -> None:
    match result:
        case Committed():
            if result.replayed:
                _counter(result.machine, result.event, "replayed").inc()
        case Rejected():
            _counter(result.machine, result.event, "refused").inc()
            log.info(
                "refused",
                machine=result.machine,
                id=result.id,
                event_name=result.event,
                state=result.state,
                guard=result.guard,
            )
        case _:
            FAILURES.labels(type(result).__name__).inc()


def on_attempt(effect: str, seconds: float, *, answered: bool) -> None:
    """Count an attempt at an outbound call."""
    ATTEMPTS.labels(effect, "yes" if answered else "no").inc()
    ATTEMPT_SECONDS.labels(effect).observe(seconds)


def on_settled(source: str, status: str) -> None:
    """Count a row of the inbox of which is known what became of it."""
    INBOX.labels(source, status).inc()


def on_delivery(outcome: str) -> None:
    """Count an attempt to deliver an event to a subscription."""
    DELIVERIES.labels(outcome).inc()


def on_circuit(destination: str, *, is_open: bool) -> None:
    """Note whether a destination is down."""
    CIRCUITS_OPEN.labels(destination).set(is_open)
