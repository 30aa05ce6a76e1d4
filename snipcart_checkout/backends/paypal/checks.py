"""What can be wrong with the options of the PayPal backend, without printing a value of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from django.core import checks
from django.utils.functional import Promise

from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.backends.options import name_method, unknown_options
from snipcart_checkout.backends.paypal.notifications import EVENTS
from snipcart_checkout.backends.paypal.orders import LONGEST_BRAND
from snipcart_checkout.conf.links import to_origin
from snipcart_checkout.conf.origins import is_loopback
from snipcart_checkout.conf.translation import gettext as _

OPTIONS: Final = frozenset(
    {"API_URL", "BRAND_NAME", "CLIENT_ID", "CLIENT_SECRET", "ORDER_MINUTES", "WEBHOOK_ID"}
)
DEFAULT_MINUTES: Final = 60
_FEWEST_MINUTES: Final = 5
_MOST_MINUTES: Final = 180
"""Orders v2, ``links``: an order that the shopper was not sent on for 3 hours cannot be approved any more."""

_CREDENTIAL: Final = re.compile(
    r"(?!.*(?:your|change|replace|insert|paste|example|x{4}))[A-Za-z0-9_-]{16,255}", re.I
)
_WEBHOOK_ID: Final = re.compile(r"(?!.*(?:your|webhook|x{4}))[A-Za-z0-9]{10,50}", re.I)


def is_credential(value: object) -> bool:
    """Return whether a value can be a client id or secret of PayPal."""
    return isinstance(value, str) and _CREDENTIAL.fullmatch(value) is not None


def is_webhook_id(value: object) -> bool:
    """Return whether a value can be the id of a webhook of PayPal."""
    return isinstance(value, str) and _WEBHOOK_ID.fullmatch(value) is not None


def is_loopback_origin(value: object) -> bool:
    """Return whether a value is the origin of a server on this machine."""
    return isinstance(value, str) and to_origin(value) == value and is_loopback(urlsplit(value).hostname)


def is_minutes(value: object) -> bool:
    """Return whether a value can be ORDER_MINUTES."""
    return type(value) is int and _FEWEST_MINUTES <= value <= _MOST_MINUTES


def check_options(backend: PaymentBackend) -> list[checks.CheckMessage]:
    """Return the messages about a backend's options."""
    rules = (_credentials, _webhook_id, _order_minutes, _brand_name, _api_url)
    messages = [message for rule in rules for message in rule(backend)]
    return [*unknown_options(backend, OPTIONS), *messages]


def _credentials(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    for option, number in (("CLIENT_ID", 231), ("CLIENT_SECRET", 232)):
        if not is_credential(backend.options.get(option)):
            yield checks.Error(
                name_method(
                    backend, _("{option} of {method} is missing, or is not one of PayPal's."), option=option
                ),
                hint=_(
                    "Copy it from the app under Apps & Credentials in PayPal's Developer Dashboard: Live for a live "
                    "store, Sandbox for a test store."
                ),
                id=f"snipcart_checkout.E{number}",
            )


def _webhook_id(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    webhook_id = backend.options.get("WEBHOOK_ID")
    if not webhook_id:
        yield checks.Warning(
            name_method(
                backend, _("{method} has no WEBHOOK_ID, so PayPal cannot report the outcome of a payment.")
            ),
            hint=_(
                "Add a webhook to the app in PayPal's Developer Dashboard with the address that snipcart_doctor prints "
                "and the events {events}, and copy its Webhook ID."
            ).format(events=", ".join(EVENTS)),
            id="snipcart_checkout.W231",
        )
    elif not is_webhook_id(webhook_id):
        yield checks.Error(
            name_method(backend, _("WEBHOOK_ID of {method} is not the id of a webhook of PayPal.")),
            hint=_(
                "It is shown beside the webhook's address in PayPal's Developer Dashboard: capitals and "
                "digits."
            ),
            id="snipcart_checkout.E233",
        )


def _order_minutes(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    if not is_minutes(backend.options.get("ORDER_MINUTES", DEFAULT_MINUTES)):
        yield checks.Error(
            name_method(backend, _("ORDER_MINUTES of {method} is not a whole number from 5 to 180.")),
            hint=_("Leave it out for 60 minutes."),
            id="snipcart_checkout.E234",
        )


def _brand_name(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    name = backend.options.get("BRAND_NAME")
    is_text = name is None or isinstance(name, (str, Promise))
    if not is_text or len(str(name or "")) > LONGEST_BRAND:
        yield checks.Warning(
            name_method(backend, _("BRAND_NAME of {method} is not a text of at most 127 characters.")),
            hint=_("Leave it out to show the business name of the PayPal account."),
            id="snipcart_checkout.W232",
        )


def _api_url(backend: PaymentBackend) -> Iterator[checks.CheckMessage]:
    url = backend.options.get("API_URL")
    if url is not None and not is_loopback_origin(url):
        yield checks.Error(
            name_method(backend, _("API_URL of {method} is not the origin of a server on this machine.")),
            hint=_('It is for stand-ins, such as "http://127.0.0.1:8100". Leave it out to call PayPal.'),
            id="snipcart_checkout.E235",
        )
    elif url is not None and not backend.is_test:
        yield checks.Warning(
            name_method(
                backend, _("API_URL of {method} makes a live store call a stand-in instead of PayPal.")
            ),
            hint=_("Leave it out."),
            id="snipcart_checkout.W233",
        )
