"""Rules about one store: its name, its keys, its shop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from django.core import checks

from snipcart_checkout.checks.brand import brand
from snipcart_checkout.checks.secrets import is_placeholder
from snipcart_checkout.checks.sections import Section, is_list
from snipcart_checkout.checks.top_level import unknown_keys
from snipcart_checkout.conf import PLANS, RESERVED_STORE_NAMES, is_slug
from snipcart_checkout.conf.origins import shop_host_problem
from snipcart_checkout.conf.translation import gettext as _

Messages = Iterator[checks.CheckMessage]


def name(store: Section) -> Messages:
    if store.name in RESERVED_STORE_NAMES:
        problem = _("The name of {place} hides one of this app's own addresses.")
    elif not is_slug(store.name):
        problem = _("The name of {place} cannot be part of an address.")
    else:
        return
    yield checks.Error(
        problem.format(place=store.at()),
        hint=_("Use at most 100 letters, digits, hyphens and underscores, such as 'live' and 'test'."),
        id="snipcart_checkout.E101",
    )


def shape(store: Section) -> Messages:
    if not isinstance(store.values, Mapping):
        yield checks.Error(
            _("{place} is not a dict.").format(place=store.at()),
            hint=_('Write "{name}": {{"API_KEYS": [...], "SHOP_HOSTS": [...], "METHODS": {{...}}}},').format(
                name=store.name
            ),
            id="snipcart_checkout.E102",
        )


def mode(store: Section) -> Messages:
    value = store.get("MODE", "live")
    if not isinstance(value, str) or value.lower() not in {"live", "test"}:
        yield checks.Error(
            _("{place} is neither 'live' nor 'test'.").format(place=store.at("MODE")),
            hint=_(
                'Write "MODE": "test", for the Test mode of Snipcart\'s configuration, or remove it for Live.'
            ),
            id="snipcart_checkout.E103",
        )


def api_keys(store: Section) -> Messages:
    keys = store.get("API_KEYS")
    if isinstance(keys, str) and keys:
        problem = _("{place} is a text, not a list.")
    elif not is_list(keys) or not any(isinstance(key, str) and key.strip() for key in keys):
        problem = _("{place} contains no key, so Snipcart cannot be notified of any payment.")
    else:
        return
    yield checks.Error(
        problem.format(place=store.at("API_KEYS")),
        hint=_(
            'Write "API_KEYS": [env("SNIPCART_GATEWAY_KEY")], with the key of the custom payment gateway.'
        ),
        id="snipcart_checkout.E104",
    )


def odd_api_keys(store: Section) -> Messages:
    keys = list(store.get("API_KEYS")) if is_list(store.get("API_KEYS")) else []
    usable = [key for key in keys if isinstance(key, str) and key.strip()]
    if usable and len(usable) < len(keys):
        yield checks.Warning(
            _("{place} contains a blank entry beside its keys.").format(place=store.at("API_KEYS")),
            hint=_("Remove it, or set the environment variable that it is read from."),
            id="snipcart_checkout.W101",
        )
    if any(is_placeholder(key) or not _is_sendable(key.strip()) for key in usable):
        yield checks.Error(
            _("{place} contains a text that is not a key.").format(place=store.at("API_KEYS")),
            hint=_(
                "Copy the keys from the configuration of the custom payment gateway in Snipcart's dashboard."
            ),
            id="snipcart_checkout.E105",
        )


def _is_sendable(key: str) -> bool:
    return key.isascii() and key.isprintable() and " " not in key


def store_secret_key(store: Section) -> Messages:
    key = store.get("STORE_SECRET_KEY")
    if not store.has("STORE_SECRET_KEY"):
        return
    if not isinstance(key, str) or is_placeholder(key) or not _is_sendable(key.strip()):
        yield checks.Error(
            _("{place} is not a key.").format(place=store.at("STORE_SECRET_KEY")),
            hint=_("Copy the store's secret API key from Snipcart's dashboard, or remove the setting."),
            id="snipcart_checkout.E106",
        )


def confused_keys(store: Section) -> Messages:
    secret, keys = store.get("STORE_SECRET_KEY"), store.get("API_KEYS")
    if isinstance(secret, str) and secret.strip() and is_list(keys) and secret.strip() in _stripped(keys):
        yield checks.Error(
            _("{place} is also one of API_KEYS.").format(place=store.at("STORE_SECRET_KEY")),
            hint=_(
                "API_KEYS are those of the custom payment gateway; STORE_SECRET_KEY is the store's own, from the page "
                "of API keys in Snipcart's dashboard."
            ),
            id="snipcart_checkout.E107",
        )


def _stripped(keys: object) -> set[str]:
    return (
        {key.strip() for key in keys if isinstance(key, str)}
        if isinstance(keys, (list, tuple, set))
        else set()
    )


def shop_hosts(store: Section) -> Messages:
    hosts = store.get("SHOP_HOSTS")
    if isinstance(hosts, str) and hosts:
        problem = _("{place} is a text, not a list.")
    elif not is_list(hosts) or not hosts:
        problem = _("{place} is missing or empty, so sessions of other shops cannot be recognised.")
    else:
        return
    yield checks.Error(
        problem.format(place=store.at("SHOP_HOSTS")),
        hint=_('Write "SHOP_HOSTS": ["shop.example"], with every host on which the cart is shown.'),
        id="snipcart_checkout.E108",
    )


def odd_shop_hosts(store: Section) -> Messages:
    hosts = store.get("SHOP_HOSTS")
    for host in hosts if is_list(hosts) else ():
        if problem := shop_host_problem(host):
            yield checks.Error(
                _("{entry} in {place} {problem}.").format(
                    entry=repr(host), place=store.at("SHOP_HOSTS"), problem=_(problem)
                ),
                hint=_(
                    "Write only the host, such as 'shop.example', or 'shop.example:8443' for another port."
                ),
                id="snipcart_checkout.E109",
            )


def require_refund_token(store: Section) -> Messages:
    required = store.get("REQUIRE_REFUND_TOKEN", False)
    if not isinstance(required, bool):
        yield checks.Error(
            _("{place} is neither True nor False.").format(place=store.at("REQUIRE_REFUND_TOKEN")),
            hint=_('Write "REQUIRE_REFUND_TOKEN": True, or remove it.'),
            id="snipcart_checkout.E110",
        )
    elif required and not store.has("STORE_SECRET_KEY"):
        yield checks.Warning(
            _("{place} is set, but without STORE_SECRET_KEY Snipcart's own header cannot be checked.").format(
                place=store.at("REQUIRE_REFUND_TOKEN")
            ),
            hint=_('Write "STORE_SECRET_KEY": env("SNIPCART_SECRET_KEY"), with the store\'s secret API key.'),
            id="snipcart_checkout.W102",
        )


def plans(store: Section) -> Messages:
    value = store.get("PLANS", PLANS[0])
    if not isinstance(value, str) or value.lower() not in PLANS:
        yield checks.Error(
            _("{place} is neither 'once' nor 'refuse'.").format(place=store.at("PLANS")),
            hint=_('Write "PLANS": "refuse", to take no order that holds a plan, or remove it.'),
            id="snipcart_checkout.E117",
        )


def methods(store: Section) -> Messages:
    value = store.get("METHODS")
    if not isinstance(value, Mapping) or not value:
        yield checks.Error(
            _("{place} is missing, empty or not a dict.").format(place=store.at("METHODS")),
            hint=_(
                'Write "METHODS": {"acme_transfer": {"BACKEND": '
                '"snipcart_checkout.backends.manual.ManualBackend", "NAME": "Bank transfer", '
                '"OPTIONS": {"INSTRUCTIONS": "..."}}},'
            ),
            id="snipcart_checkout.E111",
        )


STORE_RULES: Final[tuple[Callable[[Section], Messages], ...]] = (
    name,
    shape,
    unknown_keys,
    mode,
    api_keys,
    odd_api_keys,
    store_secret_key,
    confused_keys,
    shop_hosts,
    odd_shop_hosts,
    require_refund_token,
    plans,
    brand,
    methods,
)
