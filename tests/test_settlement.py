"""``manage.py snipcart_settle``: whatever was left is finished, once, and what is not is put before a person."""

from __future__ import annotations

import inspect
import io
import json
import logging
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command, load_command_class
from django.core.management.base import SystemCheckError
from django.db import DatabaseError, OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.exceptions import RefundUnknown
from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.services.alerts import report_new_cases
from snipcart_checkout.testing import CheckoutSettings, StandIn
from tests.support.backends import Crashed, Provider
from tests.support.ledger import (
    before,
    in_review,
    pay,
    provider,
    refused_by_snipcart,
    story,
    unknown_refund,
)
from tests.support.ledger_invariants import let_time_pass

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

MANUAL = "snipcart_checkout.backends.manual.ManualBackend"


def use_manual(checkout_settings: CheckoutSettings, **options: Any) -> None:
    method = {"BACKEND": MANUAL, "NAME": "Bank transfer", "OPTIONS": options}
    checkout_settings.set("STORES.live.METHODS.acme_card", method)


def unknown(provider: Provider, snipcart: StandIn, **knobs: Any) -> Payment:
    """A payment of which the provider's answer did not arrive."""
    provider.script(**(knobs or {"after": "raise"}))
    payment = pay(snipcart)
    assert payment.state == Payment.State.UNKNOWN
    provider.script()
    return payment


def crashed(provider: Provider, snipcart: StandIn, **knobs: Any) -> Payment:
    """A payment whose process died while the provider was asked."""
    payment = unknown(provider, snipcart, **knobs)
    Payment.objects.filter(pk=payment.pk).update(state=Payment.State.CHARGING)
    payment.refresh_from_db()
    return payment


def state_of(payment: Payment) -> str:
    return Payment.objects.get(pk=payment.pk).state


