"""What an operator watches, in numbers: for the monitoring of a site."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min
from django.utils import timezone

from snipcart_checkout.models import Confirmation
from snipcart_checkout.services import OpenCases, count_open_cases, get_settle_overdue_since

__all__ = ["LedgerNumbers", "read_ledger_numbers"]


@dataclass(frozen=True, kw_only=True)
class LedgerNumbers:
    """The state of the ledger at one moment.

    ``oldest_confirmation_seconds`` is the age of the oldest confirmation that waits for delivery, 0 without one.
    ``settle_overdue_seconds`` is how long work has been due that ``snipcart_settle`` would have done, 0 while it seems to
    run.
    """

    pending_confirmations: int
    oldest_confirmation_seconds: float
    settle_overdue_seconds: float
    open_cases: OpenCases


def read_ledger_numbers() -> LedgerNumbers:
    """Return the numbers as they are now; about ten queries. Raises DatabaseError where the ledger cannot be read."""
    pending = Confirmation.objects.pending().aggregate(count=Count("pk"), oldest=Min("created_at"))
    return LedgerNumbers(
        pending_confirmations=pending["count"],
        oldest_confirmation_seconds=_seconds_since(pending["oldest"]),
        settle_overdue_seconds=_seconds_since(get_settle_overdue_since()),
        open_cases=count_open_cases(),
    )


def _seconds_since(moment: datetime | None) -> float:
    return max(0.0, (timezone.now() - moment).total_seconds()) if moment else 0.0
