"""Payments as CSV, for spreadsheets and bookkeeping: streamed, exact, and harmless to open."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from snipcart_checkout.models import Payment
from snipcart_checkout.money import amount_of

__all__ = ["COLUMNS", "safe_cell", "stream_payments"]

COLUMNS: Final = (
    "reference",
    "created",
    "captured",
    "store",
    "method",
    "state",
    "amount",
    "refunded",
    "refund_uncertain",
    "currency",
    "session",
    "transaction",
    "provider_reference",
    "decline_code",
    "review_reason",
    "told_state",
    "told_status",
)
"""The names in the first line. They are the same in every language, because programs read them."""

_CHUNK: Final = 500
# What makes spreadsheets take a text for a formula; the last four are full-width forms that some of them accept.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def stream_payments(request: HttpRequest, payments: QuerySet[Payment]) -> StreamingHttpResponse:
    """Return a CSV file of payments that carry the columns of the list; never all of them in memory."""
    # ASGI servers would otherwise collect the whole file before its first byte leaves.
    lines = _async_lines(payments) if isinstance(request, ASGIRequest) else _lines(payments)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"payments-{timezone.now():%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def safe_cell(value: object) -> str:
    """Return a value as the text of a cell; a text that would be taken for a formula gets an apostrophe.

    Numbers stay numbers, with all their decimals and a point, in every language.
    """
    if isinstance(value, (int, Decimal)):
        return format(value, "f" if isinstance(value, Decimal) else "d")
    if isinstance(value, datetime):
        local = timezone.localtime(value) if timezone.is_aware(value) else value
        return local.isoformat(sep=" ", timespec="seconds")
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


class _Echo:
    """A file that hands back what is written."""

    def write(self, line: str) -> str:
        return line


def _lines(payments: QuerySet[Payment]) -> Iterator[str]:
    writer: Any = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for payment in payments.iterator(_CHUNK):
        yield writer.writerow(map(safe_cell, _cells(payment)))


async def _async_lines(payments: QuerySet[Payment]) -> AsyncIterator[str]:
    writer: Any = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    async for payment in payments.aiterator(_CHUNK):
        yield writer.writerow(map(safe_cell, _cells(payment)))


def _cells(payment: Any) -> tuple[object, ...]:
    uncertain = payment.refunded_minor_units - payment.refunds_made
    amounts = (payment.minor_units, payment.refunds_made, uncertain)
    return (
        payment.reference,
        payment.created_at,
        payment.captured_at,
        payment.store,
        payment.method,
        payment.state,
        *(amount_of(units, payment.currency) for units in amounts),
        payment.currency,
        payment.session_id,
        payment.transaction_id,
        payment.provider_reference,
        payment.decline_code,
        payment.review_reason,
        payment.told_state,
        payment.told_status,
    )
