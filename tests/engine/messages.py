"""Messages as Stripe and carriers send them, as far as anyone looks at them."""

from typing import Any

Json = dict[str, Any]


def intent(kind: str, effect: str, payment: str, *, amount: int = 1250, name: str = "", **members: object) -> Json:
    """Tell of a payment that was made for an effect."""
    about = {
        "id": payment,
        "object": "payment_intent",
        "amount": amount,
        "amount_received": amount if kind == "succeeded" else 0,
        "capture_method": "automatic",
        "client_secret": f"{payment}_secret_hush",
        "currency": "eur",
        "metadata": {"order": "unused", "effect": effect},
        "status": "succeeded" if kind == "succeeded" else "requires_payment_method",
        **members,
    }
    return _event(f"payment_intent.{kind}", name or f"evt_{kind}_{payment}", about)


def refund(status: str, effect: str, *, name: str, amount: int = 1250) -> Json:
    """Tell how a refund stands that was made for an effect."""
    about = {
        "id": "re_1",
        "object": "refund",
        "amount": amount,
        "currency": "eur",
        "metadata": {"order": "unused", "effect": effect},
        "status": status,
    }
    return _event("refund.updated", name, about)


def dispute(
    kind: str, payment: str | None, *, status: str = "needs_response", amount: int = 1250, name: str = ""
) -> Json:
    """Tell of money that a customer claims back from the bank."""
    about = {
        "id": "du_1",
        "object": "dispute",
        "amount": amount,
        "charge": "ch_1",
        "currency": "eur",
        "payment_intent": payment,
        "reason": "product_not_received",
        "status": status,
    }
    return _event(f"charge.dispute.{kind}", name or f"evt_{kind}_{payment}", about)


def _event(kind: str, name: str, about: Json) -> Json:
    return {"id": name, "object": "event", "created": 1767614400, "type": kind, "data": {"object": about}}


def parcel(news: str, order: str, **members: object) -> Json:
    """Tell where a parcel is, in the form that Standard Webhooks recommends."""
    return {"type": f"shipment.{news}", "timestamp": "2026-01-05T12:00:00Z", "data": {"order": order, **members}}
