"""The filters beside the list of payments."""

from __future__ import annotations

import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from snipcart_checkout.models import Confirmation, Payment
from snipcart_checkout.services.attention import payments_needing_person

__all__ = ["CreatedFilter", "NeedsPersonFilter", "ToldFilter"]


class NeedsPersonFilter(admin.SimpleListFilter):
    """Payments that stay as they are until somebody looks."""

    title = _("whether a person is needed")
    parameter_name = "needs_person"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        waiting = Q(pk__in=payments_needing_person().values("pk"))
        known = {"yes": waiting, "no": ~waiting}
        return queryset.filter(known.get(self.value() or "", Q()))


class ToldFilter(admin.SimpleListFilter):
    """Payments whose outcome Snipcart has not heard."""

    title = _("telling Snipcart")
    parameter_name = "told"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("owed", _("Not told yet")),
            ("review", _("Could not be told")),
            ("told", _("Told all there is")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        owed, review = (
            Q(pk__in=Confirmation.objects.filter(status=status).values("payment"))
            for status in (Confirmation.Status.OWED, Confirmation.Status.REVIEW)
        )
        any_of = Q(pk__in=Confirmation.objects.values("payment"))
        known = {"owed": owed, "review": review, "told": any_of & ~owed & ~review}
        return queryset.filter(known.get(self.value() or "", Q()))


class CreatedFilter(admin.DateFieldListFilter):
    """Django's dates, and the two that bookkeeping asks for."""

    def __init__(self, field: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(field, request, *args, **kwargs)
        this_month = _midnight().replace(day=1)
        last_month = (this_month - datetime.timedelta(days=1)).replace(day=1)
        this_year = this_month.replace(month=1)
        last_year = this_year.replace(year=this_year.year - 1)
        self.links = (
            *self.links,
            (_("Last month"), self._between(last_month, this_month)),
            (_("Last year"), self._between(last_year, this_year)),
        )

    def _between(self, since: datetime.datetime, until: datetime.datetime) -> dict[str, Any]:
        return {self.lookup_kwarg_since: _aware(since), self.lookup_kwarg_until: _aware(until)}


def _midnight() -> datetime.datetime:
    now = timezone.localtime() if timezone.is_aware(timezone.now()) else timezone.now()
    return now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)


def _aware(moment: datetime.datetime) -> datetime.datetime:
    # Made aware last, because a month may begin under another offset from UTC than today's.
    return timezone.make_aware(moment) if timezone.is_aware(timezone.now()) else moment
