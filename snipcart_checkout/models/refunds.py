"""Refunds of payments."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.utils import timezone

from snipcart_checkout.conf.translation import gettext_lazy as _
from snipcart_checkout.models.managers import LedgerManager
from snipcart_checkout.models.payments import Payment
from snipcart_checkout.snipcart.money import to_amount


class Refund(models.Model):
    """A refund, made or under way. Its id is the idempotency key and the ``refundId`` for Snipcart."""

    class State(models.TextChoices):
        """What is known of the refund; every state but ``declined`` keeps its amount reserved."""

        REQUESTED = "requested", _("Requested")
        REFUNDED = "refunded", _("Refunded")
        DECLINED = "declined", _("Declined")
        UNKNOWN = "unknown", _("Unknown")
        REVIEW = "review", _("Needs review")

    class DeclineReason(models.TextChoices):
        """Why a refund was not made."""

        PROVIDER = "provider", _("The provider declined it.")
        FAILED_LATER = "failed_later", _("The provider accepted it, and it failed later.")
        STAFF = "staff", _("Staff found that it was not made.")

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    minor_units = models.BigIntegerField(_("amount in minor units"))
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.REQUESTED)
    provider_refund_id = models.CharField(_("provider's refund"), max_length=255, blank=True)
    is_by_hand = models.BooleanField(
        _("given back by hand"),
        default=False,
        help_text=_("Staff gave the money back without the payment provider, and recorded it."),
    )
    is_provisional = models.BooleanField(
        _("pending at the provider"),
        default=False,
        db_index=True,
        help_text=_("The provider accepted the refund and may still report that it failed."),
    )
    decline_reason = models.CharField(
        _("reason of decline"), max_length=20, choices=DeclineReason, blank=True
    )
    decline_code = models.CharField(_("decline code"), max_length=100, blank=True)
    requested_by = models.CharField(
        _("requested by"), max_length=150, help_text=_("A member of staff; empty for Snipcart."), blank=True
    )
    matched_at = models.DateTimeField(
        null=True, help_text=_("When Snipcart was first answered with this refund.")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, db_index=True)
    updated_at = models.DateTimeField(_("updated"), default=timezone.now)
    looked_up_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    alerted_at = models.DateTimeField(null=True)
    overdue_alerted_at = models.DateTimeField(null=True)

    objects = LedgerManager()

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ("-created_at",)
        base_manager_name = "objects"
        indexes = (
            models.Index(fields=("state", "created_at"), name="snipcart_refund_state"),
            models.Index(fields=("provider_refund_id",), name="snipcart_refund_provider"),
            models.Index(fields=("minor_units",), name="snipcart_refund_amount"),
        )
        constraints = (
            models.CheckConstraint(condition=Q(minor_units__gt=0), name="snipcart_refund_amount_positive"),
        )

    def __str__(self) -> str:
        return str(self.id)

    @property
    def amount(self) -> Decimal:
        """The amount in major units."""
        return to_amount(self.minor_units, self.currency)

    @property
    def currency(self) -> str:
        """The currency of the amount: the one that was captured."""
        return self.payment.captured_currency or self.payment.currency
