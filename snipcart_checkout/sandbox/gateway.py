"""The gateway's configuration at Snipcart, per mode: the payment-methods URL and two keys, which can be changed."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator
from dataclasses import replace

from snipcart_checkout.sandbox.conf import GatewayMode, get_settings
from snipcart_checkout.sandbox.core.contract import MODES
from snipcart_checkout.sandbox.memory import MEMORY


class ConfiguredGateway:
    """The keys of both modes."""

    def accepts_api_key(self, key: str, mode: str) -> bool:
        """Whether this is an API key of a mode; of any, without one."""
        return any(_is_same(key, own) for one in _modes(mode) for own in one.api_keys)

    def accepts_secret_key(self, key: str, mode: str) -> bool:
        """Whether this is the store's secret key in a mode; in any, without one."""
        return any(_is_same(key, one.store_secret_key) for one in _modes(mode))


def get_gateway_mode(mode: str) -> GatewayMode:
    """Return the configuration of a mode: the setting's, with what was changed on the dashboard since."""
    changes = MEMORY.load(f"gateway.{mode}", {})
    return replace(get_settings().stores[mode], **changes)


def set_payment_methods_url(mode: str, url: str) -> None:
    """Call this URL from now on."""
    _change(mode, payment_methods_url=url)


def regenerate_key(mode: str, position: int) -> None:
    """Replace the first (0) or the second (1) key; the old one is refused from now on."""
    keys = list(get_gateway_mode(mode).api_keys)
    keys[position] = secrets.token_hex(20)
    _change(mode, api_keys=tuple(keys))


def secrets_in_use() -> list[str]:
    """Return every key, so that the activity log can leave them out."""
    return [key for one in _modes("") for key in (*one.api_keys, one.store_secret_key)]


def _modes(mode: str) -> Iterator[GatewayMode]:
    return map(get_gateway_mode, [mode] if mode else MODES)


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _change(mode: str, **changes: object) -> None:
    with MEMORY.lock:
        MEMORY.save(f"gateway.{mode}", {**MEMORY.load(f"gateway.{mode}", {}), **changes})
