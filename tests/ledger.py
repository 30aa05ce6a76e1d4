"""Payments and refunds for tests, made as they come about: through the services, with a provider behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from snipcart_checkout import services
from snipcart_checkout.conf import get_settings
from snipcart_checkout.exceptions import RefundUncertain
from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.testing import StandIn, StandInSession
from tests.backends import Provider


@pytest.fixture
def provider(tmp_path: Path, settings: Any, snipcart: StandIn) -> Provider:
    """A provider behind the store's only method, to be scripted."""
    use_provider(settings, tmp_path)
    return Provider(tmp_path)


def use_provider(settings: Any, directory: Path, **flags: Any) -> None:
    method = {
        "BACKEND": "tests.backends.ScriptedBackend",
        "NAME": "Credit card",
        "OPTIONS": {"DIRECTORY": str(directory), "FLAGS": flags},
    }
    site = django_settings.SNIPCART_CHECKOUT
    live = {**site["STORES"]["live"], "METHODS": {"acme_card": method}}
    settings.SNIPCART_CHECKOUT = {**site, "STORES": {"live": live}}


def pay(snipcart: StandIn, *, session: StandInSession | None = None, **invoice: Any) -> Payment:
    """A shopper pays a session, a new one unless it is given; what comes of it is up to the provider's script."""
    ordered = session or snipcart.session(**invoice)
    store = get_settings().stores["live"]
    return services.pay(
        services.Order(
            store=store,
            method=store.methods["acme_card"],
            session=services.get_payment_session(ordered.public_token, "live"),
            public_token=ordered.public_token,
        )
    )


def refused_by_snipcart(snipcart: StandIn) -> Payment:
    """A paid payment that Snipcart refuses to record."""
    snipcart.fail("payment", 400)
    return pay(snipcart)


def uncertain_refund(provider: Provider, payment: Payment, units: int = 500) -> Refund:
    provider.script(refund="nonsense")
    with pytest.raises(RefundUncertain):
        services.refund_payment(payment, units, asked_by="staff ada")
    provider.script()
    return payment.refunds.get(minor_units=units)


def in_review(refund: Refund) -> Refund:
    """The refund after snipcart_settle has left it to a person."""
    Refund.objects.filter(pk=refund.pk).update(state=Refund.State.REVIEW)
    refund.refresh_from_db()
    return refund


def story(payment: Payment) -> list[str]:
    return [event.name for event in payment.events.all()]
