"""What can be wrong with the options of the BTCPay backend, without printing a value of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.core import checks

from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.backends.btcpay.notifications import EVENTS
from snipcart_checkout.backends.btcpay.options import OPTIONS, BTCPayOptions
from snipcart_checkout.backends.options import name_method, unknown_options
from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.links import to_safe_provider_url
from snipcart_checkout.conf.translation import gettext as _

_Messages = Iterator[checks.CheckMessage]


def check_options(backend: PaymentBackend) -> list[checks.CheckMessage]:
    """Return the messages about a backend's options."""
    messages = [message for rule in _RULES for message in rule(backend)]
    return [*unknown_options(backend, OPTIONS), *messages]


def _url(backend: PaymentBackend) -> _Messages:
    url = BTCPayOptions.of(backend.options).url
    if not to_safe_provider_url(url, [url]):
        yield checks.Error(
            name_method(backend, _("URL of {method} is not the https address of a BTCPay Server.")),
            hint=_(
                'Write "URL": "https://btcpay.shop.example", as you see it in the browser, without /stores.'
            ),
            id="snipcart_checkout.E261",
        )


def _store_id(backend: PaymentBackend) -> _Messages:
    if not BTCPayOptions.of(backend.options).store_id:
        yield checks.Error(
            name_method(backend, _("STORE_ID of {method} is missing, or is not the id of a store.")),
            hint=_("Copy it from BTCPay Server, Settings, General: Store ID."),
            id="snipcart_checkout.E262",
        )


def _api_key(backend: PaymentBackend) -> _Messages:
    if not BTCPayOptions.of(backend.options).api_key:
        yield checks.Error(
            name_method(backend, _("API_KEY of {method} is missing, or is not an API key of BTCPay Server.")),
            hint=_("Generate one in BTCPay Server, Account, API Keys, for this store alone."),
            id="snipcart_checkout.E263",
        )


def _webhook_secret(backend: PaymentBackend) -> _Messages:
    if not backend.options.get("WEBHOOK_SECRET"):
        yield checks.Warning(
            name_method(
                backend,
                _("{method} has no WEBHOOK_SECRET, so BTCPay Server cannot report the outcome of a payment."),
            ),
            hint=_(
                "Without it money that arrives after the invoice expired is not noticed. Add a webhook in BTCPay "
                "Server, Settings, Webhooks, with the address that snipcart_doctor prints and the events {events}."
            ).format(events=", ".join(EVENTS)),
            id="snipcart_checkout.W261",
        )
    elif not BTCPayOptions.of(backend.options).webhook_secret:
        yield checks.Error(
            name_method(backend, _("WEBHOOK_SECRET of {method} is not a text of at least 16 characters.")),
            hint=_("Copy the secret that BTCPay Server made for the webhook."),
            id="snipcart_checkout.E264",
        )


def _shared_store(backend: PaymentBackend) -> _Messages:
    if _place_of_money(backend) in _places_of_other_mode(backend):
        yield checks.Error(
            name_method(
                backend, _("{method} shares its store at BTCPay Server with a store of the other MODE.")
            ),
            hint=_(
                "Test with a BTCPay Server of its own, on regtest or testnet: its coins are worth nothing."
            ),
            id="snipcart_checkout.E265",
        )


_RULES: Final = (_url, _store_id, _api_key, _webhook_secret, _shared_store)


def _place_of_money(backend: PaymentBackend) -> tuple[str, str]:
    options = BTCPayOptions.of(backend.options)
    return options.url, options.store_id


def _places_of_other_mode(backend: PaymentBackend) -> set[tuple[str, str]]:
    """Return where the methods of stores of the other MODE take their money."""
    stores = get_settings().stores
    own = stores.get(backend.store)
    others = [store for store in stores.values() if own is not None and store.is_test != own.is_test]
    read = [BTCPayOptions.of(method.options) for store in others for method in store.methods.values()]
    return {(options.url, options.store_id) for options in read if options.url and options.store_id}
