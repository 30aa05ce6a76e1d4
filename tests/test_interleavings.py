"""Processes that meet at the one moment that matters, which is forced and not waited for.

A process is held while it asks the provider, while Snipcart answers, or before one of its own statements, until another
one has done what it is not supposed to come to grief over. On servers under READ COMMITTED and REPEATABLE READ.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from snipcart_checkout import services
from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.testing import StandInSession
from tests.support import shoppers
from tests.support.ledger_invariants import let_time_pass
from tests.support.processes import PATIENCE, Running, wait_until
from tests.support.shop import LOOKS_UP, REPEATS, Shop

pytestmark = pytest.mark.usefixtures("isolation")

State = Payment.State
A_MOMENT = timedelta(seconds=3)  # so that the provider may be asked again


class Gate:
    """Holds a call to Snipcart until it is let go."""

    def __init__(self, shop: Shop, endpoint: str) -> None:
        self.arrived, self.let_go = threading.Event(), threading.Event()
        shop.snipcart.before(endpoint, self._hold)

    def _hold(self) -> None:
        self.arrived.set()
        assert self.let_go.wait(PATIENCE)

    def wait(self) -> None:
        assert self.arrived.wait(PATIENCE)

    def open(self) -> None:
        self.let_go.set()


def pay(shop: Shop, kind: str, method: str = "acme_card", **session: Any) -> tuple[StandInSession, Payment]:
    """A shopper has pressed the button."""
    ordered = shop.snipcart.session(**session)
    return ordered, pay_in(shop, ordered, kind, method)


def pay_in(shop: Shop, session: StandInSession, kind: str, method: str) -> Payment:
    """A shopper has pressed the button on the page of this session."""
    shop.provider.script(charge=kind)
    shop.processes.run(shoppers.submit, session.public_token, method)
    shop.provider.script()
    return Payment.objects.get(session_id=session.id)


def come_back(shop: Shop, payment: Payment) -> Running:
    return shop.processes.start(shoppers.come_back, str(payment.reference))


def notify(shop: Shop, payment: Payment) -> Running:
    headers, body = shop.provider.notification(payment.reference)
    return shop.processes.start(shoppers.notify, payment.method, headers, body.decode())


def asked(shop: Shop, call: str) -> Callable[[], bool]:
    """Whether the provider is being asked, or was, since now."""
    known = len(shop.provider.calls)
    return lambda: any(line.startswith(call) for line in shop.provider.calls[known:])


def states(session: StandInSession) -> list[str]:
    return [body["state"] for body in session.confirmations]


# The cart changes.


@pytest.mark.parametrize(
    "moment", ["while the provider is asked", "while Snipcart is asked", "before a repeat"]
)
def test_an_order_that_changes_after_it_was_paid_is_not_confirmed(shop: Shop, moment: str) -> None:
    session, payment = pay(shop, "redirect")
    shop.provider.complete(payment.reference)

    def change() -> None:
        shop.snipcart.change(session, amount="1001.00")

    if moment == "while the provider is asked":
        shop.provider.script(looking="wait")
        is_asked = asked(shop, "lookup")
        back = come_back(shop, payment)
        wait_until(is_asked)
        change()
        shop.provider.go_on()
    elif moment == "while Snipcart is asked":
        gate = Gate(shop, "payment-session")
        back = come_back(shop, payment)
        gate.wait()
        change()
        gate.open()
    else:
        shop.snipcart.fail("payment", 503)
        shop.snipcart.after("payment", change)
        back = come_back(shop, payment)
    back.finish()
    let_time_pass(timedelta(minutes=1))
    shop.processes.run(shoppers.settle_once)

    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == (State.REVIEW, "order_changed")
    assert states(session) == []
    assert services.payments_needing_attention().filter(pk=payment.pk).exists()
    shop.books.assert_settled()


# Pending and declined.


@pytest.mark.parametrize("late", ["pending", "declined"])
def test_answers_that_contradict_each_other_end_in_the_final_one(shop: Shop, late: str) -> None:
    session, payment = pay(shop, "redirect")
    early = {"pending": "declined", "declined": "pending"}[late]
    shop.provider.script(lookup=late, looking="wait")
    is_asked = asked(shop, "lookup")
    first = come_back(shop, payment)
    wait_until(is_asked)
    let_time_pass(A_MOMENT)
    shop.provider.script(lookup=early)
    notify(shop, payment).finish()
    shop.provider.go_on()
    first.finish()
    let_time_pass(timedelta(minutes=10))
    shop.provider.script(lookup="declined")
    shop.processes.run(shoppers.settle_once)

    payment.refresh_from_db()
    assert payment.state == State.DECLINED
    assert states(session) in ([], ["processing", "failed"])
    shop.books.assert_settled()


@pytest.mark.parametrize("order", ["the same", "changed"])
def test_a_payment_declined_while_its_processing_is_on_the_way_ends_as_failed(shop: Shop, order: str) -> None:
    session, payment = pay(shop, "redirect")
    shop.provider.script(lookup="pending")
    gate = Gate(shop, "payment" if order == "the same" else "payment-session")
    first = come_back(shop, payment)
    gate.wait()
    if order == "changed":
        shop.snipcart.change(session, amount="1001.00")
    let_time_pass(A_MOMENT)
    shop.provider.script(lookup="declined")
    notify(shop, payment).finish()
    gate.open()
    first.finish()
    let_time_pass(timedelta(minutes=2))
    shop.processes.run(shoppers.settle_once)

    payment.refresh_from_db()
    assert payment.state == State.DECLINED
    assert states(session)[-1] == "failed"
    assert not services.payments_needing_attention().exists()
    shop.books.assert_settled()


# A charge that stalls.


def test_a_stalled_charge_that_its_provider_does_not_know_is_no_reason_to_charge_anew(shop: Shop) -> None:
    shop.equip(LOOKS_UP)
    session = shop.snipcart.session()
    form = shoppers.open_page(session.public_token, "acme_wallet")
    shop.provider.script(before="wait")
    stalled = shop.processes.start(shoppers.submit, session.public_token, "acme_card")
    wait_until(lambda: shop.provider.calls)
    payment = Payment.objects.get()
    shop.provider.script()

    for wait in (timedelta(minutes=6), timedelta(minutes=50)):
        let_time_pass(wait)
        shop.processes.run(shoppers.settle_once)
        answer = shop.processes.run(shoppers.press, form).result
        assert answer["location"] == f"/checkout/payments/{payment.reference}/"
    assert [call for call in shop.provider.calls if call.startswith("charge")] == [
        f"charge {payment.reference}"
    ]
    let_time_pass(timedelta(minutes=10))
    shop.processes.run(shoppers.settle_once)
    shop.processes.run(shoppers.press, form)  # the session is free now, and is paid
    shop.provider.go_on()  # and the first one takes money after all
    stalled.finish()
    shop.misled.add(session.id)

    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == (State.REVIEW, "second_capture")
    assert payment.captured_minor_units == payment.minor_units
    assert services.payments_in_review().filter(pk=payment.pk).exists()
    assert states(session) == ["processed"]


# Refunds.


def test_whichever_answer_to_a_commit_is_lost_a_refund_is_made_once(shop: Shop) -> None:
    was_lost, nth = True, 0
    while was_lost:
        nth += 1
        session, payment = pay(shop, "paid")
        path, body = shop.refund_call(session, "3.10")
        done = shop.processes.run(shoppers.fated, {"loses": nth}, shoppers.ask_refund, path, body).result
        was_lost = done["lost"]
        again = shop.processes.run(shoppers.ask_refund, path, body).result
        refund = Refund.objects.get(payment=payment)
        assert done["answer"]["body"] == again["body"] == {"refundId": str(refund.pk)}
        assert refund.state == Refund.State.REFUNDED

    assert nth > 2
    assert len(shop.provider.refunds) == nth
    shop.books.assert_settled()


def test_whichever_answer_to_a_commit_is_lost_a_payment_is_made_and_confirmed_once(shop: Shop) -> None:
    was_lost, nth = True, 0
    while was_lost:
        nth += 1
        session = shop.snipcart.session()
        submit = (shoppers.submit, session.public_token, "acme_card")
        was_lost = shop.processes.run(shoppers.fated, {"loses": nth}, *submit).result["lost"]
        let_time_pass(timedelta(minutes=10))
        shop.processes.run(shoppers.settle_once)
        assert states(session) == ["processed"]

    assert nth > 3
    assert len(shop.provider.captures) == nth
    shop.books.assert_settled()


def test_staff_do_not_end_a_refund_that_is_being_sent(shop: Shop) -> None:
    shop.equip(REPEATS)
    session, _payment = pay(shop, "paid")
    shop.provider.script(before="raise")
    shop.processes.run(shoppers.ask_refund, *shop.refund_call(session, "12.30"))
    shop.provider.script(before="wait")
    let_time_pass(timedelta(minutes=10))
    is_asked = asked(shop, "refund")
    settling = shop.processes.start(shoppers.settle_once)
    wait_until(is_asked)
    refund = Refund.objects.get()

    ended = services.resolve_refund(refund, was_made=False, note="", by="ada")
    shop.provider.go_on()
    settling.finish()

    refund.refresh_from_db()
    assert (ended, refund.state) == (False, Refund.State.REFUNDED)
    assert len(shop.provider.refunds) == 1
    shop.books.assert_settled()


def test_of_two_notifications_of_a_dispute_at_once_one_is_recorded_and_alerted(
    shop: Shop, tmp_path: Path
) -> None:
    _session, payment = pay(shop, "paid")
    headers, body = shop.provider.notification(payment.reference, dispute=True)
    message = (shoppers.notify, payment.method, headers, body.decode())
    opens = {"held_in": str(tmp_path), "held_before": "UPDATE .* SET .*review_reason"}
    first = shop.processes.start(shoppers.fated, opens, *message)
    wait_until((tmp_path / "held").exists)
    second = shop.processes.start(*message)
    time.sleep(0.5)  # until it has done the same, or waits

    (tmp_path / "go").touch()

    assert [first.finish().result["status"], second.finish().result["status"]] == [204, 204]
    assert payment.events.filter(name="disputed").count() == 1
    assert shop.processes.printed().count("needs review: disputed") == 1
    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == (State.PAID, "disputed")
    shop.books.assert_settled()


def test_an_order_whose_money_goes_back_while_snipcart_is_asked_about_it_is_not_made(shop: Shop) -> None:
    session, payment = pay(shop, "redirect")
    shop.provider.complete(payment.reference)
    gate = Gate(shop, "payment-session")
    back = come_back(shop, payment)
    gate.wait()
    payment.refresh_from_db()
    services.refund_by_staff(payment, payment.minor_units, by="ada")

    gate.open()
    back.finish()

    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == (State.REVIEW, "all_refunded")
    assert states(session) == []
    shop.books.assert_settled()


def test_a_refund_that_is_undone_while_snipcart_asks_for_it_is_undone_or_answered_and_not_both(
    shop: Shop, tmp_path: Path
) -> None:
    session, payment = pay(shop, "paid", amount="12.30")
    refund = services.mark_given_back(payment, 700, by="ada")
    assert refund is not None
    fate = {"held_in": str(tmp_path), "held_before": "UPDATE .* SET .*matched_at"}
    asking = shop.processes.start(
        shoppers.fated, fate, shoppers.ask_refund, *shop.refund_call(session, "7.00")
    )
    wait_until((tmp_path / "held").exists)
    undoing = shop.processes.start(shoppers.undo_given_back, str(refund.pk))
    time.sleep(0.5)  # until it is done, or waits

    (tmp_path / "go").touch()
    status, is_undone = asking.finish().result["status"], undoing.finish().result

    payment.refresh_from_db()
    assert (status, is_undone, payment.refunded_minor_units) in {(409, True, 0), (200, False, 700)}
    shop.books.assert_settled()


def test_a_case_that_is_closed_while_its_refund_ends_is_closed_and_its_refund_is_made(
    shop: Shop, tmp_path: Path
) -> None:
    shop.equip(REPEATS)
    session, payment = pay(shop, "paid")
    shop.provider.script(after="raise")
    shop.processes.run(shoppers.ask_refund, *shop.refund_call(session, "3.10"))
    shop.provider.script()
    let_time_pass(timedelta(hours=2))
    # Both hold what the other one needs: the refund's row this one, the payment's row the other.
    fate = {"held_in": str(tmp_path), "held_before": "INSERT INTO .snipcart_checkout_event"}
    ending = shop.processes.start(shoppers.fated, fate, shoppers.settle_once)
    wait_until((tmp_path / "held").exists)
    closing = shop.processes.start(shoppers.close, str(payment.reference))
    time.sleep(0.5)  # until it waits

    (tmp_path / "go").touch()
    ending.finish()

    assert closing.finish().result is True
    refund = Refund.objects.get()
    payment.refresh_from_db()
    assert (refund.state, len(shop.provider.refunds)) == (Refund.State.REFUNDED, 1)
    assert payment.resolved_at is not None
    assert payment.events.filter(name__in=("refund_refunded", "review_closed")).count() == 2
    shop.books.assert_settled()


# Settling.


def test_two_that_settle_share_the_work(shop: Shop) -> None:
    shop.snipcart.fail("payment", 429, times=None)
    sessions = [pay(shop, "paid")[0] for _ in range(4)]
    shop.snipcart.recover()
    tries = len(shop.snipcart.calls_to("payment"))
    let_time_pass(timedelta(minutes=1))
    gate = Gate(shop, "payment")
    first = shop.processes.start(shoppers.settle_once)
    gate.wait()

    second = shop.processes.run(shoppers.settle_once)
    gate.open()

    assert (first.finish().result, second.result) == (0, 0)
    assert [states(session) for session in sessions] == [["processed"]] * 4
    assert len(shop.snipcart.calls_to("payment")) - tries == 4
    shop.books.assert_settled()


def test_a_return_a_notification_and_a_settling_at_once_are_one_payment(shop: Shop) -> None:
    session, payment = pay(shop, "redirect")
    shop.provider.complete(payment.reference)
    shop.provider.script(looking="wait")
    running = []
    for start in (come_back, notify, lambda shop, _payment: shop.processes.start(shoppers.settle_once)):
        let_time_pass(timedelta(minutes=10))
        is_asked = asked(shop, "lookup")
        running.append(start(shop, payment))
        wait_until(is_asked)
    shop.provider.go_on()
    for process in running:
        process.finish()
    let_time_pass(timedelta(minutes=10))
    shop.processes.run(shoppers.settle_once)

    assert states(session) == ["processed"]
    assert len(shop.snipcart.calls_to("payment")) == 1
    assert payment.events.filter(name="paid").count() == 1
    shop.books.assert_settled()


# Going back to the shop.


def test_who_goes_back_while_another_tab_pays_is_notified_of_first(shop: Shop, tmp_path: Path) -> None:
    session, declined = pay(shop, "declined")
    form = shoppers.open_page(session.public_token, "acme_card")
    back_at, new_at = tmp_path / "back", tmp_path / "new"
    for folder in (back_at, new_at):
        folder.mkdir()
    new = shop.processes.start(shoppers.fated, {"held_in": str(new_at)}, shoppers.press, form)
    wait_until((new_at / "held").exists)  # it is about to open a payment
    held = {"held_in": str(back_at), "held_at": "confirmation"}
    back = shop.processes.start(shoppers.fated, held, shoppers.go_back, str(declined.reference))
    wait_until((back_at / "held").exists)  # it holds the session, in a transaction

    (new_at / "go").touch()
    (back_at / "go").touch()
    back.finish()
    new.finish()
    shop.processes.run(shoppers.settle_once)

    outcomes = list(
        Confirmation.objects.filter(session_key=declined.session_key).values_list("outcome", flat=True)
    )
    assert outcomes == ["failed", "processed"]
    assert states(session)[0] == "failed"
    assert len(shop.provider.captures) == 1
    shop.books.assert_settled()


def decline(shop: Shop, form: shoppers.Form, times: int) -> None:
    shop.provider.script(charge="declined")
    for _ in range(times):
        shop.processes.run(shoppers.press, form)


@pytest.mark.parametrize("abandoned", [False, True], ids=["a new payment", "an abandoned one"])
def test_an_attempt_that_waits_for_the_last_one_to_be_declined_is_not_made(
    shop: Shop, tmp_path: Path, abandoned: bool
) -> None:
    session = shop.snipcart.session()
    if abandoned:
        pay_in(shop, session, "redirect", "acme_wallet")
        shop.provider.script(lookup="not_found")
        come_back(shop, Payment.objects.get()).finish()
        assert Payment.objects.get().state == State.ABANDONED
    form, other_tab = (
        shoppers.open_page(session.public_token, name) for name in ("acme_card", "acme_wallet")
    )
    decline(shop, form, 9)
    begins, ends = tmp_path / "begins", tmp_path / "ends"
    for folder in (begins, ends):
        folder.mkdir()
    claim = r"(INSERT INTO|UPDATE) .snipcart_checkout_payment\W"
    eleventh = shop.processes.start(
        shoppers.fated, {"held_in": str(begins), "held_before": claim}, shoppers.press, other_tab
    )
    wait_until((begins / "held").exists)
    # Held in the transaction that declines it and frees the session.
    held = {"held_in": str(ends), "held_at": "confirmation"}
    tenth = shop.processes.start(shoppers.fated, held, shoppers.press, form)
    wait_until((ends / "held").exists)
    (begins / "go").touch()
    time.sleep(0.5)  # until it waits for the session

    (ends / "go").touch()

    assert [tenth.finish().result["status"], eleventh.finish().result["status"]] == [402, 402]
    assert len([call for call in shop.provider.calls if call.startswith("charge")]) == 10 + abandoned
    assert [call.json["state"] for call in shop.snipcart.calls_to("payment")] == ["failed"]
    shop.books.assert_settled()


# Secrets and old payments are taken away.


def test_what_an_abandoned_payment_needs_is_not_taken_away_when_it_is_taken_up_again(
    shop: Shop, tmp_path: Path
) -> None:
    session, payment = pay(shop, "redirect")
    shop.provider.script(lookup="not_found")
    come_back(shop, payment).finish()
    form = shoppers.open_page(session.public_token, "acme_card")
    let_time_pass(timedelta(days=4))
    clears = r"UPDATE .snipcart_checkout_payment. SET .public_token. = "
    settling = shop.processes.start(
        shoppers.fated, {"held_in": str(tmp_path), "held_before": clears}, shoppers.settle_once
    )
    wait_until((tmp_path / "held").exists)
    shop.provider.script(charge="redirect")
    shop.processes.run(shoppers.press, form)

    (tmp_path / "go").touch()
    settling.finish()
    shop.provider.script()
    shop.provider.complete(payment.reference)
    let_time_pass(A_MOMENT)
    come_back(shop, payment).finish()

    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == (State.PAID, "")
    assert states(session) == ["processed"]
    shop.books.assert_settled()


@pytest.mark.parametrize(
    "held_before",
    [r"SELECT .*\..reference. IN \(", "DELETE "],
    ids=["before it is locked", "once it is locked"],
)
def test_a_payment_that_is_refunded_while_old_ones_are_deleted_stays(
    shop: Shop, tmp_path: Path, held_before: str
) -> None:
    session, payment = pay(shop, "paid")
    let_time_pass(timedelta(days=400))
    fate = {"held_in": str(tmp_path), "held_before": held_before}
    pruning = shop.processes.start(shoppers.fated, fate, shoppers.tidy_up, 365)
    wait_until((tmp_path / "held").exists)
    refunding = shop.processes.start(shoppers.ask_refund, *shop.refund_call(session, "3.10"))
    time.sleep(1)  # until it is made, or waits for the payment

    (tmp_path / "go").touch()
    pruned, status = pruning.finish().result["payments"], refunding.finish().result["status"]

    assert (pruned, status) in ((0, 200), (1, 404))
    assert [refund["minor_units"] for refund in shop.provider.refunds] == [310] * (1 - pruned)
    assert Refund.objects.filter(payment=payment).count() == 1 - pruned
    assert Payment.objects.count() == 1 - pruned
    if pruned:  # the other books still know it
        payment.save(force_insert=True)


# A connection that dies.

SERVERS = {"postgresql": "SELECT pg_terminate_backend({})", "mysql": "KILL CONNECTION {}"}
WORKS = ("pay", "come back", "refund", "settle")


def prepare(shop: Shop, work: str) -> tuple[StandInSession, Callable[..., Any], tuple[Any, ...]]:
    """What is there before, and what is to be done."""
    if work == "pay":
        session = shop.snipcart.session()
        return session, shoppers.submit, (session.public_token, "acme_card")
    session, payment = pay(shop, "paid" if work == "refund" else "redirect")
    if work == "refund":
        return session, shoppers.ask_refund, shop.refund_call(session, "3.10")
    shop.provider.complete(payment.reference)
    let_time_pass(timedelta(minutes=10))
    if work == "settle":
        return session, shoppers.settle_once, ()
    return session, shoppers.come_back, (str(payment.reference),)


if connection.vendor in SERVERS:  # a file has no connection that could die

    @pytest.mark.parametrize("work", WORKS)
    def test_a_connection_that_died_while_the_provider_was_asked_is_replaced(
        shop: Shop, tmp_path: Path, work: str
    ) -> None:
        session, function, arguments = prepare(shop, work)
        shop.provider.script(before="wait", looking="wait")
        is_asked = asked(shop, "")
        named_in = tmp_path / "connection"
        running = shop.processes.start(shoppers.fated, {"named_in": str(named_in)}, function, *arguments)
        wait_until(is_asked)

        with connection.cursor() as cursor:
            cursor.execute(SERVERS[connection.vendor].format(int(named_in.read_text())))
        shop.provider.go_on()
        running.finish()

        payment = Payment.objects.get(session_id=session.id)
        assert payment.state == State.PAID
        assert states(session) == ["processed"]
        assert payment.refunded_minor_units == (310 if work == "refund" else 0)
        assert not Refund.objects.exclude(state=Refund.State.REFUNDED).exists()
        shop.books.assert_settled()

    # A COMMIT may still be on its way when its answer is lost.

    def test_a_payment_whose_commit_is_still_on_its_way_is_made_and_confirmed_once(shop: Shop) -> None:
        was_lost, nth = True, 0
        while was_lost:
            nth += 1
            session = shop.snipcart.session()
            submit = (shoppers.submit, session.public_token, "acme_card")
            was_lost = shop.processes.run(shoppers.fated, {"loses": nth, "late": 0.5}, *submit).result["lost"]
            payment = Payment.objects.get(session_id=session.id)
            assert (nth, payment.state, states(session)) == (nth, State.PAID, ["processed"])

        assert nth > 3
        assert len(shop.provider.captures) == nth
        shop.books.assert_settled()

    def test_a_refund_whose_commit_is_still_on_its_way_is_made_and_answered_once(shop: Shop) -> None:
        was_lost, nth = True, 0
        while was_lost:
            nth += 1
            session, payment = pay(shop, "paid")
            path, body = shop.refund_call(session, "3.10")
            fate = {"loses": nth, "late": 0.5}
            done = shop.processes.run(shoppers.fated, fate, shoppers.ask_refund, path, body).result
            was_lost = done["lost"]
            refund = Refund.objects.get(payment=payment)
            assert (nth, done["answer"]["body"]) == (nth, {"refundId": str(refund.pk)})
            assert refund.state == Refund.State.REFUNDED

        assert len(shop.provider.refunds) == nth
        shop.books.assert_settled()
