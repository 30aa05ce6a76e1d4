"""What must be true of a site's ledger, whatever happened: held against the provider's books and Snipcart's.

Each function yields a sentence for each thing that is wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import models
from django.db.models import F

from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.services.confirmations import new_capability
from snipcart_checkout.testing import StandIn
from tests.backends import Provider

_FINAL: Final = {"paid", "declined"}
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
            *self._told_without_capture(),
            *self._paid_without_capture(),
            *self._refunds(),
            *self._bodies(),
            *self._kept_too_long(),
        ]
        assert not problems, "\n".join(problems)

    def assert_settled(self) -> None:
        """What is true besides once everything was settled: no money is forgotten."""
        self.assert_sound()
        problems = [*self._captures_untold(), *self._unfinished(), *self._not_really_told()]
        assert not problems, "\n".join(problems)

    def assert_kept_secret(self, output: str) -> None:
        """No secret stands in what was printed or logged."""
        secrets = {session.public_token: "a public token" for session in self.snipcart.sessions}
        secrets |= {new_capability(payment): "a refund capability" for payment in Payment.objects.all()}
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

    def _told_without_capture(self) -> Iterator[str]:
        paid = {_session_of(capture) for capture in self.provider.captures}
        for session in self.snipcart.sessions:
            told = [body["state"] for body in session.confirmations]
            if "processed" in told and session.id not in paid:
                yield f"session {session.id} was told as processed without a capture"

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
            if not given[str(payment.pk)] <= reserved <= payment.minor_units:
                yield f"payment {payment}: {given[str(payment.pk)]} given back, {reserved} reserved"

    def _bodies(self) -> Iterator[str]:
        bodies: dict[tuple[str, str, str], set[bytes]] = defaultdict(set)
        for call in self.snipcart.calls_to("payment"):
            body = call.json
            bodies[body["paymentSessionId"], body["transactionId"], body["state"]].add(call.body)
        for (session, _transaction, state), different in bodies.items():
            if len(different) > 1:
                yield f"session {session} was told {state} in different words: {different}"

    def _kept_too_long(self) -> Iterator[str]:
        for payment in Payment.objects.filter(state__in=_FINAL):
            if payment.public_token or payment.form:
                yield f"payment {payment} is {payment.state} and still keeps token or form"

    def _captures_untold(self) -> Iterator[str]:
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
                yield f"the capture of payment {payment} was told {times} times"
            if times == 0 and not _is_for_a_person(payment) and not self._is_believed_told(payment):
                yield f"the capture of payment {payment} ({payment.state}) was never told, and nobody is asked"

    def _is_believed_told(self, payment: Payment) -> bool:
        return self.snipcart_lies and payment.events.filter(name="told_before").exists()

    def _unfinished(self) -> Iterator[str]:
        # What a person closed is left alone.
        for payment in Payment.objects.filter(
            state__in=(_State.CHARGING, _State.UNKNOWN), resolved_at__isnull=True
        ):
            yield f"payment {payment} is still {payment.state}"
        for confirmation in Confirmation.objects.owed():
            yield f"confirmation {confirmation} is still owed"
        for refund in Refund.objects.filter(
            state__in=(Refund.State.ASKED, Refund.State.UNCERTAIN), payment__resolved_at__isnull=True
        ):
            yield f"refund {refund} is still {refund.state}"

    def _not_really_told(self) -> Iterator[str]:
        heard = {
            session.id: {body["state"] for body in session.confirmations}
            for session in self.snipcart.sessions
        }
        for confirmation in Confirmation.objects.filter(status=Confirmation.Status.TOLD).select_related(
            "payment"
        ):
            really = confirmation.state in heard[confirmation.payment.session_id]
            if not really and not self._is_believed_told(confirmation.payment):
                yield f"confirmation {confirmation} counts as told, and Snipcart has not heard it"


def let_time_pass(time: timedelta) -> None:
    """Make every date of the ledger so much older, which is the same as waiting."""
    for model in (Payment, Confirmation, Refund):
        dates = [field.name for field in model._meta.get_fields() if isinstance(field, models.DateTimeField)]
        model._default_manager.update(**{name: F(name) - time for name in dates})


def _session_of(capture: dict[str, str]) -> str:
    return Payment.objects.values_list("session_id", flat=True).get(pk=capture["reference"])


def _is_for_a_person(payment: Payment) -> bool:
    untold = payment.confirmations.filter(state="processed", status=Confirmation.Status.REVIEW)
    closed_unknown = payment.state == _State.UNKNOWN and payment.resolved_at is not None
    return payment.state == _State.REVIEW or closed_unknown or untold.exists()
