"""The ledger: what was paid, what Snipcart is owed to hear, what was given back, and the story of it all.

Amounts are integers in minor units. Rows are written by ``services`` only; a state moves by a conditional UPDATE
along MOVES, and the database holds the rules that must never break.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from snipcart_checkout.money import amount_of

__all__ = ["MOVES", "Confirmation", "Event", "Payment", "Refund", "session_key"]


def session_key(store: str, session_id: str) -> str:
    """Return what stands for a session in comparisons.

    A digest, because MariaDB's default collation ignores case and session ids do not.
    """
    return hashlib.sha256(f"{store}\0{session_id}".encode()).hexdigest()


class PaymentQuerySet(models.QuerySet["Payment"]):
    """Payments by what they mean."""

    def of_session(self, store: str, session_id: str) -> PaymentQuerySet:
        """All payments of one session, the oldest first."""
        return self.filter(session_key=session_key(store, session_id)).order_by("created_at")

    def live(self) -> PaymentQuerySet:
        """Payments that forbid another one of the same session."""
        return self.filter(live_key__isnull=False)

    def captured(self) -> PaymentQuerySet:
        """Payments whose money was taken."""
        return self.filter(captured_at__isnull=False)

    def move(self, payment: Payment, to: str, **changes: Any) -> bool:
        """Move a payment from the state it was read in; False when another process was faster."""
        if to != payment.state and to not in MOVES.get(payment.state, ()):
            raise ValueError(f"a payment does not go from {payment.state} to {to}")
        rows = self.filter(pk=payment.pk, state=payment.state).update(
            state=to, updated_at=timezone.now(), **changes
        )
        return rows == 1


class Payment(models.Model):
    """One attempt to take the money of one payment session.

    ``reference`` is the idempotency key at the backend and what people are told. ``live_key`` is set while the
    payment forbids another one of its session: the unique column is what keeps a session from being charged
    twice, on every database. ``refunded_minor_units`` includes refunds that are still uncertain.
    """

    class State(models.TextChoices):
        """What is known of the money."""

        CHARGING = "charging", _("being charged")
        WAITING = "waiting", _("waiting")
        PAID = "paid", _("paid")
        DECLINED = "declined", _("declined")
        UNKNOWN = "unknown", _("not known")
        ABANDONED = "abandoned", _("abandoned")
        REVIEW = "review", _("needs a person")

    reference = models.UUIDField(_("reference"), primary_key=True, default=uuid.uuid4, editable=False)
    store = models.CharField(_("store"), max_length=100)
    method = models.CharField(_("method"), max_length=100)
    session_id = models.CharField(_("session"), max_length=255)
    session_key = models.CharField(max_length=64, db_index=True)
    live_key = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001
    state = models.CharField(_("state"), max_length=20, choices=State, db_index=True)
    minor_units = models.BigIntegerField(_("amount in minor units"))
    currency = models.CharField(_("currency"), max_length=3)
    refunded_minor_units = models.BigIntegerField(_("refunded, in minor units"), default=0)
    refunds_asked = models.PositiveIntegerField(default=0)
    order_hash = models.CharField(max_length=64)
    language = models.CharField(_("language"), max_length=35)
    transaction_id = models.CharField(_("transaction"), max_length=255, blank=True)
    transaction_key = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001
    provider_reference = models.CharField(_("provider's reference"), max_length=255, blank=True)
    capability_hash = models.CharField(max_length=64, unique=True)
    instructions = models.TextField(_("instructions"), blank=True)
    decline_code = models.CharField(_("reason of decline"), max_length=100, blank=True)
    decline_message = models.TextField(blank=True)
    review_reason = models.CharField(_("reason for review"), max_length=50, blank=True)
    redirect_url = models.TextField(blank=True)
    back_url = models.TextField(blank=True)
    return_url = models.TextField(blank=True)
    # Kept only while the backend's answer is awaited: the form to repeat a charge with the same key, the token
    # to ask the session once more before Snipcart is told.
    form = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    public_token = models.TextField(blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, db_index=True)
    updated_at = models.DateTimeField(_("updated"), default=timezone.now)
    claimed_at = models.DateTimeField(default=timezone.now)
    asked_at = models.DateTimeField(null=True)
    captured_at = models.DateTimeField(_("captured"), null=True)
    alerted_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(_("resolved"), null=True)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ("-created_at",)
        # What staff may do besides looking. Django stores these names, so a translation would never be shown.
        permissions = (
            ("settle_payment", "Can mark waiting payments as received or lapsed"),
            ("refund_payment", "Can refund payments"),
            ("tell_payment", "Can have Snipcart told again"),
            ("resolve_payment", "Can resolve what needs a person"),
            ("export_payment", "Can export payments"),
        )
        constraints = (
            models.CheckConstraint(condition=Q(minor_units__gt=0), name="snipcart_payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(refunded_minor_units__gte=0, refunded_minor_units__lte=F("minor_units")),
                name="snipcart_payment_refunds_within_amount",
            ),
            models.CheckConstraint(
                # Said by the states that may be without, so that one which only a newer release knows is live.
                condition=Q(state__in=("declined", "abandoned", "review")) | Q(live_key__isnull=False),
                name="snipcart_payment_live_states_hold_key",
            ),
            models.CheckConstraint(
                condition=~Q(state="paid") | Q(captured_at__isnull=False),
                name="snipcart_payment_paid_is_captured",
            ),
        )

    def __str__(self) -> str:
        return str(self.reference)

    @property
    def amount(self) -> Decimal:
        """The amount in major units."""
        return amount_of(self.minor_units, self.currency)

    @property
    def refundable_minor_units(self) -> int:
        """What is left to refund, in minor units; 0 while nothing was captured."""
        return self.minor_units - self.refunded_minor_units if self.captured_at else 0

    @property
    def short_reference(self) -> str:
        """The first eight digits of the reference, for people."""
        return str(self.reference)[:8]


_State = Payment.State

MOVES: Final[Mapping[str, frozenset[str]]] = {
    _State.CHARGING: frozenset(
        {_State.PAID, _State.WAITING, _State.DECLINED, _State.UNKNOWN, _State.ABANDONED, _State.REVIEW}
    ),
    _State.WAITING: frozenset(
        {_State.PAID, _State.DECLINED, _State.UNKNOWN, _State.ABANDONED, _State.REVIEW}
    ),
    _State.UNKNOWN: frozenset(
        {_State.PAID, _State.WAITING, _State.DECLINED, _State.ABANDONED, _State.REVIEW}
    ),
    _State.ABANDONED: frozenset(
        {_State.CHARGING, _State.WAITING, _State.PAID, _State.DECLINED, _State.REVIEW}
    ),
    _State.DECLINED: frozenset({_State.PAID, _State.REVIEW}),
    _State.REVIEW: frozenset({_State.PAID, _State.DECLINED}),
    _State.PAID: frozenset(),
}
"""Every allowed move of a payment. Paid is never taken back."""


class ConfirmationQuerySet(models.QuerySet["Confirmation"]):
    """Confirmations by what is to be done with them."""

    def owed(self) -> ConfirmationQuerySet:
        """Those that Snipcart has not heard yet."""
        return self.filter(status=Confirmation.Status.OWED)

    def due(self) -> ConfirmationQuerySet:
        """Owed ones whose time has come and that no process is sending."""
        now = timezone.now()
        return self.owed().filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now), due_at__lte=now)


class Confirmation(models.Model):
    """An outcome that Snipcart is owed, stored before it is sent and repeated byte for byte."""

    class State(models.TextChoices):
        """Snipcart's words for the outcome of a payment."""

        PROCESSING = "processing", _("processing")
        PROCESSED = "processed", _("processed")
        FAILED = "failed", _("failed")
        INVALIDATED = "invalidated", _("invalidated")

    class Status(models.TextChoices):
        """What became of the message."""

        OWED = "owed", _("owed")
        TOLD = "told", _("told")
        DROPPED = "dropped", _("dropped")
        REVIEW = "review", _("needs a person")

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="confirmations")
    session_key = models.CharField(max_length=64, db_index=True)
    state = models.CharField(_("state"), max_length=20, choices=State)
    status = models.CharField(_("status"), max_length=20, choices=Status, default=Status.OWED)
    body = models.TextField()
    tries = models.PositiveIntegerField(_("tries"), default=0)
    unclear = models.BooleanField(_("may have been recorded"), default=False)
    last_status = models.PositiveSmallIntegerField(_("last answer"), null=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    due_at = models.DateTimeField(_("due"), default=timezone.now)
    lease_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    alerted_at = models.DateTimeField(null=True)

    objects = ConfirmationQuerySet.as_manager()

    class Meta:
        verbose_name = _("confirmation")
        verbose_name_plural = _("confirmations")
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=("payment", "state"), name="snipcart_confirmation_once_per_state"),
        )
        indexes = (models.Index(fields=("status", "due_at"), name="snipcart_confirmation_due"),)

    def __str__(self) -> str:
        return f"{self.state} {self.payment_id}"


