"""Names of payment methods that are translated already.

A merchant who names a method like one of these, ``"NAME": gettext_lazy("Bank transfer")``, has it in every language
of the pages; any other name needs a translation of the site's own.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_noop

__all__ = ["METHOD_NAMES"]

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
