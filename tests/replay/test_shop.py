from datetime import timedelta

from orderly import choices
from orderly.replay.shop import as_replayed
from orderly.settings import Settings
from statemachines.order import OrderPolicy


def test_a_replay_speaks_to_sandboxes_alone() -> None:
    real = Settings(
        payments=choices.Payments(gateway="stripe", secret_key="sk_test_1"),
        chat=choices.Chat(gateway="slack", url="https://hooks.example/1"),
    )
    own = as_replayed(real)
    assert {
        getattr(own, group).gateway for group in ("payments", "mail", "carrier", "sms", "chat", "analytics", "text")
    } == {"sandbox"}


def test_the_shops_own_figures_stay() -> None:
    own = as_replayed(Settings(order=OrderPolicy(return_window=timedelta(days=14), take="later", approval_above=1)))
    assert (own.order.return_window, own.order.take, own.order.approval_above) == (timedelta(days=14), "now", None)


def test_nobody_is_asked_about_a_parcel_before_its_order_completes_by_itself() -> None:
    own = as_replayed(Settings(order=OrderPolicy(complete_after=timedelta(days=60))))
    assert own.shipment.deliver_within > timedelta(days=60)
