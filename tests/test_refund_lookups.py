"""Refunds whose outcome the provider is asked about: what it says of an unknown one, and of one that may still fail."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.exceptions import RefundUnknown
from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.signals import payment_needs_review, payment_refunded
from snipcart_checkout.testing import CheckoutSettings, StandIn
from tests.support.backends import Provider
from tests.support.ledger import before, history, pay, provider, unknown_refund
from tests.support.ledger_invariants import let_time_pass

__all__ = ["provider"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def can_be_asked(provider: Provider, checkout_settings: CheckoutSettings) -> None:
    """The provider tells what came of a refund."""
    checkout_settings.method("acme_card", OPTIONS={"can_lookup_refund": True})


def later() -> services.SettlementReport:
    """A run of snipcart_settle, once refunds may be asked about again."""
    let_time_pass(timedelta(hours=2))
    return services.settle()


@pytest.mark.usefixtures("can_be_asked")
def test_an_unknown_refund_that_the_provider_knows_is_not_made_again(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    refund = unknown_refund(provider, payment)
    provider.script(refund_lookup="refunded")
    heard: list[Refund] = []
    payment_refunded.connect(lambda refund, **_: heard.append(refund), weak=False, dispatch_uid="heard")

    try:
        report = later()
    finally:
        payment_refunded.disconnect(dispatch_uid="heard")

    refund.refresh_from_db()
    assert (refund.state, refund.provider_refund_id) == (Refund.State.REFUNDED, f"re-{refund.pk}")
    assert (report.refunds_settled, report.needs_attention) == (1, False)
    assert provider.calls.count(f"refund {refund.pk}") == 1
    assert heard == [refund]
    assert payment.events.get(name="refund_refunded").source == "settle"


@pytest.mark.usefixtures("can_be_asked")
def test_an_unknown_refund_that_the_provider_declined_gives_its_amount_back(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    refund = unknown_refund(provider, payment)
    provider.script(refund_lookup="declined", code="too_late" * 50)

    report = later()

    refund.refresh_from_db()
    payment.refresh_from_db()
    assert (refund.state, refund.decline_reason) == (Refund.State.DECLINED, Refund.DeclineReason.PROVIDER)
    assert refund.decline_code.startswith("too_late")
    assert len(refund.decline_code) == 100
    assert (report.refunds_settled, payment.refunded_minor_units) == (1, 0)
    assert provider.calls.count(f"refund {refund.pk}") == 1
    assert payment.events.get(name="refund_declined").source == "settle"


@pytest.mark.usefixtures("can_be_asked")
def test_an_unknown_refund_that_the_provider_says_nothing_of_stays_unknown(
    provider: Provider, snipcart: StandIn
) -> None:
    refund = unknown_refund(provider, pay(snipcart))
    provider.script(refund_lookup="nonsense")

    report = later()

    refund.refresh_from_db()
    assert (refund.state, report.refunds_settled) == (Refund.State.UNKNOWN, 0)
    assert provider.calls.count(f"refund {refund.pk}") == 1


@pytest.mark.usefixtures("can_be_asked")
def test_a_refund_that_can_fail_no_more_is_not_asked_about_again(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    provider.script(refund="pending")
    for units in (500, 400):
        services.refund_by_staff(payment, units, by="ada")
    later()
    provider.script(refund_lookup="refunded")
    later()
    asked = list(provider.calls)

    later()

    assert provider.calls == asked
    assert set(Refund.objects.values_list("state", "is_provisional")) == {(Refund.State.REFUNDED, False)}


@pytest.mark.usefixtures("can_be_asked")
def test_a_refund_that_may_still_fail_is_asked_about_once_an_hour(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(refund="pending", refund_lookup="pending")
    services.refund_by_staff(pay(snipcart), 500, by="ada")
    later()
    asked = list(provider.calls)

    let_time_pass(timedelta(minutes=55))
    services.settle()
    assert provider.calls == asked

    let_time_pass(timedelta(minutes=6))
    services.settle()
    assert len(provider.calls) == len(asked) + 1


@pytest.mark.usefixtures("can_be_asked")
def test_a_refund_that_the_provider_cannot_tell_of_is_no_refund_that_was_settled(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    refund = unknown_refund(provider, pay(snipcart))
    checkout_settings.method("acme_card", OPTIONS={"can_lookup_refund": True, "repeat_is_safe": False})
    report = later()
    assert (report.refunds_settled, report.failed_stages) == (0, ())
    assert Refund.objects.get().state == Refund.State.UNKNOWN
    checkout_settings.method("acme_card", OPTIONS={"can_lookup_refund": False, "repeat_is_safe": True})
    provider.script(refund="nonsense")

    assert (later().refunds_settled, Refund.objects.get().state) == (0, Refund.State.UNKNOWN)

    assert provider.calls.count(f"refund {refund.pk}") == 2


@pytest.mark.parametrize("flags", [{"supports_refund": False}, None])
def test_a_refund_that_nobody_can_be_asked_about_is_left_to_staff(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings, flags: dict[str, bool] | None
) -> None:
    unknown_refund(provider, pay(snipcart))
    if flags:
        checkout_settings.method("acme_card", OPTIONS=flags)
    else:
        checkout_settings.remove("STORES.live.METHODS.acme_card")

    report = later()

    assert Refund.objects.get().state == Refund.State.REVIEW
    assert (report.refunds_settled, report.failed, report.failed_stages) == (0, 0, ())


@pytest.mark.parametrize("said, can_be_asked", [("refunded", True), ("pending", False)])
def test_a_refund_that_is_final_or_cannot_be_asked_about_is_not_looked_up(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings, said: str, can_be_asked: bool
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup_refund": can_be_asked})
    provider.script(refund=said)
    refund = services.refund_by_staff(pay(snipcart), 500, by="ada")

    later()

    assert not refund.is_provisional
    assert f"lookup_refund {refund.pk}" not in provider.calls


def test_a_refund_that_a_run_is_repeating_is_not_for_staff_to_decide(
    provider: Provider, snipcart: StandIn
) -> None:
    refund = unknown_refund(provider, pay(snipcart))
    let_time_pass(timedelta(hours=2))
    ended: list[bool] = []
    provider.meanwhile(
        lambda: ended.append(services.resolve_refund(refund, was_made=False, note="not there", by="ada"))
    )

    assert services.settle().refunds_settled == 1

    assert (ended, Refund.objects.get().state) == ([False], Refund.State.REFUNDED)


@pytest.mark.usefixtures("can_be_asked")
def test_an_unknown_refund_is_asked_about_every_five_minutes_at_most(
    provider: Provider, snipcart: StandIn
) -> None:
    refund = unknown_refund(provider, pay(snipcart))
    provider.script(refund_lookup="nonsense")
    for _ in range(2):
        services.settle()
    let_time_pass(timedelta(minutes=4, seconds=50))
    services.settle()
    assert provider.calls.count(f"lookup_refund {refund.pk}") == 1

    let_time_pass(timedelta(seconds=15))
    services.settle()

    assert provider.calls.count(f"lookup_refund {refund.pk}") == 2


@pytest.mark.usefixtures("can_be_asked")
@pytest.mark.parametrize("accepted", [False, True], ids=["unknown", "accepted"])
def test_of_two_runs_that_find_the_same_refunds_one_asks_about_each(
    provider: Provider, snipcart: StandIn, accepted: bool
) -> None:
    payments = pay(snipcart), pay(snipcart)
    if accepted:
        provider.script(refund="pending")
        refunds = [services.refund_by_staff(payment, 500, by="ada") for payment in payments]
    else:
        refunds = [unknown_refund(provider, payment) for payment in payments]
    provider.script(refund_lookup="nonsense")
    let_time_pass(timedelta(hours=2))
    asked = len(provider.calls)
    provider.meanwhile(services.settle)

    services.settle()

    assert sorted(provider.calls[asked:]) == sorted(f"lookup_refund {refund.pk}" for refund in refunds)


def test_a_refund_that_staff_end_while_a_run_repeats_another_is_not_made(
    provider: Provider, snipcart: StandIn
) -> None:
    first, second = (unknown_refund(provider, pay(snipcart)) for _ in range(2))
    let_time_pass(timedelta(hours=2))
    asked = list(provider.calls)

    def end() -> None:
        assert services.resolve_refund(second, was_made=False, note="not there", by="ada")

    provider.meanwhile(end)

    assert services.settle().refunds_settled == 1

    assert provider.calls == [*asked, f"refund {first.pk}"]
    assert [refund["reference"] for refund in provider.refunds] == [str(first.pk)]


@pytest.mark.usefixtures("can_be_asked")
def test_staff_can_end_a_refund_that_a_run_has_asked_about_in_vain(
    provider: Provider, snipcart: StandIn
) -> None:
    refund = unknown_refund(provider, pay(snipcart))
    provider.script(refund_lookup="nonsense")

    assert later().refunds_settled == 0

    assert services.resolve_refund(refund, was_made=False, note="not there", by="ada")


@pytest.mark.usefixtures("can_be_asked")
def test_a_run_that_took_too_long_leaves_the_lease_to_the_one_that_has_it_now(
    provider: Provider, snipcart: StandIn
) -> None:
    refund = unknown_refund(provider, pay(snipcart))
    provider.script(refund_lookup="nonsense")
    let_time_pass(timedelta(hours=2))
    until = timezone.now() + timedelta(minutes=4)
    provider.meanwhile(lambda: Refund.objects.update(lease_until=until))

    services.settle()

    assert Refund.objects.get().lease_until == until
    assert not services.resolve_refund(refund, was_made=False, note="not there", by="ada")


@pytest.mark.usefixtures("can_be_asked")
def test_a_refund_that_can_fail_no_more_for_its_age_says_nothing_of_a_younger_one(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    provider.script(refund="pending")
    old = services.refund_by_staff(payment, 500, by="ada")
    let_time_pass(timedelta(days=9))
    young = services.refund_by_staff(payment, 400, by="ada")
    let_time_pass(timedelta(days=2))

    services.settle()

    provisional = dict(Refund.objects.values_list("pk", "is_provisional"))
    assert provisional == {old.pk: False, young.pk: True}
    assert provider.calls[-1] == f"lookup_refund {young.pk}"


@pytest.mark.parametrize("accepted", [False, True], ids=["unknown", "accepted"])
def test_a_run_whose_time_is_over_asks_about_no_refund(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings, accepted: bool
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup_refund": True})
    payment = pay(snipcart)
    if accepted:
        provider.script(refund="pending")
        services.refund_by_staff(payment, 500, by="ada")
    else:
        unknown_refund(provider, payment)
    let_time_pass(timedelta(hours=2))
    asked = list(provider.calls)

    assert not services.settle(time_limit=0.000001).is_complete

    assert provider.calls == asked


# The provider sends a message about a refund.


def notify(provider: Provider, refund: Refund, method: str = "acme_card", *, store: str = "live") -> int:
    headers, body = provider.notification(refund.pk)
    path = reverse("snipcart_checkout:notification", args=[store, method])
    return Client().post(path, body, content_type="application/json", headers=headers).status_code


@pytest.mark.usefixtures("can_be_asked")
@pytest.mark.parametrize(
    "said, status, state",
    [("refunded", 204, "refunded"), ("declined", 204, "declined"), ("nonsense", 503, "unknown")],
)
def test_a_message_about_an_unknown_refund_asks_what_came_of_it(
    provider: Provider, snipcart: StandIn, said: str, status: int, state: str
) -> None:
    refund = unknown_refund(provider, pay(snipcart))
    provider.script(refund_lookup=said)

    assert notify(provider, refund) == status

    assert Refund.objects.get().state == state
    assert refund.payment.events.filter(name=f"refund_{state}").latest("pk").source == (
        "staff" if state == "unknown" else "provider"
    )


@pytest.mark.usefixtures("can_be_asked")
def test_a_message_about_a_refund_that_failed_is_handled_once(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    payment = pay(snipcart)
    provider.script(refund="pending")
    refund = services.refund_by_staff(payment, 500, by="ada")
    provider.script(refund_lookup="declined", code="account_closed")

    assert notify(provider, refund) == 204

    refund.refresh_from_db()
    payment.refresh_from_db()
    assert (refund.state, refund.decline_code) == (Refund.State.DECLINED, "account_closed")
    assert (refund.decline_reason, payment.refunded_minor_units) == (Refund.DeclineReason.FAILED_LATER, 0)
    assert not refund.is_provisional
    assert (payment.state, payment.review_reason) == (Payment.State.PAID, "refund_failed")
    assert history(payment)[-1] == "refund_failed"
    assert caplog.text.count(f"payment {payment.reference} needs review: refund_failed") == 1
    let_time_pass(timedelta(hours=2))
    assert notify(provider, refund) == 204
    assert provider.calls.count(f"lookup_refund {refund.pk}") == 1


@pytest.mark.usefixtures("can_be_asked")
def test_a_receiver_learns_what_is_left_of_a_payment_whose_refund_failed(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(refund="pending")
    refund = services.refund_by_staff(pay(snipcart), 500, by="ada")
    provider.script(refund_lookup="declined")
    heard: list[tuple[int, str]] = []

    def hear(payment: Payment, reason: str, **_: object) -> None:
        heard.append((payment.refunded_minor_units, payment.review_reason))

    payment_needs_review.connect(hear)
    try:
        assert notify(provider, refund) == 204
    finally:
        payment_needs_review.disconnect(hear)

    assert heard == [(0, "refund_failed")]


@pytest.mark.usefixtures("can_be_asked")
def test_a_refund_of_which_another_process_hears_first_that_it_failed_alerts_there(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    provider.script(refund="pending")
    refund = services.refund_by_staff(pay(snipcart), 500, by="ada")
    provider.script(refund_lookup="declined")

    with before(
        "UPDATE .snipcart_checkout_refund. SET .state.", lambda: Refund.objects.update(state="declined")
    ):
        assert notify(provider, refund) == 204

    assert "needs review" not in caplog.text


@pytest.mark.usefixtures("can_be_asked")
def test_the_reason_of_a_refund_that_failed_later_is_cut_to_its_column(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(refund="pending")
    refund = services.refund_by_staff(pay(snipcart), 500, by="ada")
    provider.script(refund_lookup="declined", code="x" * 300)

    assert notify(provider, refund) == 204

    assert Refund.objects.get().decline_code == "x" * 99 + "…"


@pytest.mark.usefixtures("can_be_asked")
def test_a_refund_that_may_still_fail_waits_for_a_method_that_is_configured_no_more(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    provider.script(refund="pending")
    services.refund_by_staff(pay(snipcart), 500, by="ada")
    checkout_settings.remove("STORES.live.METHODS.acme_card")

    report = later()

    assert (report.failed, report.failed_stages) == (0, ())
    assert set(Refund.objects.values_list("state", "is_provisional")) == {(Refund.State.REFUNDED, True)}


@pytest.mark.usefixtures("can_be_asked")
def test_a_refund_that_failed_does_not_take_the_place_of_another_reason_for_review(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    provider.script(refund="pending")
    refund = services.refund_by_staff(payment, 500, by="ada")
    Payment.objects.update(review_reason="disputed")
    provider.fail_refund(refund.pk)

    assert notify(provider, refund) == 204

    payment.refresh_from_db()
    assert (payment.review_reason, payment.resolved_at) == ("disputed", None)


@pytest.mark.usefixtures("can_be_asked")
def test_a_message_that_one_refund_is_final_says_nothing_of_another(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    provider.script(refund="pending")
    one, another = (services.refund_by_staff(payment, units, by="ada") for units in (500, 400))
    provider.script(refund_lookup="refunded")

    assert notify(provider, one) == 204

    provisional = dict(Refund.objects.values_list("pk", "is_provisional"))
    assert provisional == {one.pk: False, another.pk: True}
    # Nor is the other one less welcome for it.
    assert notify(provider, another) == 204
    assert provider.calls[-1] == f"lookup_refund {another.pk}"


@pytest.mark.usefixtures("can_be_asked")
def test_an_accepted_refund_about_which_there_is_no_answer_may_still_fail(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(refund="pending")
    refund = services.refund_by_staff(pay(snipcart), 500, by="ada")
    provider.script(refund_lookup="nonsense")

    assert later().failed == 0
    let_time_pass(timedelta(hours=2))
    assert notify(provider, refund) == 503

    assert set(Refund.objects.values_list("state", "is_provisional")) == {(Refund.State.REFUNDED, True)}


@pytest.mark.usefixtures("can_be_asked")
def test_a_message_to_another_method_names_no_refund_of_this_one(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    refund = unknown_refund(provider, pay(snipcart))
    checkout_settings.method("acme_wallet", like="acme_card")
    provider.script(refund_lookup="refunded")

    assert notify(provider, refund, "acme_wallet") == 204

    assert Refund.objects.get().state == Refund.State.UNKNOWN


@pytest.mark.usefixtures("can_be_asked")
def test_a_message_to_another_store_names_no_refund_of_this_one(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    refund = unknown_refund(provider, pay(snipcart))
    checkout_settings.store("test", like="live")
    provider.script(refund_lookup="refunded")

    assert notify(provider, refund, store="test") == 204

    assert Refund.objects.get().state == Refund.State.UNKNOWN


def test_a_message_about_a_refund_that_cannot_be_looked_up_need_not_be_sent_again(
    provider: Provider, snipcart: StandIn
) -> None:
    refund = unknown_refund(provider, pay(snipcart))
    asked = list(provider.calls)

    assert notify(provider, refund) == 204

    assert provider.calls == asked


# While it is made.


def test_a_refund_that_is_being_made_is_left_alone(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    seen: list[object] = []

    def others() -> None:
        refund = payment.refunds.get()
        seen.append(services.settle().refunds_settled)
        seen.append(services.resolve_refund(refund, was_made=False, note="not there", by="ada"))
        with pytest.raises(RefundUnknown):
            services.refund_by_staff(payment, 500, by="ada")

    provider.script(before=[])
    provider.meanwhile(others)

    assert services.refund_by_staff(payment, 500, by="bob").state == Refund.State.REFUNDED

    assert seen == [0, False]
    assert len(provider.refunds) == 1
