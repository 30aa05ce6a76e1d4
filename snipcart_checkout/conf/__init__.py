"""The site's settings: SNIPCART_CHECKOUT as typed values, and the links that are built from them."""

from __future__ import annotations

from snipcart_checkout.conf.brand import Brand, is_colour, is_contact
from snipcart_checkout.conf.methods import MOST_ICONS, RESERVED_METHOD_IDS, Method, read_amount
from snipcart_checkout.conf.settings import (
    PLANS,
    RESERVED_STORE_NAMES,
    Secret,
    Settings,
    Store,
    get_settings,
    get_store,
    load_hook,
    raw_settings,
)
from snipcart_checkout.conf.values import is_slug

__all__ = [
    "MOST_ICONS",
    "PLANS",
    "RESERVED_METHOD_IDS",
    "RESERVED_STORE_NAMES",
    "Brand",
    "Method",
    "Secret",
    "Settings",
    "Store",
    "get_settings",
    "get_store",
    "is_colour",
    "is_contact",
    "is_slug",
    "load_hook",
    "raw_settings",
    "read_amount",
]
