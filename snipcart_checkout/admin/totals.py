"""What was captured and refunded per day and currency, for the payments of a list."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db.models import Count, QuerySet, Sum

from snipcart_checkout.admin.formatting import money
from snipcart_checkout.admin.search import get_next_month, to_midnight
from snipcart_checkout.models import Payment, Refund

_UNSETTLED = (Refund.State.REQUESTED, Refund.State.UNKNOWN, Refund.State.REVIEW)


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Payments of one currency, added up; amounts in minor units.

    ``unknown`` is reserved for refunds of which nobody knows yet whether they were made. ``refunded`` is without them.
    """

    currency: str
    count: int
    captured: int
    refunded: int
    unknown: int


@dataclass(frozen=True, kw_only=True)
class Total:
    """Sums as staff read them; ``day`` is None for the whole period."""

    day: datetime.date | None
    currency: str
    count: int
    captured: str
    refunded: str
    unknown: str
    net: str


@dataclass(frozen=True, kw_only=True)
class Totals:
    """The totals of a month: each day, and all of it."""

    month: datetime.date
    days: list[Total]
    all: list[Total]


def get_totals(payments: QuerySet[Payment], month: datetime.date) -> Totals:
    """Add up the payments of a list that were captured in the month of a day, by the days of the site's time zone.

    Refunds count for the day on which their payment was captured. Each day is asked for by itself, because not every
    database knows time zones; an index holds all that is read.
    """
    first, after = month.replace(day=1), get_next_month(month)
    captured = payments.order_by().filter(
        captured_at__gte=to_midnight(first), captured_at__lt=to_midnight(after)
    )
    unsettled = _get_unsettled(captured)
    by_day = {day: list(_add_up(captured, day, unsettled)) for day in _days(first, after)}
    return Totals(
        month=first,
        days=[_to_total(sums, day) for day, of_day in by_day.items() for sums in of_day],
        all=[_to_total(sums, None) for sums in _join(sums for of_day in by_day.values() for sums in of_day)],
    )


def _days(first: datetime.date, after: datetime.date) -> Iterator[datetime.date]:
    for number in range((after - first).days):
        yield first + datetime.timedelta(days=number)


def _add_up(
    captured: QuerySet[Payment], day: datetime.date, unsettled: list[tuple[datetime.datetime, str, int]]
) -> Iterator[Sums]:
    since, until = to_midnight(day), to_midnight(day + datetime.timedelta(days=1))
    rows = captured.filter(captured_at__gte=since, captured_at__lt=until).order_by("captured_currency")
    for currency, count, units, reserved in rows.values_list("captured_currency").annotate(
        Count("pk"), Sum("captured_minor_units"), Sum("refunded_minor_units")
    ):
        unknown = sum(amount for at, code, amount in unsettled if since <= at < until and code == currency)
        yield Sums(
            currency=currency,
            count=count,
            captured=units or 0,
            refunded=reserved - unknown,
            unknown=unknown,
        )


def _get_unsettled(captured: QuerySet[Payment]) -> list[tuple[datetime.datetime, str, int]]:
    """Return the few refunds whose outcome is unknown: capture of their payment, its currency, their amount."""
    refunds = list(
        Refund.objects.filter(state__in=_UNSETTLED).order_by().values_list("payment_id", "minor_units")
    )
    payments = captured.filter(pk__in={payment for payment, _ in refunds})
    captures = {
        key: (at, currency)
        for key, at, currency in payments.values_list("pk", "captured_at", "captured_currency")
        if at is not None
    }
    return [(*captures[payment], units) for payment, units in refunds if payment in captures]


def _join(parts: Iterable[Sums]) -> list[Sums]:
    joined: dict[str, Sums] = {}
    for sums in parts:
        before = joined.get(sums.currency, sums)
        joined[sums.currency] = sums if before is sums else _plus(before, sums)
    return [joined[currency] for currency in sorted(joined)]


def _plus(one: Sums, other: Sums) -> Sums:
    return Sums(
        currency=one.currency,
        count=one.count + other.count,
        captured=one.captured + other.captured,
        refunded=one.refunded + other.refunded,
        unknown=one.unknown + other.unknown,
    )


def _to_total(sums: Sums, day: datetime.date | None) -> Total:
    return Total(
        day=day,
        currency=sums.currency,
        count=sums.count,
        captured=money(sums.captured, sums.currency),
        refunded=money(sums.refunded, sums.currency),
        unknown=money(sums.unknown, sums.currency) if sums.unknown else "",
        net=money(sums.captured - sums.refunded, sums.currency),
    )
