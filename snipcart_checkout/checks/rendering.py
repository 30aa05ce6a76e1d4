"""Rules about rendering: template engines, overridden templates, static files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.core import checks
from django.template import TemplateDoesNotExist, engines
from django.template.backends.base import BaseEngine
from django.template.backends.django import DjangoTemplates
from django.templatetags.static import static

from snipcart_checkout.checks.template_versions import outdated_overrides
from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.links import to_origin
from snipcart_checkout.conf.translation import gettext as _

Messages = Iterator[checks.CheckMessage]

_PAGES: Final = ("checkout", "payment", "error")
_ENGINE: Final = "django.template.backends.django.DjangoTemplates"


def templates() -> Messages:
    """Load each page as the views do, with the first engine that can."""
    for page in _PAGES:
        problem = _find_problem(f"snipcart_checkout/{page}.html")
        if problem is not None:
            yield problem
            return


def _find_problem(name: str) -> checks.CheckMessage | None:
    for engine in engines.all():
        try:
            engine.get_template(name)
        except TemplateDoesNotExist:
            continue
        except Exception as error:  # another engine raises its own errors for a template that it cannot parse
            return _unreadable(name, engine, type(error).__name__)
        return _find_engine_problem(name, engine)
    return checks.Error(
        _("The templates of snipcart_checkout are not found."),
        hint=_(
            'Set "APP_DIRS": True in TEMPLATES, or add the loader '
            "django.template.loaders.app_directories.Loader."
        ),
        id="snipcart_checkout.E302",
    )


def _find_engine_problem(name: str, engine: BaseEngine) -> checks.CheckMessage | None:
    if not isinstance(engine, DjangoTemplates):
        return _unreadable(name, engine, _("it is not Django's"))
    if engine.engine.autoescape:
        return None
    return checks.Error(
        _("autoescape is off in the template engine of the pages: a name in an order could run as a script."),
        hint=_('Remove "autoescape" from its OPTIONS in TEMPLATES, or put an engine for this app before it.'),
        id="snipcart_checkout.E309",
    )


def _unreadable(name: str, engine: BaseEngine, reason: str) -> checks.CheckMessage:
    if isinstance(engine, DjangoTemplates):
        hint = _("Correct the site's own copy of it, or of a template that it is made of.")
    else:
        hint = _(
            "Put {engine} first in TEMPLATES, or keep the other engine from taking every .html file."
        ).format(engine=_ENGINE)
    by = f"{type(engine).__module__}.{type(engine).__qualname__}"
    return checks.Error(
        _("{name} cannot be used with the template engine {engine}: {reason}.").format(
            name=name, engine=by, reason=reason
        ),
        hint=hint,
        id="snipcart_checkout.E308",
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
            hint=_("Apply what changed, then update the version in its first line."),
            id="snipcart_checkout.W305",
        )


def static_files() -> Messages:
    try:
        origin = to_origin(static("snipcart_checkout/checkout.js"))
    except ValueError:  # ``collectstatic`` did not run yet
        return
    ours = to_origin(get_settings().public_url)
    if origin and ours and origin != ours:
        yield checks.Warning(
            _(
                "Static files come from {origin}: without a header that permits it, browsers block the script."
            ).format(origin=origin),
            hint=_("Have that server send: {line}").format(line=f"Access-Control-Allow-Origin: {ours}"),
            id="snipcart_checkout.W307",
        )
