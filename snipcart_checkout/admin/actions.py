"""What staff can do with a payment or a refund: when it is possible, what is asked first, what came of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import messages

from snipcart_checkout import services
from snipcart_checkout.admin.formatting import money
from snipcart_checkout.admin.forms import (
    ActionForm,
    GivenBackForm,
    ReceivedForm,
    RefundForm,
    ResolveRefundForm,
    ResolveReviewForm,
    SeenForm,
    UndoForm,
)
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.conf.translation import gettext_lazy
from snipcart_checkout.exceptions import ProviderBusy, RefundNotPossible, RefundUnknown
from snipcart_checkout.models import Confirmation, Payment, Refund

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

_State = Payment.State


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of an action: a level of ``django.contrib.messages`` and a sentence."""

    level: int
    text: str


def _done(text: str) -> Result:
    return Result(level=messages.SUCCESS, text=text)


def _not_done(text: str) -> Result:
    return Result(level=messages.WARNING, text=text)


class StaffAction(ABC):
    """One thing that staff can do, after a page that asks whether they mean it.

    ``permission`` is a codename of ours. ``one_at_a_time`` actions refuse several rows.
    """

    name: ClassVar[str]
    permission: ClassVar[str]
    label: ClassVar[_StrPromise]
    explanation: ClassVar[_StrPromise]
    one_at_a_time: ClassVar[bool] = False

    @abstractmethod
    def fits(self, row: Any) -> bool:
        """Return whether the row is in a state in which this can be done."""

    def form(self, rows: Sequence[Any], data: Any = None) -> ActionForm:
        """Return what is asked."""
        return ActionForm(data, rows=rows)

    def warning(self, rows: Sequence[Any]) -> str:
        """Return what staff should know before, if anything."""
        return ""

    @abstractmethod
    def run(self, row: Any, answers: Mapping[str, Any], *, by: str) -> Result:
        """Do it through the services, and say what came of it; the row was read just now."""


class _Settle(StaffAction):
    permission = "settle_payment"

    def warning(self, rows: Sequence[Payment]) -> str:
        if not any(map(services.can_look_up, rows)):
            return ""
        return _(
            "The provider will report the outcome by itself. Override it only if you know that it never will."
        )


class _MarkReceived(_Settle):
    name = "mark_received"
    label = gettext_lazy("Mark as received")
    explanation = gettext_lazy(
        "The money has arrived. With the whole amount Snipcart is notified that the payment is processed."
    )

    def fits(self, row: Payment) -> bool:
        return services.can_be_received(row)

    def form(self, rows: Sequence[Payment], data: Any = None) -> ActionForm:
        return ReceivedForm(data, rows=rows)

    def run(self, row: Payment, answers: Mapping[str, Any], *, by: str) -> Result:
        if answers.get("version", row.version) != row.version:
            # The page was sent twice, or somebody else was faster: this amount was decided without knowing of that.
            return _changed_meanwhile()
        units, day = answers.get("amount"), answers["received_on"]
        if not services.mark_received(row, by=by, units=units, received_on=day, note=answers["note"]):
            return _no_longer_pending(row)
        if services.can_be_received(row):
            return _describe_part(row, units)
        if row.state == _State.REVIEW:
            return _not_done(
                _("Received, and it needs review: another payment of the same order is paid or still open.")
            )
        return _done(_("Marked as received. %(delivery)s") % {"delivery": _describe_delivery(row)})


class _MarkExpired(_Settle):
    name = "mark_expired"
    label = gettext_lazy("Mark as expired")
    explanation = gettext_lazy(
        "The money will not arrive. Snipcart is notified that the payment is invalidated."
    )

    def fits(self, row: Payment) -> bool:
        return row.state == _State.PENDING

    def warning(self, rows: Sequence[Payment]) -> str:
        in_part = [row for row in rows if services.get_missing_minor_units(row) < row.minor_units]
        if not in_part:
            return super().warning(rows)
        return _("A part of the money was received. Give it back, or record the rest when it arrives.")

    def form(self, rows: Sequence[Payment], data: Any = None) -> ActionForm:
        return SeenForm(data, rows=rows)

    def run(self, row: Payment, answers: Mapping[str, Any], *, by: str) -> Result:
        if not _is_as_seen(row, answers):
            return _changed_meanwhile()
        if services.mark_expired(row, by=by):
            return _done(_("Marked as expired. %(delivery)s") % {"delivery": _describe_delivery(row)})
        return _no_longer_pending(row)


