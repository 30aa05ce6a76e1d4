"""The only reader of Django's settings: SNIPCART_CHECKOUT as typed, frozen values.

Reading never fails. A value that cannot be understood is read as its default or as absent, and the store it
belongs to counts as incomplete; ``manage.py check`` says which value it is and what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from snipcart_checkout.origins import base_url_problem, shop_host_problem

__all__ = [
    "RESERVED_METHOD_IDS",
    "RESERVED_STORE_NAMES",
    "Method",
    "Secret",
    "Settings",
    "Store",
    "get_settings",
    "get_store",
    "is_slug",
    "load_hook",
    "raw_settings",
    "read_amount",
]

RESERVED_METHOD_IDS: Final = frozenset(
    "card paypal paypal_express_checkout apple_pay bancontact belfius eps giropay ideal ing_home_pay kbc "
    "klarna_pay_later klarna_slice_it p24 sepa_debit sofort deferred_payment".split()
)
"""Ids that Snipcart's cart shows under its own names, whatever name we give them."""

RESERVED_STORE_NAMES: Final = frozenset({"payments"})
"""Names that would hide one of our own paths."""

# The ledger's columns hold a hundred characters.
_SLUG: Final = re.compile(r"[-a-zA-Z0-9_]{1,100}")


class Secret:
    """A key that shows itself only when asked to; empty secrets are false."""

    __slots__ = ("_secret",)

    def __init__(self, secret: object) -> None:
        self._secret = secret.strip() if isinstance(secret, str) else ""

    def reveal(self) -> str:
        """Return the key itself."""
        return self._secret

    def __bool__(self) -> bool:
        return bool(self._secret)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._secret == self._secret

    def __hash__(self) -> int:
        return hash(self._secret)

    def __repr__(self) -> str:
        return "Secret()"

    __str__ = __repr__


@dataclass(frozen=True, kw_only=True)
class Method:
    """One payment method of a store, as configured.

    ``min_amount`` and ``max_amount`` are in major units and inclusive; empty ``currencies`` or ``countries``
    mean all of them. ``name`` may be a lazy translation.
    """

    id: str
    backend: str
    name: str | Promise
    icon: str = ""
    currencies: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def accepts(self, *, amount: Decimal, currency: str, country: str) -> bool:
        """Tell whether an order may be paid with this method."""
        return (
            (not self.currencies or currency in self.currencies)
            and (not self.countries or country in self.countries)
            and (self.min_amount is None or amount >= self.min_amount)
            and (self.max_amount is None or amount <= self.max_amount)
        )


