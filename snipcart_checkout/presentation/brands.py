"""What a store's pages are headed with: its BRAND, and what the site's CONTEXT hook says instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from snipcart_checkout.conf import Brand, Store
from snipcart_checkout.conf.links import page_image_url
from snipcart_checkout.presentation.colours import DARK_GROUND, LIGHT_GROUND, readable_on, text_on


@dataclass(frozen=True, kw_only=True)
class BrandDisplay:
    """The shop as its pages show it; whatever is not known is empty.

    ``logo_url`` and ``logo_dark_url`` are addresses of pictures. ``contact_url`` is a link, ``contact_text`` what it says.
    """

    name: str = ""
    logo_url: str = ""
    logo_dark_url: str = ""
    contact_url: str = ""
    contact_text: str = ""


def present_brand(store: Store | None, site: Mapping[str, Any]) -> BrandDisplay:
    """Return the brand in the active translation.

    ``site`` is what the CONTEXT hook gave: its ``shop_name``, ``logo_url``, ``help_url`` and ``help_text`` win over BRAND.
    """
    brand = store.brand if store else Brand()
    host = store.shop_hosts[0] if store and store.shop_hosts else ""
    own_logo = str(site.get("logo_url") or "")
    contact_url = str(site.get("help_url") or brand.contact)
    name = str(site.get("shop_name") or brand.name or host)
    return BrandDisplay(
        name=name,
        logo_url=own_logo or page_image_url(brand.logo),
        logo_dark_url="" if own_logo else page_image_url(brand.logo_dark),
        contact_url=contact_url,
        contact_text=str(site.get("help_text") or _spoken(contact_url) or name),
    )


def _spoken(link: str) -> str:
    """Return a link as people say it: the address or the number alone, of a website its host and path."""
    parts = urlsplit(link)
    if parts.scheme.lower() in {"mailto", "tel"}:
        return unquote(parts.path)
    return f"{parts.netloc}{parts.path}".rstrip("/")


@lru_cache(maxsize=32)
def accent_css(accent: str, accent_dark: str) -> str:
    """Return CSS that sets a merchant's accent in light and dark; empty without one.

    The pay button has the colour as it was written, with black or white text. Links, focus and borders have the nearest
    lightness of it that can be read. Without an accent for the dark, it is derived from the other.
    """
    if not accent and not accent_dark:
        return ""
    dark = accent_dark or readable_on(DARK_GROUND, accent)
    night = f"@media (prefers-color-scheme: dark) {{ {_rule(dark, DARK_GROUND)} }}"
    return f"{_rule(accent, LIGHT_GROUND)}\n{night}" if accent else night


def _rule(accent: str, ground: str) -> str:
    return (
        f":root {{ --sc-accent: {accent}; --sc-on-accent: {text_on(accent)}; "
        f"--sc-link: {readable_on(ground, accent)}; }}"
    )
