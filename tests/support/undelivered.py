"""Confirmations that wait for delivery, each brought about as it comes about in a shop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.conf import get_settings
from snipcart_checkout.models import Confirmation, Payment
from snipcart_checkout.services.delivery import Delivery, deliver_session
from snipcart_checkout.snipcart.transport.remotes import SNIPCART, get_remote
from snipcart_checkout.testing import StandIn, StandInSession
from tests.support.backends import Provider
from tests.support.ledger import let_two_seconds_pass

_CODES: Final = {"failed": "card_declined", "invalidated": "payment_expired"}
_MINUTE: Final = timedelta(minutes=1)


@dataclass(kw_only=True)
class Waiting:
    """A confirmation that waits for delivery, and what it is about."""

    session: StandInSession
    payment: Payment
    confirmation: Confirmation

    def deliver(self) -> Delivery:
        """Deliver what waits of the session, now."""
        delivery = deliver_session(self.payment.session_key, at_once=True)
        self.refresh()
        return delivery

    def refresh(self) -> None:
        """See what became of it."""
        self.payment.refresh_from_db()
        self.confirmation.refresh_from_db()

    def note(self, *, order_check: str | None = None, **columns: Any) -> None:
        """Write into the ledger what came of earlier attempts."""
        if order_check is not None:
            Payment.objects.filter(pk=self.payment.pk).update(order_check=order_check)
        Confirmation.objects.filter(pk=self.confirmation.pk).update(**columns)
        self.refresh()


@dataclass(frozen=True)
class Counter:
    """Brings such confirmations about."""

    snipcart: StandIn
    provider: Provider

    def wait(
        self,
        outcome: str,
        *,
        processing_delivered: bool = False,
        final_behind: bool = False,
        session_ended: bool = False,
    ) -> Waiting:
        """Have an outcome wait of which Snipcart has not received a byte."""
        session = self.snipcart.session()
        if session_ended:
            self._fail_before(session)
        if outcome == "processing":
            payment = self._pend(session, delivered=False)
            if final_behind:
                self._end_behind(payment)
        elif processing_delivered:
            payment = self._pend(session, delivered=True)
            self._end(payment, outcome)
        elif outcome == "processed":
            self.provider.script()
            payment = self._charge(session, unreadable=True)
        else:
            payment = self._decline(session)
        if final_behind and outcome != "processing":
            let_two_seconds_pass()
            self._pay_after_all(payment)
        return Waiting(
            session=session, payment=payment, confirmation=payment.confirmations.get(outcome=outcome)
        )

    def _fail_before(self, session: StandInSession) -> None:
        self.provider.script(charge="declined")
        services.give_up(self._charge(session))
        assert session.state == "failed"

    def _pend(self, session: StandInSession, *, delivered: bool) -> Payment:
        self.provider.script(charge="pending")
        if delivered:
            self.snipcart.fail("payment", 200)  # also of a session that had ended
        payment = self._charge(session, unreadable=not delivered)
        self.snipcart.recover()
        return payment

    def _end(self, payment: Payment, outcome: str) -> None:
        """The provider's final word, while Snipcart can neither be asked nor notified."""
        if outcome == "processed":
            self.provider.complete(payment.reference)
            self.provider.script()
        else:
            self.provider.script(lookup="declined", code=_CODES[outcome])
        with self.unreachable():
            services.handle_return(payment)

    def _pay_after_all(self, payment: Payment) -> None:
        """The provider takes back that it took no money."""
        self.provider.script(lookup="paid")
        with self.unreachable():
            services.handle_return(payment)
        assert payment.state == Payment.State.PAID

    def _end_behind(self, payment: Payment) -> None:
        """The provider's final word, while a process is sending what comes before it."""
        waiting = payment.confirmations.filter(outcome="processing")
        waiting.update(lease_until=timezone.now() + _MINUTE)
        self._end(payment, "processed")
        waiting.update(lease_until=timezone.now() - _MINUTE)

    def _decline(self, session: StandInSession) -> Payment:
        self.provider.script(charge="declined")
        payment = self._charge(session)
        with self.unreachable():
            services.give_up(payment)
        return payment

    def _charge(self, session: StandInSession, *, unreadable: bool = False) -> Payment:
        store = get_settings().stores["live"]
        order = services.Order(
            store=store,
            method=store.methods["acme_card"],
            session=services.get_payment_session(session.public_token, "live"),
            public_token=session.public_token,
        )
        if not unreadable:
            return services.pay(order)
        with self.unreachable():
            return services.pay(order)

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        """Nobody gets through to Snipcart, and nothing is sent."""
        with full_cap():
            yield


@contextmanager
def full_cap(remote: str = SNIPCART) -> Iterator[None]:
    """Strangers keep every place for a call to Snipcart, or to another remote."""
    limiter = get_remote(remote, get_settings()).limiter
    places = [limiter.acquire() for _ in range(get_settings().max_calls_in_flight)]
    # So that nobody waits for one: a call that has taken so long counts as hanging.
    for place in places:
        if place is not None:
            place.taken_at -= 10
    try:
        yield
    finally:
        for place in places:
            if place is not None:
                limiter.release(place)
