"""System checks: the sandbox belongs on a developer's machine."""

from __future__ import annotations

import sys
from typing import Any, Final

from django.conf import UserSettingsHolder, settings
from django.core import checks
from django.core.cache import InvalidCacheBackendError, caches
from django.core.cache.backends.dummy import DummyCache
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse

from snipcart_checkout.sandbox.conf import get_settings

_NO_ADDRESS: Final = "snipcart_checkout.sandbox.W001"


@checks.register
def check_debug(**_: Any) -> list[checks.CheckMessage]:
    """Refuse DEBUG = False: in the sandbox anybody orders without paying."""
    if settings.DEBUG or _is_turned_off_by_test_runner():
        return []
    return [
        checks.Error(
            "The Snipcart sandbox is installed with DEBUG off.",
            hint="Remove 'snipcart_checkout.sandbox' from INSTALLED_APPS and from the URLconf in production.",
            id="snipcart_checkout.sandbox.E001",
        )
    ]


def _is_turned_off_by_test_runner() -> bool:
    """Return whether the project has DEBUG on, and Django's test runner off. The pages answer 404 there, too."""
    holder: Any = vars(settings)["_wrapped"]
    while isinstance(holder, UserSettingsHolder):
        if "DEBUG" in vars(holder):
            return False
        holder = holder.default_settings
    # Nothing imports it outside of a test run.
    state = getattr(sys.modules.get("django.test.utils"), "_TestState", None)
    return bool(getattr(getattr(state, "saved_data", None), "debug", False))


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
    """Mention that the sandbox has no address yet, or that another view answers there."""
    hint = 'Add path("sandbox/", include("snipcart_checkout.sandbox.urls")) to the URLconf.'
    try:
        address = reverse("snipcart_sandbox:cart")
    except NoReverseMatch:
        return [checks.Warning("The Snipcart sandbox has no address.", hint=hint, id=_NO_ADDRESS)]
    if _leads_here(address):
        return []
    message = f"{address} does not lead to the Snipcart sandbox: another pattern comes before it."
    hint = "Put the sandbox before any catch-all in the URLconf."
    return [checks.Warning(message, hint=hint, id=_NO_ADDRESS)]


def _leads_here(address: str) -> bool:
    try:
        return "snipcart_sandbox" in resolve(f"/{address.removeprefix(get_script_prefix())}").app_names
    except Resolver404:
        return False


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
