"""Payments and refunds for tests, made as they come about: through the services, with a provider behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError, connection

from snipcart_checkout import services
from snipcart_checkout.conf import get_settings
from snipcart_checkout.exceptions import RefundUnknown
from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.services import transactions
from snipcart_checkout.testing import CheckoutSettings, StandIn, StandInSession
from tests.support.backends import Provider


@pytest.fixture
def provider(tmp_path: Path, checkout_settings: CheckoutSettings, snipcart: StandIn) -> Provider:
    """A provider behind the store's only method, to be scripted."""
    backend = "tests.support.backends.ScriptedBackend"
    checkout_settings.method("acme_card", BACKEND=backend, OPTIONS={"DIRECTORY": str(tmp_path)})
    return Provider(tmp_path)


def pay(snipcart: StandIn, *, session: StandInSession | None = None, **invoice: Any) -> Payment:
    """A shopper pays a session, a new one unless it is given; what comes of it is up to the provider's script."""
    return services.pay(agree(session or snipcart.session(**invoice)))


def agree(session: StandInSession) -> services.Order:
    """What the shopper agrees to pay, as Snipcart shows it now."""
    store = get_settings().stores["live"]
    return services.Order(
        store=store,
        method=store.methods["acme_card"],
        session=services.get_payment_session(session.public_token, "live"),
        public_token=session.public_token,
    )


def refused_by_snipcart(snipcart: StandIn) -> Payment:
    """A paid payment that Snipcart refuses to record."""
    snipcart.fail("payment", 400)
    return pay(snipcart)


def unknown_refund(provider: Provider, payment: Payment, units: int = 500) -> Refund:
    provider.script(refund="nonsense")
    with pytest.raises(RefundUnknown):
        services.refund_by_staff(payment, units, by="ada")
    provider.script()
    return payment.refunds.get(minor_units=units)


def in_review(refund: Refund) -> Refund:
    """The refund after snipcart_settle has left it to a person."""
    Refund.objects.filter(pk=refund.pk).update(state=Refund.State.REVIEW)
    refund.refresh_from_db()
    return refund


def history(payment: Payment) -> list[str]:
    """The names of a payment's events, the oldest first."""
    return [event.name for event in payment.events.all()]


story = history


def let_two_seconds_pass() -> None:
    """Let a return, a notification or a page ask the provider again."""
    Payment.objects.update(polled_at=None)


@contextmanager
def tried_again_at_once() -> Iterator[None]:
    """What the ledger could not commit is tried again at once, instead of a second and a half in all."""
    with patch.object(transactions, "_RETRY_AFTER", 0):
        yield


@contextmanager
def full_disk(statement: str) -> Iterator[None]:
    """Statements that begin so fail on this connection, however often they are tried again."""

    def refuse(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith(statement):
            raise OperationalError("the disk is full")
        return execute(sql, *arguments)

    with connection.execute_wrapper(refuse), tried_again_at_once():
        yield


@contextmanager
def before(statement: str, then: Callable[[], object], *, times: int = 1) -> Iterator[None]:
    """Do what another process does, just before this one sends a statement that begins like that, at most so often."""
    left, is_theirs = times, False

    def watch(execute: Any, sql: str, *rest: Any) -> Any:
        nonlocal left, is_theirs
        if left and not is_theirs and re.match(statement, sql):
            left, is_theirs = left - 1, True
            then()
            is_theirs = False
        return execute(sql, *rest)

    with connection.execute_wrapper(watch):
        yield
    assert not left
