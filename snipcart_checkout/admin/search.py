"""What staff type into the search box: an id of anybody's, an amount, or a day."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from snipcart_checkout.admin.listing import MOST_LISTED, list_currencies
from snipcart_checkout.models import Payment, Refund, find_short_reference
from snipcart_checkout.snipcart.money import UnpayableAmount, to_minor_units
from snipcart_checkout.snipcart.references import is_mistyped

_DIGITS: Final = re.compile(r"[0-9a-f]{8,32}")
_DAY: Final = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?")
_AMOUNT: Final = re.compile(r"(?:([A-Z]{3})\s*)?(\d[\d.,\s'’]*)(?:\s*([A-Z]{3}))?")
_SPACING: Final = re.compile(r"[\s'’]")
_LONGEST: Final = 255


def search_payments(payments: QuerySet[Payment], text: str) -> QuerySet[Payment]:
    """Return the payments that a text finds: by an id, else by the amount, else by the day or month of capture."""
    if references := find_references(text):
        return payments.filter(pk__in=references)
    if (amount := find_amount(text)) is not None:
        return payments.filter(amount)
    if (period := find_period(text)) is not None:
        return payments.filter(captured_at__gte=period[0], captured_at__lt=period[1])
    return payments.none()


def find_references(text: str) -> list[UUID]:
    """Return the references of the payments that an id means, whoever gave it.

    It is the payment reference or its beginning, the short reference, the order reference, Snipcart's session, the
    transaction, the provider's reference, or one of the two ids of a refund. The databases' collation decides about
    casing, and an id of a provider is written out in full.
    """
    typed = text.strip()
    if not typed or len(typed) > _LONGEST or "\0" in typed:
        return []
    named = ("session_id", "cart_id", "transaction_id", "provider_reference")
    exact = [Payment.objects.filter(**{name: typed}).values_list("pk", flat=True) for name in named]
    refunds = [Refund.objects.filter(provider_refund_id=typed).values_list("payment_id", flat=True)]
    if (key := _to_uuid(typed)) is not None:
        refunds.append(Refund.objects.filter(pk=key).values_list("payment_id", flat=True))
    first, *others = (found.order_by() for found in (*exact, *refunds))
    found = set(first.union(*others).order_by()[:MOST_LISTED])
    return [*found, *_by_own_reference(typed)]


def find_amount(text: str) -> Q | None:
    """Return what finds payments of an amount that a person typed, with or without a currency; None for none.

    ``1,234`` and ``1.234`` find both sums that they may mean.
    """
    typed = _AMOUNT.fullmatch(text.strip().upper())
    if typed is None or (typed[1] and typed[3]):
        return None
    code = typed[1] or typed[3]
    wanted = Q(pk__in=())
    for currency in [code] if code else list_currencies():
        for amount in _to_amounts(typed[2]):
            try:
                wanted |= Q(minor_units=to_minor_units(amount, currency), currency=currency)
            except UnpayableAmount:
                continue
    return wanted


def find_period(text: str) -> tuple[datetime.datetime, datetime.datetime] | None:
    """Return beginning and end of a day (``2026-11-24``) or of a month (``2026-11``); None for anything else.

    The first and the last year are left out: in UTC, and a month further, they would begin or end where no date is.
    """
    typed = _DAY.fullmatch(text.strip())
    if typed is None or not MINYEAR < int(typed[1]) < MAXYEAR:
        return None
    try:
        first = datetime.date(int(typed[1]), int(typed[2]), int(typed[3] or 1))
        after = first + datetime.timedelta(days=1) if typed[3] else get_next_month(first)
    except ValueError:
        return None
    return to_midnight(first), to_midnight(after)


def is_mistyped_reference(text: str) -> bool:
    """Return whether a text is a short reference with a typing error."""
    short = find_short_reference(text)
    return bool(short) and is_mistyped(short)


def get_next_month(day: datetime.date) -> datetime.date:
    """Return the first day of the month after that of a day."""
    return (day.replace(day=1) + datetime.timedelta(days=32)).replace(day=1)


def to_midnight(day: datetime.date) -> datetime.datetime:
    """Return the moment at which a day begins here."""
    midnight = datetime.datetime.combine(day, datetime.time.min)
    return timezone.make_aware(midnight) if settings.USE_TZ else midnight


def _by_own_reference(typed: str) -> Iterator[UUID]:
    """Return the payment whose reference begins with what was typed: its first eight digits are its own."""
    short = find_short_reference(typed)
    digits = typed.replace("-", "").lower()
    if not short and not _DIGITS.fullmatch(digits):
        return
    known: Any = Payment.objects.filter(short_reference=short or digits[:8].upper())
    for reference in known.values_list("pk", flat=True):
        if short or reference.hex.startswith(digits):
            yield reference


def _to_uuid(typed: str) -> UUID | None:
    try:
        return UUID(typed)
    except ValueError:
        return None


def _to_amounts(typed: str) -> Iterator[Decimal]:
    """Return what an amount may mean: its last point or comma is the decimal separator, or sets thousands apart."""
    plain = _SPACING.sub("", typed).rstrip(".,")
    whole, separator, fraction = _split_at_last_separator(plain)
    readings = {f"{whole}.{fraction}" if separator else plain}
    if separator and len(fraction) == 3:
        readings.add(whole + fraction)
    for reading in readings:
        if re.fullmatch(r"\d{1,15}(\.\d{1,4})?", reading, re.ASCII):
            yield Decimal(reading)


def _split_at_last_separator(plain: str) -> tuple[str, str, str]:
    at = max(plain.rfind("."), plain.rfind(","))
    if at < 0:
        return plain, "", ""
    return re.sub(r"[.,]", "", plain[:at]), plain[at], plain[at + 1 :]
