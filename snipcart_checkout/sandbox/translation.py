"""The translation functions of the sandbox's own strings, which carry the context ``snipcart_sandbox``.

All apps of a site share one gettext domain; with a context, no string of the sandbox can take another app's place.
They take what Django's functions of the same names take.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from django.utils.translation import npgettext, pgettext, pgettext_lazy

__all__ = ["CONTEXT", "gettext", "gettext_lazy", "ngettext"]

CONTEXT: Final = "snipcart_sandbox"

gettext = partial(pgettext, CONTEXT)
gettext_lazy = partial(pgettext_lazy, CONTEXT)
ngettext = partial(npgettext, CONTEXT)
