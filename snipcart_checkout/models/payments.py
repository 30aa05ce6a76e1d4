"""One attempt to take money, and the changes of state that it may go through."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, models
from django.db.models import F, Q
from django.utils import timezone

from snipcart_checkout.conf.translation import gettext_lazy as _
from snipcart_checkout.models.keys import session_key
from snipcart_checkout.models.managers import LedgerManager
from snipcart_checkout.snipcart.money import to_amount
from snipcart_checkout.snipcart.references import format_short_reference, new_reference, to_short_reference


class PaymentQuerySet(models.QuerySet["Payment"]):
    """Payments by session and by what happened to their money."""

    def of_session(self, store_name: str, session_id: str) -> PaymentQuerySet:
        """All payments of one session, the oldest first."""
        return self.filter(session_key=session_key(store_name, session_id)).order_by("created_at")

    def has_session(self, store_name: str, session_id: str) -> bool:
        """Return whether there is any payment of one session.

        Every checkout page asks, mostly in vain. Building the query in Python takes three times as long as the database
        takes to answer it, so that it is built once.
        """
        with connections[self.db].cursor() as cursor:
            cursor.execute(_select_any_of_session(self.db), [session_key(store_name, session_id)])
            return cursor.fetchone() is not None

    def live(self) -> PaymentQuerySet:
        """Payments beside which no other of the same session may begin."""
        return self.filter(live_key__isnull=False)

    def captured(self) -> PaymentQuerySet:
        """Payments whose money was taken."""
        return self.filter(captured_at__isnull=False)

    def transition(self, payment: Payment, to: str, **changes: Any) -> bool:
        """Change a payment if it still has the version that was read; False when another process was
        faster.

        The version is compared, not only the state: a decision from an old row must not be applied
        to a newer one, even where the state is the same.
        """
        if to != payment.state and to not in TRANSITIONS.get(payment.state, ()):
            raise ValueError(f"a payment does not go from {payment.state} to {to}")
        rows = self.filter(pk=payment.pk, version=payment.version).update(
            state=to, version=payment.version + 1, updated_at=timezone.now(), **changes
        )
        return rows == 1


@lru_cache(maxsize=16)
def _select_any_of_session(alias: str) -> str:
    """Return the statement that a database is asked with; its parameter is the session key."""
    some = Payment.objects.filter(session_key="").values("pk").order_by()[:1]
    return str(some.query.get_compiler(alias).as_sql()[0])


class Payment(models.Model):
    """One attempt to take the money of one payment session.

    ``reference`` is the idempotency key at the backend and, shortened, what people quote.
    ``live_key`` is set while no other payment of the session may begin: this unique column keeps a
    session from being charged twice, on every database. ``refunded_minor_units`` includes refunds
    whose outcome is still unknown.
    """

    # A new state needs more than its line here: tests/test_states.py names each place.
    class State(models.TextChoices):
        """What is known of the money."""

        CHARGING = "charging", _("Charging")
        PENDING = "pending", _("Pending")
        PAID = "paid", _("Paid")
        DECLINED = "declined", _("Declined")
        UNKNOWN = "unknown", _("Unknown")
        ABANDONED = "abandoned", _("Abandoned")
        REVIEW = "review", _("Needs review")

    class ReviewReason(models.TextChoices):
        """Why staff have to decide. A paid payment may have one, too."""

        OUTCOME_UNKNOWN = (
            "outcome_unknown",
            _("Nobody knows whether the money was taken, and the backend cannot look it up."),
        )
        UNANSWERED = "unanswered", _("The outcome of the payment has been unknown for three days.")
        AMOUNT_DIFFERS = (
            "amount_differs",
            _("The provider took another amount or currency than was requested."),
        )
        ORDER_CHANGED = (
            "order_changed",
            _("The order is no longer the one that was paid. Snipcart was not notified."),
        )
        ORDER_UNVERIFIED = (
            "order_unverified",
            _("Snipcart no longer shows the order that was paid, so it could not be compared."),
        )
        ALL_REFUNDED = (
            "all_refunded",
            _("Everything was refunded before Snipcart was notified of the payment."),
        )
        LOST_BY_PROVIDER = (
            "lost_by_provider",
            _("The provider no longer knows a payment that was confirmed to Snipcart as processing."),
        )
        SECOND_CAPTURE = (
            "second_capture",
            _("The customer may have paid twice: another payment of the same order is paid or still open."),
        )
        ANOTHER_CAPTURE = (
            "another_capture",
            _("The provider reported another transaction, amount or currency later on."),
        )
        CAPTURED_AFTER_CLOSING = (
            "captured_after_closing",
            _("Money was taken after the case had been closed."),
        )
        TRANSACTION_USED_BEFORE = (
            "transaction_used_before",
            _("The provider named a transaction that belongs to another payment already."),
        )
        CART_PAID_TWICE = "cart_paid_twice", _("Another payment of the same cart was paid as well.")
        REFUND_FAILED = "refund_failed", _("A refund that the provider had accepted failed later.")
        DISPUTED = "disputed", _("The payer disputes the payment at the provider.")

    class OrderCheck(models.TextChoices):
        """Whether the order was compared with Snipcart's after the money was taken."""

        NONE = "", _("not yet")
        SAME = "same", _("the same")
        WAIVED = "waived", _("accepted by staff")

    reference = models.UUIDField(
        _("payment reference"), primary_key=True, default=new_reference, editable=False
    )
    short_reference = models.CharField(
        _("short reference"),
        max_length=8,
        unique=True,
        help_text=_("The first eight digits of the reference, for people; the last is a check digit."),
    )
    version = models.PositiveIntegerField(default=0, help_text=_("Counts the changes of state."))
    store = models.CharField(_("store"), max_length=100, help_text=_("The store's name in the settings."))
    method = models.CharField(_("method"), max_length=100, help_text=_("The method's id in the settings."))
    session_id = models.CharField(_("Snipcart session"), max_length=255)
    session_key = models.CharField(max_length=64, db_index=True, help_text=_("Digest of store and session."))
    cart_id = models.CharField(
        _("order reference"), max_length=255, blank=True, help_text=_("Snipcart's targetId.")
    )
    cart_key = models.CharField(max_length=64, blank=True, db_index=True)
    live_key = models.CharField(  # noqa: DJ001
        max_length=64,
        null=True,
        unique=True,
        help_text=_("The session key while no other payment of the session may begin."),
    )
    state = models.CharField(_("state"), max_length=20, choices=State)
    minor_units = models.BigIntegerField(_("amount in minor units"))
    currency = models.CharField(_("currency"), max_length=3)
    captured_minor_units = models.BigIntegerField(
        _("captured, in minor units"), null=True, help_text=_("As the provider reported it.")
    )
    captured_currency = models.CharField(_("captured currency"), max_length=3, blank=True)
    refunded_minor_units = models.BigIntegerField(
        _("refunded, in minor units"), default=0, help_text=_("Refunds of unknown outcome included.")
    )
    refunds_requested = models.PositiveIntegerField(
        default=0, help_text=_("Counts the refunds ever reserved.")
    )
    order_hash = models.CharField(max_length=64, help_text=_("Digest of what the shopper agreed to pay."))
    order_check = models.CharField(
        _("order compared"), max_length=10, choices=OrderCheck, blank=True, default=OrderCheck.NONE
    )
    language = models.CharField(_("language"), max_length=35)
    transaction_id = models.CharField(_("transaction"), max_length=255, blank=True)
    transaction_key = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001
    provider_reference = models.CharField(_("provider's reference"), max_length=255, blank=True)
    capability_hash = models.CharField(
        max_length=64, unique=True, help_text=_("Digest of the secret part of the refund link.")
    )
    instructions = models.TextField(_("instructions"), blank=True)
    decline_code = models.CharField(_("decline code"), max_length=100, blank=True)
    decline_message = models.TextField(blank=True)
    review_reason = models.CharField(_("reason for review"), max_length=50, blank=True, choices=ReviewReason)
    redirect_url = models.TextField(blank=True, help_text=_("Where the shopper goes on at the provider."))
    redirect_ended = models.BooleanField(
        default=False, help_text=_("The shopper is not sent to the provider any more.")
    )
    cart_url = models.TextField(blank=True, help_text=_("Back to the cart, from the session."))
    order_url = models.TextField(
        blank=True, help_text=_("Snipcart's order page, from the confirmation's answer.")
    )
    # Kept only while they are needed: the form to repeat a charge with the same key, the token to compare the order
    # before each delivery to Snipcart.
    form = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    public_token = models.TextField(blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated"), default=timezone.now)
    claimed_at = models.DateTimeField(default=timezone.now, help_text=_("When the latest charge began."))
    looked_up_at = models.DateTimeField(
        null=True, help_text=_("When the payment was last looked up at the provider.")
    )
    polled_at = models.DateTimeField(
        null=True,
        help_text=_("When a return, a notification or a page last had the payment looked up."),
    )
    compared_at = models.DateTimeField(
        null=True, help_text=_("When a page last had the order of an open redirect compared.")
    )
    answered_at = models.DateTimeField(
        default=timezone.now, help_text=_("When the provider last gave a usable answer, or the charge began.")
    )
    captured_at = models.DateTimeField(_("captured"), null=True)
    alerted_at = models.DateTimeField(
        null=True, help_text=_("When staff were alerted that it takes too long.")
    )
    overdue_alerted_at = models.DateTimeField(
        null=True, help_text=_("When staff were alerted that snipcart_settle left it alone.")
    )
    reported_at = models.DateTimeField(null=True, help_text=_("When snipcart_settle reported the open case."))
    resolved_at = models.DateTimeField(_("closed"), null=True)

    objects = LedgerManager.from_queryset(PaymentQuerySet)()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ("-created_at",)
        base_manager_name = "objects"
        # What staff may do besides viewing. Django stores these names, so a translation would never be shown.
        permissions = (
            ("settle_payment", "Can mark pending payments as received or expired"),
            ("refund_payment", "Can refund payments"),
            ("redeliver_payment", "Can resend confirmations to Snipcart"),
            ("resolve_payment", "Can resolve what needs review"),
            ("export_payment", "Can export payments and refunds"),
        )
        # For the admin's lists, searches and totals in a large ledger. The two that hold a moment first hold all that a list
        # may be filtered by as well, and what the totals add up; the others, whether there is a capture. A database then reads
        # through an index alone, in order, and goes to no row in vain. Without the reference PostgreSQL would scan the table by date.
        indexes = (
            models.Index(
                fields=("created_at", "reference", "state", "store", "method", "currency", "captured_at"),
                name="snipcart_payment_created",
            ),
            models.Index(
                fields=(
                    "captured_at",
                    "reference",
                    "state",
                    "store",
                    "method",
                    "currency",
                    "created_at",
                    "captured_currency",
                    "captured_minor_units",
                    "refunded_minor_units",
                ),
                name="snipcart_payment_captured",
            ),
            models.Index(
                fields=("state", "created_at", "reference", "captured_at"), name="snipcart_payment_state"
            ),
            models.Index(fields=("state", "claimed_at"), name="snipcart_payment_claimed"),
            models.Index(
                fields=("store", "created_at", "reference", "captured_at"), name="snipcart_payment_store"
            ),
            models.Index(
                fields=("method", "created_at", "reference", "captured_at"), name="snipcart_payment_method"
            ),
            models.Index(
                fields=("currency", "created_at", "reference", "captured_at"),
                name="snipcart_payment_currency",
            ),
            models.Index(fields=("resolved_at", "review_reason"), name="snipcart_payment_review"),
            models.Index(fields=("minor_units", "currency"), name="snipcart_payment_amount"),
            models.Index(fields=("session_id",), name="snipcart_payment_session"),
            models.Index(fields=("cart_id",), name="snipcart_payment_cart"),
            models.Index(fields=("transaction_id",), name="snipcart_payment_transaction"),
            models.Index(fields=("provider_reference",), name="snipcart_payment_provider"),
        )
        constraints = (
            models.CheckConstraint(condition=Q(minor_units__gt=0), name="snipcart_payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(refunded_minor_units=0)
                | Q(
                    refunded_minor_units__gt=0,
                    captured_minor_units__isnull=False,
                    refunded_minor_units__lte=F("captured_minor_units"),
                ),
                name="snipcart_payment_refunds_within_capture",
            ),
            models.CheckConstraint(
                # The condition lists the states without a live key, so that a state of a newer
                # release counts as live.
                condition=Q(state__in=("declined", "abandoned", "review")) | Q(live_key__isnull=False),
                name="snipcart_payment_live_states_hold_key",
            ),
            models.CheckConstraint(
                condition=~Q(state="paid") | Q(captured_at__isnull=False, captured_minor_units__isnull=False),
                name="snipcart_payment_paid_is_captured",
            ),
            models.CheckConstraint(
                condition=~Q(state="review") | ~Q(review_reason=""), name="snipcart_payment_review_has_reason"
            ),
        )

    def __str__(self) -> str:
        return str(self.reference)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.short_reference = to_short_reference(self.reference)
        super().save(*args, **kwargs)

    @property
    def display_reference(self) -> str:
        """The short reference as people read it: ``8572-A9BB``."""
        return format_short_reference(self.short_reference)

    @property
    def amount(self) -> Decimal:
        """The amount in major units."""
        return to_amount(self.minor_units, self.currency)

    @property
    def captured_amount(self) -> Decimal | None:
        """The captured amount in major units of ``captured_currency``; None while nothing was captured."""
        if self.captured_minor_units is None:
            return None
        return to_amount(self.captured_minor_units, self.captured_currency)

    @property
    def has_all_gone_back(self) -> bool:
        """Whether money was taken and nothing of it is kept, so that no order may be made of it any more."""
        return self.refunded_minor_units > 0 and self.kept_minor_units <= 0

    @property
    def kept_minor_units(self) -> int:
        """What was captured and did not go back, in minor units of ``captured_currency``; 0 while nothing
        was captured.
        """
        return (self.captured_minor_units or 0) - self.refunded_minor_units

    @property
    def refundable_minor_units(self) -> int:
        """The amount that the provider can still be asked to refund, in minor units; 0 while nothing was
        captured, or in another currency.
        """
        return self.kept_minor_units if self.captured_currency == self.currency else 0


_State = Payment.State

TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    _State.CHARGING: frozenset(
        {_State.PAID, _State.PENDING, _State.DECLINED, _State.UNKNOWN, _State.ABANDONED, _State.REVIEW}
    ),
    _State.PENDING: frozenset(
        {_State.PAID, _State.DECLINED, _State.UNKNOWN, _State.ABANDONED, _State.REVIEW}
    ),
    _State.UNKNOWN: frozenset(
        {_State.PAID, _State.PENDING, _State.DECLINED, _State.ABANDONED, _State.REVIEW}
    ),
    _State.ABANDONED: frozenset(
        {_State.CHARGING, _State.PENDING, _State.PAID, _State.DECLINED, _State.REVIEW}
    ),
    _State.DECLINED: frozenset({_State.PAID, _State.REVIEW}),
    _State.REVIEW: frozenset({_State.PAID, _State.DECLINED}),
    # The money stays captured; staff decide about the order.
    _State.PAID: frozenset({_State.REVIEW}),
}
"""Every allowed change of a payment's state. What was captured stays captured in all of them."""
