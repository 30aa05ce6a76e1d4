"""Ask the backend of a payment, and pass on nothing but answers that mean something."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.backends import get_backend
from snipcart_checkout.backends.base import (
    Charge,
    ChargeResult,
    Declined,
    LookupResult,
    NotFound,
    Paid,
    PaymentBackend,
    Pending,
    Redirect,
)
from snipcart_checkout.conf import get_store
from snipcart_checkout.languages import page_language
from snipcart_checkout.links import public_url, safe_provider_url
from snipcart_checkout.models import Payment
from snipcart_checkout.protocol import PaymentSession, clean_text
from snipcart_checkout.services.journal import say

__all__ = ["backend_of", "can_look_up", "charge_of", "look_up", "make_charge", "text_of"]

_MAX_ID: Final = 255


def backend_of(payment: Payment) -> PaymentBackend:
    """Build the backend of a payment; raise ImproperlyConfigured or KeyError when it is configured no more."""
    store = get_store(payment.store)
    return get_backend(store, store.methods[payment.method])


def can_look_up(payment: Payment) -> bool:
    """Whether there is a backend that can tell what came of a payment."""
    try:
        return backend_of(payment).can_lookup
    except Exception:  # configured no more, or broken
        return False


def charge_of(
    payment: Payment, session: PaymentSession | None = None, *, shopper_returned: bool = False
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
    )


@sensitive_variables()
def make_charge(payment: Payment, session: PaymentSession | None) -> ChargeResult | None:
    """Charge under the payment's reference; None means that nobody knows what came of it."""
    answer: ChargeResult | None = _ask(
        payment, lambda backend: _checked_charge(backend, charge_of(payment, session))
    )
    return answer


@sensitive_variables()
def look_up(payment: Payment, *, shopper_returned: bool) -> LookupResult | None:
    """Ask what came of a payment; None means that there was no usable answer."""
    answer: LookupResult | None = _ask(
        payment,
        lambda backend: _checked(backend.lookup(charge_of(payment, shopper_returned=shopper_returned))),
    )
    return answer


def _ask(payment: Payment, question: Callable[[PaymentBackend], Any]) -> Any:
    """Call the backend; whatever it raises means that the outcome is not known."""
    try:
        answer = question(backend_of(payment))
    except Exception as error:  # the provider's library may raise anything, and its text may hold anything
        say(logging.WARNING, "payment %s: the backend raised %s", payment.reference, type(error).__name__)
        return None
    if answer is None:
        say(logging.ERROR, "payment %s: the backend's answer is not usable", payment.reference)
    return answer


def _checked_charge(backend: PaymentBackend, charge: Charge) -> ChargeResult | None:
    result: object = backend.charge(charge)
    if isinstance(result, Redirect):
        return result if _leads_on(result, backend) else None
    usable = _checked(result)
    # Whoever was just asked to charge cannot know nothing of it.
    return None if isinstance(usable, NotFound) else usable


def _checked(result: object) -> LookupResult | None:
    if isinstance(result, (Paid, Pending)):
        return result if _is_id(result.transaction_id) else None
    if isinstance(result, Declined):
        return result if _is_id(result.code) else None
    return result if isinstance(result, NotFound) else None


def _leads_on(redirect: Redirect, backend: PaymentBackend) -> bool:
    """Whether a redirect leads to the provider, and what came of it can be looked up afterwards."""
    url = text_of(redirect.url, 4096)
    usable = backend.can_lookup and _is_id(redirect.provider_reference) and url == redirect.url
    return usable and bool(safe_provider_url(url, backend.redirect_origins))


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID and clean_text(value) == value


def text_of(value: object, limit: int = 500) -> str:
    """Return a text that a backend named, made fit for use; empty for whatever is none, for types do not bind."""
    return clean_text(value, limit) if isinstance(value, str) else ""
