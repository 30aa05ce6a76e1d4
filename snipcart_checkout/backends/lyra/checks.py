"""What can be wrong with the options of the Lyra backend, without printing a value of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from django.core import checks

from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.backends.lyra.platforms import PLATFORMS, is_list_of_origins
from snipcart_checkout.backends.options import name_method, unknown_options
from snipcart_checkout.conf.origins import base_url_problem
from snipcart_checkout.conf.translation import gettext as _

OPTIONS: Final = frozenset(
    {"API_URL", "HMAC_KEY", "PAGE_ORIGINS", "PASSWORD", "PLATFORM", "SESSION_MINUTES", "SHOP_ID"}
)
_SHOP_ID: Final = re.compile(r"[0-9]{8}")
_SAMPLE_SHOP_ID: Final = "12345678"
_PASSWORD: Final = re.compile(r"(test|prod)password_[A-Za-z0-9]{16,120}")
_HMAC_KEY: Final = re.compile(r"[A-Za-z0-9]{16,120}")


def is_shop_id(value: object) -> bool:
    """Return whether a value is the number of a shop."""
    return isinstance(value, str) and _SHOP_ID.fullmatch(value) is not None and value != _SAMPLE_SHOP_ID


def is_password(value: object) -> bool:
    """Return whether a value is a password of the REST API, of either mode."""
    return isinstance(value, str) and _PASSWORD.fullmatch(value) is not None


def is_hmac_key(value: object) -> bool:
    """Return whether a value may be an HMAC-SHA-256 key."""
    return isinstance(value, str) and _HMAC_KEY.fullmatch(value) is not None


def suits_store(password: object, backend: PaymentBackend) -> bool:
    """Return whether a password is of the mode, test or production, that the store is of."""
    match = _PASSWORD.fullmatch(password) if isinstance(password, str) else None
    return match is not None and (match[1] == "test") == backend.is_test


def check_options(backend: PaymentBackend) -> list[checks.CheckMessage]:
    """Return the messages about a backend's options."""
    rules = (_platform, _api_url, _page_origins, _shop_id, _password, _mode, _hmac_key, _session_minutes)
    messages = [message for rule in rules for message in rule(backend)]
    return [*unknown_options(backend, OPTIONS), *messages]


def _platform(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    named = backend.options.get("PLATFORM")
    has_own = {"API_URL", "PAGE_ORIGINS"} <= backend.options.keys()
    if (named is None and not has_own) or (
        named is not None and (not isinstance(named, str) or named not in PLATFORMS)
    ):
        yield checks.Error(
            name_method(backend, _("PLATFORM of {method} is missing, or is not one that is known.")),
            hint=_(
                "Write one of {names}; for any other name API_URL and PAGE_ORIGINS instead of PLATFORM."
            ).format(names=", ".join(f'"{name}"' for name in PLATFORMS)),
            id="snipcart_checkout.E251",
        )


def _api_url(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    if "API_URL" in backend.options and base_url_problem(backend.options["API_URL"]):
        yield checks.Error(
            name_method(backend, _("API_URL of {method} is not an https address.")),
            hint=_(
                'Copy the server name of the REST API from the Back Office, "https://api.payzen.eu" for instance.'
            ),
            id="snipcart_checkout.E252",
        )


def _page_origins(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    origins = backend.options.get("PAGE_ORIGINS", ["https://secure.payzen.eu"])
    if not is_list_of_origins(origins) or not origins:
        yield checks.Error(
            name_method(backend, _("PAGE_ORIGINS of {method} is not a list of https origins.")),
            hint=_('Write "PAGE_ORIGINS": ["https://secure.payzen.eu"], without a path, or leave it out.'),
            id="snipcart_checkout.E253",
        )


def _shop_id(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    if not is_shop_id(backend.options.get("SHOP_ID")):
        yield checks.Error(
            name_method(backend, _("SHOP_ID of {method} is missing, or is not the number of a shop.")),
            hint=_(
                "Copy the eight digits that the Back Office shows as the user of the REST API, as a text."
            ),
            id="snipcart_checkout.E254",
        )


def _password(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    if not is_password(backend.options.get("PASSWORD")):
        yield checks.Error(
            name_method(backend, _("PASSWORD of {method} is missing, or is not a password of the REST API.")),
            hint=_(
                "Copy it from the Back Office, REST API keys: it begins with testpassword_ or prodpassword_."
            ),
            id="snipcart_checkout.E255",
        )


def _mode(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    password = backend.options.get("PASSWORD")
    if is_password(password) and not suits_store(password, backend):
        yield checks.Error(
            name_method(
                backend,
                _(
                    "PASSWORD of {method} is of the other mode: production in a test store, or test in a live one."
                ),
            ),
            hint=_("Use the password of the store's own mode, or correct the store's MODE."),
            id="snipcart_checkout.E256",
        )


def _hmac_key(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    key = backend.options.get("HMAC_KEY")
    if not key:
        yield checks.Warning(
            name_method(backend, _("{method} has no HMAC_KEY, so messages signed with it are refused.")),
            hint=_("Copy the HMAC-SHA-256 key of the store's mode from the Back Office, REST API keys."),
            id="snipcart_checkout.W251",
        )
    elif not is_hmac_key(key):
        yield checks.Error(
            name_method(backend, _("HMAC_KEY of {method} is not an HMAC-SHA-256 key.")),
            hint=_(
                "Copy the key of the store's mode from the Back Office, REST API keys: letters and digits."
            ),
            id="snipcart_checkout.E257",
        )


def _session_minutes(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    minutes = backend.options.get("SESSION_MINUTES", 60)
    if type(minutes) is not int or not 5 <= minutes <= 1440:
        yield checks.Error(
            name_method(backend, _("SESSION_MINUTES of {method} is not a whole number from 5 to 1440.")),
            hint=_("Leave it out for 60 minutes."),
            id="snipcart_checkout.E258",
        )
