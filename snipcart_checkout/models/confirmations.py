"""The outbox: the confirmations for Snipcart, and what became of each."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import models
from django.utils import timezone

from snipcart_checkout.conf.translation import gettext_lazy as _
from snipcart_checkout.models.managers import LedgerManager
from snipcart_checkout.models.moments import has_come, is_unleased
from snipcart_checkout.models.payments import Payment

LONGEST_DELAY: Final = timedelta(hours=12)
"""The most time between two deliveries of a confirmation."""


class ConfirmationQuerySet(models.QuerySet["Confirmation"]):
    """Confirmations by what has to be done with them."""

    def pending(self) -> ConfirmationQuerySet:
        """Those that wait for delivery."""
        return self.filter(status=Confirmation.Status.PENDING)

    def due(self) -> ConfirmationQuerySet:
        """Pending ones whose time has come and that no process is sending."""
        return self.pending().filter(is_unleased(), has_come("due_at", LONGEST_DELAY))


class Confirmation(models.Model):
    """An outcome for Snipcart: a row of the outbox, stored before it is sent, with the same bytes on
    every attempt.
    """

    class Outcome(models.TextChoices):
        """Snipcart's words for the outcome of a payment."""

        PROCESSING = "processing", _("processing")
        PROCESSED = "processed", _("processed")
        FAILED = "failed", _("failed")
        INVALIDATED = "invalidated", _("invalidated")

    class Status(models.TextChoices):
        """What became of the message."""

        PENDING = "pending", _("Pending")
        DELIVERED = "delivered", _("Delivered")
        SUPERSEDED = "superseded", _("Superseded")
        REVIEW = "review", _("Needs review")

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="confirmations")
    session_key = models.CharField(max_length=64, db_index=True)
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome)
    status = models.CharField(_("status"), max_length=20, choices=Status, default=Status.PENDING)
    body = models.TextField(help_text=_("The message, with a placeholder for the secret of the refund link."))
    attempts = models.PositiveIntegerField(_("delivery attempts"), default=0)
    unclear = models.BooleanField(
        _("may have been recorded"),
        default=False,
        help_text=_("At least one byte of an earlier attempt was sent, and no answer to it is known."),
    )
    last_http_status = models.PositiveSmallIntegerField(_("last answer"), null=True)
    created_at = models.DateTimeField(
        _("created"),
        default=timezone.now,
        help_text=_("Counts anew when it is made pending again; after 72 hours it needs review."),
    )
    due_at = models.DateTimeField(_("due"), default=timezone.now)
    lease_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    alerted_at = models.DateTimeField(null=True)
    overdue_alerted_at = models.DateTimeField(null=True)

    objects = LedgerManager.from_queryset(ConfirmationQuerySet)()

    class Meta:
        verbose_name = _("confirmation")
        verbose_name_plural = _("confirmations")
        ordering = ("pk",)
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(
                fields=("payment", "outcome"), name="snipcart_confirmation_once_per_outcome"
            ),
        )
        indexes = (
            models.Index(fields=("status", "due_at"), name="snipcart_confirmation_due"),
            models.Index(fields=("outcome", "id"), name="snipcart_confirmation_outcome"),
        )

    def __str__(self) -> str:
        return f"{self.outcome} {self.payment_id}"