class _RefundPayment(StaffAction):
    name = "refund"
    permission = "refund_payment"
    label = gettext_lazy("Refund")
    explanation = gettext_lazy(
        "The money goes back the way it came. Snipcart is not notified: refund on Snipcart's dashboard "
        "instead where you can."
    )
    one_at_a_time = True

    def fits(self, row: Payment) -> bool:
        return row.refundable_minor_units > 0 and services.supports_refund(row)

    def form(self, rows: Sequence[Payment], data: Any = None) -> ActionForm:
        return RefundForm(data, rows=rows)

    def run(self, row: Payment, answers: Mapping[str, Any], *, by: str) -> Result:
        if answers["requested"] != row.refunds_requested:
            # The page was sent twice, or somebody else was faster: this amount was decided without knowing of that.
            return _not_done(_("A refund was requested after you opened the page, so nothing was done."))
        earlier = set(row.refunds.values_list("pk", flat=True))
        try:
            refund = services.refund_by_staff(row, answers["amount"], by=by)
        except RefundNotPossible as error:
            return Result(level=messages.ERROR, text=str(error))
        except RefundUnknown as error:
            return _not_done(str(error))
        except ProviderBusy:
            return _not_done(_("The payment provider is busy. Nothing was sent; try again in a minute."))
        if refund.pk in earlier:
            return _not_done(
                _(
                    "The same amount was refunded less than ten minutes ago, so nothing was done. Wait ten "
                    "minutes if you want to refund it again."
                )
            )
        return _done(_("%(amount)s was refunded.") % {"amount": money(answers["amount"], row.currency)})


class _MarkGivenBack(StaffAction):
    name = "mark_given_back"
    permission = "refund_payment"
    label = gettext_lazy("Mark as given back")
    explanation = gettext_lazy(
        "The money went back without the payment provider, for example by a transfer of your own. Nothing is sent to "
        "anybody. Refund the same amount on Snipcart's dashboard afterwards: it is recognised as this one, and "
        "Snipcart knows of it."
    )
    one_at_a_time = True

    def fits(self, row: Payment) -> bool:
        return row.kept_minor_units > 0

    def form(self, rows: Sequence[Payment], data: Any = None) -> ActionForm:
        return GivenBackForm(data, rows=rows)

    def warning(self, rows: Sequence[Payment]) -> str:
        if not any(map(services.supports_refund, rows)):
            return ""
        return _(
            "The payment provider can refund this payment. Mark it only if the money has gone back already."
        )

    def run(self, row: Payment, answers: Mapping[str, Any], *, by: str) -> Result:
        units, day = answers["amount"], answers["given_back_on"]
        is_as_seen = answers["requested"] == row.refunds_requested
        if not is_as_seen or not services.mark_given_back(
            row, units, by=by, given_back_on=day, note=answers["note"]
        ):
            return _not_done(_("A refund was requested after you opened the page, so nothing was done."))
        amount = money(units, row.captured_currency)
        return _done(_("%(amount)s was marked as given back.") % {"amount": amount})


class _Redeliver(StaffAction):
    name = "redeliver"
    permission = "redeliver_payment"
    label = gettext_lazy("Resend to Snipcart")
    explanation = gettext_lazy("What was not delivered to Snipcart is sent again now.")

    def fits(self, row: Payment) -> bool:
        return bool(services.list_undelivered(row))

    def run(self, row: Payment, answers: Mapping[str, Any], *, by: str) -> Result:
        for confirmation in services.list_undelivered(row):
            services.redeliver(confirmation, by=by)
        text = _describe_delivery(row)
        return _not_done(text) if services.list_undelivered(row) else _done(text)


