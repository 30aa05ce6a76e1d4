"""What the earlier payments of a session allow now, and how many attempts it may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import OperationalError

from snipcart_checkout.conf import Store
from snipcart_checkout.models import Confirmation, Payment, PaymentQuerySet, session_key
from snipcart_checkout.snipcart import PaymentSession

MAX_ATTEMPTS: Final = 10
"""Declined payments of one session after which Snipcart is notified that it failed and no form is shown."""

_State = Payment.State
_ENDED: Final = (Confirmation.Outcome.FAILED, Confirmation.Outcome.INVALIDATED)


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """The payments of a session so far.

    While there is a ``live`` one, no other payment may begin. ``declined`` is the latest declined
    attempt, ``left`` the number of attempts that remain.
    """

    live: Payment | None = None
    declined: Payment | None = None
    left: int = MAX_ATTEMPTS


def get_attempts(store: Store, session: PaymentSession) -> Attempts:
    """Return what the earlier payments of a session allow now, for the page that shows the order."""
    payments = (
        list(Payment.objects.of_session(store.name, session.id))
        if Payment.objects.has_session(store.name, session.id)
        else []
    )
    declined = [payment for payment in payments if payment.state == _State.DECLINED]
    return Attempts(
        live=next((payment for payment in payments if payment.live_key), None),
        declined=declined[-1] if declined else None,
        left=max(0, MAX_ATTEMPTS - len(declined)),
    )


def get_live_payment(key: str) -> Payment | None:
    """Return the live payment of the session with this key; while there is one, no other may begin."""
    return Payment.objects.filter(live_key=key).first()


def get_last_declined(store: Store, session: PaymentSession) -> Payment | None:
    """Return the latest declined attempt of a session."""
    return _declined(session_key(store.name, session.id)).last()


def count_attempts_left(key: str) -> int:
    """Return how many more declined attempts the session with this key may have."""
    return max(0, MAX_ATTEMPTS - _declined(key).count())


def count_attempts_left_beside(payment: Payment) -> int:
    """Return how many more declined attempts the session of a payment may have that has just taken the live key.

    Call it inside ``commit``. Raises OperationalError, so that the work is tried again, where the database shows the
    session as it was before the key was free: REPEATABLE READ does where the key had to be waited for.
    """
    others = Payment.objects.filter(session_key=payment.session_key).exclude(pk=payment.pk)
    seen = list(others.values_list("state", "live_key"))
    if any(live_key for _, live_key in seen):
        raise OperationalError("the session is seen as it was before its live key was free")
    return max(0, MAX_ATTEMPTS - sum(state == _State.DECLINED for state, _ in seen))


def has_given_up(payment: Payment) -> bool:
    """Return whether Snipcart was notified, or is going to be, that the payment's session failed."""
    return _confirmed(payment, (Confirmation.Outcome.FAILED,))


def has_ended(payment: Payment) -> bool:
    """Return whether Snipcart was notified, or is going to be, that the order was not paid."""
    return _confirmed(payment, _ENDED)


def _declined(key: str) -> PaymentQuerySet:
    return Payment.objects.filter(session_key=key, state=_State.DECLINED).order_by("created_at")


def _confirmed(payment: Payment, outcomes: tuple[str, ...]) -> bool:
    return Confirmation.objects.filter(session_key=payment.session_key, outcome__in=outcomes).exists()
