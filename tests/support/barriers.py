"""What axe finds on a page that keeps somebody out."""

from __future__ import annotations

from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_OF_COLOUR = ["color-contrast", "link-in-text-block"]


def barriers(page: Page) -> list[str]:
    """All that axe finds."""
    return _found(page, {"type": "tag", "values": _TAGS})


def barriers_of_colour(page: Page) -> list[str]:
    """What axe finds in the colours alone."""
    return _found(page, {"type": "rule", "values": _OF_COLOUR})


def _found(page: Page, run_only: dict[str, object]) -> list[str]:
    found = Axe().run(page, options={"runOnly": run_only})
    return [
        f"{violation['id']}: {urlsplit(page.url).path}: {node['html'][:200]}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]
