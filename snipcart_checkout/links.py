"""Where links may lead, and what our own links look like.

Every redirect and every link that came from outside passes ``safe_shop_url`` or ``safe_provider_url``; every link
of ours that leaves the site is built by ``public_url`` from the configured address, never from a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from django.conf import settings as django_settings
from django.templatetags.static import static
from django.urls import get_script_prefix, reverse, set_script_prefix
from django.utils import translation

from snipcart_checkout.conf import get_settings
from snipcart_checkout.origins import is_loopback

__all__ = ["icon_url", "origin_of", "public_url", "return_url_of", "safe_provider_url", "safe_shop_url"]

_MAX_LENGTH: Final = 4096
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


def safe_shop_url(url: str, hosts: Sequence[str]) -> str:
    """Return the URL when it leads to one of the hosts, else an empty string.

    It has to be https (http is allowed to a loopback host with DEBUG), without user name, and its host and
    port have to equal an entry: ``shop.example`` means port 443, ``shop.example:8443`` that port.
    """
    parts = _parts(url)
    if parts is None or not _is_secure(parts):
        return ""
    return url if any(_same_host(parts, host) for host in hosts) else ""


def safe_provider_url(url: str, origins: Sequence[str]) -> str:
    """Return the URL when its origin is one of the origins or our own, else an empty string."""
    parts = _parts(url)
    if parts is None or not _is_secure(parts):
        return ""
    allowed = {origin_of(origin) for origin in (*origins, get_settings().public_url)}
    return url if origin_of(url) in allowed - {""} else ""


def return_url_of(sent: str, hosts: Sequence[str]) -> str:
    """Return the checked way back to the cart; empty when it leads anywhere but to the store's hosts.

    A session without a link leads to the first host, and a link that is only a fragment is a place there.
    """
    home = _home(hosts[0])
    if not sent:
        return home
    return safe_shop_url(f"{home}/{sent}" if sent.startswith("#") else sent, hosts)


def _home(entry: str) -> str:
    # With DEBUG a shop on this machine is the development server, which speaks no TLS.
    local = django_settings.DEBUG and is_loopback(urlsplit(f"//{entry}").hostname)
    return f"{'http' if local else 'https'}://{entry}"


def origin_of(url: str) -> str:
    """Return scheme, host and, where it is not the default, port of an absolute URL; empty without one."""
    parts = _parts(url)
    if parts is None:
        return ""
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    suffix = "" if port == _DEFAULT_PORTS[parts.scheme] else f":{port}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{suffix}"


def public_url(view_name: str, **kwargs: object) -> str:
    """Return the absolute URL of one of our views, the same in a request and in a command.

    PUBLIC_URL is where the root of the URLconf is reached, so the path is reversed without a script prefix
    and, under i18n_patterns, for LANGUAGE_CODE.
    """
    prefix = get_script_prefix()
    set_script_prefix("/")
    try:
        with translation.override(django_settings.LANGUAGE_CODE):
            path = reverse(
                f"snipcart_checkout:{view_name}", urlconf=django_settings.ROOT_URLCONF, kwargs=kwargs
            )
    finally:
        set_script_prefix(prefix)
    return get_settings().public_url + path


def icon_url(icon: str) -> str:
    """Return a method's icon as an absolute URL; empty when there is none or it is not safe to show."""
    if not icon:
        return ""
    try:
        path = icon if _parts(icon) else static(icon)
    except ValueError:
        # The manifest of the static files does not know it; a missing icon must not hide the method.
        return ""
    url = urljoin(f"{origin_of(get_settings().public_url)}/", path)
    parts = _parts(url)
    return url if parts and _is_secure(parts) else ""


def _parts(url: str) -> SplitResult | None:
    """Split an absolute http(s) URL; None for whatever a browser might read differently than we do."""
    unsafe = any(not character.isprintable() or character in ' \\"<>' for character in url)
    if unsafe or len(url) > _MAX_LENGTH:
        return None
    try:
        parts = urlsplit(url)
        usable_port = parts.port != 0
    except ValueError:
        return None
    if not usable_port or parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts


def _is_secure(parts: SplitResult) -> bool:
    return parts.scheme == "https" or (django_settings.DEBUG and is_loopback(parts.hostname))


def _same_host(parts: SplitResult, entry: str) -> bool:
    try:
        wanted = urlsplit(f"//{entry}")
        port = wanted.port or _DEFAULT_PORTS[parts.scheme]
    except ValueError:
        return False
    same_port = (parts.port or _DEFAULT_PORTS[parts.scheme]) == port
    return same_port and _ascii_host(parts.hostname) == _ascii_host(wanted.hostname) != ""


def _ascii_host(host: str | None) -> str:
    """Return a host name as it stands in DNS; empty for one that browsers might look up under another name."""
    if not host or host.isascii():
        return (host or "").lower()
    try:
        name = host.encode("idna")
        # Python follows the older of two standards, which turns some letters into others (ß into ss).
        return name.decode("ascii").lower() if name.decode("idna") == host else ""
    except UnicodeError:
        return ""
