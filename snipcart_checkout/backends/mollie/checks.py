"""What can be wrong with the options of the Mollie backend, without printing a value of them that is secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from django.core import checks
from django.utils.functional import Promise

from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.backends.mollie.objects import is_id
from snipcart_checkout.backends.options import (
    is_list_of_https_origins,
    is_list_of_texts,
    name_method,
    nearest,
    unknown_options,
)
from snipcart_checkout.conf.translation import gettext as _

OPTIONS: Final = frozenset({"API_KEY", "CHECKOUT_ORIGINS", "METHODS", "PAYMENT_DESCRIPTION", "PROFILE_ID"})

METHODS: Final = frozenset(
    "applepay bacs bancomatpay bancontact banktransfer belfius bizum blik creditcard eps giftcard ideal "
    "kbc mbway mobilepay multibanco mybank paybybank paypal paysafecard przelewy24 satispay swish trustly twint "
    "vipps".split()
)
"""Ways to pay that need nothing but an amount, https://docs.mollie.com/reference/create-payment#body-params-method."""

NEED_MORE: Final = frozenset("alma billie billink directdebit in3 klarna pointofsale riverty voucher".split())
"""Ways to pay for which Mollie wants the lines of the order, an address, a mandate or a terminal, which are not sent."""

_API_KEY: Final = re.compile(r"(live|test)_([A-Za-z0-9]{20,250})", re.ASCII)
_SAMPLES: Final = frozenset({"dHar4XY7LxsDOtmnkVtjNVWXLSlXsM", "4BBB6H4s2jGi3ajsx4E2KqY5sxSXaRV"})
"""Keys of Mollie's documentation."""
_FEWEST_CHARACTERS: Final = 8
"""A key with fewer different characters than this is a row of x."""


def is_usable_key(key: object) -> bool:
    """Return whether a value can be one of Mollie's API keys, and no placeholder."""
    match = _API_KEY.fullmatch(key) if isinstance(key, str) else None
    if match is None or match[2] in _SAMPLES:
        return False
    return len(set(match[2])) >= _FEWEST_CHARACTERS


def is_of_mode(key: str, *, is_test: bool) -> bool:
    """Return whether a usable key is of the mode, test or live, that is wanted."""
    return key.startswith("test_") == is_test


def check_options(backend: PaymentBackend) -> list[checks.CheckMessage]:
    """Return the messages about a backend's options."""
    rules = (_check_key, _check_mode, _check_methods, _check_profile, _check_origins, _check_description)
    messages = [message for rule in rules for message in rule(backend)]
    return [*unknown_options(backend, OPTIONS), *messages]


def _check_key(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    if not is_usable_key(backend.options.get("API_KEY")):
        yield checks.Error(
            name_method(
                backend, _("API_KEY of {method} is missing, a placeholder, or not an API key of Mollie.")
            ),
            hint=_("Copy it from Mollie's dashboard, Developers, API keys: it begins with live_ or test_."),
            id="snipcart_checkout.E241",
        )


def _check_mode(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    key = backend.options.get("API_KEY")
    if is_usable_key(key) and not is_of_mode(str(key), is_test=backend.is_test):
        yield checks.Error(
            name_method(
                backend,
                _(
                    "API_KEY of {method} is of the other mode: a live key in a test store, or a test key in a live one."
                ),
            ),
            hint=_("Use the key of the store's own mode, or correct the store's MODE."),
            id="snipcart_checkout.E242",
        )


def _check_methods(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    methods = backend.options.get("METHODS", [])
    if not is_list_of_texts(methods) or len(set(methods)) != len(methods):
        yield checks.Error(
            name_method(backend, _("METHODS of {method} is not a list of different payment methods.")),
            hint=_('Write "METHODS": ["ideal"], or leave it out for all that are enabled at Mollie.'),
            id="snipcart_checkout.E243",
        )
        return
    for name in methods:
        if name in NEED_MORE:
            yield _unsupported_method(backend, name)
        elif name not in METHODS:
            yield _unknown_method(backend, name)


def _unsupported_method(backend: PaymentBackend, name: str) -> checks.CheckMessage:
    return checks.Error(
        name_method(
            backend,
            _("METHODS of {method} names {name}, which this backend does not support."),
            name=repr(name),
        ),
        hint=_(
            "Mollie wants the lines of the order, an address, a mandate or a terminal for it, which are not sent."
        ),
        id="snipcart_checkout.E244",
    )


def _unknown_method(backend: PaymentBackend, name: str) -> checks.CheckMessage:
    near = nearest(name, [known.upper() for known in METHODS]).lower()
    return checks.Warning(
        name_method(
            backend, _("METHODS of {method} names {name}, which Mollie does not document."), name=repr(name)
        ),
        hint=_("Write {name} instead.").format(name=repr(near))
        if near
        else _("Correct it, or leave it out."),
        id="snipcart_checkout.W241",
    )


def _check_profile(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    profile_id = backend.options.get("PROFILE_ID")
    if profile_id is not None and not is_id(profile_id, "pfl"):
        yield checks.Error(
            name_method(backend, _("PROFILE_ID of {method} is not the id of a website profile of Mollie.")),
            hint=_(
                "It begins with pfl_ and is shown beside the API keys. Leave it out if you have one profile."
            ),
            id="snipcart_checkout.E245",
        )


def _check_origins(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    origins = backend.options.get("CHECKOUT_ORIGINS", [])
    if not is_list_of_https_origins(origins):
        yield checks.Error(
            name_method(backend, _("CHECKOUT_ORIGINS of {method} is not a list of https origins.")),
            hint=_(
                'Write "CHECKOUT_ORIGINS": ["https://pay.shop.example"], without a path, or leave it out.'
            ),
            id="snipcart_checkout.E246",
        )


def _check_description(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    text = backend.options.get("PAYMENT_DESCRIPTION")
    if text is not None and not isinstance(text, (str, Promise)):
        yield checks.Warning(
            name_method(backend, _("PAYMENT_DESCRIPTION of {method} is not a text.")),
            hint=_("Put it in quotation marks, or leave it out."),
            id="snipcart_checkout.W242",
        )
