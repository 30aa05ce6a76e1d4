"""Whatever happens in whatever order, no money is lost, taken twice or told without having been taken.

INVARIANT_EXAMPLES=1000 searches at random for as long; without it the same sequences are tried on every run.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from snipcart_checkout import services
from snipcart_checkout.models import Confirmation, Event, Payment, Refund
from snipcart_checkout.services.confirmations import new_capability
from snipcart_checkout.testing import StandIn, StandInSession
from tests.backends import Crashed, Provider
from tests.ledger_invariants import Books, let_time_pass
from tests.shop import CAN_BOTH, LOOKS_UP, NEITHER, REPEATS

KINDS: Final[Mapping[str, Mapping[str, bool]]] = {
    "acme_both": CAN_BOTH,
    "acme_looks_up": LOOKS_UP,
    "acme_repeats": REPEATS,
    "acme_neither": NEITHER,
}
OUTCOMES: Final[Mapping[str, Mapping[str, Any]]] = {
    "paid": {},
    "pending": {"charge": "pending", "instructions": "Pay soon."},
    "redirect": {"charge": "redirect"},
    "declined": {"charge": "declined"},
    "nonsense": {"charge": "nonsense"},
    "paid with an empty id": {"transaction_id": ""},
    "paid with another's id": {"transaction_id": "one-for-all"},
    "paid another amount": {"amount": "1.00"},
}
EXPECTED: Final[Mapping[str, tuple[int, str]]] = {
    "paid": (303, "paid"),
    "pending": (303, "waiting"),
    "declined": (402, "declined"),
    "nonsense": (303, "unknown"),
    "paid with an empty id": (303, "unknown"),
    "paid another amount": (303, "review"),
}
FAULTS: Final[tuple[str | int, ...]] = (
    500, 502, 429, 401, 403, 400, 404, "cut-before", "cut-after", "cut-body", "redirect", "not-json", "wrong-json",
)  # fmt: skip
REFUSALS: Final = {400, 404}
WAITS: Final = (
    timedelta(minutes=6),
    timedelta(minutes=6),
    timedelta(minutes=70),
    timedelta(hours=13),
    timedelta(hours=80),
)
_State = Payment.State

# Counted from the newest, to which most things happen: what has nothing to do with each other breaks nothing.
any_number = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3])
kinds = st.sampled_from(sorted(KINDS))
outcomes = st.sampled_from(list(OUTCOMES))
troubles = st.sampled_from([None] * 6 + ["raise", "crash"])
# Before which of its statements to the database a process ends.
fates = st.one_of(st.none(), st.none(), st.integers(min_value=1, max_value=24))


class Death:
    """Ends what runs before its nth statement, as far as anything in it can tell."""

    def __init__(self, statement: int | None) -> None:
        self.left = statement or 0

    def __call__(self, execute: Any, *arguments: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise Crashed
        return execute(*arguments)


class Trade(RuleBasedStateMachine):
    """A shop, its shoppers, its provider, Snipcart and staff."""

    def __init__(self, settings: Any, directory: Path) -> None:
        super().__init__()
        forget_everything()
        self.resources = ExitStack()
        self.snipcart = self.resources.enter_context(StandIn())
        self.provider = Provider(directory)
        self.resources.callback(shutil.rmtree, directory)
        settings.SNIPCART_CHECKOUT = site(settings.SNIPCART_CHECKOUT, self.snipcart, directory)
        self.sessions = [self.snipcart.session(amount=amount) for amount in ("12.30", "7.00")]
        self.shown: dict[str, str] = {}
        self.misled: set[str] = set()
        self.snipcart_lies = False
        self.snipcart_is_well = True
        self.paid: set[Any] = set()
        self.told: set[Any] = set()
        self.events = 0

    # What happens.

    @initialize(first=kinds, second=kinds, outcome=outcomes)
    def begin(self, first: str, second: str, outcome: str) -> None:
        """Two sessions are on their way from the start."""
        self.pay(1, first, "redirect")
        self.pay(0, second, outcome)

    @precondition(lambda self: len(self.sessions) < 4)
    @rule(kind=kinds, outcome=outcomes)
    def open_a_session(self, kind: str, outcome: str) -> None:
        self.sessions.append(self.snipcart.session(amount="12.30"))
        self.pay(0, kind, outcome)

    @rule(which=any_number, kind=kinds, outcome=outcomes)
    def pay(self, which: int, kind: str, outcome: str) -> None:
        """A shopper opens the page and presses the button, and nothing else happens."""
        self.submit(which, kind, outcome, None, None, None, False)

    @rule(
        which=any_number,
        kind=kinds,
        outcome=outcomes,
        before=troubles,
        after=troubles,
        fate=fates,
        stale=st.booleans(),
    )
    def submit(
        self,
        which: int,
        kind: str,
        outcome: str,
        before: str | None,
        after: str | None,
        fate: int | None,
        stale: bool,
    ) -> None:
        session = self.session(which)
        live = Payment.objects.live().filter(session_id=session.id).first()
        declined = Payment.objects.filter(session_id=session.id, state=_State.DECLINED).count()
        if not stale or session.id not in self.shown:
            session.expired = False
            self.shown[session.id] = self.look(session)
        current = not session.expired and self.shown[session.id] == self.look(session)
        calls = len(self.provider.calls)

        self.script(before=before, after=after, **OUTCOMES[outcome])
        response = self.act(lambda: self.press(session, kind), fate)

        charged = [call for call in self.provider.calls[calls:] if call.startswith("charge")]
        assert len(charged) <= 1
        assert not charged or (live is None and current and declined < services.MAX_TRIES)
        if response is None or before or after or not self.snipcart_is_well or not current:
            return
        if live is not None:
            assert response.headers["Location"] == reverse("snipcart_checkout:payment", args=[live.reference])
        elif declined < services.MAX_TRIES and outcome in EXPECTED:
            payment = Payment.objects.get(pk=charged[0].split()[1])
            assert (response.status_code, payment.state) == EXPECTED[outcome]

    @rule(which=any_number)
    def pay_at_the_provider(self, which: int) -> None:
        payment = self.payment(which)
        if payment is None or not self.has_order(payment):
            return
        # What comes after staff gave it up, where nobody can be asked, only staff can see.
        if payment.state != _State.DECLINED or KINDS[payment.method]["can_lookup"]:
            self.provider.complete(payment.reference)

    @rule(which=any_number, looking=troubles, fate=fates)
    def come_back(self, which: int, looking: str | None, fate: int | None) -> None:
        if payment := self.payment(which):
            self.script(looking=looking)
            self.act(lambda: self.return_of(payment), fate)

    @rule(which=any_number, looking=troubles, fate=fates)
    def notify(self, which: int, looking: str | None, fate: int | None) -> None:
        if payment := self.payment(which):
            self.script(looking=looking)
            self.act(lambda: self.notification_of(payment), fate)

    @rule(which=any_number)
    def deny(self, which: int) -> None:
        """The provider says that it has never heard of a charge, whether it has or not."""
        if payment := self.payment(which):
            self.misled.add(payment.session_id)
            self.script(lookup="not_found")
            self.act(lambda: self.return_of(payment), None)

    @rule(which=any_number, amount=st.sampled_from(["12.30", "7.00", "9.99"]))
    def change_the_order(self, which: int, amount: str) -> None:
        self.snipcart.change(self.session(which), amount=amount)

    @rule(which=any_number)
    def let_the_token_die(self, which: int) -> None:
        self.snipcart.expire(self.session(which))

    @rule(
        endpoint=st.sampled_from(["payment", "payment", "payment-session"]),
        fault=st.sampled_from(FAULTS),
        times=st.sampled_from([1, 2, None]),
    )
    def break_snipcart(self, endpoint: str, fault: str | int, times: int | None) -> None:
        self.snipcart.fail(endpoint, fault, times=times)
        self.snipcart_is_well = False
        self.snipcart_lies |= endpoint == "payment" and fault in REFUSALS

    @precondition(lambda self: not self.snipcart_is_well)
    @rule()
    def mend_snipcart(self) -> None:
        self.snipcart.recover()
        self.snipcart_is_well = True

    @precondition(lambda self: Payment.objects.captured().exists())
    @rule(
        which=any_number,
        units=st.sampled_from([1, 310, 700, 1230]),
        outcome=st.sampled_from(["refunded", "refunded", "declined", "nonsense"]),
        before=troubles,
        after=troubles,
        fate=fates,
    )
    def refund(
        self, which: int, units: int, outcome: str, before: str | None, after: str | None, fate: int | None
    ) -> None:
        payment = pick(Payment.objects.captured().order_by("-created_at"), which)
        assert payment
        left = payment.refundable_minor_units
        known = payment.refunds.filter(minor_units=units).exclude(state=Refund.State.DECLINED).exists()
        self.script(refund=outcome, before=before, after=after)

        response = self.act(lambda: ask_refund(payment, units), fate)

        if response is None or before or after or known or payment.state != _State.PAID:
            return
        possible = {"refunded": 200, "declined": 409, "nonsense": 502}[outcome]
        assert response.status_code == (possible if units <= left else 409)

    @rule(wait=st.sampled_from(WAITS), looking=troubles, before=troubles, after=troubles, fate=fates)
    def settle(
        self, wait: timedelta, looking: str | None, before: str | None, after: str | None, fate: int | None
    ) -> None:
        let_time_pass(wait)
        self.script(looking=looking, before=before, after=after)
        self.act(services.settle, fate)

    @rule(which=any_number, fate=fates)
    def go_back_to_the_shop(self, which: int, fate: int | None) -> None:
        if payment := self.payment(which):
            self.act(lambda: services.give_up(payment), fate)

    @rule(which=any_number, fate=fates)
    def receive(self, which: int, fate: int | None) -> None:
        if (payment := self.payment(which)) and self.has_order(payment):
            self.provider.complete(payment.reference)
            self.act(lambda: services.mark_received(payment, by="ada"), fate)

    @rule(which=any_number, fate=fates)
    def let_lapse(self, which: int, fate: int | None) -> None:
        if payment := self.payment(which):
            self.misled.add(payment.session_id)
            self.act(lambda: services.mark_lapsed(payment, by="ada"), fate)

    @rule(which=any_number, closed=st.booleans(), fate=fates)
    def resolve(self, which: int, closed: bool, fate: int | None) -> None:
        """Staff look into the provider's books."""
        if payment := self.payment(which):
            was_paid = self.provider.find("captures", payment.reference) is not None
            if not was_paid:
                self.misled.add(payment.session_id)
            word = "closed" if closed else "paid" if was_paid else "declined"
            self.act(lambda: services.resolve_review(payment, word, note="", by="ada"), fate)

    @precondition(lambda self: Refund.objects.exists())
    @rule(which=any_number, fate=fates)
    def resolve_refund(self, which: int, fate: int | None) -> None:
        refund = pick(Refund.objects.order_by("-created_at"), which)
        assert refund
        was_made = self.provider.find("refunds", refund.pk) is not None
        self.act(lambda: services.resolve_refund(refund, was_made=was_made, note="", by="ada"), fate)

    @precondition(lambda self: Confirmation.objects.exists())
    @rule(which=any_number, fate=fates)
    def tell_again(self, which: int, fate: int | None) -> None:
        confirmation = pick(Confirmation.objects.order_by("-pk"), which)
        assert confirmation
        self.act(lambda: services.tell_again(confirmation, by="ada"), fate)

    # What is true all the time.

    @invariant()
    def the_books_agree(self) -> None:
        self.books.assert_sound()

    @invariant()
    def nothing_is_taken_back(self) -> None:
        paid = set(Payment.objects.filter(state=_State.PAID).values_list("pk", flat=True))
        told = set(Confirmation.objects.filter(status=Confirmation.Status.TOLD).values_list("pk", flat=True))
        events = Event.objects.count()
        assert self.paid <= paid
        assert self.told <= told
        assert self.events <= events
        self.paid, self.told, self.events = paid, told, events

    def teardown(self) -> None:
        """In the end everybody is well, and everything is found out."""
        try:
            self.snipcart.recover()
            self.script()
            for wait in (*WAITS, *WAITS[:3]):
                let_time_pass(wait)
                services.settle()
                for payment in Payment.objects.all():
                    self.notification_of(payment)
            self.books.assert_settled()
            self.nothing_is_taken_back()
        finally:
            self.resources.close()

    # How it is done.

    @property
    def books(self) -> Books:
        return Books(
            snipcart=self.snipcart,
            provider=self.provider,
            misled=self.misled,
            snipcart_lies=self.snipcart_lies,
        )

    def act(self, work: Callable[[], Any], fate: int | None) -> Any:
        """Do it in what passes for a process; None when that ended on the way."""
        reason = None
        try:
            with connection.execute_wrapper(Death(fate)):
                return work()
        except Crashed as crash:
            reason = crash.args
        assert reason != ("outside",), "the provider was called inside of a transaction"
        connection.close()
        return None

    def script(self, before: str | None = None, looking: str | None = None, **knobs: Any) -> None:
        self.provider.script(before=["outside", before], looking=["outside", looking], **knobs)

    def session(self, which: int) -> StandInSession:
        return self.sessions[-1 - which % len(self.sessions)]

    def payment(self, which: int) -> Payment | None:
        payment: Payment | None = pick(Payment.objects.order_by("-created_at"), which)
        return payment

    def has_order(self, payment: Payment) -> bool:
        return self.provider.find("orders", payment.reference) is not None

    def look(self, session: StandInSession) -> str:
        """What a page shows of a session."""
        return services.order_hash(services_session(session))

    def press(self, session: StandInSession, kind: str) -> Any:
        form = {"publicToken": session.public_token, "shown": self.shown[session.id]}
        return Client().post(reverse("snipcart_checkout:checkout", args=["live", kind]), form)

    def return_of(self, payment: Payment) -> Any:
        return Client().get(reverse("snipcart_checkout:payment_return", args=[payment.reference]))

    def notification_of(self, payment: Payment) -> Any:
        headers, body = self.provider.notification(payment.reference)
        path = reverse("snipcart_checkout:notification", args=["live", payment.method])
        return Client().post(path, body, content_type="application/json", headers=headers)


