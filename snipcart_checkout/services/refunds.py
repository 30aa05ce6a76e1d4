"""Give money back: proven by the link, reserved before the backend is called, repeated without harm."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from django.db.models import F, Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.backends.base import PaymentBackend, RefundDeclined, Refunded, RefundRequest
from snipcart_checkout.client import SnipcartClient
from snipcart_checkout.conf import Store, get_settings
from snipcart_checkout.exceptions import RefundNotPossible, RefundUncertain, TokenRefused
from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.money import amount_of, minor_units
from snipcart_checkout.protocol import RefundCall, check_public_token
from snipcart_checkout.services.asking import backend_of, charge_of, text_of
from snipcart_checkout.services.confirmations import capability_hash
from snipcart_checkout.services.journal import alert, announce, commit, say, write_event
from snipcart_checkout.signals import payment_refunded

__all__ = [
    "answer_refund_request",
    "find_refundable_payment",
    "record_refund_word",
    "refund_payment",
    "settle_refund",
]

_State = Refund.State
_REPEAT_WITHIN: Final = timedelta(seconds=60)
_LEASE: Final = timedelta(minutes=5)
_PATIENCE: Final = 2.0  # seconds that a repeat waits for the answer to the first
_POLL: Final = 0.1  # seconds


def find_refundable_payment(store: Store, capability: str) -> Payment | None:
    """Return the payment whose refund link this is; only a hash of the link's secret part is stored."""
    wanted = capability_hash(capability)
    payment = Payment.objects.filter(capability_hash=wanted).first()
    if payment is None or payment.store != store.name:
        return None
    return payment if constant_time_compare(payment.capability_hash, wanted) else None


@sensitive_variables()
def answer_refund_request(
    store: Store, payment: Payment, call: RefundCall, *, query_tokens: Sequence[str], request_token: str
) -> Refund:
    """Answer Snipcart's refund webhook for a payment that its link proved.

    Raises TokenRefused (a token or header is refused, or demanded and absent), UnpayableAmount,
    RefundNotPossible, RefundUncertain, and SnipcartUnavailable or BadAnswer when the proof could not be checked.
    """
    _check_proof(store, [*query_tokens, *call.tokens], request_token)
    units = minor_units(call.amount, payment.currency)
    if payment.state != Payment.State.PAID:
        # What is in review may have been captured, but then staff have to decide what becomes of it.
        raise RefundNotPossible(_("This payment is not paid, so nothing of it can be refunded."))
    return refund_payment(payment, units, asked_by="snipcart")


@sensitive_variables()
def _check_proof(store: Store, tokens: Sequence[object], request_token: str) -> None:
    """Check the token and the header where they are given; the link alone is proof unless more is demanded."""
    client = SnipcartClient(get_settings())
    public_token = check_public_token(tokens) if any(token != "" for token in tokens) else ""
    checks_header = bool(request_token and store.store_secret_key)
    if checks_header:
        client.validate_request_token(request_token, store.store_secret_key)
    if public_token:
        client.validate_token(public_token)
    if store.require_refund_token and not (checks_header or public_token):
        raise TokenRefused(
            "the refund carries neither a public token nor a request token that can be checked"
        )


def refund_payment(payment: Payment, units: int, *, asked_by: str) -> Refund:
    """Refund minor units of a payment and return the refund, which is made.

    The same amount again within a minute, or while the first is uncertain, is a repeat and gets the first one's
    answer. Raises RefundNotPossible (nothing was refunded) or RefundUncertain (the amount stays reserved).
    Must run outside any transaction.
    """
    repeated = _find_repeated(payment, units)
    if repeated is not None:
        return _answer_again(repeated)
    backend = _refunding_backend(payment, units)
    refund, is_repeat = _reserve(payment, units, asked_by)
    return _answer_again(refund) if is_repeat else _ask_backend(refund, backend)


def _refunding_backend(payment: Payment, units: int) -> PaymentBackend:
    try:
        backend = backend_of(payment)
    except Exception:  # configured no more, or broken: either way nobody can refund through it
        backend = None
    if backend is None or not backend.supports_refund:
        raise RefundNotPossible(_("This payment method cannot refund; give the money back by hand."))
    if units < payment.minor_units and not backend.supports_partial_refund:
        raise RefundNotPossible(_("This payment method can refund the whole payment only."))
    return backend


def _reserve(payment: Payment, units: int, asked_by: str) -> tuple[Refund, bool]:
    """Reserve the amount, or find the refund that this one repeats.

    The counter makes the two exclude each other: whoever reserves first is seen by everybody who comes next.
    """
    while True:
        payment.refresh_from_db()
        repeated = _find_repeated(payment, units)
        if repeated is not None:
            return repeated, True
        if not payment.captured_at:
            raise RefundNotPossible(_("No money was taken with this payment."))
        if units > payment.refundable_minor_units:
            raise RefundNotPossible(_("More than is left of this payment cannot be refunded."))
        refund = commit(lambda: _try_reserve(payment, units, asked_by))
        if refund is not None:
            say(logging.INFO, "payment %s: refund %s is asked (%s)", payment.reference, refund.pk, asked_by)
            return refund, False


def _find_repeated(payment: Payment, units: int) -> Refund | None:
    recent = timezone.now() - _REPEAT_WITHIN
    unsettled = Q(state__in=(_State.ASKED, _State.UNCERTAIN, _State.REVIEW))
    # Counted from the answer: a slow provider, or one that had to be asked twice, must not make a repeat a new refund.
    just_made = Q(state=_State.REFUNDED, updated_at__gt=recent)
    return payment.refunds.filter(unsettled | just_made, minor_units=units).order_by("-created_at").first()


