"""Decide which payment methods an order may use, for the page and for Snipcart."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import translation
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.backends import get_backend
from snipcart_checkout.conf import Method, Store, get_settings, load_hook
from snipcart_checkout.conf.links import icon_url, public_url
from snipcart_checkout.presentation.languages import page_language
from snipcart_checkout.services.logger import log
from snipcart_checkout.snipcart import Invoice, MethodsRequest, OfferedMethod, clean_text
from snipcart_checkout.snipcart.client import SnipcartClient


def offered_methods(store: Store, invoice: Invoice) -> list[Method]:
    """Return the methods with which this order may be paid, in the order of the settings.

    The METHOD_FILTER hook may remove and reorder methods, but not add any. If it fails, nothing is
    offered, because it may exist to forbid a method.
    """
    if not store.complete or is_plan_refused(store, invoice):
        return []
    fitting = [method for method in store.methods.values() if _fits(store, method, invoice)]
    return _filtered(fitting, invoice, store)


def is_plan_refused(store: Store, invoice: Invoice) -> bool:
    """Tell whether the order holds a plan and the store's PLANS refuses those."""
    return invoice.has_plan and store.plans == "refuse"


def _fits(store: Store, method: Method, invoice: Invoice) -> bool:
    if not is_accepted(method, invoice):
        return False
    try:
        get_backend(store, method)
    except Exception as error:  # a merchant's backend may raise anything while it is built
        hint = str(error) if isinstance(error, ImproperlyConfigured) else type(error).__name__
        log(logging.ERROR, "method %s of store %s is not offered: %s", method.id, store.name, hint)
        return False
    return True


def is_accepted(method: Method, invoice: Invoice) -> bool:
    """Return whether a method takes an order's currency, country and amount; limits are inclusive."""
    return (
        (not method.currencies or invoice.currency in method.currencies)
        and (not method.countries or invoice.country in method.countries)
        and (method.min_amount is None or invoice.amount >= method.min_amount)
        and (method.max_amount is None or invoice.amount <= method.max_amount)
    )


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
        log(logging.ERROR, "METHOD_FILTER failed, no method is offered: %s", type(error).__name__)
        return []


@sensitive_variables()
def answer_methods_request(store: Store, request: MethodsRequest, public_token: str) -> list[OfferedMethod]:
    """Answer Snipcart's payment-methods webhook with one call to Snipcart, or none when no method is
    possible.

    Raises TokenRefused, SnipcartUnavailable, BadAnswer. Amount and currency of the request are not
    proven. They only decide what is offered; the page asks Snipcart again.
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
