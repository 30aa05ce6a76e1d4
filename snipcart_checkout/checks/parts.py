"""The parts of SNIPCART_CHECKOUT as the checks walk through them: the whole, a store, a method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from snipcart_checkout import conf

__all__ = ["METHOD_KEYS", "SETTING_KEYS", "STORE_KEYS", "Part", "is_list", "methods_of", "stores_of"]

SETTING_KEYS: Final = frozenset(setting.name.upper() for setting in fields(conf.Settings))
STORE_KEYS: Final = frozenset(setting.name.upper() for setting in fields(conf.Store)) - {"NAME", "COMPLETE"}
METHOD_KEYS: Final = frozenset(setting.name.upper() for setting in fields(conf.Method)) - {"ID"}


@dataclass(frozen=True, kw_only=True)
class Part:
    """One dict of the setting: where it stands, and what was written there."""

    path: tuple[object, ...] = ()
    known: frozenset[str] = SETTING_KEYS
    values: Any = field(repr=False)

    @property
    def name(self) -> object:
        """The name of the store, or the id of the method."""
        return self.path[-1]

    def at(self, *keys: object) -> str:
        """Return how a settings file would spell the place of a value."""
        return "SNIPCART_CHECKOUT" + "".join(f"[{key!r}]" for key in (*self.path, *keys))

    def get(self, key: str, default: Any = None) -> Any:
        """Return what was written under a key."""
        return self.values.get(key, default) if isinstance(self.values, Mapping) else default

    def has(self, key: str) -> bool:
        """Tell whether anything was written under a key; None and an empty text are nothing."""
        return self.get(key) not in (None, "")


def stores_of(whole: Part) -> Iterator[Part]:
    """Yield every store, whether it is usable or not."""
    stores = whole.get("STORES")
    for name, values in stores.items() if isinstance(stores, Mapping) else ():
        yield Part(path=("STORES", name), known=STORE_KEYS, values=values)


def methods_of(store: Part) -> Iterator[Part]:
    """Yield every method of a store, whether it is usable or not."""
    methods = store.get("METHODS")
    for identifier, values in methods.items() if isinstance(methods, Mapping) else ():
        yield Part(path=(*store.path, "METHODS", identifier), known=METHOD_KEYS, values=values)


def is_list(value: object) -> bool:
    """Tell whether a value is one of the collections that are read as a list."""
    return isinstance(value, (list, tuple, set, frozenset))
