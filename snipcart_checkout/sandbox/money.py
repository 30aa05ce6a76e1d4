"""Amounts as people read them."""

from __future__ import annotations

from decimal import Decimal

from babel.numbers import format_currency
from django.utils.translation import get_language


def format_money(amount: Decimal, currency: str) -> str:
    """Return an amount in major units with its currency, written as the active language does."""
    return format_currency(amount, currency, locale=(get_language() or "en").replace("-", "_"))
