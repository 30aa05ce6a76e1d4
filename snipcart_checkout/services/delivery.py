"""Deliver the outbox to Snipcart: in order, with the same bytes on every attempt, and nothing is
dropped silently.

Before each delivery for which Snipcart creates an order, the order is compared with the one that
was paid, because Snipcart creates it from the cart as it is at that moment.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from django.db import OperationalError
from django.db.models import Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.conf import Secret, Store, get_settings
from snipcart_checkout.conf.links import to_safe_shop_url
from snipcart_checkout.exceptions import ConfirmationRefused, SnipcartError, SnipcartUnavailable
from snipcart_checkout.models import Confirmation, ConfirmationQuerySet, Event, Payment
from snipcart_checkout.models.confirmations import LONGEST_DELAY
from snipcart_checkout.models.moments import LONGEST_LEASE, is_past, is_unleased
from snipcart_checkout.services.announcements import CASE_OPENED, alert_review, alert_staff, send_signal
from snipcart_checkout.services.audit_log import SNIPCART, is_recorded, record_event
from snipcart_checkout.services.confirmations import FINAL, WITH_ORDER
from snipcart_checkout.services.decisions import CHARGE_EMPTIED, TOKEN_EMPTIED
from snipcart_checkout.services.delivery_schedule import get_next_attempt
from snipcart_checkout.services.logger import log
from snipcart_checkout.services.order_comparison import OrderComparison, OrderVerdict, compare_order
from snipcart_checkout.services.refund_links import fill_in_link
from snipcart_checkout.services.transactions import commit
from snipcart_checkout.signals import confirmation_unresolved
from snipcart_checkout.snipcart import PaymentSession
from snipcart_checkout.snipcart.client import SnipcartClient
from snipcart_checkout.snipcart.statuses import KEY_REFUSED, NOT_TAKEN_UP, RECORDED_BEFORE

_MOST_OF_A_SESSION: Final = 50

_Status = Confirmation.Status
_Outcome = Confirmation.Outcome
_Check = Payment.OrderCheck
_Reason = Payment.ReviewReason


@dataclass(kw_only=True)
class Delivery:
    """The result of delivering the confirmations of one session.

    ``delivered`` is the number of confirmations that Snipcart accepted. ``sessions`` holds, by
    payment, the sessions that were read to compare the order. ``withheld`` holds the payments whose
    order differs.
    """

    delivered: int = 0
    sessions: dict[Any, PaymentSession] = field(default_factory=dict, repr=False)
    withheld: set[Any] = field(default_factory=set)


def deliver_session(session_key: str, *, at_once: bool = False) -> Delivery:
    """Deliver the pending confirmations of one session, in order, until one fails or another process takes over.

    ``at_once`` ignores the retry schedule.
    """
    delivery = Delivery()
    for _ in range(_MOST_OF_A_SESSION):
        confirmation = _get_next(session_key)
        if confirmation is None or not (at_once or is_past(confirmation.due_at, LONGEST_DELAY)):
            break
        if not _take_lease(confirmation):
            break
        _deliver(confirmation, delivery)
        if confirmation.status == _Status.PENDING:
            break
        delivery.delivered += confirmation.status == _Status.DELIVERED
    return delivery


def _get_next(session_key: str) -> Confirmation | None:
    pending = Confirmation.objects.pending().filter(session_key=session_key)
    return pending.select_related("payment").order_by("pk").first()


def _take_lease(confirmation: Confirmation) -> bool:
    """Take the lease of a confirmation, so that only one host delivers it."""
    now = timezone.now()
    until = now + min(timedelta(seconds=get_settings().total_timeout * 5 + 30), LONGEST_LEASE)
    attempt = confirmation.attempts + 1
    pending = Confirmation.objects.pending().filter(pk=confirmation.pk)
    free = pending.filter(is_unleased(), attempts=confirmation.attempts)
    ours = pending.filter(lease_until=until)
    if not commit(
        lambda: free.update(attempts=attempt, lease_until=until), recall=lambda: ours.count() or None
    ):
        return False
    confirmation.attempts = attempt
    return True


@dataclass(frozen=True, kw_only=True)
class _Reply:
    delivered: bool = False
    order_url: str = ""
    status: int | None = None
    unclear: bool = False
    definite: bool = False
    keys_refused: bool = False


def _deliver(confirmation: Confirmation, delivery: Delivery) -> None:
    """Compare the order, send once with each key until one is accepted, and commit the result."""
    payment = confirmation.payment
    if _is_superseded(confirmation):
        _finish(confirmation, _Status.SUPERSEDED, Event.Name.CONFIRMATION_SUPERSEDED)
        return
    comparison = _compare(confirmation)
    if comparison.session is not None:
        delivery.sessions[payment.pk] = comparison.session
    if comparison.verdict is OrderVerdict.UNREAD:
        _reschedule(confirmation, _Reply(), unclear=confirmation.unclear)
        return
    if reason := _find_objection(confirmation, comparison):
        delivery.withheld.add(payment.pk)
        _withhold(confirmation, reason)
        return
    was_unclear = confirmation.unclear
    if not _begin_sending(confirmation, comparison):
        return
    store = get_settings().stores.get(payment.store)
    _conclude(confirmation, _send(store, confirmation), store, was_unclear=was_unclear)


def _is_superseded(confirmation: Confirmation) -> bool:
    """Whether an outcome that never arrived is followed by another one of its payment.

    A failure is followed by the word that the money was taken after all, for which Snipcart must not have closed the
    session.
    """
    later = Confirmation.objects.filter(payment_id=confirmation.payment_id, pk__gt=confirmation.pk)
    return later.filter(outcome__in=FINAL).exists()


def _compare(confirmation: Confirmation) -> OrderComparison:
    """Compare the order, for an outcome for which Snipcart creates one, unless staff accepted it as it is."""
    payment = confirmation.payment
    if confirmation.outcome not in WITH_ORDER or payment.order_check == _Check.WAIVED:
        return OrderComparison(verdict=OrderVerdict.SAME)
    return compare_order(payment)


def _find_objection(confirmation: Confirmation, comparison: OrderComparison) -> str:
    """Return why an outcome must not be delivered; empty when it may be."""
    if confirmation.outcome == _Outcome.PROCESSED and _has_all_gone_back(confirmation.payment):
        return _Reason.ALL_REFUNDED
    if comparison.verdict is OrderVerdict.CHANGED:
        return _Reason.ORDER_CHANGED
    if comparison.verdict is not OrderVerdict.GONE:
        return ""
    payment = confirmation.payment
    if payment.order_check == _Check.SAME or _is_processing_delivered(payment):
        return ""
    return _Reason.ORDER_UNVERIFIED


def _has_all_gone_back(payment: Payment) -> bool:
    # Read anew, because Snipcart may have taken its time to show the order.
    payment.refresh_from_db(fields=("captured_minor_units", "refunded_minor_units"))
    return payment.has_all_gone_back


def _is_processing_delivered(payment: Payment) -> bool:
    return payment.confirmations.filter(outcome=_Outcome.PROCESSING, status=_Status.DELIVERED).exists()


def _begin_sending(confirmation: Confirmation, comparison: OrderComparison) -> bool:
    """Record, before anything is sent, that an attempt begins; False when the lease is no longer ours.

    If the process dies after this, it is unknown whether the attempt arrived.
    """
    payment = confirmation.payment
    ours = _still_ours(confirmation).filter(lease_until__gt=timezone.now())
    is_checked = comparison.session is not None  # and it was the same, else nothing would be sent

    def work() -> bool:
        if not ours.update(unclear=True):
            return False
        if is_checked and payment.order_check == _Check.NONE and payment.captured_at is not None:
            Payment.objects.filter(pk=payment.pk, order_check=_Check.NONE).update(order_check=_Check.SAME)
        return True

    return commit(work)


@sensitive_variables()
def _send(store: Store | None, confirmation: Confirmation) -> _Reply:
    body = fill_in_link(confirmation.payment, confirmation.body)
    reply = _Reply(keys_refused=True)
    for position, key in enumerate(store.api_keys if store else ()):
        reply = _send_with(body, key)
        if not reply.keys_refused:
            break
        log(
            logging.WARNING,
            "Snipcart refused API key %d of store %s",
            position + 1,
            confirmation.payment.store,
        )
    return reply


@sensitive_variables()
def _send_with(body: bytes, key: Secret) -> _Reply:
    try:
        answer = SnipcartClient(get_settings()).confirm(body, key)
    except ConfirmationRefused as error:
        refused = error.status in KEY_REFUSED
        return _Reply(status=error.status, keys_refused=refused, definite=not refused)
    except SnipcartError as error:
        # A redirect means that it was not recorded.
        was_sent = isinstance(error, SnipcartUnavailable) and error.was_sent
        return _Reply(status=error.status, unclear=was_sent and error.status not in NOT_TAKEN_UP)
    return _Reply(delivered=True, order_url=answer.return_url)


def _conclude(confirmation: Confirmation, reply: _Reply, store: Store | None, *, was_unclear: bool) -> None:
    if reply.delivered:
        _note_delivered(confirmation, store, reply)
    elif not reply.definite:
        _reschedule(confirmation, reply, unclear=was_unclear or reply.unclear)
    elif was_unclear and reply.status in RECORDED_BEFORE and not _is_second_end(confirmation):
        _note_recorded_before(confirmation, reply)
    else:
        _to_review(confirmation, Event.Name.CONFIRMATION_REFUSED, reply.status, unclear=was_unclear)


def _is_second_end(confirmation: Confirmation) -> bool:
    """Return whether the session already had a final outcome, which Snipcart may refuse to change."""
    earlier = Confirmation.objects.filter(session_key=confirmation.session_key, pk__lt=confirmation.pk)
    unheard = Q(status=_Status.SUPERSEDED, unclear=False)
    return earlier.filter(~unheard, outcome__in=FINAL).exists()


def _note_delivered(confirmation: Confirmation, store: Store | None, reply: _Reply) -> None:
    payment = confirmation.payment
    url = to_safe_shop_url(reply.order_url, store.shop_hosts) if store else ""
    if not url:
        log(logging.WARNING, "payment %s: Snipcart sent no usable returnUrl", payment.reference)
    _finish(confirmation, _Status.DELIVERED, Event.Name.CONFIRMATION_DELIVERED, order_url=url)


def _note_recorded_before(confirmation: Confirmation, reply: _Reply) -> None:
    # Snipcart refuses a second outcome of a session, so an earlier attempt has probably arrived.
    event = Event.Name.CONFIRMATION_RECORDED_BEFORE
    finished = _finish(confirmation, _Status.DELIVERED, event, last_http_status=reply.status)
    if finished and confirmation.outcome == _Outcome.PROCESSED:
        alert_staff(
            "payment %s: Snipcart answered %s to a repeated confirmation, so it probably recorded an earlier "
            "attempt; see that the order is there",
            confirmation.payment.reference,
            reply.status,
        )


def _finish(
    confirmation: Confirmation,
    status: Confirmation.Status,
    event: Event.Name,
    *,
    order_url: str = "",
    **changes: object,
) -> bool:
    """Commit a confirmation's new status with its event; False when another process was faster."""
    now, uid = timezone.now(), uuid4()
    payment = confirmation.payment
    # A delivery counts whoever sent it, and even where the case was closed. Any other result counts
    # only while this process holds the lease.
    unfinished = Confirmation.objects.filter(pk=confirmation.pk, status__in=(_Status.PENDING, _Status.REVIEW))
    rows = unfinished if status == _Status.DELIVERED else _still_ours(confirmation)
    columns = _build_payment_columns(confirmation, status, order_url)

    def work() -> bool:
        if not rows.update(status=status, lease_until=None, finished_at=now, due_at=now, **changes):
            return False
        if columns:
            Payment.objects.filter(pk=payment.pk).update(**columns, updated_at=now)
        data = {"outcome": confirmation.outcome, "attempts": confirmation.attempts}
        record_event(payment, event, actor=SNIPCART, uid=uid, **data)
        return True

    if not commit(work, recall=lambda: is_recorded(uid)):
        return False
    confirmation.status = status
    for name, value in columns.items():
        setattr(payment, name, value)
    return True


