"""Rules about the backend of one payment method, and what the backend says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from snipcart_checkout.backends import get_backend
from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.checks.parts import Part
from snipcart_checkout.conf import get_settings

__all__ = ["BACKEND_RULES"]

Messages = Iterator[checks.CheckMessage]

_SHIPPED: Final = ("stripe.StripeBackend", "manual.ManualBackend", "dummy.DummyBackend")
_EXTRAS: Final = frozenset({"stripe"})


def path(method: Part) -> Messages:
    if isinstance(method.values, Mapping) and not isinstance(method.get("BACKEND") or None, str):
        yield checks.Error(
            _("{place} is missing or not a dotted path.").format(place=method.at("BACKEND")),
            hint=_shipped(),
            id="snipcart_checkout.E204",
        )


def importable(method: Part) -> Messages:
    if not isinstance(method.get("BACKEND"), str) or not method.has("BACKEND"):
        return
    hint = _shipped()
    try:
        backend_class = import_string(method.get("BACKEND"))
    except ImportError as error:
        problem = _("{place} cannot be imported.").format(place=method.at("BACKEND"))
        if error.name and not method.get("BACKEND").startswith(error.name):
            hint = _how_to_install(error.name)
    except Exception as error:  # importing a stranger's module runs code that may raise anything
        problem = _("{place} raises {error} when it is imported.").format(
            place=method.at("BACKEND"), error=type(error).__name__
        )
    else:
        if isinstance(backend_class, type) and issubclass(backend_class, PaymentBackend):
            return
        problem = _("{place} is no subclass of PaymentBackend.").format(place=method.at("BACKEND"))
    yield checks.Error(problem, hint=hint, id="snipcart_checkout.E211")


def _shipped() -> str:
    names = ", ".join(f"snipcart_checkout.backends.{name}" for name in _SHIPPED)
    return _("The backends that come with this app are {names}.").format(names=names)


def _how_to_install(module: str) -> str:
    if module in _EXTRAS:
        return _("Run: {command}").format(command=f'pip install "django-snipcart-checkout[{module}]"')
    return _("Install what it needs: there is no module {name}.").format(name=repr(module))


def usable(method: Part) -> Messages:
    """Build the backend as a payment would, and let it check its own options."""
    if next(importable(method), None):
        return
    try:
        built = _build(method)
    except Exception as error:  # a stranger's backend may raise anything
        # What it says of its configuration is meant to be read; any other text may hold anything.
        reason = str(error) if isinstance(error, ImproperlyConfigured) else type(error).__name__
        yield checks.Error(
            _("The backend of {place} cannot be built: {reason}").format(place=method.at(), reason=reason),
            hint=_("Look at what it needs in {place}.").format(place=method.at("OPTIONS")),
            id="snipcart_checkout.E212",
        )
        return
    if built is not None:
        yield from _capabilities(method, built)
        yield from _own_check(method, built)


def _build(method: Part) -> PaymentBackend | None:
    # A method that conf leaves out has other messages.
    store = get_settings().stores.get(str(method.path[1]))
    configured = store.methods.get(str(method.name)) if store else None
    return get_backend(store, configured) if store and configured else None


def _capabilities(method: Part, built: PaymentBackend) -> Messages:
    if built.redirect_origins and not built.can_lookup:
        problem = _(
            "The backend of {place} has redirect_origins but cannot look up what comes of a redirect."
        )
    elif built.supports_partial_refund and not built.supports_refund:
        problem = _("The backend of {place} supports partial refunds but not refunds.")
    else:
        return
    yield checks.Error(
        problem.format(place=method.at()),
        hint=_("Set or remove one of the two attributes of the class."),
        id="snipcart_checkout.E213",
    )


def _own_check(method: Part, built: PaymentBackend) -> Messages:
    try:
        yield from list(built.check())
    except Exception as error:  # as above
        yield checks.Error(
            _("The backend of {place} raises {error} when it checks its options.").format(
                place=method.at(), error=type(error).__name__
            ),
            hint=_("Look at what it needs in {place}.").format(place=method.at("OPTIONS")),
            id="snipcart_checkout.E214",
        )


BACKEND_RULES: Final[tuple[Callable[[Part], Messages], ...]] = (path, importable, usable)
