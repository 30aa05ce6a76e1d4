"""Examine an installation: what to enter where, who answers, what is wrong, and what was not tested."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.conf import settings as django_settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections, router
from django.utils import timezone

from snipcart_checkout.backends import get_backend
from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.conf import Method, Store, get_settings
from snipcart_checkout.conf.links import public_url
from snipcart_checkout.conf.origins import base_url_problem
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.exceptions import SnipcartError, SnipcartUnavailable, TokenRefused
from snipcart_checkout.models import Confirmation, Event, Payment, Refund
from snipcart_checkout.services.alerts import get_settle_overdue_since
from snipcart_checkout.services.probes import SiteAnswer, probe_site
from snipcart_checkout.snipcart.client import SnipcartClient

_CHECKS: Final = "snipcart_checkout"
# Snipcart's tokens are JWTs. This is none, and Snipcart's log shows by it who asked and why.
_NOT_GENUINE: Final = "snipcart-doctor.tests-the.connection"


@dataclass(frozen=True, kw_only=True)
class StoreDiagnosis:
    """What to enter in other places for one store; an address that is not known yet is empty.

    ``notification_urls`` are for the dashboards of those payment providers that send notifications, by method.
    """

    name: str
    is_test: bool
    complete: bool
    payment_methods_url: str
    notification_urls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Connection:
    """The answer of Snipcart; ``problem`` is empty when it was as expected, ``seconds`` is the duration."""

    api_url: str
    seconds: float
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class ProviderAnswer:
    """A payment provider's answer about the credentials of one method.

    ``was_asked`` is false where the backend has no ``ping``; ``problem`` is empty when the
    credentials work.
    """

    store: str
    method: str
    was_asked: bool
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The whole diagnosis. ``ledger_problem`` is empty without one; ``not_tested`` lists what was not
    tested.

    Offline, ``connection`` is None, and ``site`` and ``providers`` are empty.
    """

    stores: Sequence[StoreDiagnosis]
    connection: Connection | None
    site: Sequence[SiteAnswer]
    providers: Sequence[ProviderAnswer]
    ledger_problem: str
    not_tested: Sequence[str]
    messages: Sequence[checks.CheckMessage]

    @property
    def is_healthy(self) -> bool:
        """Whether payments work as far as that was tested."""
        return not self.problem_count

    @property
    def problem_count(self) -> int:
        """The number of things that are wrong; warnings and remarks do not count."""
        answers = (*self.site, *self.providers, *((self.connection,) if self.connection else ()))
        problems = (self.ledger_problem, *(answer.problem for answer in answers))
        return sum(map(bool, problems)) + sum(message.is_serious() for message in self.messages)


def diagnose(*, offline: bool = False) -> Diagnosis:
    """Examine the settings and the ledger and, unless offline, ask Snipcart, this site and the providers."""
    ledger_problem = find_ledger_problem()
    providers = [] if offline else list(_ping_providers())
    return Diagnosis(
        stores=[_examine(store) for store in get_settings().stores.values()],
        connection=None if offline else _test_connection(),
        site=[] if offline or base_url_problem(get_settings().public_url) else _probe_site(),
        providers=providers,
        ledger_problem=ledger_problem or _find_delay(),
        not_tested=list(_list_untested(providers, offline=offline)),
        messages=_run_checks(with_database=not ledger_problem),
    )


def find_ledger_problem() -> str:
    """Return why the ledger cannot be used, with the command that helps; empty when it can."""
    try:
        connection = connections[router.db_for_write(Payment)]
        existing = set(connection.introspection.table_names())
    except DatabaseError as error:
        return _("The ledger's database does not answer: {error}.").format(error=type(error).__name__)
    missing = {model._meta.db_table for model in (Payment, Confirmation, Refund, Event)} - existing
    if missing:
        return _("The ledger's tables are missing; run manage.py migrate.")
    return ""


def _run_checks(*, with_database: bool) -> list[checks.CheckMessage]:
    messages = checks.run_checks(
        tags=[_CHECKS],
        include_deployment_checks=not django_settings.DEBUG,
        databases=[router.db_for_write(Payment)] if with_database else None,
    )
    return [message for message in messages if not message.is_silenced()]


def _probe_site() -> list[SiteAnswer]:
    try:
        return probe_site()
    except Exception:  # a site's URLconf is code that may raise anything, and the checks report it
        return []


def _ping_providers() -> Iterator[ProviderAnswer]:
    for store in get_settings().stores.values():
        for method in store.methods.values():
            if backend := _build_backend(store, method):
                yield _ping_provider(store, method, backend)


def _ping_provider(store: Store, method: Method, backend: PaymentBackend) -> ProviderAnswer:
    was_asked, problem = True, ""
    try:
        backend.ping()
    except NotImplementedError:
        was_asked = False
    except ImproperlyConfigured as error:  # written for the merchant
        problem = str(error)
    except Exception as error:  # any other text may hold a secret
        problem = _("it cannot be requested: {error}").format(error=type(error).__name__)
    return ProviderAnswer(store=store.name, method=method.id, was_asked=was_asked, problem=problem)


def _list_untested(providers: Sequence[ProviderAnswer], *, offline: bool) -> Iterator[str]:
    if offline:
        yield _("the connection to Snipcart, the addresses of this site, and the payment providers")
    for store in get_settings().stores.values():
        if store.api_keys:
            yield _("API_KEYS of {store}: Snipcart uses them only when a payment is confirmed").format(
                store=store.name
            )
        if store.store_secret_key:
            yield _("STORE_SECRET_KEY of {store}: Snipcart uses it only when it requests a refund").format(
                store=store.name
            )
    for answer in providers:
        if not answer.was_asked:
            yield _("the credentials of {store}/{method}: its backend has no test for them").format(
                store=answer.store, method=answer.method
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


def _find_delay() -> str:
    try:
        since = get_settle_overdue_since()
    except DatabaseError:
        return _("The ledger's tables cannot be read; run manage.py migrate.")
    if since is None:
        return ""
    when = f"{timezone.localtime(since) if timezone.is_aware(since) else since:%Y-%m-%d %H:%M}"
    return _("Work has been pending since {when}: snipcart_settle does not seem to run.").format(when=when)


def _url(name: str, **kwargs: str) -> str:
    if base_url_problem(get_settings().public_url):
        return ""
    try:
        return public_url(name, **kwargs)
    except Exception:  # not mounted, or a URLconf that cannot be loaded: the checks report it
        return ""


def _takes_notifications(store: Store, method: Method) -> bool:
    backend = _build_backend(store, method)
    return backend is not None and type(backend).read_notification is not PaymentBackend.read_notification


def _build_backend(store: Store, method: Method) -> PaymentBackend | None:
    try:
        return get_backend(store, method)
    except Exception:  # a third-party backend may raise anything, and the checks report it
        return None


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
        # The reason itself is a log text, and logs are in English.
        return f"{_describe_failure(error)} ({error})"
    return _("it accepts a token that cannot be genuine, so it is not Snipcart")


def _describe_failure(error: SnipcartError) -> str:
    if error.status is not None:
        return _("it answers with the HTTP status {status}").format(status=error.status)
    if isinstance(error, SnipcartUnavailable) and not error.was_sent:
        return _("it cannot be reached")
    return _("no usable answer arrived")
