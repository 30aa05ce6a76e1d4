"""``manage.py snipcart_prune``: take finished payments away when bookkeeping needs them no longer."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.services import prune


class Command(BaseCommand):
    help = (
        "Delete the payments that ended so many days ago, with their confirmations, refunds and events. What is "
        "unfinished, or an open case, stays."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than", type=_days, required=True, metavar="DAYS", help="keep younger ones"
        )
        parser.add_argument("--dry-run", action="store_true", help="count them and delete nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        report = prune(older_than=timedelta(days=options["older_than"]), dry_run=options["dry_run"])
        text = _("{payments} payments, {confirmations} confirmations, {refunds} refunds, {events} events")
        counts = text.format(**vars(report))
        template = _("Would be deleted: {counts}") if options["dry_run"] else _("Deleted: {counts}")
        self.stdout.write(template.format(counts=counts))


def _days(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 36500:
        raise ArgumentTypeError(_("a whole number of days, 1 or more, is needed"))
    return int(text)