class _ResolveReview(StaffAction):
    name = "resolve_review"
    permission = "resolve_payment"
    label = gettext_lazy("Resolve the review")
    explanation = gettext_lazy("Record what you found. What you do not change stays as it is.")
    choices: ClassVar[Mapping[str, _StrPromise]] = {
        "paid": gettext_lazy("The money was taken: the payment is paid, and Snipcart is notified"),
        "declined": gettext_lazy("No money was taken: the payment is declined"),
        "closed": gettext_lazy("It is settled elsewhere: leave everything as it is and close the case"),
    }

    def fits(self, row: Payment) -> bool:
        return bool(services.list_resolutions(row))

    def form(self, rows: Sequence[Payment], data: Any = None) -> ActionForm:
        possible = set.intersection(*(set(services.list_resolutions(row)) for row in rows))
        choices = [(value, label) for value, label in self.choices.items() if value in possible]
        return ResolveReviewForm(data, rows=rows, choices=choices)

    def run(self, row: Payment, answers: Mapping[str, Any], *, by: str) -> Result:
        if not _is_as_seen(row, answers):
            # What is decided about may have become another case, or another amount, than the page showed.
            return _changed_meanwhile()
        resolution = answers["resolution"]
        if not services.resolve_review(row, resolution, note=answers["note"], by=by):
            return _not_done(
                _(
                    "That is not possible, or no longer. If another payment has paid the order, this one "
                    "can only be refunded."
                )
            )
        delivery = _describe_delivery(row) if resolution != "closed" else ""
        return _done(_("Resolved. %(delivery)s") % {"delivery": delivery})


class _ResolveRefund(StaffAction):
    name = "resolve_refund"
    permission = "resolve_payment"
    label = gettext_lazy("Resolve the review")
    explanation = gettext_lazy(
        "Look the refund up at the provider, by its id or its amount, and record what you found."
    )

    def fits(self, row: Refund) -> bool:
        return services.can_resolve_refund(row)

    def form(self, rows: Sequence[Refund], data: Any = None) -> ActionForm:
        return ResolveRefundForm(data, rows=rows)

    def run(self, row: Refund, answers: Mapping[str, Any], *, by: str) -> Result:
        was_made = answers["resolution"] == "made"
        if services.resolve_refund(row, was_made=was_made, note=answers["note"], by=by):
            return _done(_("Resolved."))
        return _not_done(_("It no longer needs review, so nothing was done."))


class _UndoGivenBack(StaffAction):
    name = "undo_given_back"
    permission = "refund_payment"
    label = gettext_lazy("Undo “given back”")
    explanation = gettext_lazy(
        "The money was not given back: it was marked by mistake. Its amount counts as kept again, and can be "
        "refunded. Nothing is sent to anybody."
    )

    def fits(self, row: Refund) -> bool:
        return services.can_undo_given_back(row)

    def form(self, rows: Sequence[Refund], data: Any = None) -> ActionForm:
        return UndoForm(data, rows=rows)

    def run(self, row: Refund, answers: Mapping[str, Any], *, by: str) -> Result:
        if not services.undo_given_back(row, note=answers["note"], by=by):
            return _not_done(
                _("It is undone already, or Snipcart was answered with this refund. Nothing was done.")
            )
        amount = money(row.minor_units, row.currency)
        return _done(_("%(amount)s is no longer marked as given back.") % {"amount": amount})


def _is_as_seen(row: Payment, answers: Mapping[str, Any]) -> bool:
    """Return whether nothing has happened to a payment since the page was made that asks about it."""
    return bool(answers["seen"].get(str(row.pk)) == str(services.count_events(row)))


def _changed_meanwhile() -> Result:
    return _not_done(_("The payment was changed after you opened the page, so nothing was done."))


def _describe_part(payment: Payment, units: Any) -> Result:
    missing = services.get_missing_minor_units(payment)
    amounts = {"part": money(units, payment.currency), "missing": money(missing, payment.currency)}
    return _done(_("%(part)s was noted as received; %(missing)s is missing.") % amounts)


def _describe_delivery(payment: Payment) -> str:
    statuses = {confirmation.status for confirmation in services.list_undelivered(payment)}
    if Confirmation.Status.REVIEW in statuses:
        return _("Snipcart refused to record it.")
    if statuses:
        return _("Snipcart could not be reached; it will be notified as soon as possible.")
    return _("Snipcart was notified.") if payment.confirmations.exists() else ""


def _no_longer_pending(payment: Payment) -> Result:
    payment.refresh_from_db()
    return _not_done(
        _("Nothing was done: the payment is “%(state)s”.") % {"state": payment.get_state_display()}
    )


PAYMENT_ACTIONS: Final[Sequence[StaffAction]] = (
    _MarkReceived(),
    _MarkExpired(),
    _RefundPayment(),
    _MarkGivenBack(),
    _Redeliver(),
    _ResolveReview(),
)
REFUND_ACTIONS: Final[Sequence[StaffAction]] = (_ResolveRefund(), _UndoGivenBack())
