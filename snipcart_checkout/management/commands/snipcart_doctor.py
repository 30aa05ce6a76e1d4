"""``manage.py snipcart_doctor``: what to enter in Snipcart's dashboard, and what is wrong."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.core import checks
from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from snipcart_checkout.services.diagnosis import Connection, Diagnosis, StoreDiagnosis, diagnose

__all__ = ["Command"]


class Command(BaseCommand):
    help = (
        "Print the URLs to paste into Snipcart's dashboard, test the connection to Snipcart, and list what is wrong. "
        "Exit code 1 when something is."
    )
    # They are run and printed by the command itself, which has more to say than the first error.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--offline", action="store_true", help="do not ask Snipcart anything")

    def handle(self, *args: Any, **options: Any) -> None:
        diagnosis = diagnose(offline=options["offline"])
        for line in _report(diagnosis):
            self.stdout.write(line)
        if not diagnosis.is_healthy:
            sys.exit(1)


def _report(diagnosis: Diagnosis) -> Iterator[str]:
    for store in diagnosis.stores:
        yield from _store_lines(store)
        yield ""
    yield _connection_line(diagnosis.connection)
    if diagnosis.ledger_problem:
        yield diagnosis.ledger_problem
    yield ""
    for message in diagnosis.messages:
        yield from _message_lines(message)
        yield ""
    yield _verdict(diagnosis)


def _store_lines(store: StoreDiagnosis) -> Iterator[str]:
    half = _("Test") if store.is_test else _("Live")
    yield _("Store {name}, for the {half} half of Snipcart's configuration").format(
        name=store.name, half=half
    )
    if not store.complete:
        yield "  " + _("It is incomplete and offers no payment method; see below.")
    yield "  " + _("Payment methods URL, for Snipcart's dashboard:")
    yield f"    {store.payment_methods_url or _('cannot be told yet; see below')}"
    for method, url in store.notification_urls.items():
        yield "  " + _("Notifications of {method}, for the payment provider's dashboard:").format(
            method=method
        )
        yield f"    {url or _('cannot be told yet; see below')}"


def _connection_line(connection: Connection | None) -> str:
    if connection is None:
        return _("The connection to Snipcart was not tested.")
    # Never the whole address: it may hold a password that somebody put there by mistake.
    host = urlsplit(connection.api_url).hostname
    if connection.problem:
        return _("Snipcart cannot be used at {host}: {problem}").format(host=host, problem=connection.problem)
    return _("Snipcart answers at {host}, after {seconds} s.").format(
        host=host, seconds=f"{connection.seconds:.2f}"
    )


def _message_lines(message: checks.CheckMessage) -> Iterator[str]:
    label = _("Wrong") if message.is_serious() else _("Worth a look")
    yield f"{label}: {message.msg} ({message.id})"
    yield from (f"    {line}" for line in str(message.hint or "").splitlines())


def _verdict(diagnosis: Diagnosis) -> str:
    wrong = sum(message.is_serious() for message in diagnosis.messages)
    if wrong:
        return ngettext("{count} thing is wrong.", "{count} things are wrong.", wrong).format(count=wrong)
    if diagnosis.ledger_problem:
        return _("The settings are in order, but the ledger needs attention.")
    if not diagnosis.is_healthy:
        return _("The settings are in order, but Snipcart does not answer as it should.")
    return _("Nothing is wrong.")
