"""Amounts as people read them, in the language of the page."""

from __future__ import annotations

from decimal import Decimal

from babel.numbers import format_currency, get_currency_precision
from django.utils.translation import get_language


def format_money(amount: Decimal, currency: str) -> str:
    """Return an amount in major units with its currency."""
    return format_currency(amount, currency, locale=(get_language() or "en").replace("-", "_"))


def format_minor_units(minor_units: int, currency: str) -> str:
    """Return an amount in the smallest unit as one in major units with its currency."""
    return format_money(Decimal(minor_units).scaleb(-get_currency_precision(currency)), currency)
