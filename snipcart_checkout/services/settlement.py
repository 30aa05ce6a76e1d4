"""Finish whatever was left: the work of ``manage.py snipcart_settle``."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Final, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db.models import F, Q
from django.utils import timezone

from snipcart_checkout.backends import get_backend
from snipcart_checkout.backends.base import Declined, PaymentBackend
from snipcart_checkout.conf import get_settings
from snipcart_checkout.declines import LAPSED
from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.services import attention
from snipcart_checkout.services.asking import backend_of
from snipcart_checkout.services.confirmations import deliver_due
from snipcart_checkout.services.journal import commit, say
from snipcart_checkout.services.outcomes import ask_backend, record, run_charge, set_aside
from snipcart_checkout.services.refunds import settle_refund

__all__ = ["SettlementReport", "settle"]

_State = Payment.State
_ASK_AFTER: Final = timedelta(minutes=5)
_REFUND_LEASE: Final = timedelta(minutes=5)
_Row = TypeVar("_Row", Payment, Refund)


@dataclass(frozen=True, kw_only=True)
class SettlementReport:
    """What one run did, and what waits for a person.

    ``failed`` counts the payments and refunds about which nobody could be asked: a backend that is configured no
    more, or an error of ours. The log says which, and the next run tries again.
    """

    asked: int
    lapsed: int
    refunds_settled: int
    confirmations_told: int
    failed: int
    payments_in_review: int
    confirmations_in_review: int
    refunds_in_review: int
    unknown_too_long: int
    untold_too_long: int
    refunds_unknown_too_long: int

    @property
    def needs_person(self) -> bool:
        """Whether anything will stay as it is until somebody looks."""
        return bool(
            self.failed
            or self.payments_in_review
            or self.confirmations_in_review
            or self.refunds_in_review
            or self.unknown_too_long
            or self.untold_too_long
            or self.refunds_unknown_too_long
        )


def settle(limit: int = 200) -> SettlementReport:
    """Ask about unfinished payments, repeat uncertain refunds, then tell Snipcart all that is due.

    Handles at most ``limit`` of each kind. Safe on many hosts at once, and may be killed at any point.
    """
    asked, payments_failed = _each(_ask_about, [*_unknown(limit), *_waiting(limit)])
    lapsed, lapses_failed = _each(_let_lapse, _lapsed(limit))
    settled, refunds_failed = _each(_settle_refund, _uncertain_refunds(limit))
    told = deliver_due(limit)
    attention.alert_about_delays(limit)
    return SettlementReport(
        asked=asked,
        lapsed=lapsed,
        refunds_settled=settled,
        confirmations_told=told,
        failed=payments_failed + lapses_failed + refunds_failed,
        payments_in_review=attention.payments_in_review().count(),
        confirmations_in_review=attention.confirmations_in_review().count(),
        refunds_in_review=attention.refunds_in_review().count(),
        unknown_too_long=attention.payments_unknown_too_long().count(),
        untold_too_long=attention.confirmations_untold_too_long().count(),
        refunds_unknown_too_long=attention.refunds_unknown_too_long().count(),
    )


def _each(work: Callable[[_Row], bool], rows: Iterable[_Row]) -> tuple[int, int]:
    """Do the work for every row, and return for how many it did something and for how many it failed."""
    outcomes = Counter(_attempt(work, row) for row in rows)
    return outcomes[True], outcomes[None]


def _attempt(work: Callable[[_Row], bool], row: _Row) -> bool | None:
    """Return what the work returned, None when it failed: one row must not keep the others from being settled."""
    try:
        return work(row)
    except Exception as error:
        reason = str(error) if isinstance(error, ImproperlyConfigured) else type(error).__name__
        say(logging.ERROR, "%s %s could not be settled: %s", row._meta.model_name, row.pk, reason)
        return None


def _unknown(limit: int) -> list[Payment]:
    crashed = Q(state=_State.CHARGING, claimed_at__lt=timezone.now() - _ASK_AFTER)
    return _in_turn(attention.still_open("claimed_at") & (crashed | Q(state=_State.UNKNOWN)), limit)


def _waiting(limit: int) -> list[Payment]:
    """Return waiting payments whose providers can tell what became of them."""
    can_tell = [of_method for of_method, backend in _methods() if backend.can_lookup]
    wanted = reduce(or_, can_tell, Q(pk__in=()))
    # Taken apart from the others: thousands of open transfers must not stand before a crashed charge.
    return _in_turn(wanted & Q(state=_State.WAITING), limit)


def _lapsed(limit: int) -> list[Payment]:
    """Return waiting payments that nobody can look up and whose time is over."""
    now = timezone.now()
    over = [
        of_method & Q(claimed_at__lt=now - backend.waits_for)
        for of_method, backend in _methods()
        if backend.waits_for is not None and not backend.can_lookup
    ]
    wanted = reduce(or_, over, Q(pk__in=()))
    return list(Payment.objects.filter(wanted, state=_State.WAITING).order_by("claimed_at")[:limit])


def _methods() -> Iterator[tuple[Q, PaymentBackend]]:
    """Yield what finds the payments of each method, and its backend; those that cannot be built are left out."""
    for store in get_settings().stores.values():
        for method in store.methods.values():
            with contextlib.suppress(Exception):
                yield Q(store=store.name, method=method.id), get_backend(store, method)


def _in_turn(wanted: Q, limit: int) -> list[Payment]:
    """Return payments that were not asked about lately; those never asked about come first, then the oldest."""
    not_lately = Q(asked_at__isnull=True) | Q(asked_at__lt=timezone.now() - _ASK_AFTER)
    order = (F("asked_at").asc(nulls_first=True), "claimed_at")
    return list(Payment.objects.filter(wanted, not_lately).order_by(*order)[:limit])


def _ask_about(payment: Payment) -> bool:
    """Find out what came of a payment in the way that its backend allows; return whether anybody was asked."""
    if not _take_turn(payment):
        return False
    backend = _backend(payment)
    if backend.can_lookup:
        _look_up(payment)
        return True
    if payment.state == _State.WAITING:
        return False
    if backend.repeat_is_safe:
        run_charge(payment, None, source="settle")
        return True
    set_aside(payment, _State.REVIEW, source="settle", reason="outcome_unknown")
    return False


def _take_turn(payment: Payment) -> bool:
    """Note that the payment is being asked about, so that other hosts leave it alone for a while."""
    mine = Payment.objects.filter(pk=payment.pk, state=payment.state)
    unasked = Q(asked_at__isnull=True) if payment.asked_at is None else Q(asked_at=payment.asked_at)
    return commit(lambda: mine.filter(unasked).update(asked_at=timezone.now())) == 1


def _backend(payment: Payment) -> PaymentBackend:
    """Build the backend; without one, a payment whose process died is known to nobody."""
    try:
        return backend_of(payment)
    except Exception:
        _note_unknown(payment)
        raise


def _look_up(payment: Payment) -> None:
    if not ask_backend(payment, source="settle"):
        _note_unknown(payment)


def _note_unknown(payment: Payment) -> None:
    if payment.state == _State.CHARGING:
        set_aside(payment, _State.UNKNOWN, source="settle")


def _let_lapse(payment: Payment) -> bool:
    record(payment, Declined(LAPSED), source="settle")
    return payment.state == _State.DECLINED


def _uncertain_refunds(limit: int) -> list[Refund]:
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=timezone.now())
    unsettled = Refund.objects.filter(free, state__in=(Refund.State.ASKED, Refund.State.UNCERTAIN))
    return list(unsettled.select_related("payment").order_by("updated_at")[:limit])


def _settle_refund(refund: Refund) -> bool:
    now = timezone.now()
    free = Refund.objects.filter(pk=refund.pk, state=refund.state, updated_at=refund.updated_at)
    if not commit(lambda: free.update(lease_until=now + _REFUND_LEASE, updated_at=now)):
        return False
    return settle_refund(refund)
