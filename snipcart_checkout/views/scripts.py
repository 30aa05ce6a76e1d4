"""Every script of our pages, why it is there, and what it has to be (PCI DSS 4.0.1, 6.4.3).

The pages name the integrity of each, so a browser refuses a file that was changed on its way from the site.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from snipcart_checkout.views.static_files import get_address, get_collected


@dataclass(frozen=True, kw_only=True)
class Script:
    """One script. ``path`` is its static path, ``integrity`` as in the attribute of that name, for the file as shipped."""

    path: str
    reason: str
    integrity: str


@dataclass(frozen=True, kw_only=True)
class ScriptTag:
    """A script as a page names it: where this site serves it from, and the integrity of the file that it serves."""

    src: str
    integrity: str


SCRIPTS: Final = (
    Script(
        path="snipcart_checkout/checkout.js",
        reason=(
            "Shows that a payment is being sent, keeps a second press from sending it again, and looks for news of "
            "a payment that is being checked. The pages work without it."
        ),
        integrity="sha384-1PJq1O4NsKy6h0tJ4JzPG/xNmeVjN8pWWIJYgpEjOQbD7BO6SlHwlkMSwIZNkeFz",
    ),
)


def get_integrity(content: bytes) -> str:
    """Return the integrity of a file, as browsers compare it."""
    return f"sha384-{base64.b64encode(hashlib.sha384(content).digest()).decode()}"


def script_tags() -> tuple[ScriptTag, ...]:
    """Return what the pages load.

    A site's storage may rewrite files when it collects them, so the integrity is that of the collected file where it
    lies on this machine, else that of the file as shipped. Nothing is fetched over a network.
    """
    return tuple(ScriptTag(src=get_address(script.path), integrity=_integrity(script)) for script in SCRIPTS)


def _integrity(script: Script) -> str:
    collected = get_collected(script.path)
    return script.integrity if collected is None else _get_integrity(collected)


_get_integrity = lru_cache(maxsize=8)(get_integrity)
