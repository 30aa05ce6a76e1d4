"""System checks: the sandbox belongs on a developer's machine."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.cache import InvalidCacheBackendError, caches
from django.core.cache.backends.dummy import DummyCache
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, reverse

from snipcart_checkout.sandbox.conf import get_settings

__all__ = ["check_cache", "check_debug", "check_mounted", "check_settings"]


@checks.register
def check_debug(**_: Any) -> list[checks.CheckMessage]:
    """Refuse DEBUG = False: in the sandbox anybody orders without paying."""
    if settings.DEBUG:
        return []
    return [
        checks.Error(
            "The Snipcart sandbox is installed with DEBUG off.",
            hint="Remove 'snipcart_checkout.sandbox' from INSTALLED_APPS and from the URLconf in production.",
            id="snipcart_checkout.sandbox.E001",
        )
    ]


@checks.register
def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Refuse a SNIPCART_SANDBOX that cannot be read."""
    try:
        get_settings()
    except ImproperlyConfigured as error:
        hint = "Everything in SNIPCART_SANDBOX is optional; leave out what you do not need."
        return [checks.Error(str(error), hint=hint, id="snipcart_checkout.sandbox.E002")]
    return []


@checks.register
def check_mounted(**_: Any) -> list[checks.CheckMessage]:
    """Mention that the sandbox has no address yet."""
    try:
        reverse("snipcart_sandbox:cart")
    except NoReverseMatch:
        hint = 'Add path("sandbox/", include("snipcart_checkout.sandbox.urls")) to the URLconf.'
        return [
            checks.Warning(
                "The Snipcart sandbox has no address.", hint=hint, id="snipcart_checkout.sandbox.W001"
            )
        ]
    return []


@checks.register
def check_cache(**_: Any) -> list[checks.CheckMessage]:
    """Mention a cache in which nothing can be kept."""
    try:
        forgetful = isinstance(caches[get_settings().cache], DummyCache)
    except ImproperlyConfigured:
        return []
    except InvalidCacheBackendError:
        forgetful = True
    if not forgetful:
        return []
    hint = "Name one of CACHES that keeps what it is given in SNIPCART_SANDBOX['CACHE']."
    return [
        checks.Warning(
            "The Snipcart sandbox has no cache to remember carts in.",
            hint=hint,
            id="snipcart_checkout.sandbox.W002",
        )
    ]
