"""``manage.py snipcart_settle``: finish whatever was left; meant for cron, on as many hosts as you like."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.services import (
    OpenCases,
    SettlementReport,
    find_ledger_problem,
    payments_needing_attention,
    settle,
)

_MOST_NAMED: Final = 20


class Command(BaseCommand):
    help = (
        "Deliver pending confirmations, look up unfinished payments, settle unknown refunds, and print what was done "
        "and what is open. Exit code 1 when something new needs attention, or a stage of the run failed."
    )

    # A mistake in the settings of one method must not keep the payments of the others from being finished.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--time-limit",
            type=_seconds,
            default=50.0,
            metavar="SECONDS",
            help="after so many seconds nothing new is begun (50)",
        )
        parser.add_argument("--quiet", action="store_true", help="print only what is new or failed")
        parser.add_argument("--json", action="store_true", help="print the report as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if problem := find_ledger_problem():
            raise CommandError(problem)
        report = settle(time_limit=options["time_limit"])
        if options["json"]:
            self.stdout.write(json.dumps({**asdict(report), "needs_attention": report.needs_attention}))
        elif not options["quiet"]:
            for line in _summary(report):
                self.stdout.write(line)
        if report.needs_attention:
            for line in _news(report):
                self.stderr.write(line)
            sys.exit(1)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86400:
        raise ArgumentTypeError(_("a number of seconds above zero is needed"))
    return seconds


def _summary(report: SettlementReport) -> Iterator[str]:
    counts = [
        (_("confirmations delivered to Snipcart"), report.delivered),
        (_("payments looked up"), report.looked_up),
        (_("pending payments expired"), report.expired),
        (_("refunds settled"), report.refunds_settled),
        (_("could not be looked up; the log has the reasons"), report.failed),
        (_("new cases that need attention"), report.new_cases),
    ]
    yield from (f"{count:>6}  {label}" for label, count in counts)
    yield from _open_lines(report.open_cases)
    took = _("{seconds} s").format(seconds=f"{report.seconds:.1f}")
    yield (
        took if report.is_complete else took + ", " + _("the time limit was reached before the work was done")
    )


def _open_lines(open_cases: OpenCases) -> Iterator[str]:
    counts = [
        (_("payments that need review"), open_cases.payments_in_review),
        (_("confirmations that need review"), open_cases.confirmations_in_review),
        (_("refunds that need review"), open_cases.refunds_in_review),
        (_("payments unknown for more than an hour"), open_cases.payments_unknown_too_long),
        (
            _("confirmations pending for more than an hour, or refused with every key"),
            open_cases.confirmations_undelivered_too_long,
        ),
        (_("refunds unknown for more than an hour"), open_cases.refunds_unknown_too_long),
    ]
    yield _("Open:")
    yield from (f"{count:>6}  {label}" for label, count in counts)


def _news(report: SettlementReport) -> Iterator[str]:
    for stage in report.failed_stages:
        yield _("a stage of the run failed: {stage}; the log has the reason").format(stage=stage)
    if report.new_cases:
        for payment in payments_needing_attention().order_by("-created_at")[:_MOST_NAMED]:
            yield _("payment {reference} needs attention; see the admin").format(reference=payment.reference)
