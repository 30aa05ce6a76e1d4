"""The audit log."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from snipcart_checkout.conf.translation import gettext_lazy as _
from snipcart_checkout.models.managers import LedgerManager
from snipcart_checkout.models.payments import Payment


class EventQuerySet(models.QuerySet["Event"]):
    """Events, which can be neither changed nor deleted."""

    def update(self, **_changes: Any) -> int:
        raise TypeError("an event is written once")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("an event stays")

    def prune(self) -> int:
        """Delete these events; only for ``snipcart_prune``, which deletes their payments, too."""
        return super().delete()[0]


class Event(models.Model):
    """One row of the audit log: what happened to a payment, and who brought it about. Never changed."""

    class Name(models.TextChoices):
        """What happened."""

        CHARGING = "charging", _("The backend was asked to take the money")
        PENDING = "pending", _("The payment was started; the money is awaited")
        PAID = "paid", _("The money was taken")
        DECLINED = "declined", _("The payment was declined; no money was taken")
        UNKNOWN = "unknown", _("Whether the money was taken is unknown")
        ABANDONED = "abandoned", _("The provider does not know the payment; nothing was taken")
        REVIEW = "review", _("The payment needs review")
        ANOTHER_CAPTURE = (
            "another_capture",
            _("The provider reported another transaction, amount or currency"),
        )
        CART_PAID_TWICE = "cart_paid_twice", _("Another payment of the same cart was paid as well")
        NOTIFICATION = "notification", _("The provider sent a notification")
        DISPUTED = "disputed", _("The payer disputes the payment at the provider")
        PART_RECEIVED = "part_received", _("A part of the amount was received")
        GAVE_UP = "gave_up", _("The shopper went back to the shop without paying")
        CONFIRMATION_DELIVERED = "confirmation_delivered", _("Snipcart was notified")
        CONFIRMATION_RECORDED_BEFORE = (
            "confirmation_recorded_before",
            _("Snipcart had recorded an earlier attempt"),
        )
        CONFIRMATION_SUPERSEDED = (
            "confirmation_superseded",
            _("Snipcart was not notified of it any more: the final outcome came first"),
        )
        CONFIRMATION_WITHHELD = (
            "confirmation_withheld",
            _("Snipcart was not notified: the order is not the one that was paid"),
        )
        CONFIRMATION_REFUSED = "confirmation_refused", _("Snipcart refused to record it")
        CONFIRMATION_GAVE_UP = "confirmation_gave_up", _("Snipcart could not be notified for three days")
        CONFIRMATION_RESENT = "confirmation_resent", _("The confirmation is to be sent again")
        ORDER_ACCEPTED = "order_accepted", _("Staff accepted the order as Snipcart builds it")
        REFUND_REQUESTED = "refund_requested", _("A refund was requested")
        REFUND_REFUNDED = "refund_refunded", _("The refund was made")
        REFUND_BY_HAND = "refund_by_hand", _("The money was given back by hand")
        REFUND_UNDONE = (
            "refund_undone",
            _("The money was not given back: it had been marked by mistake"),
        )
        REFUND_DECLINED = "refund_declined", _("The refund was declined")
        REFUND_UNKNOWN = "refund_unknown", _("Whether the refund was made is unknown")
        REFUND_REVIEW = "refund_review", _("The refund needs review")
        REFUND_FAILED = "refund_failed", _("The refund failed later, and its amount is free again")
        REFUND_MATCHED = "refund_matched", _("Snipcart requested what staff had refunded already")
        REVIEW_CLOSED = "review_closed", _("The case was closed")

    class Source(models.TextChoices):
        """Who brought a change about."""

        SHOPPER = "shopper", _("the shopper")
        PROVIDER = "provider", _("the payment provider")
        SETTLE = "settle", "snipcart_settle"
        SNIPCART = "snipcart", "Snipcart"
        STAFF = "staff", _("staff")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="events")
    at = models.DateTimeField(_("when"), default=timezone.now)
    name = models.CharField(_("what"), max_length=50, choices=Name)
    source = models.CharField(_("source"), max_length=20, choices=Source)
    actor = models.CharField(_("who"), max_length=150, blank=True, help_text=_("The member of staff."))
    data = models.JSONField(_("details"), default=dict, blank=True, encoder=DjangoJSONEncoder)

    objects = LedgerManager.from_queryset(EventQuerySet)()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("pk",)
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"{self.name} {self.payment_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("an event is written once")
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("an event stays")
