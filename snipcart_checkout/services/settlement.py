"""Finish what is unfinished: the work of ``manage.py snipcart_settle``."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Final, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db.models import F, Q
from django.utils import timezone

from snipcart_checkout.backends import get_backend
from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.backends.http import provider_slot
from snipcart_checkout.conf import get_settings
from snipcart_checkout.exceptions import ProviderBusy
from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.models.moments import is_unleased, long_ago, not_lately
from snipcart_checkout.services import alerts, open_cases
from snipcart_checkout.services.audit_log import SETTLE
from snipcart_checkout.services.backend_calls import find_payment_backend
from snipcart_checkout.services.decisions import TOKEN_EMPTIED
from snipcart_checkout.services.due_deliveries import deliver_due
from snipcart_checkout.services.logger import log
from snipcart_checkout.services.open_cases import OpenCases
from snipcart_checkout.services.order_comparison import OrderVerdict, compare_order
from snipcart_checkout.services.outcomes import (
    expire,
    is_cart_paid_otherwise,
    leave_to_review,
    look_up_payment,
    run_charge,
    set_unknown,
)
from snipcart_checkout.services.refunds import is_past_provisional, look_up_refund, settle_refund
from snipcart_checkout.services.transactions import commit, replace_broken_connection

_State = Payment.State
_Reason = Payment.ReviewReason
_LOOK_UP_AFTER: Final = timedelta(minutes=5)
_REFUND_LEASE: Final = timedelta(minutes=5)
_GIVE_UP_AFTER: Final = timedelta(hours=72)
_PROVISIONAL_INTERVAL: Final = timedelta(hours=1)
# A provider that did not know a charge may have been late itself, and nobody else would notice its capture.
_MAY_COME_LATE: Final = timedelta(hours=1)
_BATCH: Final = 100
_MOST_FAILURES: Final = 3
_Row = TypeVar("_Row", Payment, Refund)


@dataclass(frozen=True, kw_only=True)
class SettlementReport:
    """What one run did, and what is open.

    ``failed`` is the number of payments and refunds that could not be looked up, because the
    backend is no longer configured or raised an error. The log names them, and the next run tries
    again. ``new_cases`` is the number of cases that were not reported before; ``open_cases`` counts
    all, and is empty where counting failed. ``failed_stages`` names the stages of the run that
    raised an error. ``is_complete`` is false when the time limit was reached first.
    """

    looked_up: int
    expired: int
    refunds_settled: int
    delivered: int
    failed: int
    new_cases: int
    open_cases: OpenCases
    failed_stages: tuple[str, ...]
    is_complete: bool
    seconds: float

    @property
    def needs_attention(self) -> bool:
        """Whether the run found something new for staff: a new case, or a failed stage."""
        return bool(self.new_cases or self.failed_stages)


@dataclass(kw_only=True)
class _Run:
    """One run: its time limit, its counts, and the methods whose look-ups failed too often."""

    began_at: float
    time_limit: float
    counts: Counter[str] = field(default_factory=Counter)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed_stages: list[str] = field(default_factory=list)

    def is_over(self, share: float = 1.0) -> bool:
        """Return whether the time limit was reached, or a share of it."""
        return time.monotonic() >= self.began_at + self.time_limit * share

    def stage(self, name: str, work: Callable[[_Run], None]) -> None:
        """Run one stage; an error does not stop the others."""
        try:
            work(self)
        except Exception as error:
            self.failed_stages.append(name)
            log(logging.ERROR, "snipcart_settle: the stage %s failed: %s", name, type(error).__name__)
            replace_broken_connection()

    def attempt(self, work: Callable[[_Row], bool], row: _Row) -> bool:
        """Do the work for one row; an error does not stop the other rows."""
        try:
            return work(row)
        except Exception as error:
            reason = str(error) if isinstance(error, ImproperlyConfigured) else type(error).__name__
            log(logging.ERROR, "%s %s could not be settled: %s", row._meta.model_name, row.pk, reason)
            self.counts["failed"] += 1
            replace_broken_connection()
            return False


def settle(*, time_limit: float = 50.0) -> SettlementReport:
    """Deliver what is due, find out about unfinished payments and refunds, then deliver again.

    Ends after about ``time_limit`` seconds; the next run continues. Safe to run on many hosts at
    once, which share the work, and safe to kill at any point.
    """
    started = time.monotonic()
    run = _Run(began_at=started, time_limit=time_limit)
    # A Snipcart that hangs must not take the time of everything else.
    run.stage("deliver", lambda run: _deliver_due(run, share=0.5))
    run.stage("payments", _look_up_payments)
    run.stage("expired", _expire_payments)
    run.stage("refunds", _settle_refunds)
    run.stage("failed_refunds", _look_up_provisional_refunds)
    run.stage("unanswered", _leave_unanswered_to_review)
    run.stage("deliver_again", _deliver_due)
    run.stage("secrets", _clear_old_secrets)
    is_complete = not run.is_over()
    new_cases: list[int] = []
    counted: list[OpenCases] = []
    run.stage("report", lambda _: new_cases.append(alerts.report_new_cases()))
    run.stage("count", lambda _: counted.append(open_cases.count_open_cases()))
    return SettlementReport(
        looked_up=run.counts["looked_up"],
        expired=run.counts["expired"],
        refunds_settled=run.counts["refunds"],
        delivered=run.counts["delivered"],
        failed=run.counts["failed"],
        new_cases=sum(new_cases),
        open_cases=counted[0] if counted else OpenCases(),
        failed_stages=tuple(run.failed_stages),
        is_complete=is_complete,
        seconds=time.monotonic() - started,
    )


def _deliver_due(run: _Run, share: float = 1.0) -> None:
    run.counts["delivered"] += deliver_due(lambda: run.is_over(share))


def _look_up_payments(run: _Run) -> None:
    crashed = Q(state=_State.CHARGING) & long_ago("claimed_at", _LOOK_UP_AFTER)
    unknown = open_cases.still_open("claimed_at") & (crashed | Q(state=_State.UNKNOWN))
    can_tell = [of_method for of_method, backend in _iter_methods() if backend.can_lookup]
    pending = reduce(or_, can_tell, Q(pk__in=())) & Q(state=_State.PENDING)
    lately_abandoned = Q(state=_State.ABANDONED, claimed_at__gt=timezone.now() - _MAY_COME_LATE)
    abandoned = reduce(or_, can_tell, Q(pk__in=())) & lately_abandoned
    # Separate queries: thousands of pending payments must not delay a crashed charge.
    for wanted in (unknown, pending, abandoned):
        for payment in _in_turn(run, wanted):
            run.counts["looked_up"] += run.attempt(lambda row: _find_out(run, row), payment)


def _iter_methods() -> Iterator[tuple[Q, PaymentBackend]]:
    """Yield a ``Q`` for the payments of each method, with its backend; backends that cannot be built
    are left out.
    """
    for store in get_settings().stores.values():
        for method in store.methods.values():
            try:
                backend = get_backend(store, method)
            except Exception as error:
                log(logging.DEBUG, "method %s cannot be built: %s", method.id, type(error).__name__)
                continue
            yield Q(store=store.name, method=method.id), backend


def _in_turn(run: _Run, wanted: Q) -> Iterator[Payment]:
    """Yield payments without a recent look-up; first those without any, then the oldest."""
    seen: set[object] = set()
    while not run.is_over():
        not_just_done = not_lately("looked_up_at", _LOOK_UP_AFTER)
        order = (F("looked_up_at").asc(nulls_first=True), "claimed_at")
        left_out = [Q(store=store, method=method) for store, method in _given_up(run)]
        rows = Payment.objects.filter(wanted, not_just_done).exclude(reduce(or_, left_out, Q(pk__in=())))
        batch = [row for row in rows.order_by(*order)[: _BATCH + len(seen)] if row.pk not in seen]
        if not batch:
            return
        for payment in batch:
            seen.add(payment.pk)
            if run.is_over():
                return
            if (payment.store, payment.method) not in _given_up(run):
                yield payment


def _given_up(run: _Run) -> set[tuple[str, str]]:
    return {method for method, failures in run.failures.items() if failures >= _MOST_FAILURES}


def _find_out(run: _Run, payment: Payment) -> bool:
    """Find out the outcome of a payment as its backend allows; return whether the provider was called."""
    if not _take_turn(payment):
        return False
    method = (payment.store, payment.method)
    backend = find_payment_backend(payment)
    if backend is None:
        _note_unknown(payment)
        raise ImproperlyConfigured(f"there is no usable method {payment.method!r} in store {payment.store!r}")
    if not backend.can_lookup and payment.state == _State.PENDING:
        return False
    try:
        if not backend.can_lookup:
            return _repeat(payment, backend)
        answered = _look_up(payment)
    except ProviderBusy:
        return False  # the next run is in time
    run.failures[method] = 0 if answered else run.failures[method] + 1
    return True


def _look_up(payment: Payment) -> bool:
    with provider_slot(payment.store, payment.method):
        answered = look_up_payment(payment, actor=SETTLE, is_void=_is_out_of_reach(payment))
    if not answered:
        _note_unknown(payment)
    return answered


def _is_out_of_reach(payment: Payment) -> bool:
    """Return whether nobody can finish the payment at the provider: the shopper never got there, or
    has left.
    """
    if payment.redirect_url:
        return payment.claimed_at < timezone.now() - _GIVE_UP_AFTER
    return payment.state in {_State.CHARGING, _State.UNKNOWN}


def _repeat(payment: Payment, backend: PaymentBackend) -> bool:
    """Repeat the charge under the same key, where that is safe and the order is unchanged."""
    is_young = payment.claimed_at > timezone.now() - _GIVE_UP_AFTER
    if not (backend.repeat_is_safe and is_young):
        leave_to_review(payment, _Reason.OUTCOME_UNKNOWN, actor=SETTLE)
        return False
    if is_cart_paid_otherwise(payment):
        # The shopper has paid in another session meanwhile: only the first call, if it arrived, may be a second charge.
        leave_to_review(payment, _Reason.OUTCOME_UNKNOWN, actor=SETTLE)
        return False
    verdict = compare_order(payment).verdict
    if verdict is OrderVerdict.UNREAD:
        _note_unknown(payment)
        return False
    if verdict is not OrderVerdict.SAME:
        # Whether the first call charged is unknown, and a second one might charge for another order.
        leave_to_review(payment, _Reason.OUTCOME_UNKNOWN, actor=SETTLE)
        return False
    if not Payment.objects.filter(pk=payment.pk, version=payment.version).exists():
        return False  # decided or closed by another process during the call to Snipcart
    with provider_slot(payment.store, payment.method):
        run_charge(payment, None, actor=SETTLE)
    return True


def _take_turn(payment: Payment) -> bool:
    """Record the look-up before it begins, so that other hosts skip the payment for a while."""
    unchanged = _unchanged("looked_up_at", payment.looked_up_at)
    mine = Payment.objects.filter(unchanged, pk=payment.pk, version=payment.version)
    now = timezone.now()
    return commit(lambda: mine.update(looked_up_at=now)) == 1


def _unchanged(column: str, seen: datetime | None) -> Q:
    return Q(**{f"{column}__isnull": True}) if seen is None else Q(**{column: seen})


def _note_unknown(payment: Payment) -> None:
    if payment.state == _State.CHARGING:
        set_unknown(payment, actor=SETTLE)


def _expire_payments(run: _Run) -> None:
    """Expire the pending payments that cannot be looked up, after the time that their backend allows."""
    now = timezone.now()
    over = [
        of_method & Q(claimed_at__lt=now - backend.expires_after)
        for of_method, backend in _iter_methods()
        if backend.expires_after is not None and not backend.can_lookup
    ]
    wanted = reduce(or_, over, Q(pk__in=()))
    expired = Payment.objects.filter(wanted, state=_State.PENDING).order_by("claimed_at")
    run.counts["expired"] += _each(run, _expire, expired[:1000])


def _each(run: _Run, work: Callable[[_Row], bool], rows: Iterable[_Row]) -> int:
    done = 0
    for row in rows:
        if run.is_over():
            break
        done += run.attempt(work, row)
    return done


def _expire(payment: Payment) -> bool:
    return expire(payment, actor=SETTLE)


def _settle_refunds(run: _Run) -> None:
    unsettled = Refund.objects.filter(
        is_unleased(),
        not_lately("looked_up_at", _LOOK_UP_AFTER),
        open_cases.still_open("created_at", payment="payment__"),
        state__in=(Refund.State.REQUESTED, Refund.State.UNKNOWN),
    )
    rows = unsettled.select_related("payment").order_by("updated_at")[:1000]
    run.counts["refunds"] += _each(run, _settle_refund, rows)


def _settle_refund(refund: Refund) -> bool:
    until = _take_refund(refund)
    if until is None:
        return False
    try:
        return settle_refund(refund)
    finally:
        # While the lease is held a process may be calling the provider, so staff cannot end the refund.
        held = Refund.objects.filter(pk=refund.pk, lease_until=until)
        commit(lambda: held.update(lease_until=None))


def _take_refund(refund: Refund) -> datetime | None:
    """Take the lease of a refund and return its end; None where another process has taken it, or staff have closed its
    case, which changes its state.
    """
    now = timezone.now()
    until = now + _REFUND_LEASE
    unchanged = _unchanged("looked_up_at", refund.looked_up_at)
    free = Refund.objects.filter(unchanged, pk=refund.pk, state=refund.state)
    return until if commit(lambda: free.update(lease_until=until, looked_up_at=now)) else None


def _look_up_provisional_refunds(run: _Run) -> None:
    """Look up the refunds that the provider accepted and that may still fail."""
    not_just_done = not_lately("looked_up_at", _PROVISIONAL_INTERVAL)
    rows = Refund.objects.filter(not_just_done, is_provisional=True, state=Refund.State.REFUNDED)
    _each(run, _look_up_provisional, rows.select_related("payment").order_by("created_at")[:1000])


def _look_up_provisional(refund: Refund) -> bool:
    if is_past_provisional(refund):
        rows = Refund.objects.filter(pk=refund.pk)
        commit(lambda: rows.update(is_provisional=False))
        return False
    # Asking moves no money, so a closed case is no reason not to hear that a refund failed.
    return look_up_refund(refund, actor=SETTLE) if _take_refund(refund) else False


def _leave_unanswered_to_review(run: _Run) -> None:
    """Put payments in review whose outcome has been unknown for three days."""
    rows = open_cases.payments_unanswered_for(_GIVE_UP_AFTER)
    _each(run, _leave_unanswered, rows.order_by("claimed_at")[:1000])


def _leave_unanswered(payment: Payment) -> bool:
    leave_to_review(payment, _Reason.UNANSWERED, actor=SETTLE)
    return True


def _clear_old_secrets(run: _Run) -> None:
    """Empty the token and form of payments that will not be looked up again."""
    ended = (_State.DECLINED, _State.ABANDONED, _State.REVIEW)
    ordered = Q(
        confirmations__outcome=Confirmation.Outcome.PROCESSING,
        confirmations__status=Confirmation.Status.DELIVERED,
    )
    for states, wanted in ((ended, Q()), ((_State.PENDING,), ordered)):
        before = timezone.now() - _GIVE_UP_AFTER
        # In the update as well: what has become of a payment since its key was read may need them.
        old = Payment.objects.filter(state__in=states, claimed_at__lt=before)
        held = old.filter(~Q(public_token="") | ~Q(form={}), claimed_at__gt=before - timedelta(days=30))
        keys = list(held.filter(wanted).order_by().values_list("pk", flat=True)[:5000])
        for start in range(0, len(keys), 500):
            if run.is_over():
                return
            rows = old.filter(pk__in=keys[start : start + 500])
            commit(lambda rows=rows: rows.update(**TOKEN_EMPTIED, form={}))  # type: ignore[misc]
