"""Confirmations and refunds in the admin."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from snipcart_checkout.admin.actions import REFUND_ACTIONS
from snipcart_checkout.admin.listing import find_by_reference
from snipcart_checkout.admin.pages import ActingAdmin
from snipcart_checkout.admin.readonly import ReadOnlyAdmin
from snipcart_checkout.admin.words import moment, money, whose_word
from snipcart_checkout.models import Confirmation, Payment, Refund

__all__ = ["ConfirmationAdmin", "RefundAdmin"]


class _PartOfPayment(ReadOnlyAdmin):
    """What belongs to a payment: found by what the payment is found by, and leading to it."""

    search_fields: ClassVar[Any] = (
        "payment__session_id",
        "payment__transaction_id",
        "payment__provider_reference",
    )
    search_help_text = _("Reference of the payment (the first 8 digits are enough), session or transaction")
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        needed = ("payment__minor_units", "payment__currency")
        return super().get_queryset(request).select_related("payment").only(*self._own(), *needed)

    def _own(self) -> list[str]:
        return [field.name for field in self.opts.concrete_fields if field.name != "body"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        by_reference = find_by_reference(search_term)
        if by_reference is None:
            return found, may_repeat
        payments = Payment.objects.filter(by_reference).values("pk")
        return queryset.filter(Q(payment__in=payments) | Q(pk__in=found.order_by().values("pk"))), False

    @admin.display(description=_("payment"))
    def of_payment(self, row: Confirmation | Refund) -> str:
        """A link to the payment."""
        return self._link(row, str(row.payment_id))

    @admin.display(description=_("payment"))
    def short_payment(self, row: Confirmation | Refund) -> str:
        """A link to the payment, by what people are told on the phone."""
        return self._link(row, str(row.payment_id)[:8])

    def _link(self, row: Confirmation | Refund, text: str) -> str:
        name = f"admin:{self.opts.app_label}_payment_change"
        url = reverse(name, args=[row.payment_id], current_app=self.admin_site.name)
        return format_html('<a href="{}">{}</a>', url, text)


@admin.register(Confirmation)
class ConfirmationAdmin(_PartOfPayment):
    """What Snipcart was told, and what it still has to be told. The messages themselves are not shown."""

    list_display = ("state", "status", "tries", "last_status", "when", "short_payment")
    list_filter: ClassVar[Any] = ("status", "state", "payment__store")
    ordering = ("-pk",)
    fields = (
        "of_payment",
        "state",
        "status",
        "tries",
        "last_status",
        "unclear",
        "created_at",
        "due_at",
        "finished_at",
    )
    readonly_fields = ("of_payment",)

    @admin.display(description=_("finished, or next try"), ordering="due_at")
    def when(self, confirmation: Confirmation) -> str:
        """When it was told or given up, or when it is told next."""
        return moment(confirmation.finished_at or confirmation.due_at)


@admin.register(Refund)
class RefundAdmin(_PartOfPayment, ActingAdmin):
    """Money given back, or being given back."""

    staff_actions = REFUND_ACTIONS
    list_display = ("short", "created", "amount", "state", "who_asked", "short_payment")
    list_filter: ClassVar[Any] = ("state", "payment__store", "payment__currency")
    search_fields = (*_PartOfPayment.search_fields, "provider_refund_id")
    ordering = ("-created_at",)
    fields = (
        "id",
        "of_payment",
        "amount",
        "state",
        "provider_refund_id",
        "decline_code",
        "who_asked",
        "created_at",
        "updated_at",
    )
    readonly_fields = ("id", "of_payment", "amount", "who_asked")

    def summary_of(self, row: Refund) -> dict[Any, Any]:
        return {
            _("id"): row.pk,
            _("payment"): row.payment_id,
            _("amount"): self.amount(row),
            _("state"): row.get_state_display(),
        }

    @admin.display(description=_("id"), ordering="id")
    def short(self, refund: Refund) -> str:
        """What people are told on the phone."""
        return str(refund.pk)[:8]

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, refund: Refund) -> str:
        """When it was asked for."""
        return moment(refund.created_at)

    @admin.display(description=_("asked by"), ordering="asked_by")
    def who_asked(self, refund: Refund) -> str:
        """Snipcart, or who of the staff."""
        return whose_word(refund.asked_by)

    @admin.display(description=_("amount"), ordering="minor_units")
    def amount(self, refund: Refund) -> str:
        """The amount with its currency."""
        return money(refund.minor_units, refund.payment.currency)
