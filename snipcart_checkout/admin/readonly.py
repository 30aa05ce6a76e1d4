"""What the ledger's pages in the admin have in common: they show and never edit, and run in no transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db import connections, transaction
from django.db.models import Model
from django.http import HttpRequest
from django.urls import URLPattern, reverse

from snipcart_checkout.admin.listing import LedgerChangeList, LedgerPaginator, Selection

if TYPE_CHECKING:
    from typing import TypeAlias

    ModelAdmin: TypeAlias = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Base of our admins: nothing can be added, changed or deleted, whatever permissions somebody has."""

    # A count of every row, of every choice of every filter, and of every page takes as long as the ledger is large.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = LedgerPaginator
    list_max_show_all = 0
    list_per_page = 50
    # The address of a list may filter by these and by nothing else: whoever may look must not be able to find out a
    # secret, letter by letter, by filtering for it.
    lookups: ClassVar[frozenset[str]] = frozenset()

    class Media:
        css: ClassVar[Any] = {"all": ["snipcart_checkout/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in self.lookups

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        match = request.resolver_match
        is_page = match is None or str(match.url_name).endswith("_changelist")
        return LedgerChangeList if is_page else Selection

    def add_details(self, rows: Sequence[Any]) -> None:
        """Add what a list shows of its rows beside their columns."""

    def _url(self, page: str, *args: Any) -> str:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}"
        return reverse(name, args=args, current_app=self.admin_site.name)

    def _get_url(self, row: Model) -> str:
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
        return reverse(name, args=[row.pk], current_app=self.admin_site.name)

    def own_urls(self) -> list[URLPattern]:
        """Return the pages that Django's admin does not have."""
        return []

    def get_urls(self) -> list[URLPattern]:
        # Under ATOMIC_REQUESTS a view's transaction would surround the commits of the services, which refuse to be
        # part of one: a later error would erase the record of money moved.
        patterns = [*self.own_urls(), *super().get_urls()]
        for pattern in patterns:
            for database in connections:
                transaction.non_atomic_requests(using=database)(pattern.callback)
        return patterns
