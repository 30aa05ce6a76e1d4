"""Calls to a provider are capped like Snipcart's, whatever its backend makes them with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.services.refund_links import build_capability
from snipcart_checkout.testing import CheckoutSettings, StandIn
from tests.support.backends import Provider
from tests.support.desk import row
from tests.support.ledger import pay, provider, unknown_refund
from tests.support.ledger_invariants import let_time_pass
from tests.support.shopper import Shopper
from tests.support.undelivered import full_cap

__all__ = ["provider"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def redirected(snipcart: StandIn, provider: Provider) -> Payment:
    """A payment that its shopper finished at the provider, of which we do not know yet."""
    provider.script(charge="redirect")
    payment = pay(snipcart)
    provider.script()
    provider.complete(payment.reference)
    return payment


@pytest.fixture
def busy() -> Iterator[None]:
    """Every slot for a call to the provider is taken."""
    with full_cap("live/acme_card"):
        yield


def test_nothing_is_stored_or_charged(snipcart: StandIn, provider: Provider, busy: None) -> None:
    answer = Shopper().pay(snipcart.session())

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert (provider.calls, Payment.objects.count()) == ([], 0)


def test_a_return_leads_on_and_asks_nobody(provider: Provider, redirected: Payment, busy: None) -> None:
    before = provider.calls

    assert Shopper().come_back(redirected).status_code == 303

    assert provider.calls == before


def test_a_notification_is_to_be_sent_again(provider: Provider, redirected: Payment, busy: None) -> None:
    headers, body = provider.notification(redirected.reference)
    path = "/checkout/live/notifications/acme_card/"
    before = provider.calls

    assert Client().post(path, body, content_type="text/plain", headers=headers).status_code == 503
    assert provider.calls == before


def test_settle_leaves_it_for_the_next_run(provider: Provider, redirected: Payment, busy: None) -> None:
    let_time_pass(timedelta(minutes=10))
    before = provider.calls

    report = services.settle()

    assert provider.calls == before
    assert (report.looked_up, report.failed) == (0, 0)


def test_settle_leaves_what_it_would_repeat_for_the_next_run(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    provider.script(before="raise")
    pay(snipcart)
    provider.script()
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False, "repeat_is_safe": True})
    let_time_pass(timedelta(minutes=10))
    with full_cap("live/acme_card"):
        report = services.settle()
    assert (report.looked_up, report.failed, provider.captures) == (0, 0, [])

    let_time_pass(timedelta(minutes=10))
    assert services.settle().looked_up == 1
    assert Payment.objects.get().state == Payment.State.PAID


def test_a_cap_that_is_full_is_no_failure_of_the_provider(
    snipcart: StandIn, provider: Provider, busy: None
) -> None:
    payments = [row(state="unknown", captured_at=None, redirect_url="") for _ in range(5)]
    before = timezone.now() - timedelta(minutes=10)
    Payment.objects.update(claimed_at=before)

    services.settle()

    assert Payment.objects.filter(looked_up_at__isnull=False).count() == len(payments)


def test_no_refund_is_stored_or_made(snipcart: StandIn, provider: Provider) -> None:
    payment = pay(snipcart)
    path = f"/checkout/live/refunds/{build_capability(payment)}/"
    with full_cap("live/acme_card"):
        answer = Client().post(path, '{"amount": 5}', content_type="application/json")

    assert answer.status_code == 503
    assert (provider.refunds, Refund.objects.count()) == ([], 0)


@pytest.mark.parametrize("can_be_asked", [True, False])
def test_a_refund_of_unknown_outcome_is_left_for_the_next_run(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings, can_be_asked: bool
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup_refund": can_be_asked})
    unknown_refund(provider, pay(snipcart))
    let_time_pass(timedelta(minutes=10))
    calls = list(provider.calls)

    with full_cap("live/acme_card"):
        report = services.settle()

    assert (report.refunds_settled, report.failed, provider.calls) == (0, 0, calls)
    assert Refund.objects.get().state == Refund.State.UNKNOWN
    let_time_pass(timedelta(minutes=10))
    assert services.settle().refunds_settled == 1