def run(**options: Any) -> tuple[int, str, str]:
    """Run the command; return its exit code and what it printed to both streams."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command("snipcart_settle", stdout=out, stderr=err, **options)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    return code, out.getvalue(), err.getvalue()


# Charges.


def test_an_unknown_payment_is_asked_about(provider: Provider, snipcart: StandIn) -> None:
    payment = unknown(provider, snipcart)

    report = services.settle()

    assert (state_of(payment), report.looked_up, report.needs_attention) == ("paid", 1, False)
    assert provider.calls == [f"charge {payment.pk}", f"lookup {payment.pk}"]
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


@pytest.mark.parametrize("state", ["charging", "unknown"])
def test_a_charge_is_repeated_with_its_key_where_nobody_can_be_asked(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings, state: str
) -> None:
    payment = unknown(provider, snipcart)
    Payment.objects.update(state=state)
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    let_time_pass(timedelta(minutes=6))

    services.settle()

    assert state_of(payment) == "paid"
    assert provider.calls == [f"charge {payment.pk}"] * 2
    assert len(provider.captures) == 1


def test_a_charge_is_repeated_with_its_key_for_three_days(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    payment = unknown(provider, snipcart)
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    let_time_pass(timedelta(hours=71, minutes=59))

    services.settle()

    assert state_of(payment) == "paid"
    assert len(provider.captures) == 1


def test_after_three_days_a_charge_is_not_repeated_but_left_to_a_person(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    payment = unknown(provider, snipcart)
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    let_time_pass(timedelta(hours=72, seconds=1))

    report = services.settle()

    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == ("review", "outcome_unknown")
    assert provider.calls == [f"charge {payment.pk}"]
    assert (report.looked_up, report.failed_stages) == (0, ())


@pytest.mark.parametrize(
    "change, state", [({"amount": "1001.00"}, "review"), (None, "unknown")], ids=["changed", "unread"]
)
def test_a_charge_is_not_repeated_for_an_order_that_is_another_or_cannot_be_read(
    provider: Provider,
    snipcart: StandIn,
    checkout_settings: CheckoutSettings,
    change: dict[str, str] | None,
    state: str,
) -> None:
    session = snipcart.session()
    provider.script(before="raise")
    payment = pay(snipcart, session=session)
    provider.script()
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    if change:
        snipcart.change(session, **change)
    else:
        snipcart.fail("payment-session", 503)

    report = services.settle()

    assert state_of(payment) == state
    assert provider.captures == []
    assert (report.looked_up, report.failed_stages) == (0, ())


@pytest.mark.parametrize("begin", [unknown, crashed])
def test_what_was_begun_at_the_provider_by_a_charge_without_an_answer_is_ended_there(
    provider: Provider, snipcart: StandIn, begin: Callable[[Provider, StandIn], Payment]
) -> None:
    """Its shopper never got an address to finish it at."""
    payment = begin(provider, snipcart)
    provider.script(lookup="pending", ends=True)
    let_time_pass(timedelta(minutes=6))

    services.settle()

    assert state_of(payment) == "declined"


def test_a_charge_whose_case_is_closed_while_its_order_is_compared_is_not_repeated(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    payment = unknown(provider, snipcart)
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    let_time_pass(timedelta(hours=2))
    checks = r"SELECT .* AS .a. FROM .snipcart_checkout_payment. WHERE .*version"

    def close() -> None:
        assert services.resolve_review(payment, "closed", note="refunded at the provider", by="ada")

    with before(checks, close):
        report = services.settle()

    assert provider.calls == [f"charge {payment.pk}"]
    assert (report.looked_up, report.failed_stages) == (0, ())


def test_a_charge_is_not_repeated_for_a_cart_that_was_paid_in_another_session(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    """The first call may have arrived: whether both are charges is for a person to find out."""
    session = snipcart.session()
    provider.script(before="raise")
    payment = pay(snipcart, session=session)
    provider.script()
    paid = pay(snipcart, session=snipcart.session(same_cart_as=session))
    assert (state_of(payment), paid.state) == ("unknown", "paid")
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    let_time_pass(timedelta(minutes=6))

    report = services.settle()

    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == ("review", "outcome_unknown")
    assert payment.events.get(name="review").source == "settle"
    assert [capture["reference"] for capture in provider.captures] == [str(paid.pk)]
    assert (report.looked_up, report.failed_stages) == (0, ())


def test_a_dead_charge_whose_order_cannot_be_read_is_unknown(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    payment = crashed(provider, snipcart)
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    snipcart.fail("payment-session", 503)
    let_time_pass(timedelta(minutes=6))

    services.settle()

    assert state_of(payment) == "unknown"


def test_a_closed_case_is_not_charged_again_though_another_payment_is_as_it_was(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    payment, other = unknown(provider, snipcart), pay(snipcart)
    Payment.objects.filter(pk=other.pk).update(version=payment.version)
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    let_time_pass(timedelta(hours=2))
    checks = r"SELECT .* AS .a. FROM .snipcart_checkout_payment. WHERE .*version"

    with before(checks, lambda: services.resolve_review(payment, "closed", note="refunded", by="ada")):
        services.settle()

    assert provider.calls.count(f"charge {payment.pk}") == 1


def test_of_two_runs_that_find_the_same_payments_one_asks_about_each(
    provider: Provider, snipcart: StandIn
) -> None:
    payments = unknown(provider, snipcart), unknown(provider, snipcart)
    provider.script(lookup="nonsense")
    for _ in range(2):  # before and after the first look-up of each
        asked = len(provider.calls)
        provider.meanwhile(services.settle)

        services.settle()

        assert sorted(provider.calls[asked:]) == sorted(f"lookup {payment.pk}" for payment in payments)
        let_time_pass(timedelta(minutes=6))


def test_a_payment_whose_case_is_closed_while_a_run_asks_about_another_is_not_asked_about(
    provider: Provider, snipcart: StandIn
) -> None:
    first, second = unknown(provider, snipcart), unknown(provider, snipcart)
    let_time_pass(timedelta(hours=2))
    asked = list(provider.calls)

    def close() -> None:
        assert services.resolve_review(second, "closed", note="paid in cash", by="ada")

    provider.meanwhile(close)

    report = services.settle()

    assert (report.looked_up, report.failed_stages) == (1, ())
    assert provider.calls == [*asked, f"lookup {first.pk}"]


def test_an_abandoned_payment_is_not_charged_by_a_machine(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    provider.script(lookup="not_found")
    services.handle_return(payment)
    assert state_of(payment) == "abandoned"
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False, "repeat_is_safe": True})
    asked = list(provider.calls)
    let_time_pass(timedelta(minutes=6))

    report = services.settle()

    assert (provider.calls, report.failed, state_of(payment)) == (asked, 0, "abandoned")


@pytest.mark.parametrize("minutes, state", [(55, "paid"), (65, "abandoned")])
def test_a_provider_that_did_not_know_a_charge_is_asked_again_for_an_hour(
    provider: Provider, snipcart: StandIn, minutes: int, state: str
) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    provider.script(lookup="not_found")
    services.handle_return(payment)
    assert state_of(payment) == "abandoned"
    provider.script(lookup="paid")
    let_time_pass(timedelta(minutes=minutes))

    services.settle()

    assert state_of(payment) == state


def test_a_charge_that_can_neither_be_looked_up_nor_repeated_is_left_to_a_person(
    provider: Provider,
    snipcart: StandIn,
    checkout_settings: CheckoutSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    payment = unknown(provider, snipcart)
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False, "repeat_is_safe": False})

    reports = [services.settle(), services.settle()]

    assert [report.open_cases.payments_in_review for report in reports] == [1, 1]
    assert [report.needs_attention for report in reports] == [True, False]
    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == ("review", "outcome_unknown")
    assert payment.events.get(name="review").data == {"was": "unknown", "reason": "outcome_unknown"}
    assert caplog.text.count(f"payment {payment.pk} needs review") == 1
    assert len(provider.calls) == 1


def test_a_charge_under_way_is_left_alone_for_five_minutes(provider: Provider, snipcart: StandIn) -> None:
    payment = crashed(provider, snipcart)
    let_time_pass(timedelta(minutes=4, seconds=50))
    assert services.settle().looked_up == 0
    assert state_of(payment) == "charging"

    let_time_pass(timedelta(seconds=15))

    assert services.settle().looked_up == 1
    assert state_of(payment) == "paid"


def test_a_charge_that_never_reached_its_provider_can_be_tried_again(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = crashed(provider, snipcart, before="raise")
    let_time_pass(timedelta(minutes=6))

    services.settle()

    assert state_of(payment) == "abandoned"
    assert snipcart.confirmations == []


def test_a_dead_charge_about_which_nothing_can_be_learnt_is_unknown(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = crashed(provider, snipcart)
    provider.script(lookup="raise")
    let_time_pass(timedelta(minutes=6))

    services.settle()

    assert state_of(payment) == "unknown"


@pytest.mark.parametrize("state", ["unknown", "pending"])
def test_a_payment_is_asked_about_every_five_minutes_at_most(
    provider: Provider, snipcart: StandIn, state: str
) -> None:
    payment = unknown(provider, snipcart, charge="pending", after="raise")
    Payment.objects.update(state=state)
    provider.script(lookup="raise")
    for _ in range(3):
        services.settle()
    assert provider.calls.count(f"lookup {payment.pk}") == 1

    let_time_pass(timedelta(minutes=5, seconds=1))
    services.settle()

    assert provider.calls.count(f"lookup {payment.pk}") == 2
    assert state_of(payment) == state


def test_a_redirected_payment_is_paid_although_its_shopper_never_came_back(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    provider.complete(payment.pk)

    services.settle()

    assert state_of(payment) == "paid"
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


def test_a_payment_whose_session_is_refused_for_good_is_left_to_a_person(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    provider.complete(payment.pk)
    snipcart.fail("payment-session", 404, times=None)

    services.settle()

    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == ("review", "order_unverified")
    assert snipcart.confirmations == []


def test_a_payment_whose_session_cannot_be_read_now_is_compared_later(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    provider.complete(payment.pk)
    snipcart.fail("payment-session", 500)

    services.settle()
    assert (state_of(payment), snipcart.confirmations) == ("paid", [])

    let_time_pass(timedelta(minutes=1))
    services.settle()
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


def test_a_cart_that_changed_on_the_way_is_left_to_a_person(provider: Provider, snipcart: StandIn) -> None:
    session = snipcart.session()
    provider.script(charge="redirect")
    payment = pay(snipcart, session=session)
    provider.complete(payment.pk)
    snipcart.change(session, amount="99.00")

    report = services.settle()

    assert (state_of(payment), report.open_cases.payments_in_review) == ("review", 1)
    assert snipcart.confirmations == []


def test_who_was_never_looked_up_comes_first(provider: Provider, snipcart: StandIn) -> None:
    payments = [unknown(provider, snipcart) for _ in range(2)]
    services.settle(time_limit=0.000001)
    assert all(call.startswith("charge") for call in provider.calls)
    Payment.objects.filter(pk=payments[0].pk).update(looked_up_at=timezone.now() - timedelta(minutes=6))

    services.settle()

    looked_up = [call for call in provider.calls if call.startswith("lookup")]
    assert looked_up == [f"lookup {payment.pk}" for payment in reversed(payments)]


def test_a_method_whose_look_ups_fail_three_times_in_a_row_is_left_for_the_next_run(
    provider: Provider, snipcart: StandIn
) -> None:
    for _ in range(5):
        unknown(provider, snipcart)
    provider.script(lookup="raise")

    services.settle()
    assert sum(call.startswith("lookup") for call in provider.calls) == 3

    services.settle()
    assert sum(call.startswith("lookup") for call in provider.calls) == 5


def test_only_failures_in_a_row_leave_a_method_for_the_next_run(
    provider: Provider, snipcart: StandIn
) -> None:
    for _ in range(10):
        unknown(provider, snipcart)
    asked = len(provider.calls)
    fails, answers = "raise", "recorded"
    script = iter([fails, answers, fails, fails, answers, fails, fails, fails, fails])

    def go_on() -> None:
        provider.script(lookup=next(script))
        provider.meanwhile(go_on)

    provider.script(lookup=fails)
    provider.meanwhile(go_on)

    services.settle()

    assert len(provider.calls) - asked == 9
    assert Payment.objects.filter(state="paid").count() == 2


def test_what_is_due_is_delivered_before_anybody_is_looked_up(provider: Provider, snipcart: StandIn) -> None:
    snipcart.fail("payment", 500)
    waiting = pay(snipcart)
    unfinished = unknown(provider, snipcart)
    let_time_pass(timedelta(seconds=31))
    provider.script(looking="crash")

    with pytest.raises(Crashed):
        services.settle()

    assert waiting.confirmations.get().status == "delivered"
    assert state_of(unfinished) == "unknown"


def test_a_stage_that_breaks_does_not_keep_the_others_from_running(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    snipcart.fail("payment", 500)
    pay(snipcart)
    let_time_pass(timedelta(seconds=31))

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "claimed_at" in sql.partition("ORDER BY")[2] and "looked_up_at" in sql.partition("ORDER BY")[2]:
            raise DatabaseError
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        report = services.settle()

    assert "payments" in report.failed_stages
    assert "snipcart_settle: the stage payments failed: DatabaseError" in caplog.messages
    assert report.needs_attention
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


def test_a_run_takes_no_more_queries_for_more_open_transfers(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            services.settle()
        return len(captured)

    use_manual(checkout_settings)
    pay(snipcart)
    few = queries()
    for _ in range(4):
        pay(snipcart)

    assert queries() == few


def test_whatever_is_wrong_with_one_payment_the_others_are_settled(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    first, broken, last = (unknown(provider, snipcart) for _ in range(3))
    Payment.objects.filter(pk=broken.pk).update(method="not_configured")

    report = services.settle()

    assert [state_of(payment) for payment in (first, broken, last)] == ["paid", "unknown", "paid"]
    assert (report.looked_up, report.failed) == (2, 1)
    assert f"payment {broken.pk} could not be settled: there is no usable method" in caplog.text


def test_a_payment_that_could_not_be_asked_about_is_settled_once_its_method_is_back(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    payment = crashed(provider, snipcart)
    let_time_pass(timedelta(minutes=6))
    method = checkout_settings()["STORES"]["live"]["METHODS"]["acme_card"]
    checkout_settings.remove("STORES.live.METHODS.acme_card")
    assert services.settle().failed == 1
    assert state_of(payment) == "unknown"

    checkout_settings.method("acme_card", **method)
    let_time_pass(timedelta(minutes=6))

    assert services.settle().looked_up == 1
    assert state_of(payment) == "paid"


def test_the_ledgers_refusal_of_one_outcome_does_not_stop_the_run(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = unknown(provider, snipcart), unknown(provider, snipcart)

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and "transaction_id" in sql and f"tr-{first.pk}" in str(params):
            raise DatabaseError(str(params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        report = services.settle()

    assert (state_of(first), state_of(second)) == ("unknown", "paid")
    assert report.failed == 1
    assert "tr-" not in caplog.text


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement, failed, failed_stages",
    [
        (r"SELECT (1|%s) AS .a. FROM .snipcart_checkout_payment.", 1, ()),
        ("SELECT .*FROM .snipcart_checkout_refund. INNER JOIN", 0, ("refunds",)),
    ],
    ids=["a row", "a stage"],
)
def test_a_connection_that_the_database_closes_during_a_run_is_replaced_for_what_comes_next(
    provider: Provider,
    snipcart: StandIn,
    checkout_settings: CheckoutSettings,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    failed: int,
    failed_stages: tuple[str, ...],
) -> None:
    unknown(provider, snipcart)
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    closed: list[object] = []

    def close(execute: Any, sql: str, *rest: Any) -> Any:
        if not closed and re.match(statement, sql):
            closed.append(connection.connection)
        if connection.connection in closed:
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, *rest)

    monkeypatch.setattr(connection, "is_usable", lambda: connection.connection not in closed)
    with connection.execute_wrapper(close):
        report = services.settle()

    assert closed
    assert (report.failed, report.failed_stages) == (failed, failed_stages)


# Waits that expire.


def test_a_transfer_that_is_never_received_expires_where_the_method_says_so(
    snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    use_manual(checkout_settings, EXPIRES_AFTER_DAYS=14)
    payment = pay(snipcart)
    let_time_pass(timedelta(days=13, hours=23))
    assert services.settle().expired == 0

    let_time_pass(timedelta(hours=2))

    assert services.settle().expired == 1
    assert state_of(payment) == "declined"
    assert [body["state"] for body in snipcart.confirmations] == ["processing", "invalidated"]
    assert payment.events.get(name="declined").source == "settle"


def test_a_transfer_of_another_method_does_not_expire_with_it(
    snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    use_manual(checkout_settings)
    waits, expires = pay(snipcart), pay(snipcart)
    Payment.objects.filter(pk=waits.pk).update(method="acme_transfer")
    checkout_settings.method("acme_transfer", like="acme_card")
    checkout_settings.method("acme_card", OPTIONS={"EXPIRES_AFTER_DAYS": 14})
    let_time_pass(timedelta(days=20))

    assert services.settle().expired == 1

    assert (state_of(waits), state_of(expires)) == ("pending", "declined")


def test_a_transfer_of_another_store_does_not_expire_with_it(
    snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    use_manual(checkout_settings)
    waits, expires = pay(snipcart), pay(snipcart)
    Payment.objects.filter(pk=waits.pk).update(store="test")
    checkout_settings.store("test", like="live")
    checkout_settings.method("acme_card", store="live", OPTIONS={"EXPIRES_AFTER_DAYS": 14})
    let_time_pass(timedelta(days=20))

    assert services.settle().expired == 1

    assert (state_of(waits), state_of(expires)) == ("pending", "declined")


def test_a_transfer_expires_though_the_backend_of_another_method_cannot_be_built(
    snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    use_manual(checkout_settings, EXPIRES_AFTER_DAYS=14)
    payment = pay(snipcart)
    method = checkout_settings()["STORES"]["live"]["METHODS"]["acme_card"]
    broken = {**method, "BACKEND": "tests.support.backends.NotThere"}
    checkout_settings.set("STORES.live.METHODS", {"acme_broken": broken, "acme_card": method})
    let_time_pass(timedelta(days=20))

    report = services.settle()

    assert (report.expired, report.failed_stages, state_of(payment)) == (1, (), "declined")


def test_a_transfer_waits_for_staff_where_the_method_says_nothing(
    snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    use_manual(checkout_settings)
    payment = pay(snipcart)
    let_time_pass(timedelta(days=365))

    report = services.settle()

    assert (state_of(payment), report.expired, report.needs_attention) == ("pending", 0, False)


def test_what_a_provider_can_be_asked_about_does_not_expire_by_itself(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"expires_after": timedelta(days=1)})
    provider.script(charge="pending")
    payment = pay(snipcart)
    let_time_pass(timedelta(days=2))

    services.settle()

    assert state_of(payment) == "pending"


def test_a_charge_of_unknown_outcome_does_not_expire(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    """It may have been captured."""
    payment = unknown(provider, snipcart)
    options = {"can_lookup": False, "expires_after": timedelta(days=1)}
    checkout_settings.method("acme_card", OPTIONS=options)
    snipcart.fail("payment-session", 503)
    let_time_pass(timedelta(days=2))

    report = services.settle()

    assert (state_of(payment), report.expired) == ("unknown", 0)


def test_a_transfer_that_is_for_staff_to_decide_does_not_expire(
    snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    use_manual(checkout_settings, EXPIRES_AFTER_DAYS=14)
    payment = pay(snipcart)
    Payment.objects.update(state="review", review_reason="amount_differs")
    let_time_pass(timedelta(days=20))

    report = services.settle()

    assert (report.expired, report.failed_stages, state_of(payment)) == (0, (), "review")
    assert snipcart.confirmations[-1]["state"] == "processing"


# Telling Snipcart.


def test_what_is_due_is_delivered(provider: Provider, snipcart: StandIn) -> None:
    snipcart.fail("payment", 500)
    pay(snipcart)
    assert services.settle().delivered == 0

    let_time_pass(timedelta(seconds=31))

    assert services.settle().delivered == 1
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


def test_what_a_run_creates_it_delivers(provider: Provider, snipcart: StandIn) -> None:
    unknown(provider, snipcart)
    services.settle()
    assert Confirmation.objects.get().status == Confirmation.Status.DELIVERED


def test_whatever_is_wrong_with_one_session_the_others_are_delivered(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    snipcart.fail("payment", 500, times=2)
    first, second = pay(snipcart), pay(snipcart)
    let_time_pass(timedelta(minutes=1))

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "snipcart_checkout_confirmation" in sql and first.session_key in params:
            raise DatabaseError
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        report = services.settle()

    assert report.delivered == 1
    assert second.confirmations.get().status == Confirmation.Status.DELIVERED
    assert "could not be delivered: DatabaseError" in caplog.text


# What needs a person.


def test_a_payment_unknown_for_an_hour_alerts_once(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    payment = unknown(provider, snipcart)
    provider.script(lookup="raise")
    assert not services.settle().needs_attention
    let_time_pass(timedelta(hours=1))

    reports = [services.settle(), services.settle()]

    assert [report.open_cases.payments_unknown_too_long for report in reports] == [1, 1]
    assert caplog.text.count(f"nobody could tell what came of payments: {payment.pk}") == 1


@pytest.mark.parametrize("number, others", [(5, ""), (7, " and 2 more")])
def test_an_alert_about_many_payments_names_five_and_counts_the_others(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture, number: int, others: str
) -> None:
    payments = [unknown(provider, snipcart) for _ in range(number)]
    provider.script(lookup="raise")
    let_time_pass(timedelta(hours=2))

    services.settle()

    (alert,) = [record.message for record in caplog.records if "nobody could tell" in record.message]
    named, of_them, rest = alert.partition("of payments: ")[2].partition(" and ")
    assert len({*named.split(", ")} & {str(payment.pk) for payment in payments}) == 5
    assert of_them + rest == others


def test_an_alert_names_no_payment_of_an_earlier_one(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    earlier = unknown(provider, snipcart)
    provider.script(lookup="raise")
    let_time_pass(timedelta(hours=2))
    services.settle()
    later = unknown(provider, snipcart)
    provider.script(lookup="raise")
    let_time_pass(timedelta(hours=2))
    caplog.clear()

    services.settle()

    (alert,) = [record.message for record in caplog.records if "nobody could tell" in record.message]
    assert alert.endswith(f": {later.pk}")
    assert str(earlier.pk) not in alert


def test_two_commands_at_once_alert_once(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    unknown(provider, snipcart)
    let_time_pass(timedelta(hours=2))

    with before("SAVEPOINT", report_new_cases):
        report_new_cases()

    assert caplog.text.count("nobody could tell") == 1


def test_a_reported_payment_with_a_case_that_takes_too_long_is_reported_again(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = refused_by_snipcart(snipcart)
    refused_by_snipcart(snipcart)
    assert services.settle().new_cases == 2
    unknown_refund(provider, payment)
    provider.script(refund="nonsense")
    let_time_pass(timedelta(hours=2))

    assert [services.settle().new_cases for _ in range(2)] == [1, 0]


@pytest.mark.parametrize("state", Payment.State.values)
def test_a_payment_that_waits_for_its_provider_for_an_hour_is_a_case(
    provider: Provider, snipcart: StandIn, state: str
) -> None:
    payment = pay(snipcart)
    Payment.objects.update(state=state, review_reason="unanswered")
    let_time_pass(timedelta(minutes=59))
    assert list(services.payments_unknown_too_long()) == []
    let_time_pass(timedelta(minutes=2))

    waits = state in {"charging", "pending", "unknown"}
    assert list(services.payments_unknown_too_long()) == ([payment] if waits else [])


@pytest.mark.parametrize("state", Refund.State.values)
def test_a_refund_that_nobody_knows_for_an_hour_is_a_case(
    provider: Provider, snipcart: StandIn, state: str
) -> None:
    refund = unknown_refund(provider, pay(snipcart))
    Refund.objects.update(state=state)
    let_time_pass(timedelta(minutes=59))
    assert list(services.refunds_unknown_too_long()) == []
    let_time_pass(timedelta(minutes=2))

    assert list(services.refunds_unknown_too_long()) == (
        [refund] if state in {"requested", "unknown"} else []
    )


@pytest.mark.parametrize(
    "columns, is_case",
    [({}, False), ({"state": "unknown"}, True), ({"method": "gone"}, True), ({"store": "gone"}, True)],
    ids=str,
)
def test_a_transfer_for_which_staff_have_to_wait_is_no_case(
    snipcart: StandIn, checkout_settings: CheckoutSettings, columns: dict[str, str], is_case: bool
) -> None:
    use_manual(checkout_settings)
    payment = pay(snipcart)
    Payment.objects.update(**columns)
    let_time_pass(timedelta(hours=2))

    assert list(services.payments_unknown_too_long()) == ([payment] if is_case else [])


def test_a_pending_payment_whose_backend_cannot_be_built_is_a_case(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    provider.script(charge="pending")
    payment = pay(snipcart)
    checkout_settings.method("acme_card", BACKEND="tests.support.backends.Missing")
    let_time_pass(timedelta(hours=2))

    assert list(services.payments_unknown_too_long()) == [payment]


def test_cases_that_cannot_be_counted_are_none_and_the_stage_is_named(
    provider: Provider, snipcart: StandIn
) -> None:
    refused_by_snipcart(snipcart)

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("SELECT COUNT("):
            raise DatabaseError
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        report = services.settle()

    assert (report.failed_stages, report.open_cases.total) == (("count",), 0)


def test_no_more_cases_are_named_or_read_than_were_asked_for(
    provider: Provider, snipcart: StandIn, django_assert_num_queries: Any
) -> None:
    provider.script(amount="1.00")
    cases = {pay(snipcart).pk, pay(snipcart).pk}

    with django_assert_num_queries(1):
        (one,) = services.find_payments_needing_attention(1)

    assert one in cases
    assert set(services.find_payments_needing_attention(2)) == cases


def test_cases_that_were_reported_leave_room_for_the_others(provider: Provider, snipcart: StandIn) -> None:
    provider.script(amount="1.00")
    reported = pay(snipcart)
    services.settle()
    new = pay(snipcart)

    assert services.find_payments_needing_attention(10, unreported=True) == [new.pk]
    assert set(services.find_payments_needing_attention(10)) == {reported.pk, new.pk}


@pytest.mark.parametrize("kind", ["confirmations_undelivered_too_long", "refunds_unknown_too_long"])
def test_what_takes_too_long_is_no_case_once_its_payment_is_closed(
    provider: Provider, snipcart: StandIn, kind: str
) -> None:
    snipcart.fail("payment", 500, times=None)
    unknown_refund(provider, pay(snipcart))
    let_time_pass(timedelta(hours=2))
    assert getattr(services.count_open_cases(), kind) == 1

    Payment.objects.update(resolved_at=timezone.now())

    assert getattr(services.count_open_cases(), kind) == 0


@pytest.mark.parametrize("kind", ["payments_in_review", "confirmations_in_review", "refunds_in_review"])
def test_each_kind_of_case_is_open_until_its_payment_is_closed(
    provider: Provider, snipcart: StandIn, kind: str
) -> None:
    if kind == "confirmations_in_review":
        payment = refused_by_snipcart(snipcart)
    elif kind == "refunds_in_review":
        payment = pay(snipcart)
        in_review(unknown_refund(provider, payment))
    else:
        provider.script(amount="1.00")
        payment = pay(snipcart)
        provider.script()
    other = pay(snipcart)
    cases = services.count_open_cases()
    assert (getattr(cases, kind), cases.total) == (1, 1)
    assert list(services.payments_needing_attention()) == [payment]
    assert [services.settle().new_cases for _ in range(2)] == [1, 0]
    assert services.find_payments_needing_attention(10) == [payment.pk]
    assert ["closed" in services.list_resolutions(row) for row in (payment, other)] == [True, False]

    services.resolve_review(payment, "closed", note="by hand", by="ada")

    assert services.count_open_cases().total == 0
    assert list(services.payments_needing_attention()) == []


def test_a_payment_whose_provider_still_answers_is_no_case_while_another_is(
    provider: Provider, snipcart: StandIn
) -> None:
    answered, silent = (unknown(provider, snipcart, charge="pending", after="raise") for _ in range(2))
    Payment.objects.filter(pk=silent.pk).update(method="gone")
    let_time_pass(timedelta(hours=2))

    services.settle()

    assert state_of(answered) == "pending"
    assert list(services.payments_unknown_too_long()) == [silent]


def test_what_is_not_delivered_for_an_hour_alerts_once(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    snipcart.fail("payment", 500, times=None)
    payment = pay(snipcart)
    assert not services.settle().needs_attention
    let_time_pass(timedelta(hours=1, seconds=1))

    reports = [services.settle(), services.settle()]

    assert [report.open_cases.confirmations_undelivered_too_long for report in reports] == [1, 1]
    assert caplog.text.count(f"could not be notified of the outcome of payments: {payment.pk}") == 1


def test_keys_that_are_all_refused_need_a_person_at_once(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    for key in ("primary-key-for-tests", "secondary-key-for-tests"):
        snipcart.revoke(key)
    pay(snipcart)

    reports = [services.settle(), services.settle()]

    assert [report.open_cases.confirmations_undelivered_too_long for report in reports] == [1, 1]
    assert [report.needs_attention for report in reports] == [True, False]
    assert caplog.text.count("refused every API key") == 1


def test_a_refund_unknown_for_an_hour_alerts_once(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    payment = pay(snipcart)
    unknown_refund(provider, payment)
    provider.script(refund="nonsense")
    assert not services.settle().needs_attention
    let_time_pass(timedelta(hours=1, seconds=1))

    reports = [services.settle(), services.settle()]

    assert [report.open_cases.refunds_unknown_too_long for report in reports] == [1, 1]
    assert caplog.text.count(f"whether refunds of these payments were made: {payment.pk}") == 1


def test_whatever_needs_a_person_is_counted_until_it_is_closed(provider: Provider, snipcart: StandIn) -> None:
    payment = refused_by_snipcart(snipcart)
    assert services.settle().open_cases.confirmations_in_review == 1

    services.resolve_review(payment, "closed", note="put right in the dashboard", by="ada")

    assert not services.settle().needs_attention


def test_a_payment_that_staff_closed_is_neither_asked_about_nor_charged_again(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    payment = unknown(provider, snipcart, before="raise")
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    let_time_pass(timedelta(hours=2))
    services.resolve_review(payment, "closed", note="paid in the shop", by="ada")

    report = services.settle()

    assert (state_of(payment), report.needs_attention, provider.captures) == ("unknown", False, [])
    assert services.get_settle_overdue_since() is None


def test_what_goes_wrong_after_a_case_was_resolved_is_a_new_case(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = unknown(provider, snipcart)
    snipcart.fail("payment", 500, times=None)
    services.resolve_review(payment, "paid", note="the provider shows it", by="ada")
    unknown_refund(provider, payment)
    provider.script(refund="nonsense")
    let_time_pass(timedelta(hours=2))

    report = services.settle()

    assert (
        report.open_cases.confirmations_undelivered_too_long,
        report.open_cases.refunds_unknown_too_long,
    ) == (1, 1)


@pytest.mark.parametrize("closed", [True, False])
def test_a_case_that_gets_another_reason_is_reported_again(
    provider: Provider, snipcart: StandIn, closed: bool
) -> None:
    provider.script(amount="11.00")
    payment = pay(snipcart)
    assert [services.settle().new_cases for _ in range(2)] == [1, 0]
    if closed:
        assert services.resolve_review(payment, "closed", note="seen", by="ada")
    provider.script(lookup="paid", transaction_id="another")
    Payment.objects.update(polled_at=None)
    services.handle_return(Payment.objects.get())

    assert [services.settle().new_cases for _ in range(2)] == [1, 0]


def test_a_case_that_needs_a_person_is_one_whatever_the_reasons(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = refused_by_snipcart(snipcart)
    provider.script(refund="nonsense")
    for units in (100, 200):
        with pytest.raises(RefundUnknown):
            services.refund_by_staff(payment, units, by="ada")
    Refund.objects.update(state=Refund.State.REVIEW)

    assert list(services.payments_needing_attention()) == [payment]


# Whether it runs at all.


def test_a_ledger_in_order_does_not_miss_the_command(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    let_time_pass(timedelta(days=7))
    assert services.get_settle_overdue_since() is None


@pytest.mark.parametrize("left", ["charging", "unknown", "confirmation", "refund"])
def test_work_that_nobody_does_is_missed_until_the_command_runs(
    provider: Provider, snipcart: StandIn, left: str
) -> None:
    if left == "confirmation":
        snipcart.fail("payment", 500)
        pay(snipcart)
    elif left == "refund":
        unknown_refund(provider, pay(snipcart))
    else:
        payment = unknown(provider, snipcart)
        Payment.objects.filter(pk=payment.pk).update(state=left)
    let_time_pass(timedelta(minutes=14, seconds=30))
    assert services.get_settle_overdue_since() is None
    let_time_pass(timedelta(minutes=1))
    since = services.get_settle_overdue_since()
    assert since
    assert timedelta(minutes=15) < timezone.now() - since < timedelta(minutes=17)

    services.settle()

    assert services.get_settle_overdue_since() is None


def test_the_command_is_missed_since_the_oldest_work_of_any_kind(
    provider: Provider, snipcart: StandIn
) -> None:
    unknown(provider, snipcart)
    let_time_pass(timedelta(minutes=20))
    snipcart.fail("payment", 500)
    pay(snipcart)
    let_time_pass(timedelta(minutes=20))

    since = services.get_settle_overdue_since()

    assert since
    assert timezone.now() - since >= timedelta(minutes=40)


def test_work_that_is_done_without_success_is_not_missed(provider: Provider, snipcart: StandIn) -> None:
    unknown(provider, snipcart)
    provider.script(lookup="raise")
    let_time_pass(timedelta(minutes=20))
    services.settle()
    let_time_pass(timedelta(minutes=6))
    assert services.get_settle_overdue_since() is None

    let_time_pass(timedelta(minutes=10))
    assert services.get_settle_overdue_since()


def test_a_refund_that_is_looked_up_without_success_is_not_missed(
    provider: Provider,
    snipcart: StandIn,
    checkout_settings: CheckoutSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup_refund": True})
    unknown_refund(provider, pay(snipcart))
    provider.script(refund_lookup="nonsense")
    let_time_pass(timedelta(minutes=20))
    services.settle()
    let_time_pass(timedelta(minutes=6))

    assert services.get_settle_overdue_since() is None
    pay(snipcart)
    assert "seems not to run" not in caplog.text


def test_a_shop_that_goes_on_selling_says_once_that_nobody_settles(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    left = unknown(provider, snipcart)
    let_time_pass(timedelta(minutes=10))
    pay(snipcart)
    assert "seems not to run" not in caplog.text

    let_time_pass(timedelta(minutes=10))
    for _ in range(2):
        pay(snipcart)

    assert caplog.text.count("snipcart_settle seems not to run") == 1
    assert state_of(left) == "unknown"


def test_a_shop_where_the_command_runs_is_not_alerted(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    unknown(provider, snipcart)
    provider.script(lookup="raise")
    let_time_pass(timedelta(minutes=20))
    services.settle()
    pay(snipcart)
    assert "seems not to run" not in caplog.text


# The command.


def test_the_command_prints_what_it_did(provider: Provider, snipcart: StandIn) -> None:
    unknown(provider, snipcart)

    code, out, err = run()

    assert (code, err) == (0, "")
    assert "     1  payments looked up" in out.splitlines()
    assert "     0  refunds settled" in out.splitlines()


def test_the_command_names_who_needs_a_person_and_fails(provider: Provider, snipcart: StandIn) -> None:
    payment = refused_by_snipcart(snipcart)

    code, out, err = run()

    assert code == 1
    assert "     1  confirmations that need review" in out.splitlines()
    assert err == f"payment {payment.pk} needs attention; see the admin\n"
    assert run()[::2] == (0, "")


def test_the_command_can_be_quiet_and_speak_json(provider: Provider, snipcart: StandIn) -> None:
    refused_by_snipcart(snipcart)

    code, out, _err = run(json=True)

    report = json.loads(out)
    assert (code, report["new_cases"], report["open_cases"]["confirmations_in_review"]) == (1, 1, 1)
    assert run(quiet=True) == (0, "", "")


def test_a_mistake_in_the_settings_does_not_stop_the_command(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    payment = unknown(provider, snipcart)
    checkout_settings.method("broken", BACKEND="tests.support.backends.Missing", NAME="Broken")
    with pytest.raises(SystemCheckError):
        call_command("check")

    command = load_command_class("snipcart_checkout", "snipcart_settle")
    command.execute(**vars(command.create_parser("manage.py", "snipcart_settle").parse_args([])))

    assert state_of(payment) == "paid"


@pytest.mark.parametrize("limit", ["0", "-1", "many", "nan", "1e9"])
def test_a_time_limit_that_is_none_is_refused(limit: str) -> None:
    with pytest.raises(CommandError, match="a number of seconds above zero"):
        call_command("snipcart_settle", "--time-limit", limit)


def test_a_run_takes_fifty_seconds_at_most_unless_it_is_told_otherwise() -> None:
    command = load_command_class("snipcart_checkout", "snipcart_settle")

    assert command.create_parser("manage.py", "snipcart_settle").parse_args([]).time_limit == 50
    assert inspect.signature(services.settle).parameters["time_limit"].default == 50


def test_a_run_says_nothing_secret(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    session = snipcart.session()
    provider.script(charge="redirect")
    payment = pay(snipcart, session=session)
    provider.complete(payment.pk)
    snipcart.fail("payment", 401, times=2)

    said = "".join(map(str, run())) + caplog.text

    assert session.public_token not in said
    assert "key-for-tests" not in said
    assert snipcart.calls_to("payment")[-1].json["links"]["refunds"] not in said


def test_a_second_run_has_nothing_left_to_do(provider: Provider, snipcart: StandIn) -> None:
    payment = unknown(provider, snipcart)
    services.settle()
    before = story(payment)

    services.settle()

    assert story(payment) == before == ["charging", "unknown", "paid", "confirmation_delivered"]
    assert len(snipcart.calls_to("payment")) == 1


def test_a_snipcart_that_hangs_does_not_take_the_time_of_everything_else(
    provider: Provider, snipcart: StandIn
) -> None:
    snipcart.fail("payment", 503, times=6)
    for _ in range(6):
        pay(snipcart)
    stuck = unknown(provider, snipcart)
    let_time_pass(timedelta(minutes=6))
    snipcart.before("payment-session", lambda: time.sleep(0.5), times=None)

    report = services.settle(time_limit=2.5)

    assert report.delivered < 6
    assert f"lookup {stuck.reference}" in provider.calls


@pytest.mark.parametrize("days, state", [(2, "pending"), (4, "declined")])
def test_a_detour_that_nobody_finished_for_three_days_is_ended_at_the_provider(
    provider: Provider, snipcart: StandIn, days: int, state: str
) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    provider.script(ends=True, lookup="pending")
    let_time_pass(timedelta(days=days))
    Payment.objects.update(answered_at=timezone.now())

    services.settle()

    assert Payment.objects.get(pk=payment.pk).state == state


@pytest.mark.parametrize("hours, is_asked", [(239, True), (241, False)])
def test_a_refund_that_was_pending_at_the_provider_is_looked_up_for_ten_days(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings, hours: int, is_asked: bool
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup_refund": True})
    provider.script(refund="pending")
    refund = services.refund_by_staff(pay(snipcart), 500, by="ada")
    let_time_pass(timedelta(hours=hours))

    services.settle()

    assert (f"lookup_refund {refund.pk}" in provider.calls) is is_asked
    assert Refund.objects.get().is_provisional is is_asked


def test_a_payment_about_which_the_provider_answers_needs_nobody(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    for hours in (1, 24, 46):
        let_time_pass(timedelta(hours=hours))
        services.settle()
        assert services.settle().open_cases.total == 0

    assert state_of(payment) == Payment.State.PENDING


@pytest.mark.parametrize("minutes, state", [(55, "unknown"), (65, "abandoned")])
def test_a_charge_that_may_be_on_its_way_is_not_freed_for_an_hour(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings, minutes: int, state: str
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"repeat_is_safe": False})
    payment = unknown(provider, snipcart, before="raise")
    let_time_pass(timedelta(minutes=minutes))

    services.settle()

    payment.refresh_from_db()
    assert (payment.state, payment.live_key is None) == (state, state == "abandoned")


def test_what_becomes_due_during_a_run_is_delivered_at_its_end(provider: Provider, snipcart: StandIn) -> None:
    snipcart.fail("payment", 503)
    pay(snipcart)
    unknown(provider, snipcart)
    let_time_pass(timedelta(minutes=6))
    provider.script(looking=0.8)
    Confirmation.objects.update(due_at=timezone.now() + timedelta(seconds=0.5))

    assert services.settle().delivered == 1


def test_what_compares_the_order_is_kept_after_three_days_by_whoever_may_still_need_it(
    provider: Provider, snipcart: StandIn
) -> None:
    """Before the first delivery of a pending payment, and before that of one whose shopper may be at the provider."""
    provider.script(charge="redirect")
    detour = pay(snipcart)
    provider.script(charge="pending")
    delivered = pay(snipcart)
    snipcart.fail("payment", 500, times=None)
    undelivered = pay(snipcart)
    provider.script(lookup="pending")
    let_time_pass(timedelta(hours=73))
    Payment.objects.update(answered_at=timezone.now())

    services.settle()

    kept = {payment.pk for payment in Payment.objects.filter(state="pending") if payment.public_token}
    assert kept == {detour.pk, undelivered.pk}
    assert state_of(delivered) == "pending"


def test_every_payment_that_nobody_could_tell_about_for_three_days_is_left_to_a_person(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="redirect")
    payments = [pay(snipcart) for _ in range(2)]
    provider.script(lookup="nonsense")
    let_time_pass(timedelta(hours=73))

    report = services.settle()

    assert (report.failed_stages, report.open_cases.payments_in_review) == ((), 2)
    assert set(Payment.objects.values_list("state", "review_reason")) == {("review", "unanswered")}
    assert [payment.events.get(name="review").source for payment in payments] == ["settle"] * 2


def test_a_payment_whose_outcome_is_known_is_not_asked_about(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)

    report = services.settle()

    assert (payment.state, report.looked_up) == ("paid", 0)
    assert provider.calls == [f"charge {payment.pk}"]
    assert 0 <= report.seconds < 60


def test_an_error_of_one_payment_is_logged_without_its_text(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    payment = unknown(provider, snipcart)

    def fail() -> None:
        raise ValueError("of ada@example.org")

    with before("UPDATE .snipcart_checkout_payment. SET .looked_up_at.", fail):
        assert services.settle().failed == 1

    assert f"payment {payment.pk} could not be settled: ValueError" in caplog.text
    assert "ada@example.org" not in caplog.text


def test_a_run_whose_time_is_over_while_it_asks_about_one_payment_asks_about_no_other(
    provider: Provider, snipcart: StandIn
) -> None:
    for _ in range(2):
        unknown(provider, snipcart)
    provider.script(looking=0.6)

    assert not services.settle(time_limit=0.5).is_complete

    assert sum(call.startswith("lookup") for call in provider.calls) <= 1
