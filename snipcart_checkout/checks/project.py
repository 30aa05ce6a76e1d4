"""Rules about the project around the app: addresses, templates, database, languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings as django_settings
from django.core import checks
from django.db import connections, router
from django.http.request import validate_host
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.urls import NoReverseMatch
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from snipcart_checkout.conf import get_settings
from snipcart_checkout.links import origin_of, public_url
from snipcart_checkout.template_versions import outdated_overrides

__all__ = ["DEPLOYMENT_RULES", "PROJECT_RULES"]

Messages = Iterator[checks.CheckMessage]

_KNOWN_DATABASES: Final = frozenset({"sqlite", "postgresql", "mysql"})
_SESSIONS: Final = "django.contrib.sessions.middleware.SessionMiddleware"


def addresses() -> Messages:
    try:
        public_url("checkout")
    except NoReverseMatch:
        yield checks.Error(
            _("The addresses of snipcart_checkout are not part of ROOT_URLCONF."),
            hint='path("checkout/", include("snipcart_checkout.urls")),',
            id="snipcart_checkout.E301",
        )


def templates() -> Messages:
    try:
        get_template("snipcart_checkout/checkout.html")
    except TemplateDoesNotExist:
        yield checks.Error(
            _("The templates of snipcart_checkout are not found."),
            hint=_(
                'Set "APP_DIRS": True in TEMPLATES, or add the loader django.template.loaders.app_directories.Loader.'
            ),
            id="snipcart_checkout.E302",
        )


def overridden_templates() -> Messages:
    for override in outdated_overrides():
        yield checks.Warning(
            _(
                "{path} was made from version {version} of {template}, which now has version {current}."
            ).format(
                path=override.path,
                version=override.version,
                template=override.template,
                current=override.current,
            ),
            hint=_("Take over what changed, and then the version in its first line."),
            id="snipcart_checkout.W305",
        )


def database() -> Messages:
    aliases = {router.db_for_write(model) for model in apps.get_app_config("snipcart_checkout").get_models()}
    if len(aliases) > 1:
        yield checks.Error(
            _(
                "The ledger's tables are spread over several databases, so that no commit can hold them together."
            ),
            hint=_("Let DATABASE_ROUTERS send every model of snipcart_checkout to one database."),
            id="snipcart_checkout.E303",
        )
    elif connections[alias := aliases.pop()].vendor not in _KNOWN_DATABASES:
        yield checks.Warning(
            _("The ledger is kept in DATABASES[{alias}], of a kind that it was not tested with.").format(
                alias=repr(alias)
            ),
            hint=_("Use PostgreSQL, MariaDB or SQLite."),
            id="snipcart_checkout.W301",
        )


def languages() -> Messages:
    if not django_settings.USE_I18N:
        yield checks.Warning(
            _("USE_I18N is off, so pages do not follow the language of the cart."),
            hint="USE_I18N = True",
            id="snipcart_checkout.W302",
        )


def csrf_sessions() -> Messages:
    if django_settings.CSRF_USE_SESSIONS and not any(map(_keeps_sessions, django_settings.MIDDLEWARE)):
        yield checks.Error(
            _("CSRF_USE_SESSIONS is on, but no session is there to keep the secret of a form."),
            hint=_("Add {path} to MIDDLEWARE, or remove CSRF_USE_SESSIONS.").format(path=repr(_SESSIONS)),
            id="snipcart_checkout.E304",
        )


def _keeps_sessions(path: str) -> bool:
    middleware = import_string(path)
    return isinstance(middleware, type) and issubclass(middleware, import_string(_SESSIONS))


def allowed_hosts() -> Messages:
    host = urlsplit(get_settings().public_url).hostname
    allowed = django_settings.ALLOWED_HOSTS
    if host and not django_settings.DEBUG and not validate_host(host, allowed):
        yield checks.Warning(
            _("ALLOWED_HOSTS does not hold the host of PUBLIC_URL, so that Django may refuse every request."),
            hint=f"ALLOWED_HOSTS = {[*allowed, host]!r}",
            id="snipcart_checkout.W303",
        )


def proxied_scheme() -> Messages:
    origin = origin_of(get_settings().public_url)
    told = django_settings.SECURE_PROXY_SSL_HEADER or origin in django_settings.CSRF_TRUSTED_ORIGINS
    if origin.startswith("https:") and not told:
        yield checks.Warning(
            _(
                "If a proxy takes https from this site, Django believes that pages come over http and refuses forms."
            ),
            hint=_("Unless the server tells Django itself: {line}").format(
                line='SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")'
            ),
            id="snipcart_checkout.W304",
        )


PROJECT_RULES: Final[tuple[Callable[[], Messages], ...]] = (
    addresses,
    templates,
    overridden_templates,
    database,
    languages,
    csrf_sessions,
)
DEPLOYMENT_RULES: Final[tuple[Callable[[], Messages], ...]] = (allowed_hosts, proxied_scheme)