@dataclass(frozen=True, kw_only=True)
class Store:
    """One Snipcart store (test and live are two) and the methods it offers.

    ``complete`` is False while a setting that it cannot work without is missing or unsafe.
    """

    name: str
    mode: str
    api_keys: tuple[Secret, ...]
    store_secret_key: Secret
    shop_hosts: tuple[str, ...]
    require_refund_token: bool
    methods: Mapping[str, Method]
    complete: bool

    @property
    def is_test(self) -> bool:
        """Whether the store belongs to the test half of Snipcart's configuration."""
        return self.mode == "test"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting with its type and default. Times are in seconds."""

    public_url: str = ""
    stores: Mapping[str, Store] = field(default_factory=dict)
    api_url: str = "https://payment.snipcart.com/api"
    app_api_url: str = "https://app.snipcart.com/api"
    connect_timeout: float = 3.05
    read_timeout: float = 5.0
    total_timeout: float = 8.0
    max_calls_in_flight: int = 8
    ca_bundle: str | None = None
    proxy: str | None = field(default=None, repr=False)
    method_filter: str | Callable[..., Any] | None = None
    context: str | Callable[..., Any] | None = None


def raw_settings() -> object:
    """Return SNIPCART_CHECKOUT as it was written, None without one; for the system checks."""
    return getattr(django_settings, "SNIPCART_CHECKOUT", None)


def get_settings() -> Settings:
    """Read SNIPCART_CHECKOUT anew; nothing is cached, so ``override_settings`` simply works."""
    raw = _mapping(raw_settings())
    scalars = {
        setting.name: _READERS[setting.name](raw[setting.name.upper()], setting.default)
        for setting in fields(Settings)
        if setting.name in _READERS and setting.name.upper() in raw
    }
    addresses = (
        scalars.get(name, getattr(Settings, name)) for name in ("public_url", "api_url", "app_api_url")
    )
    reachable = not any(map(base_url_problem, addresses))
    stores = {
        name: _read_store(name, _mapping(store), reachable)
        for name, store in _mapping(raw.get("STORES")).items()
        if isinstance(name, str)
    }
    return Settings(**scalars, stores=stores)


def get_store(name: str | None = None) -> Store:
    """Return a store by name, or the only one.

    Raises ImproperlyConfigured when the name is unknown, or left out while there is not exactly one store.
    """
    stores = get_settings().stores
    if name is None:
        if len(stores) != 1:
            raise ImproperlyConfigured(
                "Name the store: SNIPCART_CHECKOUT['STORES'] does not hold exactly one."
            )
        return next(iter(stores.values()))
    if name not in stores:
        raise ImproperlyConfigured(f"SNIPCART_CHECKOUT['STORES'] has no store {name!r}.")
    return stores[name]


def load_hook(hook: str | Callable[..., Any] | None) -> Callable[..., Any] | None:
    """Return the function that a dotted path names; raise ImportError where there is none."""
    return import_string(hook) if isinstance(hook, str) else hook


def _read_store(name: str, raw: Mapping[str, Any], reachable: bool) -> Store:
    api_keys = tuple(filter(None, map(Secret, _texts(raw.get("API_KEYS")))))
    shop_hosts = tuple(
        host.strip().lower() for host in _texts(raw.get("SHOP_HOSTS")) if not shop_host_problem(host)
    )
    mode = _text(raw.get("MODE", "live"), "").lower()
    methods = {
        identifier: _read_method(identifier, _mapping(method))
        for identifier, method in _mapping(raw.get("METHODS")).items()
        if is_slug(identifier) and identifier not in RESERVED_METHOD_IDS and _is_sound(_mapping(method))
    }
    usable_name = name not in RESERVED_STORE_NAMES and is_slug(name)
    return Store(
        name=name,
        mode=mode if mode == "test" else "live",
        api_keys=api_keys,
        store_secret_key=Secret(raw.get("STORE_SECRET_KEY")),
        shop_hosts=shop_hosts,
        require_refund_token=raw.get("REQUIRE_REFUND_TOKEN", False) is True,
        methods=methods,
        complete=bool(
            reachable and usable_name and mode in {"live", "test"} and api_keys and shop_hosts and methods
        ),
    )


def is_slug(name: object) -> bool:
    """Tell whether a name can stand in our addresses and in the ledger."""
    return isinstance(name, str) and _SLUG.fullmatch(name) is not None


def _is_sound(method: Mapping[str, Any]) -> bool:
    """Tell whether a method may be offered: a limit that cannot be read must not count as no limit."""
    lists_read = all(method.get(key) is None or _texts(method[key]) for key in ("CURRENCIES", "COUNTRIES"))
    limits_read = all(
        method.get(key) is None or read_amount(method[key]) is not None
        for key in ("MIN_AMOUNT", "MAX_AMOUNT")
    )
    return bool(_text(method.get("BACKEND"), "")) and lists_read and limits_read


def _read_method(identifier: str, raw: Mapping[str, Any]) -> Method:
    name = raw.get("NAME")
    return Method(
        id=identifier,
        backend=raw["BACKEND"],
        name=name if isinstance(name, (str, Promise)) and name else identifier.replace("_", " ").capitalize(),
        icon=_text(raw.get("ICON"), ""),
        currencies=tuple(code.upper() for code in _texts(raw.get("CURRENCIES"))),
        countries=tuple(code.upper() for code in _texts(raw.get("COUNTRIES"))),
        min_amount=read_amount(raw.get("MIN_AMOUNT")),
        max_amount=read_amount(raw.get("MAX_AMOUNT")),
        options=_mapping(raw.get("OPTIONS")),
    )


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object, default: str) -> str:
    return value if isinstance(value, str) else default


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple, set, frozenset)):
        return ()
    return tuple(item for item in value if isinstance(item, str))


def read_amount(value: object) -> Decimal | None:
    """Return a limit in major units; None for what is no finite number, and for a float, which is none exactly."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _url(value: object, default: str) -> str:
    return value.strip().rstrip("/") if isinstance(value, str) and value.strip() else default


def _seconds(value: object, default: float) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value < 3600 else default  # type: ignore[arg-type, operator]


def _count(value: object, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default


def _optional(value: object, default: str | None) -> str | None:
    return (
        value
        if isinstance(value, str) and value
        else (str(value) if hasattr(value, "__fspath__") else default)
    )


def _hook(value: object, default: None) -> str | Callable[..., Any] | None:
    return value if (isinstance(value, str) and value) or callable(value) else default


_READERS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "public_url": _url,
    "api_url": _url,
    "app_api_url": _url,
    "connect_timeout": _seconds,
    "read_timeout": _seconds,
    "total_timeout": _seconds,
    "max_calls_in_flight": _count,
    "ca_bundle": _optional,
    "proxy": _optional,
    "method_filter": _hook,
    "context": _hook,
}
