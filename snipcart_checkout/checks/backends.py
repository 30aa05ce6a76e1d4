"""Rules about the backend of one payment method, and the backend's own checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from snipcart_checkout.backends import get_backend
from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.checks.sections import Section
from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.translation import gettext as _

Messages = Iterator[checks.CheckMessage]

_SHIPPED: Final = ("stripe.StripeBackend", "manual.ManualBackend", "dummy.DummyBackend")
_EXTRAS: Final = frozenset({"stripe"})


def path(method: Section) -> Messages:
    if isinstance(method.values, Mapping) and not isinstance(method.get("BACKEND") or None, str):
        yield checks.Error(
            _("{place} is missing or not a dotted path.").format(place=method.at("BACKEND")),
            hint=_shipped(),
            id="snipcart_checkout.E204",
        )


def importable(method: Section) -> Messages:
    if not isinstance(method.get("BACKEND"), str) or not method.has("BACKEND"):
        return
    hint = _shipped()
    try:
        backend_class = import_string(method.get("BACKEND"))
    except ImportError as error:
        problem = _("{place} cannot be imported.").format(place=method.at("BACKEND"))
        if error.name and not method.get("BACKEND").startswith(error.name):
            hint = _how_to_install(error.name)
    except Exception as error:  # importing a third-party module runs code that may raise anything
        problem = _("{place} raises {error} when it is imported.").format(
            place=method.at("BACKEND"), error=type(error).__name__
        )
    else:
        if isinstance(backend_class, type) and issubclass(backend_class, PaymentBackend):
            return
        problem = _("{place} is not a subclass of PaymentBackend.").format(place=method.at("BACKEND"))
    yield checks.Error(problem, hint=hint, id="snipcart_checkout.E211")


def _shipped() -> str:
    names = ", ".join(f"snipcart_checkout.backends.{name}" for name in _SHIPPED)
    return _("The backends that come with this app are {names}.").format(names=names)


def _how_to_install(module: str) -> str:
    if module in _EXTRAS:
        return _("Run: {command}").format(command=f'pip install "django-snipcart-checkout[{module}]"')
    return _("Install what it needs: there is no module {name}.").format(name=repr(module))


def usable(method: Section) -> Messages:
    """Build the backend as a payment would, and let it check its own options."""
    if next(importable(method), None):
        return
    try:
        built = _build(method)
    except Exception as error:  # a third-party backend may raise anything
        # The text of ImproperlyConfigured is written for the merchant; any other text may contain secrets.
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


def _build(method: Section) -> PaymentBackend | None:
    # A method that conf leaves out has its own messages.
    store = get_settings().stores.get(str(method.path[1]))
    configured = store.methods.get(str(method.name)) if store else None
    return get_backend(store, configured) if store and configured else None


def _capabilities(method: Section, built: PaymentBackend) -> Messages:
    if built.redirect_origins and not built.can_lookup:
        problem = _(
            "The backend of {place} has redirect_origins but cannot look up the outcome of a redirect."
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


def _own_check(method: Section, built: PaymentBackend) -> Messages:
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


BACKEND_RULES: Final[tuple[Callable[[Section], Messages], ...]] = (path, importable, usable)
