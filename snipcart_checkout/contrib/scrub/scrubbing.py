"""Finds and hides the secrets in nested values: dicts, lists, texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

from snipcart_checkout.contrib.scrub.secret_names import is_secret_name
from snipcart_checkout.snipcart.transport.log_masking import hide_secrets

_HIDDEN: Final = "[hidden]"
# Public tokens are JWTs, and may stand without a name, as in the parameters of a query.
_JWT: Final = re.compile(r"eyJ[\w-]{8,}\.[\w.~+/=-]+")
# Sentry sends variables as Python writes them, with quotes. Shorter texts could be any word.
_SECRET: Final = re.compile(r"""b?(["']?)([\w.~+/=%-]{16,})\1""")


def scrub(value: Any) -> Any:
    """Return a copy of dicts, lists, tuples, texts and bytes in which every secret reads ``[hidden]``.

    Hidden are values whose key names a secret, tokens and capabilities inside texts, and each further place in which
    one of the values so named stands. Another object is replaced by its representation where that holds a secret.
    """
    secrets = {
        form for secret in _named_secrets(value) for form in (secret, unquote(secret), quote(secret, ""))
    }
    return _hide(value, sorted(secrets, key=len, reverse=True))


def _named_secrets(value: Any, *, named: bool = False) -> Iterator[str]:
    """Find the texts under a key that names a secret, however deep they are."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _named_secrets(item, named=named or is_secret_name(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _named_secrets(item, named=named)
    elif named and (secret := _SECRET.fullmatch(str(value))):
        yield secret[2]


def _hide(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        return _hide_in_text(str(value), secrets)  # a lazy object may stand for one
    if isinstance(value, bytes):
        return _hide_in_text(value.decode("latin-1"), secrets).encode("latin-1")
    if isinstance(value, Mapping):
        return {
            key: _HIDDEN if item and is_secret_name(key) else _hide(item, secrets)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        items = [_hide(item, secrets) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    return value if value is None or isinstance(value, int | float) else _hide_in_object(value, secrets)


def _hide_in_object(value: Any, secrets: list[str]) -> Any:
    """Return the value, or its representation without secrets where that would show some."""
    text = repr(value)
    clean = _hide_in_text(text, secrets)
    return value if clean == text else clean


def _hide_in_text(text: str, secrets: list[str]) -> str:
    text = _JWT.sub(_HIDDEN, hide_secrets(text))
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text
