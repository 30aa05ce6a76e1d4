"""What staff can do with a payment or a refund: when it is possible, what is asked first, what came of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import messages
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from snipcart_checkout import services
from snipcart_checkout.admin.forms import ActionForm, RefundForm, ResolveRefundForm, ResolveReviewForm
from snipcart_checkout.admin.words import money
from snipcart_checkout.exceptions import RefundNotPossible, RefundUncertain
from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.services.asking import backend_of
from snipcart_checkout.services.attention import payments_needing_person
from snipcart_checkout.services.staff import awaits_money, untold

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

__all__ = ["PAYMENT_ACTIONS", "REFUND_ACTIONS", "Result", "StaffAction"]

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
        if not any(_reports_by_itself(payment) for payment in rows):
            return ""
        return _(
            "A provider will report what comes of this by itself. Overrule it only if you know that it never will."
        )


class _MarkReceived(_Settle):
    name = "mark_received"
    label = gettext_lazy("Mark as received")
    explanation = gettext_lazy(
        "The whole amount has arrived. Snipcart is told that the payment is processed."
    )

    def fits(self, row: Payment) -> bool:
        return awaits_money(row)

    def run(self, row: Payment, answers: Mapping[str, Any], *, by: str) -> Result:
        if not services.mark_received(row, by=by):
            return _waits_no_more(row)
        if row.state == _State.REVIEW:
            return _not_done(_("Marked as received, but another payment of the same order is live or paid."))
        return _done(_("Marked as received. %(told)s") % {"told": _whether_told(row)})


class _MarkLapsed(_Settle):
    name = "mark_lapsed"
    label = gettext_lazy("Mark as lapsed")
    explanation = gettext_lazy("The money will not come. Snipcart is told that the payment is invalidated.")

    def fits(self, row: Payment) -> bool:
        return row.state == _State.WAITING

    def run(self, row: Payment, answers: Mapping[str, Any], *, by: str) -> Result:
        if services.mark_lapsed(row, by=by):
            return _done(_("Marked as lapsed. %(told)s") % {"told": _whether_told(row)})
        return _waits_no_more(row)


class _RefundPayment(StaffAction):
    name = "refund"
    permission = "refund_payment"
    label = gettext_lazy("Refund")
    explanation = gettext_lazy(
        "The money goes back the way it came. Snipcart learns nothing of it: write it down there, too."
    )
    one_at_a_time = True

    def fits(self, row: Payment) -> bool:
        return row.refundable_minor_units > 0

    def form(self, rows: Sequence[Payment], data: Any = None) -> ActionForm:
        return RefundForm(data, rows=rows)

    def run(self, row: Payment, answers: Mapping[str, Any], *, by: str) -> Result:
        if answers["asked"] != row.refunds_asked:
            # The page was sent twice, or somebody else was faster: this amount was decided without knowing of that.
            return _not_done(_("A refund was asked for since you opened the page, so nothing was done."))
        known = set(row.refunds.values_list("pk", flat=True))
        try:
            refund = services.refund_payment(row, answers["amount"], asked_by=f"staff {by}")
        except RefundNotPossible as error:
            return Result(level=messages.ERROR, text=str(error))
        except RefundUncertain as error:
            return _not_done(str(error))
        if refund.pk in known:
            return _not_done(
                _(
                    "The same amount was refunded less than a minute ago, so nothing was done. "
                    "Wait a minute if you mean to refund it once more."
                )
            )
        return _done(_("%(amount)s was refunded.") % {"amount": money(answers["amount"], row.currency)})


class _TellAgain(StaffAction):
    name = "tell_again"
    permission = "tell_payment"
    label = gettext_lazy("Tell Snipcart again")
    explanation = gettext_lazy("What Snipcart has not heard is sent to it now.")

    def fits(self, row: Payment) -> bool:
        return bool(untold(row))

    def run(self, row: Payment, answers: Mapping[str, Any], *, by: str) -> Result:
        for confirmation in untold(row):
            services.tell_again(confirmation, by=by)
        text = _whether_told(row)
        return _not_done(text) if untold(row) else _done(text)


class _ResolveReview(StaffAction):
    name = "resolve_review"
    permission = "resolve_payment"
    label = gettext_lazy("Resolve the review")
    explanation = gettext_lazy("Say what you found out; what nobody says stays as it is.")
    choices: ClassVar[Mapping[str, _StrPromise]] = {
        "paid": gettext_lazy("The money was taken: it is paid, and Snipcart is told so"),
        "declined": gettext_lazy("No money was taken: it is declined"),
        "closed": gettext_lazy("It is settled elsewhere: leave everything as it is and ask no more"),
    }

    def fits(self, row: Payment) -> bool:
        return bool(self.possible(row))

    def possible(self, row: Payment) -> set[str]:
        """Return how the review of a payment may end."""
        open_ = row.state in {_State.REVIEW, _State.UNKNOWN}
        needed = payments_needing_person().filter(pk=row.pk).exists()
        return {
            *({"paid"} if open_ else ()),
            *({"declined"} if open_ and not row.captured_at else ()),
            *({"closed"} if needed else ()),
        }

    def form(self, rows: Sequence[Payment], data: Any = None) -> ActionForm:
        possible = set.intersection(*map(self.possible, rows))
        choices = [(value, label) for value, label in self.choices.items() if value in possible]
        return ResolveReviewForm(data, rows=rows, choices=choices)

    def run(self, row: Payment, answers: Mapping[str, Any], *, by: str) -> Result:
        resolution = answers["resolution"]
        if not services.resolve_review(row, resolution, note=answers["note"], by=by):
            return _not_done(
                _(
                    "That is not possible, or no more. A payment whose order is paid by another one can only be refunded."
                )
            )
        told = _whether_told(row) if resolution != "closed" else ""
        return _done(_("Resolved. %(told)s") % {"told": told})


class _ResolveRefund(StaffAction):
    name = "resolve_refund"
    permission = "resolve_payment"
    label = gettext_lazy("Resolve the review")
    explanation = gettext_lazy(
        "Look the refund up at the provider, by its id or its amount, and say what you found."
    )

    def fits(self, row: Refund) -> bool:
        return row.state == Refund.State.REVIEW

    def form(self, rows: Sequence[Refund], data: Any = None) -> ActionForm:
        return ResolveRefundForm(data, rows=rows)

    def run(self, row: Refund, answers: Mapping[str, Any], *, by: str) -> Result:
        was_made = answers["resolution"] == "made"
        if services.resolve_refund(row, was_made=was_made, note=answers["note"], by=by):
            return _done(_("Resolved."))
        return _not_done(_("It is in review no more, so nothing was done."))


def _reports_by_itself(payment: Payment) -> bool:
    try:
        return backend_of(payment).can_lookup
    except Exception:  # configured no more, or broken: then nobody reports
        return False


def _whether_told(payment: Payment) -> str:
    statuses = {confirmation.status for confirmation in untold(payment)}
    if Confirmation.Status.REVIEW in statuses:
        return _("Snipcart refused to record it.")
    if statuses:
        return _("Snipcart was not reached; it will be told as soon as it can be.")
    return _("Snipcart was told.") if payment.confirmations.exists() else ""


def _waits_no_more(payment: Payment) -> Result:
    payment.refresh_from_db()
    return _not_done(
        _("Nothing was done: the payment is “%(state)s”.") % {"state": payment.get_state_display()}
    )


PAYMENT_ACTIONS: Final[Sequence[StaffAction]] = (
    _MarkReceived(),
    _MarkLapsed(),
    _RefundPayment(),
    _TellAgain(),
    _ResolveReview(),
)
REFUND_ACTIONS: Final[Sequence[StaffAction]] = (_ResolveRefund(),)
