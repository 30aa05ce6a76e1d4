"""What the ledger's pages in the admin have in common: they show and never edit, and run in no transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db import connections, transaction
from django.http import HttpRequest
from django.urls import URLPattern

if TYPE_CHECKING:
    from typing import TypeAlias

    ModelAdmin: TypeAlias = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

__all__ = ["ReadOnlyAdmin"]


class ReadOnlyAdmin(ModelAdmin):
    """Base of our admins: nothing can be added, changed or deleted, whatever permissions somebody has."""

    class Media:
        css: ClassVar[Any] = {"all": ["snipcart_checkout/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

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