def services_session(session: StandInSession) -> Any:
    """The session as our own reader reads it, without asking Snipcart, who may be unwell."""
    from snipcart_checkout.protocol import PaymentSession, read_json

    return PaymentSession.from_json(read_json(json.dumps(session.to_json()).encode()))


def ask_refund(payment: Payment, units: int) -> Any:
    path = reverse("snipcart_checkout:refund", args=[payment.store, new_capability(payment)])
    body = f'{{"paymentId": "any", "amount": {units / 100:.2f}}}'
    return Client().post(path, body, content_type="application/json")


def pick(rows: Any, which: int) -> Any:
    found = list(rows)
    return found[which % len(found)] if found else None


def site(checkout: Mapping[str, Any], snipcart: StandIn, directory: Path) -> dict[str, Any]:
    store = copy.deepcopy(checkout["STORES"]["live"])
    store["METHODS"] = {
        name: {
            "BACKEND": "tests.backends.ScriptedBackend",
            "NAME": name,
            "OPTIONS": {"DIRECTORY": str(directory), "FLAGS": dict(flags)},
        }
        for name, flags in KINDS.items()
    }
    patient = {"CONNECT_TIMEOUT": 60, "READ_TIMEOUT": 60, "TOTAL_TIMEOUT": 60}
    return {**checkout, **patient, **snipcart.settings, "STORES": {"live": store}}


def forget_everything() -> None:
    for model in (Event, Refund, Confirmation, Payment):
        model._base_manager.all().delete()


@pytest.mark.django_db(transaction=True)
def test_no_sequence_of_events_loses_money(settings: Any, tmp_path: Path) -> None:
    examples = os.environ.get("INVARIANT_EXAMPLES")
    numbers = iter(range(10**9))
    run_state_machine_as_test(
        lambda: Trade(settings, tmp_path / str(next(numbers))),  # type: ignore[arg-type]
        settings=hypothesis_settings(
            max_examples=int(examples or 20),
            stateful_step_count=30,
            derandomize=not examples,
            # Shrinking takes minutes; whoever searches has them.
            phases=list(Phase) if examples else [Phase.generate],
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
