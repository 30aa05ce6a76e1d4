"""The app's static files as this site serves them: under which address, and with which content.

A site may put its own copy of a file in the place of ours, and its storage may rewrite and rename files when it
collects them. Nothing is fetched over a network.
"""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import Final

from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage, staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.templatetags.static import static

import snipcart_checkout

_SHIPPED: Final = Path(snipcart_checkout.__file__).parent / "static"


def get_address(path: str) -> str:
    """Return the address of a static file; raise ValueError when the manifest of the files does not know it."""
    if django_settings.DEBUG:
        return static(path)
    if not _has_storage():
        return _address(django_settings.STATIC_URL, path)
    storage = _storage()
    # Django's own storages give a file one address for as long as they live. Another may sign it anew each time.
    return _address(storage, path) if isinstance(storage, StaticFilesStorage) else static(path)


def get_collected(path: str) -> bytes | None:
    """Return a file as it was collected; None where nothing was, or where it lies on another machine."""
    # With DEBUG, files are served from where they were installed, and what was collected may be old.
    if django_settings.DEBUG or not _has_storage():
        return None
    location = _collected_at(_storage(), path)
    return _read(location) if location else None


def get_content(path: str) -> bytes:
    """Return a static file of ours: as collected, else as the site's finders find it, else as shipped."""
    collected = get_collected(path)
    if collected is not None:
        return collected
    source = _find(path) if django_settings.DEBUG else _found_at(tuple(finders.get_finders()), path)
    return _read(source) or _read(_SHIPPED / path) or b""


def _has_storage() -> bool:
    return apps.is_installed("django.contrib.staticfiles")


def _storage() -> object:
    return storages["staticfiles"]


@lru_cache(maxsize=16)
def _address(_kept_by: object, path: str) -> str:
    return static(path)


@lru_cache(maxsize=16)
def _collected_at(_storage: object, path: str) -> Path | None:
    try:
        return Path(staticfiles_storage.path(_stored_name(path)))
    except (ImproperlyConfigured, NotImplementedError, ValueError):
        return None


def _stored_name(path: str) -> str:
    """Return the name under which the storage keeps a file: those with a manifest put a hash into it."""
    stored_name = getattr(staticfiles_storage, "stored_name", None)
    return str(stored_name(path)) if stored_name else path


@lru_cache(maxsize=16)
def _found_at(_finders: tuple[object, ...], path: str) -> Path:
    return _find(path)


def _find(path: str) -> Path:
    source = finders.find(path)
    return Path(source) if isinstance(source, str) else _SHIPPED / path


def _read(path: Path) -> bytes | None:
    """Return the content of a file, which is read once for as long as the file stays the same; None without one.

    Whether it has changed is looked at once a second, with DEBUG each time.
    """
    return _read_now(path) if django_settings.DEBUG else _read_at(path, int(time.monotonic()))


@lru_cache(maxsize=16)
def _read_at(path: Path, _second: int) -> bytes | None:
    return _read_now(path)


def _read_now(path: Path) -> bytes | None:
    try:
        return _content(path, path.stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=16)
def _content(path: Path, _changed_at: int) -> bytes:
    return path.read_bytes()
