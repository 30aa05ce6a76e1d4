"""Validation of URLs and hosts in the settings."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit, urlunsplit

from snipcart_checkout.conf.translation import gettext_noop


def is_loopback(host: str | None) -> bool:
    """Return whether a host name is a loopback host."""
    if host is None or host == "localhost":
        return host is not None
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def to_ascii_host(host: str | None) -> str:
    """Return a host name as DNS has it; empty for one that browsers might look up under another name."""
    if not host or host.isascii():
        return (host or "").lower()
    try:
        name = host.lower().encode("idna")
        # Python follows the older of two standards, which turns some letters into others (ß into ss).
        return name.decode("ascii") if name.decode("idna") == host.lower() else ""
    except UnicodeError:
        return ""


@lru_cache(maxsize=64)
def to_ascii_url(url: str) -> str:
    """Return an absolute URL with its host in punycode; a URL without a valid host is returned unchanged."""
    parts = _split(url)
    host = to_ascii_host(parts.hostname) if parts else ""
    if parts is None or url.isascii() or not host:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(_written_host(parts), host)))


@lru_cache(maxsize=64)
def to_ascii_entry(entry: str) -> str:
    """Return an entry of SHOP_HOSTS in lower case and punycode, with its port."""
    return to_ascii_url(f"https://{entry}").removeprefix("https://").lower()


def _written_host(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2]
    return host.rpartition(":")[0] if parts.port is not None else host.rstrip(":")


def base_url_problem(url: object) -> str:
    """Return, as an English clause, why a URL cannot be ours or Snipcart's; empty when it can."""
    return _base_url_problem(url) if isinstance(url, str) and url else gettext_noop("is missing")


@lru_cache(maxsize=64)
def _base_url_problem(url: str) -> str:
    parts = _split(url)
    if parts is None or not parts.hostname:
        return gettext_noop("is not an absolute URL")
    if "@" in parts.netloc or "?" in url or "#" in url:
        return gettext_noop("contains more than scheme, host, port and path")
    if not to_ascii_host(parts.hostname):
        return gettext_noop("has a host that browsers may look up under another name; write it in punycode")
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname)):
        return ""
    return gettext_noop("is not https")


def shop_host_problem(entry: object) -> str:
    """Return, as an English clause, why an entry of SHOP_HOSTS is no host; empty when it is one."""
    host = entry.strip() if isinstance(entry, str) else ""
    return _shop_host_problem(host) if host else gettext_noop("is empty or not a text")


@lru_cache(maxsize=64)
def _shop_host_problem(host: str) -> str:
    if "*" in host:
        return gettext_noop("contains a wildcard, and hosts are compared exactly")
    parts = _split(f"//{host}")
    if parts is None or not parts.hostname or parts.netloc != host or "@" in host or host.endswith(":"):
        return gettext_noop("is not a host name, or a host name and a port")
    if not to_ascii_host(parts.hostname):
        return gettext_noop("is a host that browsers may look up under another name; write it in punycode")
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
