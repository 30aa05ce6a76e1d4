"""Changes to SNIPCART_CHECKOUT for the length of a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class CheckoutSettings:
    """Changes parts of SNIPCART_CHECKOUT. What is not named stays as it is, and a dict is merged key by key.

        checkout_settings(PUBLIC_URL="https://pay.example")
        checkout_settings.store("live", REQUIRE_REFUND_TOKEN=True)
        checkout_settings.store("test", like="live", MODE="test")
        checkout_settings.method("acme_card", CURRENCIES=["EUR"])
        checkout_settings.set("STORES.live.METHODS", {"acme_card": {...}})
        checkout_settings.remove("STORES.live.STORE_SECRET_KEY")

    Each returns the whole dict as it is from then on.
    """

    def __init__(
        self, read: Callable[[], Mapping[str, Any]], write: Callable[[dict[str, Any]], None]
    ) -> None:
        self._read = read
        self._write = write

    def __call__(self, **changes: Any) -> dict[str, Any]:
        """Change settings by their names, in any case: ``stores={"live": {"MODE": "test"}}``."""
        return self._save(_merged(self._read(), _upper(changes)))

    def store(self, name: str | None = None, /, *, like: str = "", **changes: Any) -> dict[str, Any]:
        """Change settings of a store, or add the store; the name may be left out when there is one.

        ``like`` names a store whose settings are copied first.
        """
        usual = self._read()["STORES"][like] if like else {}
        return self(STORES={name or self._only_store(): _merged(usual, _upper(changes))})

    def method(
        self, name: str, /, *, store: str | None = None, like: str = "", **changes: Any
    ) -> dict[str, Any]:
        """Change settings of a payment method, or add the method.

        ``like`` names a method of the same store whose settings are copied first.
        """
        store = store or self._only_store()
        usual = self._read()["STORES"][store]["METHODS"][like] if like else {}
        return self.store(store, METHODS={name: _merged(usual, _upper(changes))})

    def set(self, path: str, value: Any) -> dict[str, Any]:
        """Put a value at a path of names with dots between them. A dict replaces what is there, whole."""
        *parents, last = path.split(".")
        return self._save(_changed(self._read(), parents, lambda found: {**found, last: value}))

    def remove(self, path: str) -> dict[str, Any]:
        """Take what stands at a path away. Raises KeyError when nothing is there."""
        *parents, last = path.split(".")

        def without(found: Mapping[str, Any]) -> dict[str, Any]:
            rest = dict(found)
            del rest[last]
            return rest

        return self._save(_changed(self._read(), parents, without))

    def _only_store(self) -> str:
        names = list(self._read().get("STORES", {}))
        if len(names) != 1:
            raise ValueError(f"name the store; there are {names}")
        return str(names[0])

    def _save(self, changed: dict[str, Any]) -> dict[str, Any]:
        self._write(changed)
        return changed


def _upper(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name.upper(): value for name, value in changes.items()}


def _merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy with the changes; nothing of the original is touched."""
    both = {
        name: _merged(settings[name], value)
        for name, value in changes.items()
        if isinstance(value, Mapping) and isinstance(settings.get(name), Mapping)
    }
    return {**settings, **changes, **both}


def _changed(
    settings: Mapping[str, Any],
    parents: list[str],
    change: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> dict[str, Any]:
    if not parents:
        return change(settings)
    first, *others = parents
    return {**settings, first: _changed(settings.get(first, {}), others, change)}
