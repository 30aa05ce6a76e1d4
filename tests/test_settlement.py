"""``manage.py snipcart_settle``: whatever was left is finished, once, and what is not is put before a person."""

from __future__ import annotations

import io
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command, load_command_class
from django.core.management.base import SystemCheckError
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from snipcart_checkout import services
from snipcart_checkout.exceptions import RefundUncertain
from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.testing import StandIn
from tests.backends import Provider
from tests.ledger import pay, provider, refused_by_snipcart, story, uncertain_refund, use_provider
from tests.ledger_invariants import let_time_pass

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

MANUAL = "snipcart_checkout.backends.manual.ManualBackend"


def use_methods(settings: Any, **methods: Any) -> None:
    site = django_settings.SNIPCART_CHECKOUT
    live = {**site["STORES"]["live"], "METHODS": methods}
    settings.SNIPCART_CHECKOUT = {**site, "STORES": {"live": live}}


def use_manual(settings: Any, **options: Any) -> None:
    use_methods(settings, acme_card={"BACKEND": MANUAL, "NAME": "Bank transfer", "OPTIONS": options})


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

    assert (state_of(payment), report.asked, report.needs_person) == ("paid", 1, False)
    assert provider.calls == [f"charge {payment.pk}", f"lookup {payment.pk}"]
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


@pytest.mark.parametrize("state", ["charging", "unknown"])
def test_a_charge_is_repeated_with_its_key_where_nobody_can_be_asked(
    provider: Provider, snipcart: StandIn, settings: Any, state: str
) -> None:
    payment = unknown(provider, snipcart)
    Payment.objects.update(state=state)
    use_provider(settings, provider.directory, can_lookup=False)
    let_time_pass(timedelta(minutes=6))

    services.settle()

    assert state_of(payment) == "paid"
    assert provider.calls == [f"charge {payment.pk}"] * 2
    assert len(provider.captures) == 1


def test_a_charge_is_repeated_with_its_key_however_late(
    provider: Provider, snipcart: StandIn, settings: Any
) -> None:
    payment = unknown(provider, snipcart)
    use_provider(settings, provider.directory, can_lookup=False)
    let_time_pass(timedelta(days=3))

    services.settle()

    assert state_of(payment) == "paid"
    assert len(provider.captures) == 1


