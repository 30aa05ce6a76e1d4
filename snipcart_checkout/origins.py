"""What a URL or host in the settings has to look like."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from django.utils.translation import gettext_noop

__all__ = ["base_url_problem", "is_loopback", "shop_host_problem"]


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name means this very machine."""
    if host is None or host == "localhost":
        return host is not None
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def base_url_problem(url: object) -> str:
    """Say in one English clause why a URL cannot be one of ours or Snipcart's; empty when it can."""
    return _base_url_problem(url) if isinstance(url, str) and url else gettext_noop("is missing")


# Settings are read several times for each page; what a text looks like does not change.
@lru_cache(maxsize=64)
def _base_url_problem(url: str) -> str:
    parts = _split(url)
    if parts is None or not parts.hostname:
        return gettext_noop("is not an absolute URL")
    if "@" in parts.netloc or "?" in url or "#" in url:
        return gettext_noop("holds more than scheme, host, port and path")
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname)):
        return ""
    return gettext_noop("is not https")


def shop_host_problem(entry: object) -> str:
    """Say in one English clause why an entry of SHOP_HOSTS names no host; empty when it does."""
    host = entry.strip() if isinstance(entry, str) else ""
    return _shop_host_problem(host) if host else gettext_noop("is empty or not a text")


@lru_cache(maxsize=64)
def _shop_host_problem(host: str) -> str:
    if "*" in host:
        return gettext_noop("holds a wildcard, and hosts are compared exactly")
    parts = _split(f"//{host}")
    if parts is None or not parts.hostname or parts.netloc != host or "@" in host or host.endswith(":"):
        return gettext_noop("is not a host name, or a host name and a port")
    return ""


def _split(url: str) -> SplitResult | None:
    if any(character.isspace() or not character.isprintable() or character == "\\" for character in url):
        return None
    try:
        parts = urlsplit(url)
        usable_port = parts.port != 0
    except ValueError:
        return None
    return parts if usable_port else None
