"""``manage.py snipcart_settle``: finish whatever was left; meant for cron, on as many hosts as you like."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from snipcart_checkout.services import SettlementReport, payments_needing_person, settle

__all__ = ["Command"]

_MOST_NAMED: Final = 20


class Command(BaseCommand):
    help = (
        "Finish unknown payments, owed confirmations, uncertain refunds and waits that lapsed, and print what was done. "
        "Exit code 1 when a person is needed; which payments need one is printed as an error."
    )

    # A mistake in the settings of one method must not keep the payments of the others from being finished.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--limit", type=_positive, default=200, help="how many of each kind one run handles (200)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        report = settle(limit=options["limit"])
        for line in _lines(report):
            self.stdout.write(line)
        for line in _open_cases():
            self.stderr.write(line)
        if report.needs_person:
            sys.exit(1)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(_("a number from 1 on is needed"))
    return int(text)


def _lines(report: SettlementReport) -> Iterator[str]:
    counts = [
        (_("payments asked about"), report.asked),
        (_("waiting payments lapsed"), report.lapsed),
        (_("refunds settled"), report.refunds_settled),
        (_("confirmations told to Snipcart"), report.confirmations_told),
        (_("could not be asked about; the log says why"), report.failed),
        (_("payments that need a person"), report.payments_in_review),
        (_("confirmations that need a person"), report.confirmations_in_review),
        (_("refunds that need a person"), report.refunds_in_review),
        (_("payments unknown for more than an hour"), report.unknown_too_long),
        (
            _("confirmations not told for more than an hour, or refused with every key"),
            report.untold_too_long,
        ),
        (_("refunds unknown for more than an hour"), report.refunds_unknown_too_long),
    ]
    return (f"{count:>5}  {label}" for label, count in counts)


def _open_cases() -> Iterator[str]:
    cases = payments_needing_person().order_by("created_at")
    for payment in cases[:_MOST_NAMED]:
        yield _("payment {reference} needs a person; look at it in the admin").format(
            reference=payment.reference
        )
