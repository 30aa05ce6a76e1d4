"""Payments and refunds as CSV, for spreadsheets and bookkeeping: streamed, exact, and harmless to open."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from snipcart_checkout.admin.listing import add_details, in_chunks
from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.snipcart.money import to_amount

PAYMENT_COLUMNS: Final = (
    "reference",
    "short_reference",
    "created",
    "captured",
    "store",
    "method",
    "state",
    "amount",
    "currency",
    "captured_amount",
    "captured_currency",
    "refunded",
    "refund_unknown",
    "order",
    "session",
    "transaction",
    "provider_reference",
    "decline_code",
    "review_reason",
    "last_outcome",
    "last_confirmation_status",
)
"""The names in the first line. They are the same in every language, because programs read them."""

REFUND_COLUMNS: Final = (
    "refund",
    "created",
    "updated",
    "state",
    "amount",
    "currency",
    "requested_by",
    "by_hand",
    "provider_refund",
    "decline_reason",
    "decline_code",
    "payment",
    "short_reference",
    "captured",
    "store",
    "method",
    "order",
    "transaction",
)
"""The same for refunds."""

_READ: Final = (
    "reference",
    "short_reference",
    "created_at",
    "captured_at",
    "store",
    "method",
    "state",
    "minor_units",
    "currency",
    "captured_minor_units",
    "captured_currency",
    "refunded_minor_units",
    "cart_id",
    "session_id",
    "transaction_id",
    "provider_reference",
    "decline_code",
    "review_reason",
)
# What makes spreadsheets take a text for a formula, with the full-width forms that some of them accept.
_FORMULA: Final = "=+\\-@＝＋－＠"
# At the beginning of a cell, and after each character that a spreadsheet may be told to split lines at.
_STARTS_FORMULA: Final = re.compile(rf"(^|[;,|\t\r\n])([\s\"']*)(?=[{_FORMULA}])")
_STARTS_OUTSIDE: Final = ("\t", "\r", "\n")


def stream_payments(request: HttpRequest, payments: QuerySet[Payment], column: str) -> StreamingHttpResponse:
    """Return a CSV file of payments, the latest by ``column`` first; never all of them in memory."""
    chunks = map(_payment_rows, in_chunks(payments.only(*_READ), column))
    return _stream(request, "payments", PAYMENT_COLUMNS, chunks)


def stream_refunds(request: HttpRequest, refunds: QuerySet[Refund]) -> StreamingHttpResponse:
    """Return a CSV file of refunds that come with their payments, the latest first; never all of them in memory."""
    chunks = (map(_refund_cells, chunk) for chunk in in_chunks(refunds, "created_at"))
    return _stream(request, "refunds", REFUND_COLUMNS, chunks)


def safe_cell(value: object) -> str:
    """Return a value as the text of a cell; where a text would be taken for a formula it gets an apostrophe.

    That is at its beginning, and after each separator in it, because a spreadsheet may be told to split lines at
    another one than the comma. Numbers stay numbers, with all their decimals and a point, in every language.
    """
    if isinstance(value, (int, Decimal)):
        return format(value, "f" if isinstance(value, Decimal) else "d")
    if isinstance(value, datetime):
        local = timezone.localtime(value) if timezone.is_aware(value) else value
        return local.isoformat(sep=" ", timespec="seconds")
    text = "" if value is None else str(value)
    safe = _STARTS_FORMULA.sub(r"\1'\2", text)
    return f"'{safe}" if safe.startswith(_STARTS_OUTSIDE) else safe


def _stream(
    request: HttpRequest, name: str, columns: Sequence[str], chunks: Iterator[Iterable[tuple[object, ...]]]
) -> StreamingHttpResponse:
    lines = _to_lines(columns, chunks)
    # ASGI servers would otherwise collect the whole file before its first byte leaves.
    content = _to_async(lines) if isinstance(request, ASGIRequest) else lines
    response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}-{timezone.now():%Y-%m-%d}.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _to_lines(columns: Sequence[str], chunks: Iterator[Iterable[tuple[object, ...]]]) -> Iterator[str]:
    """Return the file in pieces of many lines."""
    yield _to_csv([columns])
    for rows in chunks:
        yield _to_csv(rows)


def _to_csv(rows: Iterable[Iterable[object]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(map(safe_cell, row) for row in rows)
    return written.getvalue()


async def _to_async(pieces: Iterator[str]) -> AsyncIterator[str]:
    following = sync_to_async(lambda: next(pieces, None))
    while (piece := await following()) is not None:
        yield piece


def _payment_rows(payments: list[Payment]) -> Iterator[tuple[object, ...]]:
    add_details(payments)
    return map(_payment_cells, payments)


def _payment_cells(payment: Any) -> tuple[object, ...]:
    unknown = payment.refunded_minor_units - payment.refunds_made
    refunded_in = payment.captured_currency or payment.currency
    return (
        payment.reference,
        payment.display_reference,
        payment.created_at,
        payment.captured_at,
        payment.store,
        payment.method,
        payment.state,
        payment.amount,
        payment.currency,
        payment.captured_amount,
        payment.captured_currency,
        *(to_amount(units, refunded_in) for units in (payment.refunds_made, unknown)),
        payment.cart_id,
        payment.session_id,
        payment.transaction_id,
        payment.provider_reference,
        payment.decline_code,
        payment.review_reason,
        payment.last_outcome,
        payment.last_confirmation_status,
    )


def _refund_cells(refund: Refund) -> tuple[object, ...]:
    payment = refund.payment
    return (
        refund.pk,
        refund.created_at,
        refund.updated_at,
        refund.state,
        refund.amount,
        refund.currency,
        refund.requested_by or "Snipcart",
        refund.is_by_hand,
        refund.provider_refund_id,
        refund.decline_reason,
        refund.decline_code,
        payment.reference,
        payment.display_reference,
        payment.captured_at,
        payment.store,
        payment.method,
        payment.cart_id,
        payment.transaction_id,
    )
