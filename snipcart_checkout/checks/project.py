"""Rules about the project: its languages, its hosts, and the proxy in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core import checks
from django.http.request import validate_host

from snipcart_checkout.checks.database import autocommit, database, query_cache, read_router
from snipcart_checkout.checks.middleware import csrf_sessions, transactions
from snipcart_checkout.checks.mounting import addresses, prepended_www, script_name
from snipcart_checkout.checks.rendering import overridden_templates, static_files, templates
from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.links import to_origin
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.snipcart.transport import is_urllib3_genuine

Messages = Iterator[checks.CheckMessage]


def http_library() -> Messages:
    if not is_urllib3_genuine():
        yield checks.Error(
            _("urllib3-future is installed over urllib3: Snipcart and the payment providers are not called."),
            hint='pip uninstall urllib3-future && pip install --force-reinstall "urllib3>=2.6"',
            id="snipcart_checkout.E312",
        )


def languages() -> Messages:
    if not django_settings.USE_I18N:
        yield checks.Warning(
            _("USE_I18N is off, so pages do not follow the language of the cart."),
            hint="USE_I18N = True",
            id="snipcart_checkout.W302",
        )


def allowed_hosts() -> Messages:
    host = urlsplit(get_settings().public_url).hostname
    allowed = django_settings.ALLOWED_HOSTS
    if host and not django_settings.DEBUG and not validate_host(host, allowed):
        yield checks.Warning(
            _("ALLOWED_HOSTS does not contain the host of PUBLIC_URL, so Django may refuse every request."),
            hint=f"ALLOWED_HOSTS = {[*allowed, host]!r}",
            id="snipcart_checkout.W303",
        )


def proxied_scheme() -> Messages:
    origin = to_origin(get_settings().public_url)
    is_known = django_settings.SECURE_PROXY_SSL_HEADER or origin in django_settings.CSRF_TRUSTED_ORIGINS
    if origin.startswith("https:") and not is_known:
        yield checks.Warning(
            _(
                "If a proxy terminates https for this site, Django takes every request for http and "
                "refuses forms."
            ),
            hint=_("Unless the server already sets this for Django: {line}").format(
                line='SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")'
            ),
            id="snipcart_checkout.W304",
        )


PROJECT_RULES: Final[tuple[Callable[[], Messages], ...]] = (
    addresses,
    script_name,
    prepended_www,
    templates,
    overridden_templates,
    static_files,
    database,
    autocommit,
    read_router,
    query_cache,
    http_library,
    languages,
    csrf_sessions,
    transactions,
)
DEPLOYMENT_RULES: Final[tuple[Callable[[], Messages], ...]] = (allowed_hosts, proxied_scheme)
