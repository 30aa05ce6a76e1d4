"""Many processes at once: one charge, one confirmation, and everybody is led to the same payment."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.testing import StandInSession
from tests.support import shoppers
from tests.support.ledger_invariants import let_time_pass
from tests.support.processes import Finished, finish_commands, wait_until
from tests.support.shop import CAN_BOTH, LOOKS_UP, NEITHER, REPEATS, Shop

LATER = timedelta(minutes=10)


def submits(session: StandInSession, *methods: str) -> list[Any]:
    return [(shoppers.submit, (session.public_token, method)) for method in methods]


def places(finished: list[Finished]) -> set[tuple[int, str]]:
    return {(process.result["status"], process.result["location"]) for process in finished}


class Crowd:
    """Counts the calls that Snipcart has to answer at the same moment."""

    def __init__(self) -> None:
        self.most = self._now = 0
        self._lock = threading.Lock()

    def stay(self, *_: object) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.2)
        with self._lock:
            self._now -= 1


def status_page(payment: Payment) -> str:
    return f"/checkout/payments/{payment.reference}/"


@pytest.mark.parametrize("flags", [LOOKS_UP, REPEATS, NEITHER], ids=["looks-up", "repeats", "neither"])
def test_ten_submits_at_once_are_one_charge(shop: Shop, flags: dict[str, bool]) -> None:
    shop.equip(flags)
    shop.provider.script(before=0.3)
    session = shop.snipcart.session()

    finished = shop.processes.race(*submits(session, *["acme_card"] * 10))

    payment = Payment.objects.get()
    assert places(finished) == {(303, status_page(payment))}
    assert shop.provider.calls == [f"charge {payment.reference}"]
    assert [body["state"] for body in session.confirmations] == ["processed"]
    assert len(shop.snipcart.calls_to("payment")) == 1
    shop.books.assert_settled()


@pytest.mark.parametrize("outcome, told", [("pending", ["processing"]), ("redirect", []), ("nonsense", [])])
def test_ten_submits_at_once_open_one_payment_whatever_comes_of_it(
    shop: Shop, outcome: str, told: list[str]
) -> None:
    shop.provider.script(charge=outcome, before=0.3)
    session = shop.snipcart.session()

    finished = shop.processes.race(*submits(session, *["acme_card"] * 10))

    payment = Payment.objects.get()
    assert places(finished) == {(303, status_page(payment))}
    assert shop.provider.calls == [f"charge {payment.reference}"]
    assert [call.json["state"] for call in shop.snipcart.calls_to("payment")] == told


def test_two_tabs_with_different_methods_are_one_charge(shop: Shop) -> None:
    shop.provider.script(before=0.3)
    session = shop.snipcart.session()

    finished = shop.processes.race(*submits(session, *["acme_card", "acme_wallet"] * 4))

    payment = Payment.objects.get()
    assert places(finished) == {(303, status_page(payment))}
    assert len(shop.provider.captures) == 1
    shop.books.assert_settled()


def test_sessions_do_not_stand_in_each_others_way(shop: Shop) -> None:
    sessions = [shop.snipcart.session() for _ in range(5)]

    shop.processes.race(
        *[work for session in sessions for work in submits(session, "acme_card", "acme_wallet")]
    )

    assert len(shop.provider.captures) == 5
    assert [len(session.confirmations) for session in sessions] == [1] * 5
    shop.books.assert_settled()


def test_a_try_that_was_held_up_does_not_exceed_the_limit(shop: Shop, tmp_path: Path) -> None:
    session = shop.snipcart.session()
    shop.provider.script(charge="declined")
    form = shoppers.open_page(session.public_token, "acme_card")
    for _ in range(9):
        shop.processes.run(shoppers.press, form)
    late = shop.processes.start(shoppers.fated, {"held_in": str(tmp_path)}, shoppers.press, form)
    wait_until((tmp_path / "held").exists)
    tenth = shop.processes.run(shoppers.press, form)

    (tmp_path / "go").touch()

    assert [late.finish().result["status"], tenth.result["status"]] == [402, 402]
    assert len(shop.provider.calls) == 10
    assert [call.json["state"] for call in shop.snipcart.calls_to("payment")] == ["failed"]
    shop.books.assert_settled()


def test_submits_race_with_returns_and_notifications(shop: Shop) -> None:
    shop.provider.script(charge="redirect")
    session = shop.snipcart.session()
    forms = [shoppers.open_page(session.public_token, method) for method in ("acme_card", "acme_wallet")]
    shop.processes.run(shoppers.submit, session.public_token, "acme_card")
    payment = Payment.objects.get()
    shop.provider.complete(payment.reference)
    headers, body = shop.provider.notification(payment.reference)

    finished = shop.processes.race(
        *[(shoppers.press, (form,)) for form in forms * 2],
        *[(shoppers.come_back, (str(payment.reference),))] * 4,
        *[(shoppers.notify, ("acme_card", headers, body.decode()))] * 3,
    )

    # A notification that comes within two seconds of another look-up is to be sent again.
    assert places(finished) - {(503, "")} <= {(303, status_page(payment)), (204, "")}
    assert Payment.objects.get().state == Payment.State.PAID
    assert [call.json["state"] for call in shop.snipcart.calls_to("payment")] == ["processed"]
    shop.books.assert_settled()


def test_a_notification_may_be_faster_than_the_charge_that_it_is_about(shop: Shop) -> None:
    shop.provider.script(after="wait")
    session = shop.snipcart.session()
    submit = shop.processes.start(shoppers.submit, session.public_token, "acme_card")
    wait_until(lambda: shop.provider.captures)
    reference = Payment.objects.get().reference
    headers, body = shop.provider.notification(reference)

    early = shop.processes.run(shoppers.notify, "acme_card", headers, body.decode())
    shop.provider.go_on()

    assert early.result["status"] == 204
    assert submit.finish().result["status"] == 303
    assert [call.json["state"] for call in shop.snipcart.calls_to("payment")] == ["processed"]
    assert list(Payment.objects.get().events.values_list("name", flat=True)).count("paid") == 1
    shop.books.assert_settled()


@pytest.mark.parametrize("by", ["return", "notification"])
def test_a_charge_under_way_is_not_abandoned_because_its_provider_does_not_know_it_yet(
    shop: Shop, by: str
) -> None:
    shop.provider.script(before="wait")
    session = shop.snipcart.session()
    other_tab = shoppers.open_page(session.public_token, "acme_wallet")
    first = shop.processes.start(shoppers.submit, session.public_token, "acme_card")
    wait_until(lambda: shop.provider.calls)
    reference = Payment.objects.get().reference
    headers, body = shop.provider.notification(reference)
    if by == "return":
        shop.processes.run(shoppers.come_back, str(reference))
    else:
        shop.processes.run(shoppers.notify, "acme_card", headers, body.decode())

    shop.provider.script()
    second = shop.processes.run(shoppers.press, other_tab)
    shop.provider.go_on()

    assert places([first.finish(), second]) == {(303, f"/checkout/payments/{reference}/")}
    assert len(shop.provider.captures) == 1
    shop.books.assert_settled()


def test_concurrent_refunds_never_exceed_the_payment(shop: Shop) -> None:
    session = shop.snipcart.session(amount="12.30")
    shop.processes.run(shoppers.submit, session.public_token, "acme_card")
    calls = [shop.refund_call(session, f"2.{cents:02}") for cents in range(51, 61)]

    finished = shop.processes.race(*[(shoppers.ask_refund, call) for call in calls])

    answers = sorted(process.result["status"] for process in finished)
    assert answers == [200] * 4 + [409] * 6
    assert sum(refund["minor_units"] for refund in shop.provider.refunds) <= 1230
    assert Payment.objects.get().refunds.count() == 4
    shop.books.assert_settled()


def test_equal_refunds_at_once_are_one(shop: Shop) -> None:
    session = shop.snipcart.session(amount="12.30")
    shop.processes.run(shoppers.submit, session.public_token, "acme_card")
    shop.provider.script(before=0.2)

    finished = shop.processes.race(*[(shoppers.ask_refund, shop.refund_call(session, "3.10"))] * 8)

    refund = Refund.objects.get()
    assert {process.result["status"] for process in finished} == {200}
    assert {process.result["body"]["refundId"] for process in finished} == {str(refund.pk)}
    assert [made["minor_units"] for made in shop.provider.refunds] == [310]


def test_five_settling_commands_at_once_deliver_each_confirmation_once(shop: Shop) -> None:
    sessions = [shop.snipcart.session() for _ in range(6)]
    shop.snipcart.fail("payment", "cut-before", times=None)
    shop.processes.race(*[work for session in sessions for work in submits(session, "acme_card")])
    shop.snipcart.recover()
    tries = len(shop.snipcart.calls_to("payment"))
    # Slow enough for the others to come by while one of them is telling.
    shop.snipcart.fail("payment", "slow", times=None, seconds=0.5)
    let_time_pass(LATER)

    settled = shop.processes.race(*[(shoppers.settle_once, ())] * 5)

    assert [process.result for process in settled] == [0] * 5
    assert len(shop.snipcart.calls_to("payment")) - tries == 6
    assert [len(session.confirmations) for session in sessions] == [1] * 6
    shop.books.assert_settled()


@pytest.mark.parametrize("flags", [LOOKS_UP, REPEATS, NEITHER], ids=["looks-up", "repeats", "neither"])
def test_settling_processes_share_the_questions_about_unknown_charges(
    shop: Shop, flags: dict[str, bool]
) -> None:
    shop.equip(flags)
    shop.provider.script(after="raise")
    sessions = [shop.snipcart.session() for _ in range(4)]
    shop.processes.race(*[work for session in sessions for work in submits(session, "acme_card")])
    shop.provider.script()
    asked = len(shop.provider.calls)
    let_time_pass(LATER)

    finished = shop.processes.race(*[(shoppers.settle_once, ())] * 5)

    assert len(shop.provider.calls) - asked == (0 if flags == NEITHER else 4)
    assert any(process.result == 1 for process in finished) is (flags == NEITHER)
    assert len(shop.provider.captures) == 4
    shop.books.assert_settled()


@pytest.mark.parametrize("flags", [REPEATS, NEITHER], ids=["repeats", "neither"])
def test_settling_processes_share_unknown_refunds(shop: Shop, flags: dict[str, bool]) -> None:
    session = shop.snipcart.session(amount="12.30")
    shop.equip(flags)
    shop.processes.run(shoppers.submit, session.public_token, "acme_card")
    shop.provider.script(after="raise")
    asked = shop.processes.run(shoppers.ask_refund, *shop.refund_call(session, "3.10"))
    shop.provider.script()
    let_time_pass(LATER)

    shop.processes.race(*[(shoppers.settle_once, ())] * 5)

    expected = Refund.State.REVIEW if flags == NEITHER else Refund.State.REFUNDED
    assert asked.result["status"] == 502
    assert Refund.objects.get().state == expected
    assert len([call for call in shop.provider.calls if call.startswith("refund")]) == (
        1 if flags == NEITHER else 2
    )
    assert len(shop.provider.refunds) == 1


def test_going_back_races_with_a_new_try(shop: Shop) -> None:
    session = shop.snipcart.session()
    shop.provider.script(charge="declined")
    shop.processes.run(shoppers.submit, session.public_token, "acme_card")
    declined = Payment.objects.get()
    shop.provider.script()

    shop.processes.race(
        *[(shoppers.go_back, (str(declined.reference),))] * 4, *submits(session, *["acme_card"] * 4)
    )
    shop.processes.run(shoppers.settle_once)

    told = [call.json["state"] for call in shop.snipcart.calls_to("payment")]
    assert told.count("failed") <= 1
    assert told.count("processed") == 1
    assert len(shop.provider.captures) == 1
    shop.books.assert_settled()


@pytest.mark.parametrize("flags", [LOOKS_UP, CAN_BOTH], ids=["looks-up", "both"])
def test_an_abandoned_payment_is_taken_up_again_once(shop: Shop, flags: dict[str, bool]) -> None:
    shop.equip(flags)
    session = shop.snipcart.session()
    shop.provider.script(before="raise")
    shop.processes.run(shoppers.submit, session.public_token, "acme_card")
    let_time_pass(timedelta(minutes=61))  # until no call that charges can be under way any more
    shop.processes.run(shoppers.settle_once)
    abandoned = Payment.objects.get()
    assert abandoned.state == Payment.State.ABANDONED
    shop.provider.script(before=0.3)

    finished = shop.processes.race(*submits(session, *["acme_card"] * 8))

    assert places(finished) == {(303, status_page(abandoned))}
    assert [capture["reference"] for capture in shop.provider.captures] == [str(abandoned.reference)]
    shop.books.assert_settled()


def test_of_staff_who_disagree_at_once_one_outcome_is_delivered(shop: Shop) -> None:
    session = shop.snipcart.session()
    shop.provider.script(charge="pending")
    shop.processes.run(shoppers.submit, session.public_token, "acme_card")
    payment = Payment.objects.get()

    shop.processes.race(
        *[(shoppers.receive, (str(payment.reference),))] * 3,
        *[(shoppers.let_expire, (str(payment.reference),))] * 3,
    )

    payment.refresh_from_db()
    told = [body["state"] for body in session.confirmations]
    assert told in (["processing", "processed"], ["processing", "invalidated"])
    if payment.state == Payment.State.PAID:
        shop.provider.complete(payment.reference)  # who saw the money is believed
        shop.books.assert_settled()


def leave_undelivered(shop: Shop) -> tuple[list[StandInSession], Crowd]:
    """Let two dozen shoppers pay while Snipcart takes no confirmation."""
    sessions = [shop.snipcart.session() for _ in range(24)]
    shop.snipcart.fail("payment", 503, times=None)
    for start in range(0, len(sessions), 8):
        shop.processes.race(
            *[work for session in sessions[start:][:8] for work in submits(session, "acme_card")]
        )
    shop.snipcart.recover()
    crowd = Crowd()
    shop.snipcart.before("payment", crowd.stay, times=None)
    let_time_pass(LATER)
    return sessions, crowd


def test_after_an_outage_a_run_delivers_several_sessions_at_a_time_and_each_once(shop: Shop) -> None:
    sessions, crowd = leave_undelivered(shop)

    commands = [shop.processes.command("snipcart_settle") for _ in range(2)]

    assert finish_commands(commands) == [0] * 2
    assert [len(session.confirmations) for session in sessions] == [1] * 24
    assert 2 < crowd.most <= 8
    shop.books.assert_settled()


def test_a_connection_that_works_for_a_tenant_delivers_one_session_at_a_time(shop: Shop) -> None:
    sessions, crowd = leave_undelivered(shop)

    shop.processes.run(shoppers.settle_as_tenant)

    assert [len(session.confirmations) for session in sessions] == [1] * 24
    assert crowd.most == 1
    shop.books.assert_settled()
