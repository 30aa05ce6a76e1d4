"""Keys in the checks: finding placeholders, and masking keys in messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.core.checks import CheckMessage
from django.views.debug import SafeExceptionReporterFilter

from snipcart_checkout.checks.sections import Section, is_list, iter_methods, iter_stores

_PLACEHOLDER: Final = re.compile(
    r"change[-_ ]?(me|this|it)|replace[-_ ]?(me|this|it)|(your|insert|paste)[-_ ].*|"
    r".*(\.{3}|…)|<.*>|\[.*\]|\$?\{.*\}|\$[A-Z_]+|x{3,}|\*{3,}|\.{3,}|…|todo|fixme|tbd|placeholder|none|null|undefined",
    re.IGNORECASE | re.DOTALL,
)
# Shorter ones would also hide ordinary words of a message.
_SHORTEST_SECRET: Final = 4


def is_placeholder(text: str) -> bool:
    """Return whether a text is a placeholder for a key."""
    return _PLACEHOLDER.fullmatch(text.strip()) is not None


def is_secret_name(name: object) -> bool:
    """Return whether Django's debug page would mask a setting of this name."""
    return isinstance(name, str) and SafeExceptionReporterFilter.hidden_settings.search(name) is not None


def without_secrets(message: CheckMessage, whole: Section) -> CheckMessage:
    """Return a message without any key of the settings; its text may come from a third-party backend."""
    for secret in sorted(set(_secrets(whole)), key=len, reverse=True):
        message.msg = str(message.msg).replace(secret, "***")
        message.hint = str(message.hint).replace(secret, "***") if message.hint else message.hint
    return message


def _secrets(whole: Section) -> Iterator[str]:
    for store in iter_stores(whole):
        keys = store.get("API_KEYS")
        yield from _texts([*(keys if is_list(keys) else [keys]), store.get("STORE_SECRET_KEY")])
        for method in iter_methods(store):
            yield from _hidden_options(method.get("OPTIONS"))


def _hidden_options(options: object) -> Iterator[str]:
    for name, value in options.items() if isinstance(options, Mapping) else ():
        if isinstance(value, Mapping):
            yield from _hidden_options(value)
        elif is_secret_name(name):
            yield from _texts(value if is_list(value) else [value])


def _texts(values: Any) -> Iterator[str]:
    return (value for value in values if isinstance(value, str) and len(value) >= _SHORTEST_SECRET)
