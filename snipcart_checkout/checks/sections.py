"""The sections of SNIPCART_CHECKOUT that the checks go through: the whole, each store, each method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from snipcart_checkout import conf

SETTING_KEYS: Final = frozenset(setting.name.upper() for setting in fields(conf.Settings))
STORE_KEYS: Final = frozenset(setting.name.upper() for setting in fields(conf.Store)) - {"NAME", "COMPLETE"}
METHOD_KEYS: Final = frozenset(setting.name.upper() for setting in fields(conf.Method)) - {
    "ID",
    "ICONS",
} | {"ICON"}
BRAND_KEYS: Final = frozenset(setting.name.upper() for setting in fields(conf.Brand))


@dataclass(frozen=True, kw_only=True)
class Section:
    """One dict of the setting, with its path."""

    path: tuple[object, ...] = ()
    known: frozenset[str] = SETTING_KEYS
    values: Any = field(repr=False)

    @property
    def name(self) -> object:
        """The name of the store, or the id of the method."""
        return self.path[-1]

    def at(self, *keys: object) -> str:
        """Return the place of a value as Python code in a settings file."""
        return "SNIPCART_CHECKOUT" + "".join(f"[{key!r}]" for key in (*self.path, *keys))

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, as written."""
        return self.values.get(key, default) if isinstance(self.values, Mapping) else default

    def has(self, key: str) -> bool:
        """Return whether a key has a value; None and an empty text count as none."""
        return self.get(key) not in (None, "")


def iter_stores(whole: Section) -> Iterator[Section]:
    """Yield every store, valid or not."""
    stores = whole.get("STORES")
    for name, values in stores.items() if isinstance(stores, Mapping) else ():
        yield Section(path=("STORES", name), known=STORE_KEYS, values=values)


def iter_methods(store: Section) -> Iterator[Section]:
    """Yield every method of a store, valid or not."""
    methods = store.get("METHODS")
    for identifier, values in methods.items() if isinstance(methods, Mapping) else ():
        yield Section(path=(*store.path, "METHODS", identifier), known=METHOD_KEYS, values=values)


def get_brand(store: Section) -> Section:
    """Return the section BRAND of a store, with None as its values where it is missing."""
    return Section(path=(*store.path, "BRAND"), known=BRAND_KEYS, values=store.get("BRAND"))


def is_list(value: object) -> bool:
    """Return whether a value is a collection that is read as a list."""
    return isinstance(value, (list, tuple, set, frozenset))
