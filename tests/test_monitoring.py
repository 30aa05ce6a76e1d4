"""What an operator learns of the ledger: mails, numbers for Prometheus, and a health check."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import django
import pytest
from django.apps import apps
from django.core import mail
from django.db import DatabaseError, connection
from django.utils import timezone
from health_check.exceptions import ServiceUnavailable, ServiceWarning
from prometheus_client import CollectorRegistry, generate_latest

from snipcart_checkout import signals
from snipcart_checkout.contrib.health import Ledger
from snipcart_checkout.contrib.mail.apps import MailConfig
from snipcart_checkout.contrib.mail.manager_mails import mail_about_confirmation, mail_about_review
from snipcart_checkout.contrib.metrics import LedgerCollector
from snipcart_checkout.models import Confirmation
from snipcart_checkout.testing import StandIn
from tests.support.backends import Provider
from tests.support.ledger import pay, provider, refused_by_snipcart

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

PEOPLE = ["ada@shop.example"] if django.VERSION >= (6, 0) else [("Ada", "ada@shop.example")]


@pytest.fixture
def mails(settings: Any) -> Any:
    """The app's receivers are connected, and managers are there to be written to."""
    settings.MANAGERS = PEOPLE
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    MailConfig.create("snipcart_checkout.contrib.mail").ready()
    yield mail.outbox
    signals.payment_needs_review.disconnect(mail_about_review, dispatch_uid="snipcart_checkout_mail")
    signals.confirmation_unresolved.disconnect(mail_about_confirmation, dispatch_uid="snipcart_checkout_mail")


def metrics() -> str:
    registry = CollectorRegistry()
    registry.register(LedgerCollector())
    return generate_latest(registry).decode()


def break_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any) -> Any:
        raise DatabaseError("gone")

    monkeypatch.setattr(connection, "cursor", refuse)


def test_managers_are_mailed_when_a_payment_needs_review(
    mails: Any, snipcart: StandIn, provider: Provider
) -> None:
    provider.script(amount="1.00")

    payment = pay(snipcart)

    (sent,) = mails
    assert payment.display_reference in sent.subject
    assert str(payment.reference) in sent.body
    assert "another amount or currency" in sent.body
    assert sent.to == ["ada@shop.example"]


def test_managers_are_mailed_when_snipcart_refuses_a_confirmation(
    mails: Any, snipcart: StandIn, provider: Provider
) -> None:
    refused_by_snipcart(snipcart)

    (sent,) = mails
    assert "Snipcart could not be notified" in sent.body


def test_a_mail_names_no_shopper_and_no_secret(mails: Any, snipcart: StandIn, provider: Provider) -> None:
    provider.script(amount="1.00")
    session = snipcart.session(email="grace@example.org")

    pay(snipcart, session=session)

    (sent,) = mails
    assert "grace@example.org" not in sent.body
    assert session.public_token not in sent.body


def test_a_mail_is_in_the_site_s_language(
    mails: Any, settings: Any, snipcart: StandIn, provider: Provider
) -> None:
    settings.LANGUAGE_CODE = "fr"
    provider.script(amount="1.00")

    pay(snipcart, language="en")

    (sent,) = mails
    assert "Le prestataire a encaissé un autre montant" in sent.body


def test_nobody_is_mailed_without_the_app(settings: Any, snipcart: StandIn, provider: Provider) -> None:
    settings.MANAGERS = PEOPLE
    assert not apps.is_installed("snipcart_checkout.contrib.mail")

    refused_by_snipcart(snipcart)

    assert mail.outbox == []


def test_a_quiet_ledger_is_all_zeros(snipcart: StandIn, provider: Provider) -> None:
    pay(snipcart)

    text = metrics()

    assert "snipcart_ledger_up 1.0" in text
    assert "snipcart_pending_confirmations 0.0" in text
    assert "snipcart_settle_overdue_seconds 0.0" in text
    assert 'snipcart_open_cases{kind="payments_in_review"} 0.0' in text


def test_the_metrics_count_what_waits_and_how_long(snipcart: StandIn, provider: Provider) -> None:
    snipcart.fail("payment", 500)
    pay(snipcart)
    moment = timezone.now() - timedelta(minutes=30)
    Confirmation.objects.update(created_at=moment, due_at=moment, lease_until=None)

    lines = dict(line.rsplit(" ", 1) for line in metrics().splitlines() if not line.startswith("#"))

    assert lines["snipcart_pending_confirmations"] == "1.0"
    assert 1800 <= float(lines["snipcart_oldest_confirmation_seconds"]) < 1900
    assert 1800 <= float(lines["snipcart_settle_overdue_seconds"]) < 1900


def test_a_collector_is_registered_without_a_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        CollectorRegistry().register(LedgerCollector())


def test_the_metrics_say_that_the_ledger_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    break_the_ledger(monkeypatch)

    text = metrics()

    assert "snipcart_ledger_up 0.0" in text
    assert "snipcart_pending_confirmations" not in text


def test_the_health_check_is_content_with_a_quiet_ledger(snipcart: StandIn, provider: Provider) -> None:
    pay(snipcart)

    Ledger().run()


def test_the_health_check_warns_of_open_cases_unless_they_are_to_be_ignored(
    snipcart: StandIn, provider: Provider
) -> None:
    refused_by_snipcart(snipcart)

    with pytest.raises(ServiceWarning, match="open case"):
        Ledger().run()
    Ledger(ignore_open_cases=True).run()


def test_the_health_check_warns_where_settle_does_not_run(snipcart: StandIn, provider: Provider) -> None:
    snipcart.fail("payment", 500)
    pay(snipcart)
    Confirmation.objects.update(due_at=timezone.now() - timedelta(minutes=30), lease_until=None)

    with pytest.raises(ServiceWarning, match="snipcart_settle"):
        Ledger(ignore_open_cases=True).run()


def test_the_health_check_fails_where_the_ledger_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    break_the_ledger(monkeypatch)

    with pytest.raises(ServiceUnavailable):
        Ledger().run()
