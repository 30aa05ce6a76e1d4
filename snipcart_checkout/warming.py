"""Load ahead of the first page what it would load: modules, certificates, locales, templates, backends. Calls nobody."""

from __future__ import annotations

import contextlib
from importlib import import_module

from django.conf import global_settings, settings
from django.template import TemplateDoesNotExist, TemplateSyntaxError, loader
from django.utils import translation
from django.utils.module_loading import import_string

from snipcart_checkout import formats, transport
from snipcart_checkout.conf import get_settings
from snipcart_checkout.languages import PageLanguage, page_language

__all__ = ["warm"]

_TEMPLATES = ("checkout.html", "payment.html", "error.html")


def warm() -> None:
    """Load it for the languages of the site. What is broken is left for its first use to report."""
    import_module("snipcart_checkout.urls")
    transport.warm()
    for language in _languages():
        formats.warm([language.locale])
        with translation.override(language.code):
            translation.gettext("")
    for name in _TEMPLATES:
        with contextlib.suppress(TemplateDoesNotExist, TemplateSyntaxError):
            loader.get_template(f"snipcart_checkout/{name}")
    for backend in {
        method.backend for store in get_settings().stores.values() for method in store.methods.values()
    }:
        with contextlib.suppress(Exception):  # a stranger's module may raise anything
            import_string(backend)


def _languages() -> set[PageLanguage]:
    # A site that names no languages has Django's hundred: each would cost time and memory at every start.
    named = (
        [code for code, _name in settings.LANGUAGES]
        if settings.LANGUAGES != global_settings.LANGUAGES
        else []
    )
    return {page_language(code) for code in (settings.LANGUAGE_CODE, *named)}
