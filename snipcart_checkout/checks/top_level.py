"""Rules about the top level of SNIPCART_CHECKOUT, which hold for all stores: addresses, times, hooks."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from django.core import checks

from snipcart_checkout.backends.options import nearest
from snipcart_checkout.checks.secrets import is_placeholder
from snipcart_checkout.checks.sections import (
    BRAND_KEYS,
    METHOD_KEYS,
    SETTING_KEYS,
    STORE_KEYS,
    Section,
    is_list,
    iter_stores,
)
from snipcart_checkout.conf import Settings, get_settings, load_hook
from snipcart_checkout.conf.debug import is_debug
from snipcart_checkout.conf.origins import base_url_problem, is_loopback
from snipcart_checkout.conf.translation import gettext as _

Messages = Iterator[checks.CheckMessage]

_HASHED: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+")

_EXAMPLE: Final = """\
SNIPCART_CHECKOUT = {
    "PUBLIC_URL": "https://pay.shop.example",
    "STORES": {
        "live": {
            "API_KEYS": [env("SNIPCART_GATEWAY_KEY")],
            "SHOP_HOSTS": ["shop.example"],
            "METHODS": {
                "acme_transfer": {
                    "BACKEND": "snipcart_checkout.backends.manual.ManualBackend",
                    "NAME": "Bank transfer",
                    "OPTIONS": {"INSTRUCTIONS": "Please pay at the counter."},
                },
            },
        },
    },
}"""
_LEVELS: Final = (SETTING_KEYS, STORE_KEYS, METHOD_KEYS, BRAND_KEYS)


def setting(whole: Section) -> Messages:
    if whole.values is None:
        problem = _("{place} is missing from the settings.")
    elif not isinstance(whole.values, Mapping):
        problem = _("{place} is not a dict.")
    else:
        return
    yield checks.Error(problem.format(place=whole.at()), hint=_EXAMPLE, id="snipcart_checkout.E001")


def unknown_keys(part: Section) -> Messages:
    """Warn of unknown keys of a setting, store or method, with the most similar known key."""
    for key in part.values if isinstance(part.values, Mapping) else ():
        if key not in part.known:
            yield checks.Error(
                _("{place} is not a setting.").format(place=part.at(key)),
                hint=_meant(key, part.known),
                id="snipcart_checkout.E002",
            )


def _meant(key: object, known: frozenset[str]) -> str:
    places = (
        _("at the top level"),
        _("in a store"),
        _("in a method of a store"),
        _("in BRAND of a store"),
    )
    for names, place in zip(_LEVELS, places, strict=True):
        if key in names:
            return _("It belongs {place}.").format(place=place)
    if near := nearest(key, known):
        return _("Write {name} instead.").format(name=repr(near))
    return _("Remove it, or write one of: {names}.").format(names=", ".join(sorted(known)))


def public_url(whole: Section) -> Messages:
    if problem := base_url_problem(_stripped(whole.get("PUBLIC_URL"))):
        yield checks.Error(
            f"{whole.at('PUBLIC_URL')} {_(problem)}.",
            hint=_(
                'Write the address at which shoppers reach this site: "PUBLIC_URL": "https://pay.shop.example",'
            ),
            id="snipcart_checkout.E003",
        )
    elif not is_debug() and is_loopback(urlsplit(whole.get("PUBLIC_URL").strip()).hostname):
        yield checks.Warning(
            _("{place} leads to this machine itself, which neither Snipcart nor a shopper can reach.").format(
                place=whole.at("PUBLIC_URL")
            ),
            hint=_("Write the site's public https address, or set DEBUG = True for development."),
            id="snipcart_checkout.W001",
        )


def api_urls(whole: Section) -> Messages:
    for key in ("API_URL", "APP_API_URL"):
        if not whole.has(key):
            continue
        if problem := base_url_problem(_stripped(whole.get(key))):
            yield checks.Error(
                f"{whole.at(key)} {_(problem)}.", hint=_snipcarts_own(key), id="snipcart_checkout.E004"
            )
        elif not is_debug() and not _is_snipcart(whole.get(key)):
            yield checks.Warning(
                _("{place} is not Snipcart: whoever answers there is trusted about every payment.").format(
                    place=whole.at(key)
                ),
                hint=_snipcarts_own(key),
                id="snipcart_checkout.W002",
            )


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _is_snipcart(url: str) -> bool:
    host = urlsplit(url.strip()).hostname or ""
    return host == "snipcart.com" or host.endswith(".snipcart.com")


def _snipcarts_own(key: str) -> str:
    default = getattr(Settings(), key.lower())
    return _('Remove it, or write "{key}": "{value}",').format(key=key, value=default)


def timeouts(whole: Section) -> Messages:
    for key in ("CONNECT_TIMEOUT", "READ_TIMEOUT", "TOTAL_TIMEOUT"):
        default = getattr(Settings(), key.lower())
        if not _is_seconds(whole.get(key, default)):
            yield checks.Error(
                _("{place} is not a number of seconds.").format(place=whole.at(key)),
                hint=_('Remove it, or write "{key}": {value},').format(key=key, value=default),
                id="snipcart_checkout.E005",
            )


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 3600


def total_timeout(whole: Section) -> Messages:
    total = whole.get("TOTAL_TIMEOUT")
    if _is_seconds(total) and total < get_settings().read_timeout:
        yield checks.Warning(
            _("{place} is less than READ_TIMEOUT, which therefore never applies.").format(
                place=whole.at("TOTAL_TIMEOUT")
            ),
            hint=_('Write "READ_TIMEOUT": {total}, or less.').format(total=total),
            id="snipcart_checkout.W003",
        )


def calls_in_flight(whole: Section) -> Messages:
    cap = whole.get("MAX_CALLS_IN_FLIGHT", 1)
    if not isinstance(cap, int) or isinstance(cap, bool) or cap < 1:
        yield checks.Error(
            _("{place} is not a whole number above zero.").format(place=whole.at("MAX_CALLS_IN_FLIGHT")),
            hint=_('Remove it, or write "MAX_CALLS_IN_FLIGHT": 8,'),
            id="snipcart_checkout.E006",
        )


def ca_bundle(whole: Section) -> Messages:
    if not whole.has("CA_BUNDLE"):
        return
    try:
        usable = _holds_certificates(whole.get("CA_BUNDLE"))
    except (OSError, TypeError, ValueError):
        usable = False
    if not usable:
        yield checks.Error(
            _("{place} is not the path of a file or a directory of certificates that can be read.").format(
                place=whole.at("CA_BUNDLE")
            ),
            hint=_(
                "Write the path of a PEM file, or of a directory that openssl rehash has prepared, or remove the "
                "setting to trust the usual authorities."
            ),
            id="snipcart_checkout.E007",
        )


def _holds_certificates(path: str) -> bool:
    if Path(path).is_dir():
        # OpenSSL opens the files when it needs one, and finds it by the hash that is its name.
        return any(_HASHED.fullmatch(file.name) for file in Path(path).iterdir())
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    return True


def proxy(whole: Section) -> Messages:
    if not whole.has("PROXY"):
        return
    try:
        parts = urlsplit(whole.get("PROXY"))
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except (AttributeError, TypeError, ValueError):
        usable = False
    if not usable:
        yield checks.Error(
            _("{place} is not the address of a proxy.").format(place=whole.at("PROXY")),
            hint=_('Remove it, or write "PROXY": "http://proxy.example:3128",'),
            id="snipcart_checkout.E008",
        )


def hooks(whole: Section) -> Messages:
    signatures = {"METHOD_FILTER": "f(methods, invoice, store)", "CONTEXT": "f(request, session, store)"}
    for key, signature in signatures.items():
        if whole.has(key) and not _is_hook(whole.get(key)):
            yield checks.Error(
                _("{place} does not lead to a function.").format(place=whole.at(key)),
                hint=_("Write the dotted path of a function {signature}, or remove the setting.").format(
                    signature=signature
                ),
                id="snipcart_checkout.E009",
            )


def _is_hook(value: object) -> bool:
    if not isinstance(value, str):
        return callable(value)
    try:
        return callable(load_hook(value))
    except Exception:  # importing a module of the site runs code that may raise anything
        return False


def stores(whole: Section) -> Messages:
    value = whole.get("STORES")
    if not isinstance(value, Mapping) or not value:
        yield checks.Error(
            _("{place} is missing, empty or not a dict: no payment method is offered.").format(
                place=whole.at("STORES")
            ),
            hint=_EXAMPLE,
            id="snipcart_checkout.E010",
        )


def shared_keys(whole: Section) -> Messages:
    owners: dict[str, str] = {}
    for store in iter_stores(whole):
        keys = store.get("API_KEYS")
        for key in {key.strip() for key in keys if isinstance(key, str)} if is_list(keys) else ():
            other = owners.setdefault(key, store.at("API_KEYS"))
            if key and not is_placeholder(key) and other != store.at("API_KEYS"):
                yield checks.Error(
                    _("{place} contains a key that is also in {other}.").format(
                        place=store.at("API_KEYS"), other=other
                    ),
                    hint=_(
                        "Test and Live have keys of their own in Snipcart's dashboard; copy each to its store."
                    ),
                    id="snipcart_checkout.E011",
                )


TOP_LEVEL_RULES: Final[tuple[Callable[[Section], Messages], ...]] = (
    unknown_keys,
    public_url,
    api_urls,
    timeouts,
    total_timeout,
    calls_in_flight,
    ca_bundle,
    proxy,
    hooks,
    stores,
    shared_keys,
)
