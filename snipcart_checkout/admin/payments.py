"""The payments in the admin: the list, its totals and its CSV, and each one with its history."""

from __future__ import annotations

import datetime
import logging
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html

from snipcart_checkout import services
from snipcart_checkout.admin.actions import PAYMENT_ACTIONS
from snipcart_checkout.admin.export import stream_payments
from snipcart_checkout.admin.filters import (
    ConfirmationFilter,
    CurrencyFilter,
    DateFilter,
    MethodFilter,
    NeedsAttentionFilter,
    StoreFilter,
)
from snipcart_checkout.admin.formatting import (
    badge,
    describe_method,
    describe_requester,
    label,
    moment,
    money,
)
from snipcart_checkout.admin.history import get_history, get_notifications, get_open_cases
from snipcart_checkout.admin.listing import HIDDEN, MOST_LISTED, add_details
from snipcart_checkout.admin.notices import notice_attention, notice_missing_settle, notice_on_index
from snipcart_checkout.admin.order_links import get_order_link
from snipcart_checkout.admin.pages import ActingAdmin
from snipcart_checkout.admin.search import find_period, get_next_month, is_mistyped_reference, search_payments
from snipcart_checkout.admin.totals import get_totals
from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.translation import gettext as _now
from snipcart_checkout.conf.translation import gettext_lazy as _
from snipcart_checkout.models import Confirmation, Payment, Refund


