"""What must be true of a site's ledger, whatever happened: held against the provider's books and Snipcart's.

Each function yields a sentence for each thing that is wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils import timezone

from snipcart_checkout.models import Confirmation, Event, Payment, Refund
from snipcart_checkout.services.refund_links import build_capability
from snipcart_checkout.testing import StandIn
from tests.support.backends import Provider
from tests.support.watched_snipcart import Entry

_State = Payment.State


@dataclass(frozen=True, kw_only=True)
class Books:
    """The three books that have to agree.

    ``misled`` are sessions whose provider denied a charge, or of which staff said that no money would come: when it
    comes all the same, no care of ours can mend it, and it has to end with a person. With ``snipcart_lies`` Snipcart
    has refused confirmations without a reason, which after an unclear try is taken for its having heard them before.
    """

    snipcart: StandIn
    provider: Provider
    misled: Collection[str] = ()
    snipcart_lies: bool = False

    def assert_sound(self) -> None:
        """What is true at every moment."""
        problems = [
            *self._captures(),
            *self._confirmed_without_capture(),
            *self._paid_without_capture(),
            *self._refunds(),
            *self._bodies(),
            *self._kept_too_long(),
        ]
        assert not problems, "\n".join(problems)

    def assert_settled(self) -> None:
        """What is true besides once everything was settled: no money is forgotten."""
        self.assert_sound()
        problems = [
            *self._captures_unconfirmed(),
            *self._unfinished(),
            *self._not_really_delivered(),
            *self._refunds_that_failed(),
            *self._paid_twice(),
        ]
        assert not problems, "\n".join(problems)

    def assert_compared(self, diary: Sequence[Entry], *, since: int) -> None:
        """Snipcart built no order of which nobody knew that it was the one that was paid."""
        entries = [entry for entry in diary[since:] if entry.what in {"processing", "processed"}]
        if not entries:
            return
        payments = {build_capability(payment): payment for payment in Payment.objects.all()}
        problems = [
            f"{entry.what} of payment {payments[entry.capability]}: {problem}"
            for entry in entries
            if (problem := self._find_uncompared(entry, payments[entry.capability], diary))
        ]
        assert not problems, "\n".join(problems)

    def _find_uncompared(self, entry: Entry, payment: Payment, diary: Sequence[Entry]) -> str:
        if payment.order_check == Payment.OrderCheck.WAIVED:
            return ""
        taken_at = self.provider.captured_at(payment.reference) if entry.what == "processed" else 0
        earlier = [one for one in diary if one.session == entry.session and one.at < entry.at]
        looks = [one for one in earlier if one.what in {"shown", "gone"} and one.at >= taken_at]
        if looks and looks[-1].what == "shown":
            return "" if looks[-1].order == payment.order_hash else "the order had changed"
        is_built = any(one.what == "processing" and one.capability == entry.capability for one in earlier)
        was_same = any(one.order == payment.order_hash for one in looks)
        is_excused = entry.what == "processed" and (is_built or was_same)
        return "" if is_excused else "the order was not compared"

    def assert_nothing_is_silent(self) -> None:
        """Just after a run of ``snipcart_settle``: whatever is unfinished for an hour, somebody is alerted of."""
        hour_ago = timezone.now() - timedelta(hours=1)
        problems = [
            *self._silent_payments(hour_ago),
            *self._silent_rows(Confirmation.objects.pending(), hour_ago),
            *self._silent_rows(Refund.objects.filter(state__in=("requested", "unknown")), hour_ago),
        ]
        assert not problems, "\n".join(problems)

    def _silent_payments(self, hour_ago: datetime) -> Iterator[str]:
        for payment in Payment.objects.filter(state__in=(_State.CHARGING, _State.PENDING, _State.UNKNOWN)):
            is_closed = payment.resolved_at is not None and payment.resolved_at >= payment.claimed_at
            waits_for_staff = payment.state == _State.PENDING and not _can_be_looked_up(payment)
            is_old = max(payment.claimed_at, payment.answered_at) < hour_ago
            if is_old and payment.alerted_at is None and not (is_closed or waits_for_staff):
                yield f"payment {payment} is {payment.state}, and nobody is alerted"

    def _silent_rows(self, rows: models.QuerySet[Any], hour_ago: datetime) -> Iterator[str]:
        for row in rows.filter(created_at__lt=hour_ago, alerted_at__isnull=True).select_related("payment"):
            closed_at = row.payment.resolved_at
            if closed_at is None or closed_at < row.created_at:
                yield f"{row._meta.model_name} {row} is unfinished, and nobody is alerted"

    def assert_kept_secret(self, output: str) -> None:
        """No secret stands in what was printed or logged."""
        secrets = {session.public_token: "a public token" for session in self.snipcart.sessions}
        secrets |= {build_capability(payment): "a refund capability" for payment in Payment.objects.all()}
        secrets |= {"primary-key-for-tests": "an API key", "secondary-key-for-tests": "an API key"}
        problems = [f"{kind} stands in the output" for secret, kind in secrets.items() if secret in output]
        assert not problems, "\n".join(problems)

    def _captures(self) -> Iterator[str]:
        references = Counter(capture["reference"] for capture in self.provider.captures)
        sessions = Counter(_session_of(capture) for capture in self.provider.captures)
        for reference, times in references.items():
            if times > 1 and _session_of({"reference": reference}) not in self.misled:
                yield f"payment {reference} was charged {times} times"
        for session, times in sessions.items():
            if times > 1 and session not in self.misled:
                yield f"session {session} was charged {times} times"

    def _confirmed_without_capture(self) -> Iterator[str]:
        paid = {_session_of(capture) for capture in self.provider.captures}
        for session in self.snipcart.sessions:
            told = [body["state"] for body in session.confirmations]
            if "processed" in told and session.id not in paid:
                yield f"session {session.id} was confirmed as processed without a capture"

    def _paid_without_capture(self) -> Iterator[str]:
        captures = {capture["reference"]: capture for capture in self.provider.captures}
        for payment in Payment.objects.filter(state=_State.PAID):
            capture = captures.get(str(payment.pk), {})
            if (capture.get("minor_units"), capture.get("currency")) != (
                payment.minor_units,
                payment.currency,
            ):
                yield f"payment {payment} is paid, and the provider has {capture or 'no capture'}"

    def _refunds(self) -> Iterator[str]:
        given: dict[str, int] = defaultdict(int)
        for refund in self.provider.refunds:
            given[refund["charge"]] += refund["minor_units"]
        for identity, times in Counter(refund["reference"] for refund in self.provider.refunds).items():
            if times > 1:
                yield f"refund {identity} was made {times} times"
        for payment in Payment.objects.all():
            counting = payment.refunds.exclude(state=Refund.State.DECLINED)
            reserved = sum(counting.values_list("minor_units", flat=True))
            if payment.refunded_minor_units != reserved:
                yield f"payment {payment} counts {payment.refunded_minor_units} refunded, its refunds {reserved}"
            if not given[str(payment.pk)] <= reserved <= (payment.captured_minor_units or 0):
                yield f"payment {payment}: {given[str(payment.pk)]} given back, {reserved} reserved"

    def _bodies(self) -> Iterator[str]:
        bodies: dict[tuple[str, str, str], set[bytes]] = defaultdict(set)
        for call in self.snipcart.calls_to("payment"):
            body = call.json
            bodies[body["paymentSessionId"], body["transactionId"], body["state"]].add(call.body)
        for (session, _transaction, state), different in bodies.items():
            if len(different) > 1:
                yield f"session {session} was notified of {state} in different words: {different}"

    def _kept_too_long(self) -> Iterator[str]:
        for payment in Payment.objects.filter(state__in=(_State.PAID, _State.DECLINED)):
            if payment.form:
                yield f"payment {payment} is {payment.state} and still keeps its form"
        for payment in Payment.objects.filter(state=_State.PAID).exclude(public_token=""):
            if not payment.confirmations.exclude(status=Confirmation.Status.DELIVERED).exists():
                yield f"Snipcart was notified of payment {payment}, which still keeps its token"

    def _captures_unconfirmed(self) -> Iterator[str]:
        told = Counter(
            (session.id, body["transactionId"])
            for session in self.snipcart.sessions
            for body in session.confirmations
            if body["state"] == "processed"
        )
        for capture in self.provider.captures:
            payment = Payment.objects.get(pk=capture["reference"])
            times = told[payment.session_id, payment.transaction_id]
            if times > 1:
                yield f"the capture of payment {payment} was confirmed {times} times"
            # What staff denied and nobody can be asked about, only staff can see.
            is_unseen = payment.session_id in self.misled and not _can_be_looked_up(payment)
            is_accounted_for = is_unseen or _is_for_a_person(payment) or self._is_believed_recorded(payment)
            if times == 0 and not is_accounted_for:
                story = ", ".join(payment.events.values_list("name", flat=True))
                yield (
                    f"the capture of payment {payment} ({payment.state}, {payment.method}) was never confirmed, and "
                    f"nobody is alerted: {story}"
                )

    def _refunds_that_failed(self) -> Iterator[str]:
        failed = [refund["reference"] for refund in self.provider.failed_refunds]
        for refund in Refund.objects.filter(pk__in=failed).exclude(state=Refund.State.DECLINED):
            if refund.is_provisional:
                yield f"refund {refund} failed at the provider, and the ledger has it as {refund.state}"

    def _paid_twice(self) -> Iterator[str]:
        carts: dict[str, set[str]] = defaultdict(set)
        for payment in Payment.objects.captured():
            carts[payment.cart_key].add(payment.session_key)
        for key, sessions in carts.items():
            if (
                len(sessions) > 1
                and not Payment.objects.captured().filter(cart_key=key, review_reason__gt="").exists()
                and not Event.objects.filter(payment__cart_key=key, name=Event.Name.CART_PAID_TWICE)
            ):
                yield f"two sessions of a cart were paid, and nobody is alerted: {sessions}"

    def _is_believed_recorded(self, payment: Payment) -> bool:
        return self.snipcart_lies and payment.events.filter(name="confirmation_recorded_before").exists()

    def _unfinished(self) -> Iterator[str]:
        # What a person closed is left alone.
        for payment in Payment.objects.filter(
            state__in=(_State.CHARGING, _State.UNKNOWN), resolved_at__isnull=True
        ):
            yield f"payment {payment} is still {payment.state}"
        for confirmation in Confirmation.objects.pending():
            yield f"confirmation {confirmation} is still pending"
        for refund in Refund.objects.filter(
            state__in=(Refund.State.REQUESTED, Refund.State.UNKNOWN), payment__resolved_at__isnull=True
        ):
            yield f"refund {refund} is still {refund.state}"

    def _not_really_delivered(self) -> Iterator[str]:
        heard = {
            session.id: {body["state"] for body in session.confirmations}
            for session in self.snipcart.sessions
        }
        for confirmation in Confirmation.objects.filter(status=Confirmation.Status.DELIVERED).select_related(
            "payment"
        ):
            really = confirmation.outcome in heard[confirmation.payment.session_id]
            if not really and not self._is_believed_recorded(confirmation.payment):
                yield f"confirmation {confirmation} counts as delivered, and Snipcart has not recorded it"


def let_time_pass(time: timedelta) -> None:
    """Make every date of the ledger so much older, which is the same as waiting."""
    for model in (Payment, Confirmation, Refund):
        dates = [field.name for field in model._meta.get_fields() if isinstance(field, models.DateTimeField)]
        model._default_manager.update(**{name: F(name) - time for name in dates})


def _session_of(capture: dict[str, str]) -> str:
    return Payment.objects.values_list("session_id", flat=True).get(pk=capture["reference"])


def _is_for_a_person(payment: Payment) -> bool:
    undelivered = payment.confirmations.filter(outcome="processed", status=Confirmation.Status.REVIEW)
    was_closed = payment.events.filter(name=Event.Name.REVIEW_CLOSED).exists()
    waits_for_staff = payment.state == _State.PENDING and not _can_be_looked_up(payment)
    return payment.state == _State.REVIEW or was_closed or waits_for_staff or undelivered.exists()


def _can_be_looked_up(payment: Payment) -> bool:
    """Whether the method is configured so, or not at all: then nobody can say that staff are awaited."""
    methods = settings.SNIPCART_CHECKOUT["STORES"]["live"]["METHODS"]
    method = methods.get(payment.method)
    return method is None or bool(method["OPTIONS"].get("can_lookup", True))
