"""Call the backend of a payment; only a usable answer is passed on."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings as django_settings
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.backends import get_backend
from snipcart_checkout.backends.base import (
    Charge,
    ChargeResult,
    LookupResult,
    NotFound,
    PaymentBackend,
    RefundDeclined,
    Refunded,
    RefundRequest,
)
from snipcart_checkout.backends.results import (
    find_fault_in_charge_result,
    find_fault_in_lookup_result,
    find_fault_in_refund_lookup_result,
    find_fault_in_refund_result,
)
from snipcart_checkout.conf import get_store
from snipcart_checkout.conf.links import public_url
from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.presentation.languages import page_language
from snipcart_checkout.services.logger import log
from snipcart_checkout.services.transactions import replace_broken_connection
from snipcart_checkout.snipcart import PaymentSession, clean_text
from snipcart_checkout.snipcart.money import to_amount

_ENDED: Final = frozenset({Payment.State.DECLINED, Payment.State.ABANDONED})


def get_payment_backend(payment: Payment) -> PaymentBackend:
    """Build the backend of a payment; raise ImproperlyConfigured or KeyError when it is no longer
    configured.
    """
    store = get_store(payment.store)
    return get_backend(store, store.methods[payment.method])


def find_payment_backend(payment: Payment) -> PaymentBackend | None:
    """Build the backend of a payment; None when it is no longer configured, or cannot be built."""
    try:
        return get_payment_backend(payment)
    except Exception:  # a third-party backend may raise anything while it is built
        return None


def can_look_up(payment: Payment) -> bool:
    """Return whether the payment's backend is configured and can look up its outcome."""
    backend = find_payment_backend(payment)
    return backend is not None and backend.can_lookup


def build_charge(
    payment: Payment,
    session: PaymentSession | None = None,
    *,
    shopper_returned: bool = False,
    is_void: bool = False,
) -> Charge:
    """Return the payment as backends see it, the same on every repeat."""
    return Charge(
        reference=payment.reference,
        amount=payment.amount,
        currency=payment.currency,
        minor_units=payment.minor_units,
        session=session,
        form=payment.form,
        return_url=public_url("payment_return", reference=payment.reference),
        notification_url=public_url("notification", store=payment.store, method=payment.method),
        provider_reference=payment.provider_reference,
        language=page_language(payment.language).code,
        shopper_returned=shopper_returned,
        is_void=is_void,
    )


@sensitive_variables()
def call_charge(payment: Payment, session: PaymentSession | None) -> ChargeResult | None:
    """Charge under the payment's reference; None means that the outcome is unknown."""
    answer: ChargeResult | None = _call(
        payment, lambda backend: _checked_charge(backend, build_charge(payment, session))
    )
    return answer


@sensitive_variables()
def call_lookup(payment: Payment, *, shopper_returned: bool, is_void: bool) -> LookupResult | None:
    """Look up the outcome of a payment; None means that there was no usable answer."""
    ended = payment.state in _ENDED or payment.resolved_at is not None
    answer: LookupResult | None = _call(
        payment,
        lambda backend: _checked_lookup(
            backend, build_charge(payment, shopper_returned=shopper_returned, is_void=is_void or ended)
        ),
    )
    return answer


def call_refund(refund: Refund) -> Refunded | RefundDeclined | None:
    """Refund under the refund's own id; None means that the outcome is unknown."""
    answer: Refunded | RefundDeclined | None = _call(
        refund.payment, lambda backend: _checked_refund(backend, build_refund_request(refund))
    )
    return answer


def call_refund_lookup(refund: Refund) -> Refunded | RefundDeclined | NotFound | None:
    """Look up the outcome of a refund; None means that there was no usable answer."""
    answer: Refunded | RefundDeclined | NotFound | None = _call(
        refund.payment, lambda backend: _checked_refund_lookup(backend, build_refund_request(refund))
    )
    return answer


def build_refund_request(refund: Refund) -> RefundRequest:
    """Return the refund as backends see it, the same on every repeat."""
    payment = refund.payment
    return RefundRequest(
        reference=refund.pk,
        charge=build_charge(payment),
        transaction_id=payment.transaction_id,
        refund_id=refund.provider_refund_id,
        amount=to_amount(refund.minor_units, payment.currency),
        currency=payment.currency,
        minor_units=refund.minor_units,
    )


def _call(payment: Payment, call: Callable[[PaymentBackend], Any]) -> Any:
    """Call the backend; whatever it raises means that the outcome is unknown."""
    try:
        answer = call(get_payment_backend(payment))
    except Exception as error:  # a provider's library may raise anything, with any text
        log(
            logging.WARNING,
            "payment %s: the backend of method %s raised %s at %s",
            payment.reference,
            payment.method,
            type(error).__name__,
            describe_place(error),
        )
        return None
    finally:
        # The database may have closed the connection during the call.
        replace_broken_connection()
    if isinstance(answer, _Unusable):
        log(
            logging.ERROR,
            "payment %s: the answer of the backend of method %s is not usable: %s",
            payment.reference,
            payment.method,
            answer.rule,
        )
        return None
    return answer


def describe_place(error: Exception) -> str:
    """Return the file and line where an exception was raised; its text and variables may hold secrets."""
    frames = traceback.extract_tb(error.__traceback__)
    if django_settings.DEBUG:
        calls = "".join(traceback.format_list(frames))
        log(logging.WARNING, "Traceback (most recent call last):\n%s%s", calls, type(error).__name__)
    # With a sys.tracebacklimit of 0 there are none.
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"


class _Unusable:
    """An answer that breaks a rule of ``backends.base``."""

    def __init__(self, rule: str) -> None:
        self.rule = rule


def _checked_charge(backend: PaymentBackend, charge: Charge) -> Any:
    result: object = backend.charge(charge)
    return _checked(result, find_fault_in_charge_result(result, backend))


def _checked_lookup(backend: PaymentBackend, charge: Charge) -> Any:
    result: object = backend.lookup(charge)
    return _checked(result, find_fault_in_lookup_result(result))


def _checked_refund(backend: PaymentBackend, refund: RefundRequest) -> Any:
    result: object = backend.refund(refund)
    return _checked(result, find_fault_in_refund_result(result))


def _checked_refund_lookup(backend: PaymentBackend, refund: RefundRequest) -> Any:
    result: object = backend.lookup_refund(refund)
    return _checked(result, find_fault_in_refund_lookup_result(result))


def _checked(result: object, fault: str) -> Any:
    return _Unusable(fault) if fault else result


def to_text(value: object, limit: int = 500) -> str:
    """Return a backend's text, cleaned and cut; empty for a value that is no text, because nothing
    enforces the types.
    """
    return clean_text(value, limit) if isinstance(value, str) else ""


def to_ascii(text: str, limit: int) -> str:
    """Return a text in letters that any database takes. What is ASCII stays as it is."""
    return text.encode("ascii", "backslashreplace").decode()[:limit]
