"""Decide which payment methods an order may use, and say so to Snipcart."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import translation
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.backends import get_backend
from snipcart_checkout.client import SnipcartClient
from snipcart_checkout.conf import Method, Store, get_settings, load_hook
from snipcart_checkout.languages import page_language
from snipcart_checkout.links import icon_url, public_url
from snipcart_checkout.logs import say
from snipcart_checkout.protocol import Invoice, MethodsRequest, OfferedMethod, clean_text

__all__ = ["answer_methods_request", "offered_methods"]


def offered_methods(store: Store, invoice: Invoice) -> list[Method]:
    """Return the methods with which this order may be paid, in the order of the settings.

    The METHOD_FILTER hook may take methods away and put the others in another order, but not bring any in. If it
    fails, nothing is offered: it may be there to forbid.
    """
    if not store.complete:
        return []
    fitting = [method for method in store.methods.values() if _fits(store, method, invoice)]
    return _filtered(fitting, invoice, store)


def _fits(store: Store, method: Method, invoice: Invoice) -> bool:
    if not method.accepts(amount=invoice.amount, currency=invoice.currency, country=invoice.country):
        return False
    try:
        get_backend(store, method)
    except Exception as error:  # a merchant's backend may raise anything while it is built
        hint = str(error) if isinstance(error, ImproperlyConfigured) else type(error).__name__
        say(logging.ERROR, "method %s of store %s is not offered: %s", method.id, store.name, hint)
        return False
    return True


def _filtered(methods: list[Method], invoice: Invoice, store: Store) -> list[Method]:
    configured = get_settings().method_filter
    if configured is None or not methods:
        return methods
    fitting = {method.id for method in methods}
    try:
        hook = load_hook(configured)
        chosen: Iterable[object] = hook(methods, invoice, store) if hook else methods
        kept = {method.id: method for method in chosen if isinstance(method, Method) and method.id in fitting}
        return list(kept.values())
    except Exception as error:  # a site's hook may raise anything
        say(logging.ERROR, "METHOD_FILTER failed, no method is offered: %s", type(error).__name__)
        return []


@sensitive_variables()
def answer_methods_request(store: Store, request: MethodsRequest, public_token: str) -> list[OfferedMethod]:
    """Answer Snipcart's payment-methods webhook; one call to Snipcart, none when nothing can apply.

    Raises TokenRefused, SnipcartUnavailable, BadAnswer. Amount and currency of the request are the webhook's word
    and only decide what is offered: the page asks Snipcart again.
    """
    if not store.complete or request.is_test != store.is_test:
        return []
    SnipcartClient(get_settings()).validate_token(public_token)
    if request.invoice is None:
        return []
    with translation.override(page_language(request.invoice.language).code):
        return [_as_offered(store, method) for method in offered_methods(store, request.invoice)]


def _as_offered(store: Store, method: Method) -> OfferedMethod:
    return OfferedMethod(
        id=method.id,
        name=clean_text(str(method.name)),
        checkout_url=public_url("checkout", store=store.name, method=method.id),
        icon_url=_https_icon(method),
    )


def _https_icon(method: Method) -> str:
    url = icon_url(method.icon)
    return url if url.startswith("https:") or django_settings.DEBUG else ""
