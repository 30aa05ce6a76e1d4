"""The translation functions of our own strings.

All apps of a site share one gettext domain, and an app that stands earlier in ``INSTALLED_APPS``
wins: without a context, a site's "Quantity" would stand on our pages, and our "Order" in every
formset of Django's. So every string of ours carries the context ``snipcart_checkout``: in Python by
these functions, in templates as ``{% translate "…" context "snipcart_checkout" %}``. The site's own
strings, such as the ``NAME`` of a method, have no context.

They take the same arguments as Django's functions of the same names. A string that needs a context
of its own is marked with Django's ``pgettext`` and a context that begins with ours:
``snipcart_checkout: price of one piece``.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from django.utils.translation import npgettext, pgettext, pgettext_lazy

CONTEXT: Final = "snipcart_checkout"

gettext = partial(pgettext, CONTEXT)
gettext_lazy = partial(pgettext_lazy, CONTEXT)
ngettext = partial(npgettext, CONTEXT)


def gettext_noop(message: str) -> str:
    """Mark a message for translation and return it unchanged; ``gettext`` translates it later."""
    return message
