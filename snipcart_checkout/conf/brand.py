"""BRAND of a store: the name, logos, colours and contact on its pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.utils.functional import Promise

_COLOUR: Final = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_MAIL: Final = re.compile(r"mailto:[^\s@<>\"\\,;?]+@[^\s@<>\"\\,;?]+(?:\?[^\s<>\"\\#]*)?", re.IGNORECASE)
_TELEPHONE: Final = re.compile(r"tel:\+?[0-9](?:[0-9().-]*[0-9])?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Brand:
    """The look of a shop and its contact; a value that is missing or invalid is empty.

    ``name`` may be a lazy translation. ``logo`` and ``logo_dark`` are static paths or absolute
    URLs, for ``conf.links.icon_url``. ``accent`` and ``accent_dark`` are ``#rgb`` or ``#rrggbb`` as
    they were written; their contrast is not checked here. ``contact`` is a ``mailto:``, ``tel:`` or
    https link.
    """

    name: str | Promise = ""
    logo: str = ""
    logo_dark: str = ""
    accent: str = ""
    accent_dark: str = ""
    contact: str = ""

    def __bool__(self) -> bool:
        return any((self.name, self.logo, self.logo_dark, self.accent, self.accent_dark, self.contact))


def read_brand(raw: Mapping[Any, Any]) -> Brand:
    """Return BRAND as typed values; an invalid value is left out."""
    name = raw.get("NAME")
    contact = raw.get("CONTACT")
    return Brand(
        name=name if isinstance(name, (str, Promise)) else "",
        **{key: _text(raw.get(key.upper())) for key in ("logo", "logo_dark")},
        **{key: _colour(raw.get(key.upper())) for key in ("accent", "accent_dark")},
        contact=contact.strip() if isinstance(contact, str) and is_contact(contact) else "",
    )


def is_colour(value: object) -> bool:
    """Return whether a value is ``#rgb`` or ``#rrggbb``."""
    return isinstance(value, str) and _COLOUR.fullmatch(value.strip()) is not None


def is_contact(value: object) -> bool:
    """Return whether a value is a link for contacting the shop: ``mailto:``, ``tel:`` or https."""
    if not isinstance(value, str) or not value.strip().isprintable():
        return False
    link = value.strip()
    return bool(_MAIL.fullmatch(link) or _TELEPHONE.fullmatch(link)) or _is_https(link)


def _is_https(link: str) -> bool:
    if any(character in ' \\"<>' for character in link):
        return False
    try:
        parts = urlsplit(link)
        usable_port = parts.port != 0
    except ValueError:
        return False
    return usable_port and parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _colour(value: object) -> str:
    return value.strip() if isinstance(value, str) and is_colour(value) else ""
