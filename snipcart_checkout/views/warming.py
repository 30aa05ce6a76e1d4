"""Load ahead of the first page what it would load: modules, certificates, locales, templates, backends. Calls nobody."""

from __future__ import annotations

import contextlib
from importlib import import_module
from pathlib import Path
from typing import Final

from django.conf import global_settings, settings
from django.template import loader
from django.utils import translation
from django.utils.module_loading import import_string

from snipcart_checkout.conf import get_settings
from snipcart_checkout.presentation import formats
from snipcart_checkout.presentation.languages import PageLanguage, page_language
from snipcart_checkout.snipcart import transport
from snipcart_checkout.views.scripts import script_tags
from snipcart_checkout.views.styles import style_blocks

_TEMPLATES: Final = Path(__file__).parent.parent / "templates"


def warm() -> None:
    """Load it for the languages of the site. What is broken is left for its first use to report."""
    _compile_routes()
    transport.warm()
    for language in _languages():
        formats.warm([language.locale])
        with translation.override(language.code):
            translation.gettext("")
    with contextlib.suppress(Exception):  # static files may be set up in ways that fail
        script_tags()
        style_blocks("", "")
    for path in _TEMPLATES.glob("snipcart_checkout/**/*.html"):
        with contextlib.suppress(Exception):  # a site's own template may hold any mistake
            loader.get_template(path.relative_to(_TEMPLATES).as_posix())
    for method in (method for store in get_settings().stores.values() for method in store.methods.values()):
        with contextlib.suppress(Exception):  # a stranger's module may raise anything
            import_string(method.backend)


def _compile_routes() -> None:
    # Only ours: the site's own URLconf may not be imported before all of its apps are ready.
    for route in import_module("snipcart_checkout.urls").urlpatterns:
        _ = route.pattern.regex


def _languages() -> set[PageLanguage]:
    # A site that names no languages has Django's hundred: each would cost time and memory at every start.
    named = (
        [code for code, _name in settings.LANGUAGES]
        if settings.LANGUAGES != global_settings.LANGUAGES
        else []
    )
    return {page_language(code) for code in (settings.LANGUAGE_CODE, *named)}
