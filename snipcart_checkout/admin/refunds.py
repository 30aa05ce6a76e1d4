"""Confirmations and refunds in the admin."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.html import format_html

from snipcart_checkout import services
from snipcart_checkout.admin.actions import REFUND_ACTIONS
from snipcart_checkout.admin.export import stream_refunds
from snipcart_checkout.admin.filters import DateFilter
from snipcart_checkout.admin.formatting import badge, describe_requester, moment, money
from snipcart_checkout.admin.listing import MOST_LISTED
from snipcart_checkout.admin.pages import ActingAdmin
from snipcart_checkout.admin.readonly import ReadOnlyAdmin
from snipcart_checkout.admin.search import find_references
from snipcart_checkout.conf.translation import gettext_lazy as _
from snipcart_checkout.models import Confirmation, Refund

# What the pages and the CSV of refunds show of the payment.
_OF_PAYMENT = (
    "payment__short_reference",
    "payment__currency",
    "payment__captured_currency",
    "payment__store",
    "payment__method",
    "payment__cart_id",
    "payment__transaction_id",
    "payment__captured_at",
)


class _PartOfPayment(ReadOnlyAdmin):
    """What belongs to a payment: found by what the payment is found by, and leading to it."""

    search_fields = ("payment__reference",)
    search_help_text = _("Payment reference, order reference, session, transaction or refund id")
    sortable_by: ClassVar[Any] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        own = [field.name for field in self.opts.concrete_fields if field.name != "body"]
        return super().get_queryset(request).select_related("payment").only(*own, *_OF_PAYMENT)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(self.find(search_term)), False

    def find(self, text: str) -> Q:
        """Return what finds the rows of the payments that a text means."""
        return Q(payment__in=find_references(text))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "most_listed": MOST_LISTED})

    @admin.display(description=_("payment"))
    def of_payment(self, row: Confirmation | Refund) -> str:
        """A link to the payment, by what people are told on the phone."""
        url, text = self._get_url(row.payment), row.payment.display_reference
        return format_html('<a href="{}">{}</a>', url, text)


@admin.register(Confirmation)
class ConfirmationAdmin(_PartOfPayment):
    """What Snipcart was notified of, and what it still has to be. The messages themselves are not shown."""

    list_display = ("outcome", "badge", "attempts", "last_http_status", "when", "of_payment")
    list_filter: ClassVar[Any] = ("status", "outcome")
    lookups = frozenset({"status__exact", "outcome__exact"})
    ordering = ("-pk",)
    fields = (
        "of_payment",
        "outcome",
        "badge",
        "attempts",
        "last_http_status",
        "unclear",
        "created_at",
        "due_at",
        "finished_at",
    )
    readonly_fields = ("of_payment", "badge")

    @admin.display(description=_("result"))
    def badge(self, confirmation: Confirmation) -> str:
        """What became of it, with a look of its own."""
        return badge(Confirmation.Status, confirmation.status)

    @admin.display(description=_("finished, or next attempt"))
    def when(self, confirmation: Confirmation) -> str:
        """When it was delivered or given up, or when it is sent next."""
        return moment(confirmation.finished_at or confirmation.due_at)


@admin.register(Refund)
class RefundAdmin(_PartOfPayment, ActingAdmin):
    """Money given back, or being given back."""

    staff_actions = REFUND_ACTIONS
    list_display = ("created", "amount", "badge", "requested_by_name", "of_payment", "provider_refund_id")
    sortable_by = ("created",)
    list_filter: ClassVar[Any] = ("state", ("created_at", DateFilter))
    lookups = frozenset(
        {"state__exact", *(f"created_at__{part}" for part in ("gte", "lt", "isnull"))},
    )
    ordering = ("-created_at",)
    fields = (
        "of_payment",
        "amount",
        "badge",
        "id",
        "provider_refund_id",
        "is_by_hand",
        "decline_reason",
        "decline_code",
        "requested_by_name",
        "created_at",
        "updated_at",
    )
    readonly_fields = ("id", "of_payment", "amount", "badge", "requested_by_name")

    def find(self, text: str) -> Q:
        """Return what finds the refunds that a text means, or those of the payments that it means."""
        of_payment, typed = super().find(text), text.strip()
        own = Refund.objects.filter(payment__in=find_references(text))
        exact = [refund.pk for refund in own if typed.lower() in _ids(refund)]
        return Q(pk__in=exact) if exact else of_payment

    def own_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        return [*super().own_urls(), path("export/", view, name=f"{self.opts.app_label}_refund_export")]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        if "cl" in context and self.may(request, "export_payment"):
            context["export_url"] = self._url("export") + context["cl"].get_query_string(remove=["p"])
        return response

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Send the list as it is filtered and searched, as CSV."""
        if not self.may(request, "export_payment"):
            raise PermissionDenied
        try:
            refunds = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return HttpResponseRedirect(self._url("changelist") + "?e=1")
        services.log(logging.INFO, "refunds exported by staff %s", request.user.get_username())
        return stream_refunds(request, refunds)

    def get_row_summary(self, row: Refund) -> dict[Any, Any]:
        return {
            _("id"): row.pk,
            _("payment"): row.payment.display_reference,
            _("amount"): self.amount(row),
            _("state"): badge(Refund.State, row.state),
        }

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, refund: Refund) -> str:
        """When it was requested."""
        return moment(refund.created_at)

    @admin.display(description=_("state"))
    def badge(self, refund: Refund) -> str:
        """The state, with a look of its own."""
        return badge(Refund.State, refund.state)

    @admin.display(description=_("requested by"))
    def requested_by_name(self, refund: Refund) -> str:
        """Snipcart, or who of the staff."""
        return describe_requester(refund.requested_by)

    @admin.display(description=_("amount"))
    def amount(self, refund: Refund) -> str:
        """The amount with its currency."""
        return money(refund.minor_units, refund.currency)


def _ids(refund: Refund) -> set[str]:
    return {str(refund.pk), refund.pk.hex, refund.provider_refund_id.lower()} - {""}