def _build_payment_columns(confirmation: Confirmation, status: str, order_url: str) -> dict[str, Any]:
    if status == _Status.REVIEW:
        # Staff may have closed the case before.
        return dict(CASE_OPENED)
    columns = {"order_url": order_url} if order_url else {}
    is_last = confirmation.outcome in FINAL and status != _Status.SUPERSEDED
    return {**columns, **TOKEN_EMPTIED} if is_last else columns


def _still_ours(confirmation: Confirmation) -> ConfirmationQuerySet:
    """Return the confirmation's row, unless the lease expired and another process has taken or sent it."""
    return Confirmation.objects.pending().filter(pk=confirmation.pk, attempts=confirmation.attempts)


def _withhold(confirmation: Confirmation, reason: str) -> None:
    """Put payment and confirmation in review, because Snipcart would create another order than was paid."""
    now, uid = timezone.now(), uuid4()
    payment = confirmation.payment
    ours = _still_ours(confirmation)

    def work() -> bool:
        if not ours.update(
            status=_Status.REVIEW, lease_until=None, finished_at=now, due_at=now, alerted_at=now
        ):
            return False
        payment.refresh_from_db()
        if payment.state == Payment.State.DECLINED:
            # Its ``failed`` comes next, and there is nothing to decide.
            Confirmation.objects.filter(pk=confirmation.pk).update(status=_Status.SUPERSEDED, alerted_at=None)
            return False
        # The earlier comparison is no longer valid.
        emptied = {"order_check": _Check.NONE, **CHARGE_EMPTIED, **TOKEN_EMPTIED}
        changes = {"review_reason": reason, **emptied, **CASE_OPENED}
        if not Payment.objects.transition(payment, Payment.State.REVIEW, **changes):
            raise OperationalError("the payment changed just now; commit tries again")
        record_event(
            payment,
            Event.Name.CONFIRMATION_WITHHELD,
            actor=SNIPCART,
            uid=uid,
            outcome=confirmation.outcome,
            reason=reason,
            was=payment.state,
        )
        return True

    withheld = commit(work, recall=lambda: is_recorded(uid))
    payment.refresh_from_db()
    confirmation.refresh_from_db()
    if withheld:
        alert_review(payment, reason)