def _try_reserve(payment: Payment, units: int, asked_by: str) -> Refund | None:
    rows = Payment.objects.filter(
        pk=payment.pk,
        captured_at__isnull=False,
        refunds_asked=payment.refunds_asked,
        refunded_minor_units__lte=F("minor_units") - units,
    ).update(
        refunded_minor_units=F("refunded_minor_units") + units,
        refunds_asked=F("refunds_asked") + 1,
        updated_at=timezone.now(),
    )
    if not rows:
        return None
    # Receivers of payment_refunded are to see what was refunded with this one, not before it.
    payment.refresh_from_db()
    refund = Refund.objects.create(
        payment=payment, minor_units=units, asked_by=asked_by[:150], lease_until=timezone.now() + _LEASE
    )
    write_event(payment, "refund_asked", source=asked_by, refund=str(refund.pk), minor_units=units)
    return refund


def _answer_again(refund: Refund) -> Refund:
    """Give a repeat the answer of the first, waiting for it a moment when it is on its way."""
    deadline = time.monotonic() + _PATIENCE
    while refund.state == _State.ASKED and time.monotonic() < deadline:
        time.sleep(_POLL)
        refund.refresh_from_db()
    if refund.state == _State.REFUNDED:
        return refund
    if refund.state == _State.DECLINED:
        raise RefundNotPossible(_("The provider declined the refund."))
    raise RefundUncertain(_("Whether this amount was refunded is being found out."))


def settle_refund(refund: Refund) -> bool:
    """Repeat an uncertain refund under its own key where that is safe, else leave it to a person.

    Returns whether its outcome is now known.
    """
    backend = _repeatable_backend(refund)
    if backend is None:
        _move(refund, _State.REVIEW, source="settle")
        alert("payment %s: a refund's outcome is not known; a person has to look", refund.payment_id)
        return False
    try:
        return _ask_backend(refund, backend, source="settle").state == _State.REFUNDED
    except RefundNotPossible:
        return True
    except RefundUncertain:
        return False


def record_refund_word(refund: Refund, *, was_made: bool, note: str, source: str) -> bool:
    """Settle a refund in review on a person's word; False when it is not in review.

    One that is still uncertain is not for a person to decide: the provider may be asked about it this moment.
    """
    refund.refresh_from_db()
    if refund.state != _State.REVIEW:
        return False
    moved = _move(refund, _State.REFUNDED if was_made else _State.DECLINED, source=source, note=note)
    if moved and was_made:
        announce(payment_refunded, payment=refund.payment, refund=refund)
    return moved


def _repeatable_backend(refund: Refund) -> PaymentBackend | None:
    try:
        backend = backend_of(refund.payment)
    except Exception:  # configured no more, or broken
        return None
    return backend if backend.repeat_is_safe and backend.supports_refund else None


def _ask_backend(refund: Refund, backend: PaymentBackend, *, source: str = "provider") -> Refund:
    payment = refund.payment
    result: object = None
    try:
        result = backend.refund(
            RefundRequest(
                reference=refund.pk,
                charge=charge_of(payment),
                transaction_id=payment.transaction_id,
                amount=amount_of(refund.minor_units, payment.currency),
                currency=payment.currency,
                minor_units=refund.minor_units,
            )
        )
    except Exception as error:  # the provider's library may raise anything
        say(logging.WARNING, "payment %s: refunding raised %s", payment.reference, type(error).__name__)
    if isinstance(result, Refunded):
        provider_id = text_of(result.refund_id, 255)
        if _move(refund, _State.REFUNDED, source=source, provider_refund_id=provider_id):
            announce(payment_refunded, payment=payment, refund=refund)
        elif refund.state != _State.REFUNDED:
            alert(
                "payment %s: refund %s was made, but the ledger has it as %s", payment, refund, refund.state
            )
        return refund
    if isinstance(result, RefundDeclined):
        _move(refund, _State.DECLINED, source=source, decline_code=text_of(result.code, 100))
        raise RefundNotPossible(_declined_text(result))
    _move(refund, _State.UNCERTAIN, source=source)
    raise RefundUncertain(_("Whether this amount was refunded is being found out."))


def _declined_text(result: RefundDeclined) -> str:
    return text_of(result.message) or _("The provider declined the refund.")


def _move(refund: Refund, to: str, *, source: str, note: str = "", **changes: object) -> bool:
    """Commit a refund's outcome once; a declined one gives its reservation back in the same commit."""
    payment = refund.payment

    def work() -> bool:
        unsettled = Refund.objects.filter(
            pk=refund.pk, state__in=(_State.ASKED, _State.UNCERTAIN, _State.REVIEW)
        )
        now = timezone.now()
        if not unsettled.update(state=to, updated_at=now, lease_until=None, **changes):
            return False
        if to == _State.DECLINED:
            reserved = F("refunded_minor_units") - refund.minor_units
            Payment.objects.filter(pk=payment.pk).update(refunded_minor_units=reserved, updated_at=now)
        if to == _State.REVIEW:
            # A person may have closed the payment's case before this came up.
            Payment.objects.filter(pk=payment.pk).update(resolved_at=None)
        given = {"note": note} if note else {}
        write_event(payment, f"refund_{to}", source=source, refund=str(refund.pk), **given)
        return True

    moved = commit(work)
    refund.refresh_from_db()
    if moved:
        say(logging.INFO, "payment %s: refund %s is %s (%s)", payment.reference, refund.pk, to, source)
    return moved
