"""What can be wrong with the options of the Stripe backend, without printing a value of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from django.core import checks
from django.utils.functional import Promise

from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.backends.options import (
    is_list_of_https_origins,
    is_list_of_texts,
    name_method,
    unknown_options,
)
from snipcart_checkout.backends.stripe.notifications import EVENTS
from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.translation import gettext as _

OPTIONS: Final = frozenset(
    {"CHECKOUT_ORIGINS", "PRODUCT_NAME", "SECRET_KEY", "SESSION_MINUTES", "WEBHOOK_SECRETS"}
)
_SECRET_KEY: Final = re.compile(r"(?:sk|rk)_(live|test)_[A-Za-z0-9]{8,250}")
_SIGNING_SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/=_-]{8,250}")


def is_usable_key(key: object) -> bool:
    """Return whether a value is one of Stripe's secret or restricted keys."""
    return isinstance(key, str) and _SECRET_KEY.fullmatch(key) is not None


def suits_store(key: str, store_name: str) -> bool:
    """Return whether a usable key is of the mode, live or test, that the store is of."""
    store = get_settings().stores.get(store_name)
    match = _SECRET_KEY.fullmatch(key)
    return store is None or match is None or (match[1] == "test") == store.is_test


def check_options(backend: PaymentBackend) -> list[checks.CheckMessage]:
    """Return the messages about a backend's options."""
    rules = (_key, _mode, _webhook_secrets, _session_minutes, _checkout_origins, _product_name)
    messages = [message for rule in rules for message in rule(backend)]
    return [*unknown_options(backend, OPTIONS), *messages]


def _key(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    if not is_usable_key(backend.options.get("SECRET_KEY")):
        yield checks.Error(
            name_method(
                backend,
                _("SECRET_KEY of {method} is missing, or is not a secret or restricted key of Stripe."),
            ),
            hint=_(
                "Copy it from Stripe's dashboard, Developers, API keys: it begins with sk_ or rk_, never pk_."
            ),
            id="snipcart_checkout.E221",
        )


def _mode(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    key = backend.options.get("SECRET_KEY")
    if is_usable_key(key) and not suits_store(str(key), backend.store):
        yield checks.Error(
            name_method(
                backend,
                _(
                    "SECRET_KEY of {method} is for the other mode: a live key in a test store, or a test "
                    "key in a live one."
                ),
            ),
            hint=_("Use the key of the store's own mode, or correct the store's MODE."),
            id="snipcart_checkout.E222",
        )


def _webhook_secrets(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    secrets: Any = backend.options.get("WEBHOOK_SECRETS")
    if is_list_of_texts(secrets):
        secrets = [secret for secret in secrets if secret.strip()]
    if not secrets:
        yield checks.Warning(
            name_method(
                backend,
                _("{method} has no WEBHOOK_SECRETS, so Stripe cannot report the outcome of a payment."),
            ),
            hint=_(
                "Add a webhook endpoint in Stripe's dashboard with the address that snipcart_doctor prints and the events "
                "{events}, and put its signing secret into a list."
            ).format(events=", ".join(EVENTS)),
            id="snipcart_checkout.W221",
        )
    elif not is_list_of_texts(secrets) or not all(map(_SIGNING_SECRET.fullmatch, secrets)):
        yield checks.Error(
            name_method(
                backend, _("WEBHOOK_SECRETS of {method} is not a list of signing secrets of Stripe.")
            ),
            hint=_('Each begins with whsec_: write "WEBHOOK_SECRETS": [env("STRIPE_WEBHOOK_SECRET")].'),
            id="snipcart_checkout.E223",
        )


def _session_minutes(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    minutes = backend.options.get("SESSION_MINUTES", 60)
    if type(minutes) is not int or not 5 <= minutes <= 1440:
        yield checks.Error(
            name_method(backend, _("SESSION_MINUTES of {method} is not a whole number from 5 to 1440.")),
            hint=_("Leave it out for 60 minutes."),
            id="snipcart_checkout.E224",
        )


def _checkout_origins(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    origins = backend.options.get("CHECKOUT_ORIGINS", [])
    if not is_list_of_https_origins(origins):
        yield checks.Error(
            name_method(backend, _("CHECKOUT_ORIGINS of {method} is not a list of https origins.")),
            hint=_(
                'Write "CHECKOUT_ORIGINS": ["https://pay.shop.example"], without a path, or leave it out.'
            ),
            id="snipcart_checkout.E225",
        )


def _product_name(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    name = backend.options.get("PRODUCT_NAME")
    if name is not None and not isinstance(name, (str, Promise)):
        yield checks.Warning(
            name_method(backend, _("PRODUCT_NAME of {method} is not a text.")),
            hint=_("Put it in quotation marks, or leave it out."),
            id="snipcart_checkout.W222",
        )
