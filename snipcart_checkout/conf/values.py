"""Values of the settings, each as what it should be; anything else is read as its default."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from snipcart_checkout.conf.origins import to_ascii_url

# The ledger's columns hold a hundred characters.
_SLUG: Final = re.compile(r"[-a-zA-Z0-9_]{1,100}")


def is_slug(name: object) -> bool:
    """Return whether a store name is valid in our addresses and in the ledger."""
    return isinstance(name, str) and _SLUG.fullmatch(name) is not None


def to_mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def to_text(value: object, default: str) -> str:
    return value if isinstance(value, str) else default


def to_texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple, set, frozenset)):
        return ()
    return tuple(item for item in value if isinstance(item, str))


def to_url(value: object, default: str) -> str:
    return to_ascii_url(value.strip().rstrip("/")) if isinstance(value, str) and value.strip() else default


def to_seconds(value: object, default: float) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value < 3600 else default  # type: ignore[arg-type, operator]


def to_count(value: object, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default


def to_optional_text(value: object, default: str | None) -> str | None:
    return (
        value
        if isinstance(value, str) and value
        else (str(value) if hasattr(value, "__fspath__") else default)
    )


def to_hook(value: object, default: None) -> str | Callable[..., Any] | None:
    return value if (isinstance(value, str) and value) or callable(value) else default
