"""The filters beside the lists; their choices come from the settings and from what the ledger's rows may be."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from snipcart_checkout.admin.listing import MOST_LISTED, list_currencies
from snipcart_checkout.admin.search import to_midnight
from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.translation import gettext_lazy as _
from snipcart_checkout.models import Confirmation, Payment
from snipcart_checkout.services import find_payments_needing_attention, get_today


class NeedsAttentionFilter(admin.SimpleListFilter):
    """Payments that stay as they are until somebody looks."""

    title = _("Needs attention")
    parameter_name = "needs_attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        if self.value() != "yes":
            return queryset
        return queryset.filter(pk__in=find_payments_needing_attention(MOST_LISTED))


class ConfirmationFilter(admin.SimpleListFilter):
    """Payments of whose outcome Snipcart was not notified."""

    title = _("Snipcart notifications")
    parameter_name = "confirmation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            (Confirmation.Status.PENDING, _("Pending")),
            (Confirmation.Status.REVIEW, _("Needs review")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        if self.value() not in {Confirmation.Status.PENDING, Confirmation.Status.REVIEW}:
            return queryset
        confirmations = Confirmation.objects.filter(status=self.value()).order_by("-pk")
        return queryset.filter(pk__in=list(confirmations.values_list("payment", flat=True)[:MOST_LISTED]))


class _ColumnFilter(admin.SimpleListFilter):
    """Rows that hold a value in the column ``parameter_name``."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset if value is None else queryset.filter((str(self.parameter_name), value))


class StoreFilter(_ColumnFilter):
    """Payments of one store."""

    title = _("store")
    parameter_name = "store"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, name) for name in get_settings().stores]


class MethodFilter(_ColumnFilter):
    """Payments of one method, which is shown by its name."""

    title = _("method")
    parameter_name = "method"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        names: dict[str, str] = {}
        for store in get_settings().stores.values():
            for method in store.methods.values():
                names.setdefault(method.id, str(method.name))
        return list(names.items())


class CurrencyFilter(_ColumnFilter):
    """Payments in one currency."""

    title = _("currency")
    parameter_name = "currency"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(code, code) for code in list_currencies()]


class DateFilter(admin.DateFieldListFilter):
    """Django's dates, and those that bookkeeping asks for."""

    def __init__(self, field: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(field, request, *args, **kwargs)
        any_date, today, past_week, this_month, this_year, *others = self.links
        yesterday, last_month, last_year = self._periods()
        self.links = (
            any_date, today, yesterday, past_week, this_month, last_month, this_year, last_year, *others,
        )  # fmt: skip

    def _periods(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        today = get_today()
        day = datetime.timedelta(days=1)
        this_month = today.replace(day=1)
        this_year = this_month.replace(month=1)
        periods = (
            (_("Yesterday"), today - day, today),
            (_("Last month"), (this_month - day).replace(day=1), this_month),
            (_("Last year"), this_year.replace(year=this_year.year - 1), this_year),
        )
        for title, since, until in periods:
            yield (
                title,
                {
                    self.lookup_kwarg_since: to_midnight(since),
                    self.lookup_kwarg_until: to_midnight(until),
                },
            )
