"""Template filters of the sandbox's pages."""

from __future__ import annotations

from decimal import Decimal

from django import template
from django.utils.functional import Promise

from snipcart_checkout.sandbox.core.error_texts import ERROR_TEXTS
from snipcart_checkout.sandbox.core.faults import FAULTS
from snipcart_checkout.sandbox.core.invoices import Line
from snipcart_checkout.sandbox.money import format_money

register = template.Library()


@register.filter
def money(amount: Decimal, currency: str) -> str:
    """Write an amount in major units with its currency."""
    return format_money(amount, currency)


@register.filter
def line_amount(line: Line) -> Decimal:
    """Return what a line costs."""
    return line.unit_price * line.quantity


@register.filter
def error_text(code: str) -> str | Promise:
    """Return the cart's own text for the code of a failed payment; empty when it has none."""
    return ERROR_TEXTS.get(code, "")


@register.filter
def fault_label(kind: str) -> str | Promise:
    """Return what a fault is, in words."""
    return FAULTS[kind].words if kind in FAULTS else kind
