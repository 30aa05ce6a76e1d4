"""Rules about where the app is mounted: does each address that it hands out lead back to it?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.core import checks
from django.urls import NoReverseMatch, Resolver404, get_resolver
from django.utils import translation

from snipcart_checkout.checks.middleware import is_middleware_installed
from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.links import public_path
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.services import OwnAddress, list_addresses

Messages = Iterator[checks.CheckMessage]

_MOUNT: Final = 'path("pay/", include("snipcart_checkout.urls")),  # before any catch-all'
_COMMON: Final = "django.middleware.common.CommonMiddleware"
_LOCALE: Final = "django.middleware.locale.LocaleMiddleware"


def addresses() -> Messages:
    try:
        public_path("checkout")
    except NoReverseMatch:
        yield checks.Error(
            _("The addresses of snipcart_checkout are not part of ROOT_URLCONF."),
            hint=_MOUNT,
            id="snipcart_checkout.E301",
        )
    except Exception as error:  # a site's URLconf is code that may raise anything
        yield checks.Error(
            _("ROOT_URLCONF cannot be loaded: {error}.").format(error=type(error).__name__),
            hint=_("Run: {command}").format(command="python manage.py check"),
            id="snipcart_checkout.E311",
        )
    else:
        yield from _unreachable()
        yield from _doubled_prefix()


def _unreachable() -> Messages:
    problems: dict[str, list[str]] = {}
    for address in list_addresses():
        if problem := _find_problem(address):
            problems.setdefault(problem, []).append(address.path)
    for problem, paths in problems.items():
        yield checks.Error(
            _("A request for {paths} does not reach this app: {problem}.").format(
                paths=", ".join(paths), problem=problem
            ),
            hint=_MOUNT,
            id="snipcart_checkout.E305",
        )


def _find_problem(address: OwnAddress) -> str:
    with translation.override(_language_of_request(address.path)):
        try:
            match = get_resolver(django_settings.ROOT_URLCONF).resolve(address.path)
        except Resolver404:
            return _("no pattern matches it")
    view_class = getattr(match.func, "view_class", None)
    if isinstance(view_class, type) and issubclass(view_class, _view_classes()[address.view_name]):
        return ""
    return _("{view} comes before it").format(view=match._func_path)


def _language_of_request(path: str) -> str:
    """Return the language that is active for a request without a preference, such as Snipcart's."""
    if not is_middleware_installed(_LOCALE):
        return django_settings.LANGUAGE_CODE
    if in_path := translation.get_language_from_path(path):
        return in_path
    used, default_has_prefix = is_language_prefix_patterns_used(django_settings.ROOT_URLCONF)
    if used and not default_has_prefix:
        return django_settings.LANGUAGE_CODE
    try:
        return translation.get_supported_language_variant(django_settings.LANGUAGE_CODE)
    except LookupError:
        return django_settings.LANGUAGE_CODE


@cache
def _view_classes() -> dict[str, type]:
    # Imported here, because a URLconf is loaded after the apps.
    from snipcart_checkout.urls import urlpatterns

    return {str(pattern.name): pattern.callback.view_class for pattern in urlpatterns}  # type: ignore[attr-defined]


def _doubled_prefix() -> Messages:
    base = urlsplit(get_settings().public_url).path
    if base and public_path("checkout").startswith(f"{base}/") and not django_settings.FORCE_SCRIPT_NAME:
        yield checks.Warning(
            _(
                "PUBLIC_URL ends in {path}, where the app is mounted too: its addresses begin with {both}."
            ).format(path=base, both=base + public_path("checkout")),
            hint=_(
                "PUBLIC_URL is the address of the whole site, without the place where this app is mounted."
            ),
            id="snipcart_checkout.W306",
        )


def script_name() -> Messages:
    forced = (django_settings.FORCE_SCRIPT_NAME or "").rstrip("/")
    url = get_settings().public_url
    if forced and url and not urlsplit(url).path.endswith(forced):
        yield checks.Error(
            _("FORCE_SCRIPT_NAME is {forced}, but PUBLIC_URL does not end in it.").format(
                forced=repr(forced)
            ),
            hint=f'"PUBLIC_URL": "{url + forced}",',
            id="snipcart_checkout.E306",
        )


def prepended_www() -> Messages:
    parts = urlsplit(get_settings().public_url)
    if (
        django_settings.PREPEND_WWW
        and parts.hostname
        and not parts.hostname.startswith("www.")
        and is_middleware_installed(_COMMON)
    ):
        yield checks.Error(
            _(
                "PREPEND_WWW is on, but the host of PUBLIC_URL does not begin with www: requests are redirected."
            ),
            hint=f'"PUBLIC_URL": "{parts._replace(netloc=f"www.{parts.netloc}").geturl()}",',
            id="snipcart_checkout.E307",
        )