class Refund(models.Model):
    """Money given back, or being given back. Its id is the idempotency key and the ``refundId`` for Snipcart."""

    class State(models.TextChoices):
        """What is known of the refund; every state but ``declined`` keeps its amount reserved."""

        ASKED = "asked", _("asked")
        REFUNDED = "refunded", _("refunded")
        DECLINED = "declined", _("declined")
        UNCERTAIN = "uncertain", _("not known")
        REVIEW = "review", _("needs a person")

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    minor_units = models.BigIntegerField(_("amount in minor units"))
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.ASKED, db_index=True)
    provider_refund_id = models.CharField(_("provider's refund"), max_length=255, blank=True)
    decline_code = models.CharField(_("reason of decline"), max_length=100, blank=True)
    asked_by = models.CharField(_("asked by"), max_length=150)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated"), default=timezone.now)
    lease_until = models.DateTimeField(null=True)
    alerted_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ("-created_at",)
        constraints = (
            models.CheckConstraint(condition=Q(minor_units__gt=0), name="snipcart_refund_amount_positive"),
        )

    def __str__(self) -> str:
        return str(self.id)

    @property
    def amount(self) -> Decimal:
        """The amount in major units."""
        return amount_of(self.minor_units, self.payment.currency)


class EventQuerySet(models.QuerySet["Event"]):
    """Events, which nobody changes or takes back."""

    def update(self, **_changes: Any) -> int:
        raise TypeError("an event is written once")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("an event stays")


class Event(models.Model):
    """One thing that happened to a payment, and on whose word. Written once, never changed."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="events")
    at = models.DateTimeField(_("when"), default=timezone.now)
    name = models.CharField(_("what"), max_length=50)
    source = models.CharField(_("whose word"), max_length=150)
    data = models.JSONField(_("details"), default=dict, blank=True, encoder=DjangoJSONEncoder)

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.name} {self.payment_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("an event is written once")
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("an event stays")