def _to_review(
    confirmation: Confirmation, event: Event.Name, http_status: int | None, *, unclear: bool
) -> None:
    """Put a confirmation in review; the payment keeps its state.

    ``unclear``: Snipcart may have recorded it. When it is sent again, a refusal must not count as
    delivered merely for that.
    """
    changes: dict[str, Any] = {
        "last_http_status": http_status,
        "alerted_at": timezone.now(),
        "unclear": unclear,
    }
    finished = _finish(confirmation, _Status.REVIEW, event, **changes)
    if not finished:
        return
    alert_staff(
        "payment %s: Snipcart could not be notified that it is %s (%s, answer %s); the shop needs to review it",
        confirmation.payment.reference,
        confirmation.outcome,
        event.value,
        http_status,
    )
    send_signal(confirmation_unresolved, payment=confirmation.payment)


def _reschedule(confirmation: Confirmation, reply: _Reply, *, unclear: bool) -> None:
    """Schedule the next attempt, or put the confirmation in review after three days."""
    now = timezone.now()
    due = get_next_attempt(confirmation, now)
    if due is None:
        _to_review(confirmation, Event.Name.CONFIRMATION_GAVE_UP, reply.status, unclear=unclear)
        return
    keys_alert = reply.keys_refused and confirmation.alerted_at is None
    changes: dict[str, object] = {"alerted_at": now} if keys_alert else {}
    rows = _still_ours(confirmation)
    changes |= {"unclear": unclear, "last_http_status": reply.status}
    commit(lambda: rows.update(due_at=due, lease_until=None, **changes))
    log(
        logging.WARNING,
        "payment %s: Snipcart was not notified that it is %s (answer %s), next attempt at %s",
        confirmation.payment.reference,
        confirmation.outcome,
        reply.status,
        due.isoformat(timespec="seconds"),
    )
    if keys_alert:
        alert_staff("store %s: Snipcart refused every API key; replace them", confirmation.payment.store)
        send_signal(confirmation_unresolved, payment=confirmation.payment)
