"""Names of payment methods that come with translations.

A merchant who names a method like one of these, ``"NAME": "Bank transfer"`` or ``gettext_lazy("Bank transfer")``, has
it in every language of the pages. A translation of the site's own comes first; any other name needs one.
"""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise, lazy

from snipcart_checkout.conf.translation import gettext, gettext_noop

METHOD_NAMES: Final = (
    gettext_noop("Bank transfer"),
    gettext_noop("Card"),
    gettext_noop("Cash"),
    gettext_noop("Cash on delivery"),
    gettext_noop("Cheque"),
    gettext_noop("Credit card"),
    gettext_noop("Credit or debit card"),
    gettext_noop("Dummy payment"),
)


def to_translated_name(name: str | Promise) -> str | Promise:
    """Return a method's name, translated lazily."""
    return _translate(name) if isinstance(name, Promise) or name in METHOD_NAMES else name


def _translate_now(name: str | Promise) -> str:
    text = str(name)
    return gettext(text) if text in METHOD_NAMES else text


_translate = lazy(_translate_now, str)
