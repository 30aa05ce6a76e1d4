"""The only reader of Django's settings: SNIPCART_CHECKOUT as typed, frozen values.

Reading never fails. An invalid value is read as its default or as absent, and its store counts as
incomplete; ``manage.py check`` names the value and what to write instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, ClassVar, Final

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from snipcart_checkout.conf.brand import Brand, read_brand
from snipcart_checkout.conf.methods import Method, read_methods
from snipcart_checkout.conf.origins import (
    base_url_problem,
    shop_host_problem,
    to_ascii_entry,
)
from snipcart_checkout.conf.values import (
    is_slug,
    to_count,
    to_hook,
    to_mapping,
    to_optional_text,
    to_seconds,
    to_text,
    to_texts,
    to_url,
)

RESERVED_STORE_NAMES: Final = frozenset({"payments"})
"""Store names that would hide one of our own paths."""

PLANS: Final = ("once", "refuse")
"""What a store may do with an order that contains a plan; the first is the default."""


class Secret:
    """A key that is printed only by ``reveal``; an empty one is false."""

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
class Store:
    """One Snipcart store (test and live are two) and the methods it offers.

    ``complete`` is False while a required setting is missing or unsafe. ``plans`` is one of PLANS:
    an order that contains a plan is paid ``once``, or refused.
    """

    name: str
    mode: str
    api_keys: tuple[Secret, ...]
    store_secret_key: Secret
    shop_hosts: tuple[str, ...]
    require_refund_token: bool
    methods: Mapping[str, Method]
    complete: bool
    plans: str = PLANS[0]
    brand: Brand = field(default_factory=Brand)

    @property
    def is_test(self) -> bool:
        """Whether the store belongs to the test half of Snipcart's configuration."""
        return self.mode == "test"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting with its type and default. Times are in seconds; hosts of addresses are in punycode."""

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

    def has_live_key(self, store: Store) -> bool:
        """Whether a store is a test store with a key of a live one, so that nothing may be paid in it.

        Whoever has the token of a live order can open the page of the test store, pay nothing there, and Snipcart would
        take the word of that key for it.
        """
        live = {key for one in self.stores.values() if not one.is_test for key in one.api_keys}
        return store.is_test and not live.isdisjoint(store.api_keys)


def raw_settings() -> object:
    """Return SNIPCART_CHECKOUT as it was written, None without one; for the system checks."""
    return getattr(django_settings, "SNIPCART_CHECKOUT", None)


def get_settings() -> Settings:
    """Return SNIPCART_CHECKOUT as it is now.

    It is parsed once, and again whenever the setting or its content has changed, so that
    ``override_settings`` and changes in place work.
    """
    raw = raw_settings()
    latest = _Reading.latest
    if latest is None or not latest.is_valid_for(raw):
        latest = _Reading(raw=raw, content=_copied(raw), parsed=_parse(to_mapping(raw)))
        _Reading.latest = latest
    return latest.parsed


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """The parsed settings, the object that they were parsed from, and a copy of its content."""

    latest: ClassVar[_Reading | None] = None

    raw: object = field(repr=False)
    content: object = field(repr=False)
    parsed: Settings

    def is_valid_for(self, raw: object) -> bool:
        # A value that was not replaced is the same object in both. Only dicts and lists are
        # compared, no lazy translation is evaluated, and three stores of six methods take two
        # microseconds.
        if raw is not self.raw:
            return False
        try:
            return bool(raw == self.content)
        except Exception:  # a value in the options may refuse to be compared
            return False


def _copied(value: object) -> object:
    """Return a copy of the dicts and lists with the same leaves; where that fails, an object that
    equals nothing.
    """
    try:
        return _copied_deeply(value)
    except Exception:  # options may contain themselves, or a third-party mapping
        return object()


def _copied_deeply(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _copied_deeply(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied_deeply(item) for item in value]
    if isinstance(value, tuple):
        return tuple(_copied_deeply(item) for item in value)
    return set(value) if isinstance(value, set) else value


def _parse(raw: Mapping[str, Any]) -> Settings:
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
        name: _read_store(name, to_mapping(store), reachable)
        for name, store in to_mapping(raw.get("STORES")).items()
        if isinstance(name, str)
    }
    return Settings(**scalars, stores=MappingProxyType(stores))


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
    api_keys = tuple(filter(None, map(Secret, to_texts(raw.get("API_KEYS")))))
    shop_hosts = tuple(
        to_ascii_entry(host.strip())
        for host in to_texts(raw.get("SHOP_HOSTS"))
        if not shop_host_problem(host)
    )
    mode = to_text(raw.get("MODE", "live"), "").lower()
    plans = to_text(raw.get("PLANS", PLANS[0]), "").lower()
    methods = read_methods(raw.get("METHODS"))
    usable_name = name not in RESERVED_STORE_NAMES and is_slug(name)
    return Store(
        name=name,
        mode=mode if mode == "test" else "live",
        api_keys=api_keys,
        store_secret_key=Secret(raw.get("STORE_SECRET_KEY")),
        shop_hosts=shop_hosts,
        require_refund_token=raw.get("REQUIRE_REFUND_TOKEN", False) is True,
        methods=MappingProxyType(methods),
        plans=plans if plans in PLANS else PLANS[-1],
        brand=read_brand(to_mapping(raw.get("BRAND"))),
        complete=bool(
            reachable
            and usable_name
            and mode in {"live", "test"}
            and plans in PLANS
            and api_keys
            and shop_hosts
            and methods
        ),
    )


_READERS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "public_url": to_url,
    "api_url": to_url,
    "app_api_url": to_url,
    "connect_timeout": to_seconds,
    "read_timeout": to_seconds,
    "total_timeout": to_seconds,
    "max_calls_in_flight": to_count,
    "ca_bundle": to_optional_text,
    "proxy": to_optional_text,
    "method_filter": to_hook,
    "context": to_hook,
}
