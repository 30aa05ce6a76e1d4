"""Delete finished payments that bookkeeping no longer needs: the work of ``manage.py snipcart_prune``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from snipcart_checkout.models import Confirmation, Event, Payment, Refund
from snipcart_checkout.services.transactions import commit

_BATCH: Final = 200
_State = Payment.State
_ENDED: Final = (_State.PAID, _State.DECLINED, _State.ABANDONED)
_UNFINISHED: Final = (_State.CHARGING, _State.PENDING, _State.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class PruneReport:
    """The number of rows that were deleted, or would be."""

    payments: int
    confirmations: int
    refunds: int
    events: int


def prune(*, older_than: timedelta, dry_run: bool = False) -> PruneReport:
    """Delete the payments that ended more than ``older_than`` ago, with their confirmations, refunds
    and events.

    What is unfinished, undelivered or an open case stays, however old.
    """
    finished = _find_finished(timezone.now() - older_than)
    keys = list(finished.order_by().values_list("pk", flat=True))
    counts = {"payments": 0, "confirmations": 0, "refunds": 0, "events": 0}
    for start in range(0, len(keys), _BATCH):
        batch = keys[start : start + _BATCH]
        deleted = _count(batch) if dry_run else commit(lambda batch=batch: _delete(finished, batch))  # type: ignore[misc]
        for name, count in deleted.items():
            counts[name] += count
    return PruneReport(**counts)


def _find_finished(before: object) -> QuerySet[Payment]:
    confirmations = Confirmation.objects.filter(payment=OuterRef("pk"))
    refunds = Refund.objects.filter(payment=OuterRef("pk"))
    unfinished = Q(state__in=(Refund.State.REQUESTED, Refund.State.UNKNOWN)) | Q(is_provisional=True)
    closed = Q(resolved_at__isnull=False)
    ended = Q(state__in=_ENDED, review_reason="") | closed
    return Payment.objects.filter(
        ended,
        ~Q(state__in=_UNFINISHED),
        # Closing a case ends what staff have to decide, and nothing of what a machine still does.
        ~Exists(confirmations.filter(status=Confirmation.Status.PENDING)),
        ~Exists(refunds.filter(unfinished)),
        closed | ~Exists(confirmations.filter(status=Confirmation.Status.REVIEW)),
        closed | ~Exists(refunds.filter(state=Refund.State.REVIEW)),
        created_at__lt=before,
        updated_at__lt=before,
    )


def _count(keys: Sequence[UUID]) -> dict[str, int]:
    return {
        "payments": len(keys),
        "confirmations": Confirmation.objects.filter(payment__in=keys).count(),
        "refunds": Refund.objects.filter(payment__in=keys).count(),
        "events": Event.objects.filter(payment__in=keys).count(),
    }


def _delete(finished: QuerySet[Payment], batch: Sequence[UUID]) -> dict[str, int]:
    """Delete those of a batch that are still finished; inside a commit."""
    # Since its key was read a payment may have been refunded, or have turned out to be paid. Until the commit, nothing
    # that changes these rows, or belongs to them, can be stored.
    list(Payment.objects.filter(pk__in=batch).order_by().select_for_update().values_list("pk"))
    keys = list(finished.filter(pk__in=batch).order_by().values_list("pk", flat=True))
    counts = _count(keys)
    Event.objects.filter(payment__in=keys).prune()
    Refund.objects.filter(payment__in=keys).delete()
    Confirmation.objects.filter(payment__in=keys).delete()
    Payment.objects.filter(pk__in=keys).delete()
    return counts
