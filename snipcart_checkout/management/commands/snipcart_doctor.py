"""``manage.py snipcart_doctor``: what to enter in Snipcart's dashboard, who answers, and what is wrong."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from django.core import checks
from django.core.management.base import BaseCommand

from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.conf.translation import ngettext
from snipcart_checkout.services import (
    Connection,
    Diagnosis,
    ProviderAnswer,
    SiteAnswer,
    StoreDiagnosis,
    diagnose,
)


class Command(BaseCommand):
    help = (
        "Print the URLs to paste into Snipcart's dashboard; ask Snipcart, this site and the payment providers whether they "
        "answer; list what is wrong and what was not tested. Exit code 1 when something is wrong."
    )
    # They are run and printed by the command itself, which has more to say than the first error.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--offline", action="store_true", help="ask nobody anything over the network")
        parser.add_argument("--json", action="store_true", help="print the report as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        diagnosis = diagnose(offline=options["offline"])
        if options["json"]:
            self.stdout.write(json.dumps(_to_json(diagnosis)))
        else:
            for line in _report(diagnosis):
                self.stdout.write(line)
        if not diagnosis.is_healthy:
            sys.exit(1)


def _to_json(diagnosis: Diagnosis) -> dict[str, Any]:
    connection = diagnosis.connection
    return {
        "is_healthy": diagnosis.is_healthy,
        "stores": [asdict(store) for store in diagnosis.stores],
        "snipcart": connection
        and {"host": _host(connection), "seconds": connection.seconds, "problem": connection.problem},
        "site": [asdict(answer) for answer in diagnosis.site],
        "providers": [asdict(answer) for answer in diagnosis.providers],
        "ledger_problem": diagnosis.ledger_problem,
        "not_tested": list(diagnosis.not_tested),
        "messages": [
            {
                "id": message.id,
                "is_serious": message.is_serious(),
                "text": str(message.msg),
                "hint": str(message.hint or ""),
            }
            for message in diagnosis.messages
        ],
    }


def _report(diagnosis: Diagnosis) -> Iterator[str]:
    for store in diagnosis.stores:
        yield from _store_lines(store)
        yield ""
    yield _connection_line(diagnosis.connection)
    yield from _site_lines(diagnosis.site)
    yield from _provider_lines(diagnosis.providers)
    if diagnosis.ledger_problem:
        yield diagnosis.ledger_problem
    yield ""
    for message in diagnosis.messages:
        yield from _message_lines(message)
        yield ""
    if diagnosis.not_tested:
        yield _("Not tested:")
        yield from (f"  {what}" for what in diagnosis.not_tested)
        yield ""
    yield _verdict(diagnosis)


def _store_lines(store: StoreDiagnosis) -> Iterator[str]:
    mode = _("Test") if store.is_test else _("Live")
    yield _("Store {name}, for the {mode} mode of Snipcart's configuration").format(
        name=store.name, mode=mode
    )
    if not store.complete:
        yield "  " + _("It is incomplete and offers no payment method; see below.")
    yield "  " + _("Payment methods URL, for Snipcart's dashboard:")
    yield f"    {store.payment_methods_url or _('not known yet; see below')}"
    for method, url in store.notification_urls.items():
        yield "  " + _("Notifications of {method}, for the payment provider's dashboard:").format(
            method=method
        )
        yield f"    {url or _('not known yet; see below')}"


def _connection_line(connection: Connection | None) -> str:
    if connection is None:
        return _("The connection to Snipcart was not tested.")
    host = _host(connection)
    if connection.problem:
        return _("Snipcart cannot be used at {host}: {problem}").format(host=host, problem=connection.problem)
    return _("Snipcart answers at {host}, after {seconds} s.").format(
        host=host, seconds=f"{connection.seconds:.2f}"
    )


def _host(connection: Connection) -> str:
    # Never the whole address: it may hold a password that somebody put there by mistake.
    return urlsplit(connection.api_url).hostname or ""


def _site_lines(answers: Sequence[SiteAnswer]) -> Iterator[str]:
    well = sum(not answer.problem for answer in answers)
    if well:
        yield ngettext(
            "This site answers at {count} address.", "This site answers at {count} addresses.", well
        ).format(count=well)
    for answer in answers:
        if answer.problem:
            yield _("This site cannot be used at {url}: {problem}").format(
                url=answer.url, problem=answer.problem
            )
    # One remark holds for many addresses alike.
    remarks = {answer.remark: answer.url for answer in reversed(answers) if answer.remark}
    for remark, url in remarks.items():
        yield _("Worth a look at {url}: {remark}").format(url=url, remark=remark)


def _provider_lines(answers: Sequence[ProviderAnswer]) -> Iterator[str]:
    for answer in answers:
        place = f"{answer.store}/{answer.method}"
        if answer.problem:
            yield _("The payment provider of {place} cannot be used: {problem}").format(
                place=place, problem=answer.problem
            )
        elif answer.was_asked:
            yield _("The payment provider of {place} accepts the credentials.").format(place=place)


def _message_lines(message: checks.CheckMessage) -> Iterator[str]:
    label = _("Wrong") if message.is_serious() else _("Worth a look")
    text = f"{message.msg} ({message.id})"
    yield _("%(reference)s: %(result)s") % {"reference": label, "result": text}
    yield from (f"    {line}" for line in str(message.hint or "").splitlines())


def _verdict(diagnosis: Diagnosis) -> str:
    wrong = diagnosis.problem_count
    if not wrong:
        return _("Nothing is wrong in what was tested.")
    return ngettext("{count} thing is wrong.", "{count} things are wrong.", wrong).format(count=wrong)
