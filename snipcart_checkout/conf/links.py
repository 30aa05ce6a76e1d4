"""Where links may lead, and what our own links look like.

Every redirect and every link that came from outside passes ``to_safe_shop_url`` or ``to_safe_provider_url``; every link
of ours that leaves the site is built by ``public_url`` from the configured address, never from a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from django.conf import settings as django_settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.templatetags.static import static
from django.urls import get_script_prefix, reverse, set_script_prefix
from django.utils import translation

from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.origins import is_loopback, to_ascii_host

_MAX_LENGTH: Final = 4096
_UNSAFE: Final = frozenset(' \\"<>')
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


def to_safe_shop_url(url: str, hosts: Sequence[str]) -> str:
    """Return the URL when it leads to one of the hosts, else an empty string.

    It has to be https (http is allowed to a loopback host with DEBUG), without user name, and its host and
    port have to equal an entry: ``shop.example`` means port 443, ``shop.example:8443`` that port.
    """
    parts = _parts(url)
    if parts is None or not _is_secure(parts):
        return ""
    return url if any(_same_host(parts, host) for host in hosts) else ""


def to_safe_provider_url(url: str, origins: Sequence[str]) -> str:
    """Return the URL when its origin is one of the origins or our own, else an empty string."""
    parts = _parts(url)
    if parts is None or not _is_secure(parts):
        return ""
    allowed = {to_origin(origin) for origin in (*origins, get_settings().public_url)}
    return url if to_origin(url) in allowed - {""} else ""


def to_cart_url(sent: str, hosts: Sequence[str]) -> str:
    """Return the checked link back to the cart; empty when it leads to a host that is not the store's.

    A session without a link leads to the first host; a link that is only a fragment is added to it.
    """
    home = _home(hosts[0])
    if not sent:
        return home
    return to_safe_shop_url(f"{home}/{sent}" if sent.startswith("#") else sent, hosts)


def _home(entry: str) -> str:
    # With DEBUG a shop on this machine is the development server, which has no TLS.
    local = django_settings.DEBUG and is_loopback(urlsplit(f"//{entry}").hostname)
    return f"{'http' if local else 'https'}://{entry}"


def to_origin(url: str) -> str:
    """Return scheme, host (in punycode) and, where it is not the default, port of an absolute URL; empty without one."""
    parts = _parts(url)
    if parts is None:
        return ""
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    suffix = "" if port == _DEFAULT_PORTS[parts.scheme] else f":{port}"
    host = to_ascii_host(parts.hostname)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{suffix}" if host else ""


def public_url(view_name: str, **kwargs: object) -> str:
    """Return the absolute URL of one of our views, the same in a request and in a command.

    PUBLIC_URL is where the root of the URLconf is reached, so the path is reversed without a script prefix
    and, under i18n_patterns, for the language that Django resolves LANGUAGE_CODE to.
    """
    return get_settings().public_url + public_path(view_name, **kwargs)


def public_path(view_name: str, **kwargs: object) -> str:
    """Return the path of one of our views below PUBLIC_URL; raise NoReverseMatch where it is not mounted."""
    urlconf = django_settings.ROOT_URLCONF
    prefix = get_script_prefix()
    set_script_prefix("/")
    try:
        with translation.override(_language_of_links(urlconf)):
            return reverse(f"snipcart_checkout:{view_name}", urlconf=urlconf, kwargs=kwargs)
    finally:
        set_script_prefix(prefix)


def _language_of_links(urlconf: str) -> str:
    """Return the language for which LocaleMiddleware finds what was reversed under it: "fr" where "fr-fr" is set.

    Without a prefix for the default language, that is LANGUAGE_CODE as it is written, if Django would write it so.
    """
    code = django_settings.LANGUAGE_CODE
    used, default_has_prefix = is_language_prefix_patterns_used(urlconf)
    if used and not default_has_prefix and code == translation.to_language(code):
        return code
    try:
        return translation.get_supported_language_variant(code)
    except LookupError:
        return code


def icon_url(icon: str) -> str:
    """Return a method's icon as an absolute URL; empty when there is none or it is not safe to show."""
    if not icon:
        return ""
    try:
        path = icon if _parts(icon) else static(icon)
    except ValueError:
        # The manifest of static files has no such file; a missing icon must not hide the method.
        return ""
    url = urljoin(f"{to_origin(get_settings().public_url)}/", path)
    parts = _parts(url)
    return url if parts and _is_secure(parts) else ""


def page_image_url(image: str) -> str:
    """Return the address of a picture for our own pages; empty when there is none or it is not safe to show.

    A static path needs no host: it is reached where the page is.
    """
    if not image or _parts(image):
        return icon_url(image)
    try:
        return static(image)
    except ValueError:
        # The manifest of the static files does not know it.
        return ""


def _parts(url: str) -> SplitResult | None:
    """Split an absolute http(s) URL; None for a URL that browsers might parse differently."""
    if len(url) > _MAX_LENGTH or not url.isprintable() or not _UNSAFE.isdisjoint(url):
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
    host, port = _split_entry(entry)
    usual = _DEFAULT_PORTS[parts.scheme]
    return (parts.port or usual) == (port or usual) and to_ascii_host(parts.hostname) == host != ""


@lru_cache(maxsize=256)
def _split_entry(entry: str) -> tuple[str, int | None]:
    """Return host and port of an entry of the settings; no host where it cannot be read."""
    try:
        parts = urlsplit(f"//{entry}")
        return to_ascii_host(parts.hostname), parts.port
    except ValueError:
        return "", None
