"""The sandbox's optional setting, SNIPCART_SANDBOX, as typed values: what the shop sells and what Snipcart would know.

::

    SNIPCART_SANDBOX = {
        "STORES": {
            "live": {
                "PAYMENT_METHODS_URL": "/pay/live/payment-methods/",  # a path leads to this very server
                "API_KEYS": ["first", "second"],
                "STORE_SECRET_KEY": "secret",
            },
            "test": {...},
        },
        "PRODUCTS": {"mug": {"NAME": {"en": "Mug", "fr": "Tasse"}, "TYPE": "Physical", "PRICES": {"EUR": "18"}}},
        "SHOP_URL": "/",                                             # where the shop's own pages are
        "CACHE": "default", "SLOW_SECONDS": 3, "HANG_SECONDS": 20,
    }

Everything may be left out. A name is one text or one per language; a price stands in major units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac
from django.utils.encoding import force_str

from snipcart_checkout.sandbox.core.contract import ITEM_TYPES, MODES

_MUG: Final = {
    "mug": {
        "NAME": {"en": "Mug", "fr": "Tasse"},
        "PRICES": {"EUR": "18", "USD": "19.5", "CAD": "24.95", "JPY": "2900", "KWD": "5.875"},
    }
}


@dataclass(frozen=True, kw_only=True)
class Product:
    """Something to buy: ``names`` per language, ``prices`` per currency, in major units."""

    id: str
    names: Mapping[str, str]
    type: str
    prices: Mapping[str, Decimal]

    def name(self, language: str) -> str:
        """Return the name in a language, else in its base language, else in the first there is."""
        base = language.partition("-")[0]
        return self.names.get(language) or self.names.get(base) or next(iter(self.names.values()))


@dataclass(frozen=True, kw_only=True)
class GatewayMode:
    """What Snipcart knows of the merchant in one of its modes: two keys, so that one can be replaced in use."""

    payment_methods_url: str = ""
    api_keys: tuple[str, str] = field(repr=False)
    store_secret_key: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """Every setting with its type."""

    stores: Mapping[str, GatewayMode]
    products: Mapping[str, Product]
    shop_url: str
    cache: str
    slow_seconds: float
    hang_seconds: float

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies in which every product has a price."""
        priced = [product.prices for product in self.products.values()]
        return tuple(code for code in priced[0] if all(code in prices for prices in priced))


def get_settings() -> SandboxSettings:
    """Read SNIPCART_SANDBOX anew; raise ImproperlyConfigured with one sentence for what cannot be read."""
    raw = _mapping(getattr(django_settings, "SNIPCART_SANDBOX", {}), "SNIPCART_SANDBOX")
    known = {setting.name.upper() for setting in fields(SandboxSettings)}
    if unknown := sorted(map(str, raw.keys() - known)):
        raise ImproperlyConfigured(
            f"SNIPCART_SANDBOX has no setting {unknown[0]!r}; it knows {sorted(known)}."
        )
    try:
        read = _read(raw)
    except (AttributeError, KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise ImproperlyConfigured(f"SNIPCART_SANDBOX cannot be read: {error!r}") from error
    if not read.products or not read.currencies:
        raise ImproperlyConfigured("SNIPCART_SANDBOX needs a product, and a currency that all products have.")
    return read


def _read(raw: Mapping[str, Any]) -> SandboxSettings:
    stores = _mapping(raw.get("STORES", {}), "STORES")
    return SandboxSettings(
        stores={mode: _gateway_mode(mode, _mapping(stores.get(mode, {}), mode)) for mode in MODES},
        products={key: _product(key, value) for key, value in raw.get("PRODUCTS", _MUG).items()},
        shop_url=raw.get("SHOP_URL", ""),
        cache=raw.get("CACHE", "default"),
        slow_seconds=float(raw.get("SLOW_SECONDS", 3)),
        hang_seconds=float(raw.get("HANG_SECONDS", 20)),
    )


def _gateway_mode(mode: str, raw: Mapping[str, Any]) -> GatewayMode:
    first, second = raw.get("API_KEYS") or (_made_up_key(mode, "first"), _made_up_key(mode, "second"))
    return GatewayMode(
        payment_methods_url=raw.get("PAYMENT_METHODS_URL", ""),
        api_keys=(str(first), str(second)),
        store_secret_key=raw.get("STORE_SECRET_KEY") or _made_up_key(mode, "store"),
    )


def _made_up_key(mode: str, name: str) -> str:
    """A key that stays the same from one start to the next, so that it can be pasted into settings."""
    return salted_hmac("snipcart_checkout.sandbox.keys", f"{mode} {name}", algorithm="sha256").hexdigest()[
        :40
    ]


def _product(identifier: str, raw: Mapping[str, Any]) -> Product:
    kind = raw.get("TYPE", "Physical")
    if kind not in ITEM_TYPES:
        raise ValueError(f"the product {identifier} has the unknown type {kind!r}")
    return Product(id=identifier, names=_names(raw["NAME"]), type=kind, prices=_prices(raw["PRICES"]))


def _names(raw: object) -> Mapping[str, str]:
    return dict(raw) if isinstance(raw, Mapping) else {"en": force_str(raw)}


def _prices(raw: Mapping[str, Any]) -> Mapping[str, Decimal]:
    return {code.upper(): Decimal(str(price)) for code, price in raw.items()}


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ImproperlyConfigured(f"{name} has to be a dict.")
    return value