@admin.register(Payment)
class PaymentAdmin(ActingAdmin):
    """Every attempt to take the money of an order."""

    staff_actions = PAYMENT_ACTIONS
    list_display = ("short", "created", "badge", "amount", "refunded", "confirmed", "method_name", "store")
    list_display_links = ("short",)
    sortable_by = ("created",)
    list_filter: ClassVar[Any] = (
        NeedsAttentionFilter,
        ConfirmationFilter,
        "state",
        ("captured_at", DateFilter),
        ("created_at", DateFilter),
        StoreFilter,
        MethodFilter,
        CurrencyFilter,
    )
    lookups = frozenset(
        {
            "needs_attention",
            "confirmation",
            "state__exact",
            "store",
            "method",
            "currency",
            *(
                f"{name}__{part}"
                for name in ("captured_at", "created_at")
                for part in ("gte", "lt", "isnull")
            ),
        }
    )
    # What is searched is written down in search.py; Django shows the box where this is not empty.
    search_fields = ("reference",)
    search_help_text = _(
        "Payment reference, order reference, session, transaction or refund id; an amount (42.50 or EUR 42.50); "
        "or the day or month of capture (2026-11-24 or 2026-11)"
    )
    fieldsets = (
        (None, {"fields": ("badge", "amount", "captured", "refunded", "confirmed", "order")}),
        (
            _("Identifiers"),
            {
                "fields": (
                    "reference",
                    "cart_id",
                    "session_id",
                    "transaction_id",
                    "provider_reference",
                    "store",
                    "method_name",
                )
            },
        ),
        (_("When"), {"fields": ("created_at", "captured_at", "resolved_at")}),
    )
    # Shown where there is anything to show.
    outcome = ("decline_code", "decline_message", "instructions")
    readonly_fields = (
        "badge",
        "amount",
        "captured",
        "refunded",
        "confirmed",
        "order",
        "method_name",
    )

    @admin.display(description=_("reference"))
    def short(self, payment: Payment) -> str:
        """What people are told on the phone."""
        return payment.display_reference

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, payment: Payment) -> str:
        """When the first attempt began."""
        return moment(payment.created_at)

    @admin.display(description=_("state"))
    def badge(self, payment: Payment) -> str:
        """The state, with a look of its own."""
        return badge(Payment.State, payment.state)

    @admin.display(description=_("amount"))
    def amount(self, payment: Payment) -> str:
        """The amount with its currency."""
        return money(payment.minor_units, payment.currency)

    @admin.display(description=_("captured"))
    def captured(self, payment: Payment) -> str:
        """What the provider took."""
        if payment.captured_minor_units is not None:
            return money(payment.captured_minor_units, payment.captured_currency)
        missing = services.get_missing_minor_units(payment)
        if missing == payment.minor_units:
            return "-"
        return _now("%(received)s was received in part; %(missing)s is missing") % {
            "received": money(payment.minor_units - missing, payment.currency),
            "missing": money(missing, payment.currency),
        }

    @admin.display(description=_("refunded"))
    def refunded(self, payment: Any) -> str:
        """What went back, and what may have."""
        unknown = payment.refunded_minor_units - payment.refunds_made
        currency = payment.captured_currency or payment.currency
        made = money(payment.refunds_made, currency) if payment.refunds_made else ""
        open_ = _now("%(amount)s unknown") % {"amount": money(unknown, currency)} if unknown else ""
        return ", ".join(filter(None, (made, open_))) or "-"

    @admin.display(description="Snipcart")
    def confirmed(self, payment: Any) -> str:
        """The last confirmation and what became of it."""
        if not payment.last_outcome:
            return "-"
        outcome = label(Confirmation.Outcome, payment.last_outcome)
        return format_html("{} {}", outcome, badge(Confirmation.Status, payment.last_confirmation_status))

    @admin.display(description=_("method"))
    def method_name(self, payment: Payment) -> str:
        """The name of the method."""
        return describe_method(payment.store, payment.method)

    @admin.display(description=_("order"))
    def order(self, payment: Payment) -> str:
        """A link to the order on Snipcart's dashboard."""
        link = get_order_link(payment)
        text = (
            _now("Order on Snipcart's dashboard") if link.is_order else _now("Orders on Snipcart's dashboard")
        )
        anchor = format_html('<a href="{}" rel="noreferrer">{}</a>', link.url, text)
        if link.is_order or not payment.cart_id:
            return anchor
        return format_html("{} ({} {})", anchor, _now("order reference"), payment.cart_id)

    def get_list_display(self, request: HttpRequest) -> Any:
        # A column that says the same in every row only pushes the others off the screen.
        stores = get_settings().stores.values()
        many = {
            "store": len(stores) > 1,
            "method_name": len({id_ for store in stores for id_ in store.methods}) > 1,
        }
        return [name for name in self.list_display if many.get(name, True)]

    def get_fieldsets(self, request: HttpRequest, obj: Payment | None = None) -> Any:
        filled = tuple(name for name in self.outcome if getattr(obj, name, ""))
        return (*self.fieldsets, (_("Outcome"), {"fields": filled})) if filled else self.fieldsets

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        return super().get_queryset(request).defer(*HIDDEN)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        payment = super().get_object(request, object_id, from_field)
        if payment is not None:
            add_details([payment])
        return payment

    def add_details(self, rows: Any) -> None:
        add_details(rows)

    def get_ordering(self, request: HttpRequest) -> Any:
        return [f"-{self._get_moment(request)}"]

    def _get_moment(self, request: HttpRequest) -> str:
        """Return the column that a list is sorted by: the one that it is a range of, so that an index has both."""
        is_range = any(request.GET.get(f"captured_at__{part}") for part in ("gte", "lt"))
        return "captured_at" if is_range or find_period(request.GET.get("q", "")) else "created_at"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Payment], search_term: str
    ) -> tuple[QuerySet[Payment], bool]:
        return (search_payments(queryset, search_term) if search_term.strip() else queryset), False

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        # Django asks this while it builds the admin's first page, before the page shows its messages.
        match = request.resolver_match
        if match is not None and match.view_name == "admin:index" and self.has_view_permission(request):
            notice_on_index(request, self._url("changelist"))
        return super().get_model_perms(request)

    def own_urls(self) -> list[URLPattern]:
        prefix = f"{self.opts.app_label}_payment"
        return [
            *super().own_urls(),
            path("export/", self.admin_site.admin_view(self.export_view), name=f"{prefix}_export"),
            path("totals/", self.admin_site.admin_view(self.totals_view), name=f"{prefix}_totals"),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "GET":
            if NeedsAttentionFilter.parameter_name not in request.GET:
                notice_attention(request, self._url("changelist"))
            notice_missing_settle(request)
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        if "cl" in context:
            context.update(self._list_context(request, context["cl"]))
        return response

    def _list_context(self, request: HttpRequest, changes: Any) -> dict[str, Any]:
        typed = request.GET.get("q", "")
        if not changes.result_count and is_mistyped_reference(typed):
            text = _("“%(typed)s” is mistyped: its last digit does not fit the others. Ask for it again.")
            self.message_user(request, text % {"typed": typed.strip()}, messages.WARNING)
        query = changes.get_query_string(remove=["p"])
        context = {"totals_url": self._url("totals") + query, "most_listed": MOST_LISTED}
        if self.may(request, "export_payment"):
            context["export_url"] = self._url("export") + query
        return context

    def get_row_context(self, request: HttpRequest, row: Payment) -> dict[str, Any]:
        refunds = [
            {
                "pk": refund.pk,
                "url": self._get_url(refund),
                "amount": money(refund.minor_units, refund.currency),
                "badge": badge(Refund.State, refund.state),
                "requested_by": describe_requester(refund.requested_by),
                "created_at": refund.created_at,
            }
            for refund in row.refunds.all()
        ]
        return {
            **super().get_row_context(request, row),
            "open_cases": get_open_cases(row),
            "confirmations": [
                (confirmation, badge(Confirmation.Status, confirmation.status))
                for confirmation in row.confirmations.defer("body")
            ],
            "refunds": refunds,
            "history": get_history(row),
            "notifications": get_notifications(row),
        }

    def get_row_summary(self, row: Payment) -> dict[Any, Any]:
        return {
            _("payment reference"): row.display_reference,
            _("order reference"): row.cart_id or "-",
            _("store"): row.store,
            _("method"): describe_method(row.store, row.method),
            _("amount"): money(row.minor_units, row.currency),
            _("state"): badge(Payment.State, row.state),
        }

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Send the list as it is filtered and searched, as CSV."""
        if not self.may(request, "export_payment"):
            raise PermissionDenied
        try:
            payments = self._get_listed(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(self._url("changelist") + "?e=1")
        services.log(logging.INFO, "payments exported by staff %s", request.user.get_username())
        return stream_payments(request, payments, self._get_moment(request))

    def totals_view(self, request: HttpRequest) -> HttpResponse:
        """Show what was captured and refunded in a month, of the payments of the list as it is filtered and searched."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        query = request.GET.copy()
        month = _read_month(query.pop("month", [""])[-1])
        request.GET = query  # type: ignore[assignment]
        try:
            totals = get_totals(self._get_listed(request), month)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(self._url("changelist") + "?e=1")
        is_filtered = bool(query)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Totals"),
            "totals": totals,
            "is_filtered": is_filtered,
            "list_url": self._url("changelist") + (f"?{query.urlencode()}" if is_filtered else ""),
            "before_url": _month_url(query, totals.month - datetime.timedelta(days=1)),
            "after_url": _month_url(query, get_next_month(totals.month)),
            "media": self.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"admin/{self.opts.app_label}/totals.html", context)

    def _get_listed(self, request: HttpRequest) -> QuerySet[Payment]:
        """Return what a list shows, all of it."""
        listed: QuerySet[Payment] = self.get_changelist_instance(request).queryset
        return listed


def _read_month(text: str) -> datetime.date:
    period = find_period(text)
    return services.get_day(period[0]) if period else services.get_today()


def _month_url(query: Any, day: datetime.date) -> str:
    changed = query.copy()
    changed["month"] = f"{day:%Y-%m}"
    return f"?{changed.urlencode()}"
