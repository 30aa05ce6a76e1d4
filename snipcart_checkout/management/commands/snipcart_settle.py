"""``manage.py snipcart_settle``: finish whatever was left; meant for cron, on as many hosts as you like."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from snipcart_checkout.services import SettlementReport, settle

__all__ = ["Command"]


class Command(BaseCommand):
    help = "Finish unknown payments, owed confirmations and uncertain refunds. Exit code 1 when a person is needed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--limit", type=int, default=200, help="how many of each kind one run handles")

    def handle(self, *args: Any, **options: Any) -> None:
        report = settle(limit=options["limit"])
        for line in _lines(report):
            self.stdout.write(line)
        if report.needs_person:
            sys.exit(1)


def _lines(report: SettlementReport) -> list[str]:
    counts = [
        (_("payments asked about"), report.asked),
        (_("refunds settled"), report.refunds_settled),
        (_("confirmations told to Snipcart"), report.confirmations_told),
        (_("payments that need a person"), report.payments_in_review),
        (_("confirmations that need a person"), report.confirmations_in_review),
        (_("refunds that need a person"), report.refunds_in_review),
        (_("payments unknown for more than an hour"), report.unknown_too_long),
    ]
    return [f"{count:>5}  {label}" for label, count in counts]
