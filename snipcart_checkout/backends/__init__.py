"""Payment backends: one class per way to take money."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.conf import Method, Store

__all__ = ["get_backend"]


def get_backend(store: Store, method: Method) -> PaymentBackend:
    """Build the backend of a method; raise ImproperlyConfigured when that is not possible."""
    try:
        backend_class = import_string(method.backend)
    except ImportError:
        raise ImproperlyConfigured(f"The backend {method.backend!r} cannot be imported.") from None
    if not (isinstance(backend_class, type) and issubclass(backend_class, PaymentBackend)):
        raise ImproperlyConfigured(f"{method.backend!r} is not a PaymentBackend.")
    return backend_class(store=store.name, method=method.id, options=method.options)
