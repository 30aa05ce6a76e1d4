"""How the ledger is listed: pages that stay as fast as they are in an empty ledger, and what each row shows beside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest
from django.utils.functional import cached_property

from snipcart_checkout.models import Confirmation, Payment, Refund

if TYPE_CHECKING:
    from typing import TypeAlias
    from uuid import UUID

    RowPaginator: TypeAlias = Paginator[Any]
    RowPage: TypeAlias = Page[Any]
else:
    RowPaginator, RowPage = Paginator, Page

MOST_LISTED: Final = 2000
"""A list counts and shows so many rows. Older ones are found by a filter or a search; totals and CSV know all."""

HIDDEN: Final = ("public_token", "form", "capability_hash", "redirect_url", "cart_url")
"""Columns of a payment that no page of the admin needs and some of which are secret: they are not even read."""

_CHUNK: Final = 1000
_MOST_CURRENCIES: Final = 50


class LedgerPaginator(RowPaginator):
    """Counts up to MOST_LISTED, and reads the keys of a page before its rows.

    A database that sorts or skips rows then handles keys only.
    """

    @cached_property
    def count(self) -> int:
        # In order, as the page is read: a database would otherwise begin with another index and look for most rows in vain.
        return self._rows.values("pk")[:MOST_LISTED].count()

    def page(self, number: int | str) -> RowPage:
        number = self.validate_number(number)
        start = (number - 1) * self.per_page
        listed = self._rows
        keys = list(listed.values_list("pk", flat=True)[start : start + self.per_page])
        # The filters are left out: the keys say it all, and nothing but them is to be looked up.
        rows = listed.model._default_manager.filter(pk__in=keys)
        rows.query.deferred_loading = listed.query.deferred_loading
        rows.query.select_related = listed.query.select_related
        by_key = {row.pk: row for row in rows}
        return Page([by_key[key] for key in keys if key in by_key], number, self)

    @property
    def _rows(self) -> QuerySet[Any]:
        return cast("QuerySet[Any]", self.object_list)


class LedgerChangeList(ChangeList):
    """A list whose rows carry what their admin adds to them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.multi_page:
            # Django would read a list of one page without its keys first, and an empty one to find that it is empty.
            self.result_list = self.paginator.page(1).object_list if self.result_count else []
        rows = list(self.result_list)
        self.model_admin.add_details(rows)  # type: ignore[attr-defined]
        self.result_list = rows

    def get_ordering_field(self, field_name: Any) -> Any:
        # The address may ask for any column, also for those whose heading is no link because no index is in that order.
        is_sortable = self.sortable_by is None or field_name in self.sortable_by
        return super().get_ordering_field(field_name) if is_sortable else None

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        # Django adds the key, the highest first. An index is read in one direction, and for two of them all rows are sorted.
        ordering = super().get_ordering(request, queryset)
        ascends = isinstance(ordering[0], str) and not ordering[0].startswith("-")
        return [*ordering[:-1], "pk"] if ascends and ordering[-1] == "-pk" else ordering

    @property
    def is_cut(self) -> bool:
        """Whether there may be more rows than are listed."""
        return self.result_count >= MOST_LISTED


class Selection(ChangeList):
    """What a list is filtered to, for views that show no page of it: no row is read."""

    def get_results(self, request: HttpRequest) -> None:
        self.result_count, self.result_list = 0, []


def add_details(payments: Sequence[Any]) -> None:
    """Give each payment its ``last_outcome``, its ``last_confirmation_status`` and what was really refunded.

    ``refunds_made`` is in minor units.
    """
    keys = [payment.pk for payment in payments]
    last = get_last_confirmations(keys)
    made = get_refunds_made(payment.pk for payment in payments if payment.refunded_minor_units)
    for payment in payments:
        payment.last_outcome, payment.last_confirmation_status = last.get(payment.pk, ("", ""))
        payment.refunds_made = made.get(payment.pk, 0)


def get_last_confirmations(references: Iterable[UUID]) -> dict[UUID, tuple[str, str]]:
    """Return outcome and status of the last confirmation of each payment that has one."""
    confirmations = Confirmation.objects.filter(payment__in=list(references)).order_by("pk")
    return {
        payment: (outcome, status)
        for payment, outcome, status in confirmations.values_list("payment_id", "outcome", "status")
    }


def get_refunds_made(references: Iterable[UUID]) -> dict[UUID, int]:
    """Return what was refunded of each payment, in minor units, without refunds whose outcome is unknown."""
    made = Refund.objects.filter(payment__in=list(references), state=Refund.State.REFUNDED).order_by()
    return dict(made.values_list("payment_id").annotate(Sum("minor_units")))


def list_currencies() -> list[str]:
    """Return the currencies of the ledger, in order: one look into an index for each, never a scan."""
    codes: list[str] = []
    while len(codes) < _MOST_CURRENCIES:
        next_one = Payment.objects.order_by("currency").values_list("currency", flat=True)
        code = next_one.filter(currency__gt=codes[-1] if codes else "").first()
        if code is None:
            break
        codes.append(code)
    return codes


def in_chunks(rows: QuerySet[Any], column: str) -> Iterator[list[Any]]:
    """Return rows in lists of some hundred, the latest first, with one list in memory at a time.

    Each list begins where the one before ended, because some database drivers read a whole answer into memory.
    ``column`` is a moment that every row has and that an index holds. Rows that are added meanwhile are left out.
    """
    ordered = rows.order_by(f"-{column}", "-pk")
    beyond = Q()
    while True:
        chunk = list(ordered.filter(beyond)[:_CHUNK])
        yield chunk
        if len(chunk) < _CHUNK:
            return
        last, moment = chunk[-1], getattr(chunk[-1], column)
        # The first condition is one that an index can be searched by.
        beyond = Q(**{f"{column}__lte": moment}) & (Q(**{f"{column}__lt": moment}) | Q(pk__lt=last.pk))
