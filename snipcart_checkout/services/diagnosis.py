"""Tell a merchant what to enter where, whether Snipcart can be reached, and what is wrong with the settings."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.conf import settings as django_settings
from django.core import checks
from django.db import DatabaseError
from django.urls import NoReverseMatch
from django.utils import timezone
from django.utils.translation import gettext as _

from snipcart_checkout.backends import get_backend
from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.client import SnipcartClient
from snipcart_checkout.conf import Method, Store, get_settings
from snipcart_checkout.exceptions import SnipcartError, TokenRefused
from snipcart_checkout.links import public_url
from snipcart_checkout.origins import base_url_problem
from snipcart_checkout.services.attention import settling_overdue_since

__all__ = ["Connection", "Diagnosis", "StoreDiagnosis", "diagnose"]

_CHECKS: Final = "snipcart_checkout"
# Snipcart's tokens are JWTs; this can be none, and says in Snipcart's log who asked and why.
_NOT_GENUINE: Final = "snipcart-doctor.tests-the.connection"


@dataclass(frozen=True, kw_only=True)
class StoreDiagnosis:
    """What is to be entered elsewhere for one store; an address that cannot be told yet is empty.

    ``notification_urls`` are for the dashboards of those payment providers that send notifications, by method.
    """

    name: str
    is_test: bool
    complete: bool
    payment_methods_url: str
    notification_urls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How Snipcart answered; ``problem`` is empty when all is well. ``seconds`` is how long it took."""

    api_url: str
    seconds: float
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Everything at once. ``connection`` is None when it was not tested; ``ledger_problem`` is empty without one."""

    stores: Sequence[StoreDiagnosis]
    connection: Connection | None
    ledger_problem: str
    messages: Sequence[checks.CheckMessage]

    @property
    def is_healthy(self) -> bool:
        """Whether payments are taken and finished: no error, and Snipcart answers. Warnings are no illness."""
        reached = self.connection is None or not self.connection.problem
        wrong = self.ledger_problem or any(message.is_serious() for message in self.messages)
        return reached and not wrong


def diagnose(*, offline: bool = False) -> Diagnosis:
    """Examine the settings and the ledger and, unless offline, ask Snipcart one question."""
    messages = checks.run_checks(tags=[_CHECKS], include_deployment_checks=not django_settings.DEBUG)
    return Diagnosis(
        stores=[_examine(store) for store in get_settings().stores.values()],
        connection=None if offline else _test_connection(),
        ledger_problem=_ledger_problem(),
        messages=[message for message in messages if not message.is_silenced()],
    )


def _examine(store: Store) -> StoreDiagnosis:
    return StoreDiagnosis(
        name=store.name,
        is_test=store.is_test,
        complete=store.complete,
        payment_methods_url=_url("payment_methods", store=store.name),
        notification_urls={
            method.id: _url("notification", store=store.name, method=method.id)
            for method in store.methods.values()
            if _takes_notifications(store, method)
        },
    )


def _ledger_problem() -> str:
    try:
        since = settling_overdue_since()
    except DatabaseError:
        return _("The ledger's tables cannot be read; run manage.py migrate.")
    if since is None:
        return ""
    when = f"{timezone.localtime(since) if timezone.is_aware(since) else since:%Y-%m-%d %H:%M}"
    return _("Work has been waiting since {when}: snipcart_settle seems not to run.").format(when=when)


def _url(name: str, **kwargs: str) -> str:
    if base_url_problem(get_settings().public_url):
        return ""
    try:
        return public_url(name, **kwargs)
    except NoReverseMatch:
        return ""


def _takes_notifications(store: Store, method: Method) -> bool:
    try:
        backend = get_backend(store, method)
    except Exception:  # a stranger's backend may raise anything, and the checks say so
        return False
    return type(backend).read_notification is not PaymentBackend.read_notification


def _test_connection() -> Connection:
    settings = get_settings()
    started = time.monotonic()
    problem = _connection_problem(SnipcartClient(settings))
    return Connection(api_url=settings.api_url, seconds=time.monotonic() - started, problem=problem)


def _connection_problem(client: SnipcartClient) -> str:
    try:
        client.validate_token(_NOT_GENUINE)
    except TokenRefused:
        return ""
    except SnipcartError as error:
        return str(error)
    return _("it accepts a token that cannot be genuine, so it is not Snipcart")
