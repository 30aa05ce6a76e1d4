"""The template of a page, with what is the same on many pages put into it ahead."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from django.template import RequestContext, engines, loader
from django.template.backends.django import Template as BackendTemplate
from django.utils.safestring import SafeString

from snipcart_checkout.views.folding import fold, keeps_templates

_FINISHED: Final = {"snipcart_checkout/parts/item_rows.html": "invoice.rows"}
# Whole objects that are the same for each language and site, and the few values of others that decide what is shown.
_CONSTANTS: Final = (
    ("language",),
    ("styles",),
    ("scripts",),
    ("brand",),
    ("store", "name"),
    ("store", "is_test"),
    ("notice",),
    ("languages", "choices"),
    ("method", "name"),
    ("method", "description"),
    ("method", "icon_urls"),
    ("method", "pay_label"),
    ("method", "processed_by"),
)
# Of these it decides what is shown whether there is anything at all.
_TRUTHS: Final = (
    ("invoice", "has_plan"),
    ("invoice", "included"),
    ("invoice", "adds_up"),
    ("invoice", "same_address"),
    ("invoice", "email"),
    ("invoice", "billing_address"),
    ("invoice", "shipping_address"),
    ("invoice", "cart_id"),
    ("form", "errors"),
)
_WHOLE: Final = (
    "store",
    "invoice",
    "method",
    "form",
    "payment",
    "back_url",
    "languages",
    "decline",
    "problem",
    "reference",
)


def get_page_template(names: Sequence[str], context: Mapping[str, Any]) -> Any:
    """Return the first of these templates that there is, folded for a context in the active language."""
    template = _select(tuple(names))
    if not isinstance(template, BackendTemplate):
        return template
    try:
        folded = fold(template, _constants(context), _truths(context), _FINISHED)
    except (AttributeError, TypeError):  # a site's view may give something else under a name of ours
        folded = template
    return _PageTemplate(folded.template, folded.backend)


def _select(names: tuple[str, ...]) -> Any:
    backends = tuple(engines.all())
    if all(map(keeps_templates, backends)):
        return _select_once(names, backends)
    return loader.select_template(names)


# Such engines remember as well that there is no template of a name, and say so with an exception each time.
@lru_cache(maxsize=256)
def _select_once(names: tuple[str, ...], _backends: tuple[object, ...]) -> Any:
    return loader.select_template(names)


class _PageTemplate(BackendTemplate):
    """Lets what a page is given win over what the site's context processors say under the same names."""

    def render(self, context: Any = None, request: Any = None) -> SafeString:
        whole = RequestContext(request, autoescape=self.backend.engine.autoescape)
        whole.push(context)
        try:
            return self.template.render(whole)
        finally:
            # Each layer refers to the context that it is one of: order and token would stay until the garbage collector comes.
            whole.dicts.clear()


def _constants(context: Mapping[str, Any]) -> dict[str, Hashable]:
    constants: dict[str, Hashable] = {name: None for name in _WHOLE if context[name] is None}
    for first, *path in _CONSTANTS:
        value = context[first]
        if value is not None:
            constants[".".join((first, *path))] = getattr(value, path[0]) if path else value
    form, invoice = context["form"], context["invoice"]
    if invoice is not None and invoice.included == ():
        constants["invoice.included"] = ()
    if form is not None and not form.fields:
        constants |= {"form.hidden_fields": (), "form.visible_fields": ()}
    return constants


def _truths(context: Mapping[str, Any]) -> dict[str, bool]:
    truths = {name: bool(context[name]) for name in _WHOLE if context[name] is not None}
    for first, last in _TRUTHS:
        value = context[first]
        if value is not None:
            truths[f"{first}.{last}"] = bool(getattr(value, last))
    return truths
