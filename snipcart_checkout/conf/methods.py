"""METHODS of a store: what is read of each payment method, and which one may be offered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeGuard

from django.utils.functional import Promise

from snipcart_checkout.conf.method_names import to_translated_name
from snipcart_checkout.conf.values import is_slug, to_mapping, to_text, to_texts

RESERVED_METHOD_IDS: Final = frozenset(
    "card paypal paypal_express_checkout apple_pay bancontact belfius eps giropay ideal ing_home_pay kbc "
    "klarna_pay_later klarna_slice_it p24 sepa_debit sofort deferred_payment".split()
)
"""Ids for which Snipcart's cart shows its own names instead of ours."""

MOST_ICONS: Final = 4
"""The most icons that one method may show."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """One payment method of a store, as configured.

    ``min_amount`` and ``max_amount`` are in major units and inclusive; empty ``currencies`` or ``countries``
    mean all of them. ``name`` and ``description`` may be lazy translations; an empty description means the
    backend's own. ``icons`` are static paths or absolute URLs, four at most.
    """

    id: str
    backend: str
    name: str | Promise
    description: str | Promise = ""
    icons: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def icon(self) -> str:
        """The icon where there is room for only one, as in the cart."""
        return self.icons[0] if self.icons else ""


def read_methods(raw: object) -> dict[str, Method]:
    """Return the methods that may be offered, by id."""
    return {
        identifier: _read_method(identifier, to_mapping(method))
        for identifier, method in to_mapping(raw).items()
        if is_slug(identifier) and identifier not in RESERVED_METHOD_IDS and _is_sound(to_mapping(method))
    }


def _is_sound(method: Mapping[str, Any]) -> bool:
    """Return whether a method may be offered: a limit that cannot be read must not count as no limit."""
    lists_read = all(method.get(key) is None or to_texts(method[key]) for key in ("CURRENCIES", "COUNTRIES"))
    limits_read = all(
        method.get(key) is None or read_amount(method[key]) is not None
        for key in ("MIN_AMOUNT", "MAX_AMOUNT")
    )
    return bool(to_text(method.get("BACKEND"), "")) and lists_read and limits_read


def _read_method(identifier: str, raw: Mapping[str, Any]) -> Method:
    name, description = raw.get("NAME"), raw.get("DESCRIPTION")
    return Method(
        id=identifier,
        backend=raw["BACKEND"],
        name=to_translated_name(name) if _is_name(name) else identifier.replace("_", " ").capitalize(),
        description=description if isinstance(description, (str, Promise)) else "",
        icons=_read_icons(raw.get("ICON")),
        currencies=tuple(code.upper() for code in to_texts(raw.get("CURRENCIES"))),
        countries=tuple(code.upper() for code in to_texts(raw.get("COUNTRIES"))),
        min_amount=read_amount(raw.get("MIN_AMOUNT")),
        max_amount=read_amount(raw.get("MAX_AMOUNT")),
        options=to_mapping(raw.get("OPTIONS")),
    )


def _is_name(value: object) -> TypeGuard[str | Promise]:
    # A lazy translation is not evaluated here, because the language is not known yet.
    return isinstance(value, Promise) or (isinstance(value, str) and bool(value))


def read_amount(value: object) -> Decimal | None:
    """Return a limit in major units; None for a float, which is inexact, and for all that is no finite
    number.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _read_icons(value: object) -> tuple[str, ...]:
    icons = (value,) if isinstance(value, str) else value if isinstance(value, (list, tuple)) else ()
    return tuple(icon for icon in icons if isinstance(icon, str) and icon)[:MOST_ICONS]
