"""The gateway's configuration at Snipcart, per mode: the payment-methods URL and two keys, which can be changed."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import replace

from snipcart_checkout.sandbox import storage
from snipcart_checkout.sandbox.conf import Half, get_settings
from snipcart_checkout.sandbox.contract import MODES

__all__ = ["get_half", "mode_of_api_key", "regenerate_key", "secrets_in_use", "set_payment_methods_url"]


def get_half(mode: str) -> Half:
    """Return the configuration of a mode: the setting's, with what was changed on the dashboard since."""
    changes = storage.load(f"gateway.{mode}", {})
    return replace(get_settings().stores[mode], **changes)


def set_payment_methods_url(mode: str, url: str) -> None:
    """Call this URL from now on."""
    _change(mode, payment_methods_url=url)


def regenerate_key(mode: str, position: int) -> None:
    """Replace the first (0) or the second (1) key; the old one is refused from now on."""
    keys = list(get_half(mode).api_keys)
    keys[position] = secrets.token_hex(20)
    _change(mode, api_keys=tuple(keys))


def mode_of_api_key(key: str) -> str:
    """Return the mode to which an API key belongs; empty when it is nobody's."""
    known = {mode: get_half(mode).api_keys for mode in MODES}
    return next((mode for mode, keys in known.items() if any(_is_same(key, one) for one in keys)), "")


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def secrets_in_use() -> list[str]:
    """Return every key, so that the story can leave them out."""
    halves = [get_half(mode) for mode in MODES]
    return [key for half in halves for key in (*half.api_keys, half.store_secret_key)]


def _change(mode: str, **changes: object) -> None:
    with storage.lock:
        storage.save(f"gateway.{mode}", {**storage.load(f"gateway.{mode}", {}), **changes})