def test_a_charge_that_can_neither_be_looked_up_nor_repeated_is_left_to_a_person(
    provider: Provider, snipcart: StandIn, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    payment = unknown(provider, snipcart)
    use_provider(settings, provider.directory, can_lookup=False, repeat_is_safe=False)

    reports = [services.settle(), services.settle()]

    assert [(report.payments_in_review, report.needs_person) for report in reports] == [(1, True)] * 2
    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == ("review", "outcome_unknown")
    assert caplog.text.count(f"payment {payment.pk} needs a person") == 1
    assert len(provider.calls) == 1


def test_a_charge_under_way_is_left_alone_for_five_minutes(provider: Provider, snipcart: StandIn) -> None:
    payment = crashed(provider, snipcart)
    let_time_pass(timedelta(minutes=4, seconds=50))
    assert services.settle().asked == 0
    assert state_of(payment) == "charging"

    let_time_pass(timedelta(seconds=15))

    assert services.settle().asked == 1
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


@pytest.mark.parametrize("state", ["unknown", "waiting"])
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


def test_a_redirected_payment_is_paid_although_its_shopper_never_came_back(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    provider.complete(payment.pk)

    services.settle()

    assert state_of(payment) == "paid"
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


@pytest.mark.parametrize("fault", [404, 500])
def test_settling_gets_on_when_no_public_token_can_be_used_any_more(
    provider: Provider, snipcart: StandIn, fault: int
) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    provider.complete(payment.pk)
    snipcart.fail("payment-session", fault, times=None)

    services.settle()

    assert state_of(payment) == "paid"
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


def test_a_cart_that_changed_on_the_way_is_left_to_a_person(provider: Provider, snipcart: StandIn) -> None:
    session = snipcart.session()
    provider.script(charge="redirect")
    payment = pay(snipcart, session=session)
    provider.complete(payment.pk)
    snipcart.change(session, amount="99.00")

    report = services.settle()

    assert (state_of(payment), report.payments_in_review) == ("review", 1)
    assert snipcart.confirmations == []


def test_every_payment_is_asked_about_in_turn(provider: Provider, snipcart: StandIn) -> None:
    payments = [unknown(provider, snipcart) for _ in range(4)]
    provider.script(lookup="raise")
    for _ in range(2):
        services.settle(limit=2)

    asked = [call.removeprefix("lookup ") for call in provider.calls if call.startswith("lookup")]
    assert asked == [str(payment.pk) for payment in payments]

    # The two that were asked about before come after one that never was.
    let_time_pass(timedelta(minutes=6))
    newest = unknown(provider, snipcart)
    services.settle(limit=1)
    assert provider.calls[-1] == f"lookup {newest.pk}"


def test_open_transfers_do_not_stand_before_a_dead_charge(
    provider: Provider, snipcart: StandIn, settings: Any
) -> None:
    use_manual(settings)
    for _ in range(3):
        pay(snipcart)
    use_provider(settings, provider.directory)
    payment = unknown(provider, snipcart)

    services.settle(limit=1)

    assert state_of(payment) == "paid"


def test_a_run_takes_no_more_queries_for_more_open_transfers(
    provider: Provider, snipcart: StandIn, settings: Any
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            services.settle()
        return len(captured)

    use_manual(settings)
    pay(snipcart)
    few = queries()
    for _ in range(4):
        pay(snipcart)

    assert queries() == few


def test_whatever_is_wrong_with_one_payment_the_others_are_settled(
    provider: Provider, snipcart: StandIn, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    first, broken, last = (unknown(provider, snipcart) for _ in range(3))
    Payment.objects.filter(pk=broken.pk).update(method="not_configured")

    report = services.settle()

    assert [state_of(payment) for payment in (first, broken, last)] == ["paid", "unknown", "paid"]
    assert (report.asked, report.failed, report.needs_person) == (2, 1, True)
    assert f"payment {broken.pk} could not be settled: KeyError" in caplog.text


def test_a_payment_that_could_not_be_asked_about_is_settled_once_its_method_is_back(
    provider: Provider, snipcart: StandIn, settings: Any
) -> None:
    payment = crashed(provider, snipcart)
    let_time_pass(timedelta(minutes=6))
    use_methods(settings)
    assert services.settle().failed == 1
    assert state_of(payment) == "unknown"

    use_provider(settings, provider.directory)
    let_time_pass(timedelta(minutes=6))

    assert services.settle().asked == 1
    assert state_of(payment) == "paid"


def test_the_ledgers_refusal_of_one_outcome_does_not_stop_the_run(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = unknown(provider, snipcart), unknown(provider, snipcart)

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and "transaction_id" in sql and f"tr-{first.pk}" in str(params):
            raise DatabaseError
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        report = services.settle()

    assert (state_of(first), state_of(second)) == ("unknown", "paid")
    assert report.failed == 1
    assert "tr-" not in caplog.text


# Waits that lapse.


def test_a_transfer_that_is_never_received_lapses_where_the_method_says_so(
    snipcart: StandIn, settings: Any
) -> None:
    use_manual(settings, LAPSES_AFTER_DAYS=14)
    payment = pay(snipcart)
    let_time_pass(timedelta(days=13, hours=23))
    assert services.settle().lapsed == 0

    let_time_pass(timedelta(hours=2))

    assert services.settle().lapsed == 1
    assert state_of(payment) == "declined"
    assert [body["state"] for body in snipcart.confirmations] == ["processing", "invalidated"]
    assert payment.events.get(name="declined").source == "settle"


def test_a_transfer_waits_for_staff_where_the_method_says_nothing(snipcart: StandIn, settings: Any) -> None:
    use_manual(settings)
    payment = pay(snipcart)
    let_time_pass(timedelta(days=365))

    report = services.settle()

    assert (state_of(payment), report.lapsed, report.needs_person) == ("waiting", 0, False)


def test_what_a_provider_can_be_asked_about_does_not_lapse_by_itself(
    provider: Provider, snipcart: StandIn, settings: Any
) -> None:
    use_provider(settings, provider.directory, waits_for=timedelta(days=1))
    provider.script(charge="pending")
    payment = pay(snipcart)
    let_time_pass(timedelta(days=2))

    services.settle()

    assert state_of(payment) == "waiting"


# Telling Snipcart.


def test_what_is_due_is_told(provider: Provider, snipcart: StandIn) -> None:
    snipcart.fail("payment", 500)
    pay(snipcart)
    assert services.settle().confirmations_told == 0

    let_time_pass(timedelta(seconds=31))

    assert services.settle().confirmations_told == 1
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


def test_what_a_run_creates_it_tells(provider: Provider, snipcart: StandIn) -> None:
    unknown(provider, snipcart)
    services.settle()
    assert Confirmation.objects.get().status == Confirmation.Status.TOLD


def test_whatever_is_wrong_with_one_session_the_others_are_told(
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

    assert report.confirmations_told == 1
    assert second.confirmations.get().status == Confirmation.Status.TOLD
    assert "could not be told: DatabaseError" in caplog.text


# What needs a person.


def test_a_payment_unknown_for_an_hour_alerts_once(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    payment = unknown(provider, snipcart)
    provider.script(lookup="raise")
    assert not services.settle().needs_person
    let_time_pass(timedelta(hours=1))

    reports = [services.settle(), services.settle()]

    assert [report.unknown_too_long for report in reports] == [1, 1]
    assert caplog.text.count(f"payment {payment.pk}: for an hour nobody could tell") == 1


def test_what_is_not_told_for_an_hour_alerts_once(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    snipcart.fail("payment", 500, times=None)
    payment = pay(snipcart)
    assert not services.settle().needs_person
    let_time_pass(timedelta(hours=1, seconds=1))

    reports = [services.settle(), services.settle()]

    assert [report.untold_too_long for report in reports] == [1, 1]
    assert caplog.text.count(f"payment {payment.pk}: for an hour Snipcart could not be told") == 1


def test_keys_that_are_all_refused_need_a_person_at_once(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    for key in ("primary-key-for-tests", "secondary-key-for-tests"):
        snipcart.revoke(key)
    pay(snipcart)

    reports = [services.settle(), services.settle()]

    assert [(report.untold_too_long, report.needs_person) for report in reports] == [(1, True)] * 2
    assert caplog.text.count("refused every API key") == 1


def test_a_refund_unknown_for_an_hour_alerts_once(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    payment = pay(snipcart)
    uncertain_refund(provider, payment)
    provider.script(refund="nonsense")
    assert not services.settle().needs_person
    let_time_pass(timedelta(hours=1, seconds=1))

    reports = [services.settle(), services.settle()]

    assert [report.refunds_unknown_too_long for report in reports] == [1, 1]
    assert caplog.text.count(f"payment {payment.pk}: for an hour nobody could tell whether a refund") == 1


def test_whatever_needs_a_person_is_counted_until_it_is_closed(provider: Provider, snipcart: StandIn) -> None:
    payment = refused_by_snipcart(snipcart)
    assert services.settle().confirmations_in_review == 1

    services.resolve_review(payment, "closed", note="put right in the dashboard", by="ada")

    assert not services.settle().needs_person


def test_a_payment_that_staff_closed_is_neither_asked_about_nor_charged_again(
    provider: Provider, snipcart: StandIn, settings: Any
) -> None:
    payment = unknown(provider, snipcart, before="raise")
    use_provider(settings, provider.directory, can_lookup=False)
    let_time_pass(timedelta(hours=2))
    services.resolve_review(payment, "closed", note="paid in the shop", by="ada")

    report = services.settle()

    assert (state_of(payment), report.needs_person, provider.captures) == ("unknown", False, [])
    assert services.settling_overdue_since() is None


def test_what_goes_wrong_after_a_case_was_resolved_is_a_new_case(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = unknown(provider, snipcart)
    snipcart.fail("payment", 500, times=None)
    services.resolve_review(payment, "paid", note="the provider shows it", by="ada")
    uncertain_refund(provider, payment)
    provider.script(refund="nonsense")
    let_time_pass(timedelta(hours=2))

    report = services.settle()

    assert (report.untold_too_long, report.refunds_unknown_too_long) == (1, 1)


def test_a_case_that_needs_a_person_is_one_whatever_the_reasons(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = refused_by_snipcart(snipcart)
    provider.script(refund="nonsense")
    for units in (100, 200):
        with pytest.raises(RefundUncertain):
            services.refund_payment(payment, units, asked_by="staff ada")
    Refund.objects.update(state=Refund.State.REVIEW)

    assert list(services.payments_needing_person()) == [payment]


# Whether it runs at all.


def test_a_ledger_in_order_does_not_miss_the_command(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    let_time_pass(timedelta(days=7))
    assert services.settling_overdue_since() is None


@pytest.mark.parametrize("left", ["charging", "unknown", "confirmation", "refund"])
def test_work_that_nobody_does_is_missed_until_the_command_runs(
    provider: Provider, snipcart: StandIn, left: str
) -> None:
    if left == "confirmation":
        snipcart.fail("payment", 500)
        pay(snipcart)
    elif left == "refund":
        uncertain_refund(provider, pay(snipcart))
    else:
        payment = unknown(provider, snipcart)
        Payment.objects.filter(pk=payment.pk).update(state=left)
    let_time_pass(timedelta(minutes=10))
    assert services.settling_overdue_since() is None
    let_time_pass(timedelta(minutes=10))
    assert services.settling_overdue_since() is not None

    services.settle()

    assert services.settling_overdue_since() is None


def test_work_that_is_done_without_success_is_not_missed(provider: Provider, snipcart: StandIn) -> None:
    unknown(provider, snipcart)
    provider.script(lookup="raise")
    let_time_pass(timedelta(minutes=20))
    services.settle()
    let_time_pass(timedelta(minutes=6))
    assert services.settling_overdue_since() is None


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
    assert "    1  payments asked about" in out.splitlines()
    assert "    0  refunds settled" in out.splitlines()


def test_the_command_names_who_needs_a_person_and_fails(provider: Provider, snipcart: StandIn) -> None:
    payment = refused_by_snipcart(snipcart)

    code, out, err = run()

    assert code == 1
    assert "    1  confirmations that need a person" in out.splitlines()
    assert err == f"payment {payment.pk} needs a person; look at it in the admin\n"


def test_the_command_bounds_its_work(provider: Provider, snipcart: StandIn) -> None:
    for _ in range(3):
        unknown(provider, snipcart)
    assert "    2  payments asked about" in run(limit=2)[1].splitlines()


def test_a_mistake_in_the_settings_does_not_stop_the_command(
    provider: Provider, snipcart: StandIn, settings: Any
) -> None:
    payment = unknown(provider, snipcart)
    methods = django_settings.SNIPCART_CHECKOUT["STORES"]["live"]["METHODS"]
    use_methods(settings, **methods, broken={"BACKEND": "tests.backends.Missing", "NAME": "Broken"})
    with pytest.raises(SystemCheckError):
        call_command("check")

    command = load_command_class("snipcart_checkout", "snipcart_settle")
    command.execute(**vars(command.create_parser("manage.py", "snipcart_settle").parse_args([])))

    assert state_of(payment) == "paid"


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_limit_that_is_none_is_refused(limit: str) -> None:
    with pytest.raises(CommandError, match="a number from 1 on"):
        call_command("snipcart_settle", "--limit", limit)


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

    assert story(payment) == before == ["charging", "unknown", "paid", "told"]
    assert len(snipcart.calls_to("payment")) == 1
