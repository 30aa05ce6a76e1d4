"""The payments in the admin: the list with its totals, and each one with its story."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from snipcart_checkout import services
from snipcart_checkout.admin.actions import PAYMENT_ACTIONS
from snipcart_checkout.admin.export import stream_payments
from snipcart_checkout.admin.filters import CreatedFilter, NeedsPersonFilter, ToldFilter
from snipcart_checkout.admin.listing import find_by_reference, totals_of, with_columns
from snipcart_checkout.admin.pages import ActingAdmin
from snipcart_checkout.admin.story import open_questions, story_of
from snipcart_checkout.admin.words import label, moment, money, whose_word
from snipcart_checkout.conf import get_settings
from snipcart_checkout.models import Confirmation, Payment
from snipcart_checkout.services.journal import say

__all__ = ["PaymentAdmin"]


@admin.register(Payment)
class PaymentAdmin(ActingAdmin):
    """Every attempt to take the money of an order."""

    staff_actions = PAYMENT_ACTIONS
    list_display = ("short", "created", "state", "amount", "refunded", "told", "method", "store")
    list_display_links = ("short",)
    list_filter: ClassVar[Any] = (
        NeedsPersonFilter,
        ToldFilter,
        "state",
        ("created_at", CreatedFilter),
        "store",
        "method",
        "currency",
    )
    search_fields = ("session_id", "transaction_id", "provider_reference", "refunds__provider_refund_id")
    search_help_text = _(
        "Reference or refund id (the first 8 digits are enough), session, transaction, or the provider's reference"
    )
    ordering = ("-created_at",)
    list_per_page = 50
    fieldsets = (
        (None, {"fields": ("state", "amount", "refunded", "told")}),
        (
            _("Known as"),
            {
                "fields": (
                    "reference",
                    "session_id",
                    "transaction_id",
                    "provider_reference",
                    "store",
                    "method",
                )
            },
        ),
        (_("When"), {"fields": ("created_at", "captured_at", "resolved_at")}),
    )
    # Shown where there is anything to show.
    outcome = ("decline_code", "decline_message", "instructions")
    readonly_fields = ("amount", "refunded", "told")

    @admin.display(description=_("reference"), ordering="reference")
    def short(self, payment: Payment) -> str:
        """What people are told on the phone."""
        return payment.short_reference

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, payment: Payment) -> str:
        """When the first try began."""
        return moment(payment.created_at)

    @admin.display(description=_("amount"), ordering="minor_units")
    def amount(self, payment: Payment) -> str:
        """The amount with its currency."""
        return money(payment.minor_units, payment.currency)

    @admin.display(description=_("refunded"), ordering="refunded_minor_units")
    def refunded(self, payment: Any) -> str:
        """What went back, and what may have."""
        uncertain = payment.refunded_minor_units - payment.refunds_made
        made = money(payment.refunds_made, payment.currency) if payment.refunds_made else ""
        open_ = (
            _("%(amount)s uncertain") % {"amount": money(uncertain, payment.currency)} if uncertain else ""
        )
        return ", ".join(filter(None, (made, open_))) or "-"

    @admin.display(description="Snipcart")
    def told(self, payment: Any) -> str:
        """The last confirmation and what became of it."""
        if not payment.told_state:
            return "-"
        state = label(Confirmation.State, payment.told_state)
        return f"{state}, {label(Confirmation.Status, payment.told_status)}"

    def get_list_display(self, request: HttpRequest) -> Any:
        # A column that says the same in every row only pushes the others off the screen.
        stores = get_settings().stores.values()
        many = {
            "store": len(stores) > 1,
            "method": len({id_ for store in stores for id_ in store.methods}) > 1,
        }
        return [name for name in self.list_display if many.get(name, True)]

    def get_fieldsets(self, request: HttpRequest, obj: Payment | None = None) -> Any:
        known = tuple(name for name in self.outcome if getattr(obj, name, ""))
        return (*self.fieldsets, (_("Outcome"), {"fields": known})) if known else self.fieldsets

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        return with_columns(super().get_queryset(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Payment], search_term: str
    ) -> tuple[QuerySet[Payment], bool]:
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        by_reference = find_by_reference(search_term)
        if by_reference is None:
            return found, may_repeat
        return queryset.filter(by_reference | Q(pk__in=found.order_by().values("pk"))), False

    def own_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        return [*super().own_urls(), path("export/", view, name=f"{self.opts.app_label}_payment_export")]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "GET":
            self._ask_for_a_person(request)
            self._miss_the_command(request)
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        if "cl" in context:
            context["totals"] = totals_of(context["cl"].queryset)
            if self.may(request, "export_payment"):
                context["export_url"] = self._url("export") + context["cl"].get_query_string()
        return response

    def _ask_for_a_person(self, request: HttpRequest) -> None:
        count = services.payments_needing_person().count()
        if count and NeedsPersonFilter.parameter_name not in request.GET:
            text = ngettext("%(count)d payment needs a person", "%(count)d payments need a person", count)
            url = f"{self._url('changelist')}?{NeedsPersonFilter.parameter_name}=yes"
            link = format_html('<a href="{}">{}</a>', url, text % {"count": count})
            self.message_user(request, link, messages.WARNING)

    def _miss_the_command(self, request: HttpRequest) -> None:
        since = services.settling_overdue_since()
        if since is not None:
            text = _("Work has been waiting since %(since)s: snipcart_settle seems not to run.")
            self.message_user(request, text % {"since": moment(since)}, messages.WARNING)

    def context_of(self, request: HttpRequest, row: Payment) -> dict[str, Any]:
        refunds = [
            (refund, money(refund.minor_units, row.currency), whose_word(refund.asked_by))
            for refund in row.refunds.all()
        ]
        return {
            **super().context_of(request, row),
            "questions": open_questions(row),
            "confirmations": row.confirmations.defer("body"),
            "refunds": refunds,
            "story": story_of(row),
        }

    def summary_of(self, row: Payment) -> dict[Any, Any]:
        return {
            _("reference"): row.reference,
            _("store"): row.store,
            _("method"): row.method,
            _("amount"): money(row.minor_units, row.currency),
            _("state"): row.get_state_display(),
        }

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Send the list as it is filtered and searched, as CSV."""
        if not self.may(request, "export_payment"):
            raise PermissionDenied
        try:
            payments = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return HttpResponseRedirect(self._url("changelist") + "?e=1")
        say(logging.INFO, "payments exported by staff %s", request.user.get_username())
        return stream_payments(request, payments)
