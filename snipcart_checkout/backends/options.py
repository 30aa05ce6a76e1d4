"""What a backend's OPTIONS may hold."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from django.core import checks

from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.conf.links import to_origin
from snipcart_checkout.conf.translation import gettext as _


def nearest(name: object, known: Iterable[str]) -> str:
    """Return the known upper-case name that a misspelt one comes closest to; empty when none is near."""
    found = difflib.get_close_matches(str(name).upper(), list(known), n=1)
    return found[0] if found else ""


def is_list_of_texts(value: object) -> bool:
    """Return whether an option is a list or tuple of texts; an empty one is, too."""
    return isinstance(value, (list, tuple)) and all(isinstance(entry, str) for entry in value)


def is_list_of_https_origins(value: object) -> bool:
    """Return whether an option is a list or tuple of origins like ``https://pay.shop.example``."""
    return isinstance(value, (list, tuple)) and all(map(_is_https_origin, value))


def _is_https_origin(entry: object) -> bool:
    return isinstance(entry, str) and entry.startswith("https://") and to_origin(entry) == entry


def name_method(backend: PaymentBackend, problem: str, **names: object) -> str:
    """Fill the store and the method into a message at ``{method}``, and what else it names."""
    return problem.format(method=f"{backend.store}/{backend.method}", **names)


def unknown_options(backend: PaymentBackend, known: Iterable[str]) -> list[checks.CheckMessage]:
    """Return a warning for every option that a backend does not know, for use in its ``check``."""
    names = sorted(known)
    return [
        checks.Warning(
            _("{backend} of {store}/{method} has no option {option}.").format(
                backend=type(backend).__name__,
                store=backend.store,
                method=backend.method,
                option=repr(option),
            ),
            hint=_hint(option, names),
            id="snipcart_checkout.W211",
        )
        for option in backend.options
        if option not in names
    ]


def _hint(option: object, names: list[str]) -> str:
    if near := nearest(option, names):
        return _("Write {name} instead.").format(name=repr(near))
    return _("Its options are: {names}.").format(names=", ".join(names))
