"""The stylesheet, as it stands in the pages: a browser needs no second request before it can show one.

The Content-Security-Policy allows each block by the hash of its text, so that inline styles stay forbidden.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urljoin

from django.utils.safestring import SafeString

from snipcart_checkout.presentation.brands import accent_css
from snipcart_checkout.views.static_files import get_address, get_content

STYLESHEET: Final = "snipcart_checkout/checkout.css"
"""The static path. A file of that name of the site's own is taken in place of ours."""

_LINK: Final = re.compile(
    r"""(url\(\s*["']?|@import\s+["'])(?!["'/#\s]|[a-zA-Z][a-zA-Z0-9+.-]*:)([^"')\s]+)"""
)


@dataclass(frozen=True, kw_only=True)
class StyleBlock:
    """The text of a ``<style>`` element, and the hash that stands for it in the policy."""

    text: SafeString
    source: str


def style_blocks(accent: str, accent_dark: str) -> tuple[StyleBlock, ...]:
    """Return what stands in the head of every page: the stylesheet, and the colours of the brand where it has any."""
    stylesheet = _stylesheet(get_content(STYLESHEET), _stylesheet_address())
    css = accent_css(accent, accent_dark)
    return (stylesheet, style_block(css)) if css else (stylesheet,)


def _stylesheet_address() -> str:
    try:
        return get_address(STYLESHEET)
    except ValueError:  # the manifest of the static files does not know it
        return ""


@lru_cache(maxsize=4)
def _stylesheet(content: bytes, address: str) -> StyleBlock:
    css = content.decode("utf-8-sig", errors="replace")
    return style_block(_LINK.sub(lambda link: link[1] + urljoin(address, link[2]), css))


def style_block(css: str) -> StyleBlock:
    """Return CSS as a block of its own, byte for byte what a browser reads out of the page.

    ``css`` is the site's own, never text from outside.
    """
    # What would end the element means the same to CSS when it is escaped. A parser of HTML reads every line end as \n
    # and does not take NUL.
    text = css.replace("</", "<\\/").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return StyleBlock(text=SafeString(text), source=f"'sha256-{digest}'")
