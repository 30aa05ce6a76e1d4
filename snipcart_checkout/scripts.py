"""Every script of our pages, why it is there, and what it has to be (PCI DSS 4.0.1, 6.4.3).

The pages name the integrity of each, so a browser refuses a file that was changed on its way from the site.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

__all__ = ["SCRIPTS", "Script", "ScriptTag", "integrity_of", "script_tags"]


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
        integrity="sha384-o2Nb+lmLG//oA7EXKC4Uu2iDqAyxA/5hMvk+oP2EJyggFfI8bLy3pkZNy5mTJYJj",
    ),
)


def integrity_of(content: bytes) -> str:
    """Return the integrity of a file, as browsers compare it."""
    return f"sha384-{base64.b64encode(hashlib.sha384(content).digest()).decode()}"


def script_tags() -> tuple[ScriptTag, ...]:
    """Return what the pages load.

    A site's storage may rewrite files when it collects them, so the integrity is that of the collected file where it
    lies on this machine, else that of the file as shipped. Nothing is fetched over a network.
    """
    return tuple(ScriptTag(src=static(script.path), integrity=_collected(script)) for script in SCRIPTS)


def _collected(script: Script) -> str:
    # With DEBUG, files are served from where they were installed, and what was collected may be old.
    if settings.DEBUG or not apps.is_installed("django.contrib.staticfiles"):
        return script.integrity
    try:
        path = Path(staticfiles_storage.path(_stored_name(script.path)))
        return _integrity_on_disk(path, path.stat().st_mtime_ns)
    except (ImproperlyConfigured, NotImplementedError, OSError, ValueError):
        return script.integrity


def _stored_name(path: str) -> str:
    """Return the name under which the storage keeps a file: those with a manifest put a hash into it."""
    stored_name = getattr(staticfiles_storage, "stored_name", None)
    return str(stored_name(path)) if stored_name else path


@lru_cache(maxsize=32)
def _integrity_on_disk(path: Path, _changed_at: int) -> str:
    return integrity_of(path.read_bytes())
