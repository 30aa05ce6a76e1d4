"""A process killed at any moment loses no money: what it left is finished by ``snipcart_settle`` in another one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.testing import StandInSession
from tests.support import shoppers
from tests.support.ledger_invariants import let_time_pass
from tests.support.processes import Finished, wait_until
from tests.support.sampling import sampled, stride
from tests.support.shop import LOOKS_UP, NEITHER, REPEATS, Shop

Flags = Mapping[str, bool]

FLAGS: Mapping[str, Flags] = {"looks-up": LOOKS_UP, "repeats": REPEATS, "neither": NEITHER}
KINDS = pytest.mark.parametrize("kind", FLAGS)
MOMENTS = (
    "before the charge",
    "after the charge",
    "once it is committed",
    "before Snipcart hears of it",
    "after Snipcart heard of it",
    "after everything",
)
HANGING = {"before Snipcart hears of it": "hang", "after Snipcart heard of it": "hang-after"}
KILLING = {"before the charge": {"before": "kill"}, "after the charge": {"after": "kill"}}
FATES = {"once it is committed": {"when_paid": True}, "after everything": {"at_the_end": True}}
# From one moment at which a process is killed to the next, in its statements.
STRIDE = stride(3)
# What the provider can do matters where nobody knows what it did.
CRASHES = sampled(product(MOMENTS, FLAGS), every=4, corners=lambda case: case[0] in KILLING)


def crash(shop: Shop, session: StandInSession, moment: str) -> Finished:
    """Pay in a process that is killed at a moment."""
    shop.provider.script(**KILLING.get(moment, {}))
    if moment in HANGING:
        shop.snipcart.fail("payment", HANGING[moment], seconds=300)
    submit = shop.processes.start(
        shoppers.fated, FATES.get(moment, {}), shoppers.submit, session.public_token, "acme_card"
    )
    if moment in HANGING:
        wait_until(lambda: shop.snipcart.calls_to("payment"))
        submit.kill()
    finished = submit.finish()
    assert finished.was_killed
    shop.provider.script()
    return finished


def settle(shop: Shop) -> Any:
    """Have new processes finish what was left, later; return the highest of their exit codes."""
    codes = []
    # The last one comes when a call that charges cannot be under way any more.
    for wait in (timedelta(minutes=10), timedelta(minutes=10), timedelta(minutes=50)):
        let_time_pass(wait)
        codes.append(shop.processes.run(shoppers.settle_once).result)
    return max(codes)


@pytest.mark.parametrize("moment, kind", CRASHES)
def test_a_shopper_whose_process_is_killed_pays_once_and_it_is_confirmed_once(
    shop: Shop, moment: str, kind: str
) -> None:
    flags = FLAGS[kind]
    shop.equip(flags)
    session = shop.snipcart.session()
    crash(shop, session, moment)

    exit_code = settle(shop)

    payment = Payment.objects.get()
    lost = flags == NEITHER and moment in KILLING
    never_charged = flags == LOOKS_UP and moment == "before the charge"
    expected = Payment.State.REVIEW if lost else Payment.State.PAID
    assert payment.state == (Payment.State.ABANDONED if never_charged else expected)
    assert [body["state"] for body in session.confirmations] == (
        [] if lost or never_charged else ["processed"]
    )
    assert exit_code == (1 if lost else 0)
    shop.books.assert_settled()


@pytest.mark.parametrize(
    "moment, kind, retried", sampled(product(KILLING, FLAGS, ["at once", "after settling"]), every=2)
)
def test_a_shopper_who_tries_again_after_a_crash_is_not_charged_twice(
    shop: Shop, moment: str, kind: str, retried: str
) -> None:
    shop.equip(FLAGS[kind])
    session = shop.snipcart.session()
    forms = [shoppers.open_page(session.public_token, name) for name in ("acme_card", "acme_wallet")]
    crash(shop, session, moment)
    if retried == "after settling":
        settle(shop)
    reference = Payment.objects.get().reference

    answers = [shop.processes.run(shoppers.press, form).result for form in forms]
    settle(shop)

    assert {answer["location"] for answer in answers} == {f"/checkout/payments/{reference}/"}
    assert len(shop.provider.captures) <= 1
    shop.books.assert_settled()


@pytest.mark.parametrize("accepts_repeats", [True, False], ids=["told-again", "refused-as-told-before"])
def test_a_confirmation_that_had_arrived_counts_as_delivered_however_snipcart_takes_the_second(
    shop: Shop, accepts_repeats: bool
) -> None:
    session = shop.snipcart.session()
    crash(shop, session, "after Snipcart heard of it")
    if not accepts_repeats:
        shop.snipcart.fail("payment", 400)

    assert settle(shop) == 0

    assert [body["state"] for body in session.confirmations] == ["processed"]
    assert len(shop.snipcart.calls_to("payment")) == 2
    shop.books.assert_settled()


@KINDS
def test_killed_before_any_statement_of_paying_nothing_is_lost(shop: Shop, kind: str) -> None:
    shop.equip(FLAGS[kind])

    deaths = 0
    while dies(shop, deaths * STRIDE + 1, shoppers.submit, shop.snipcart.session().public_token, "acme_card"):
        deaths += 1
    settle(shop)

    assert deaths * STRIDE > 5
    assert Payment.objects.filter(state=Payment.State.PAID).exists()
    shop.books.assert_settled()


def test_killed_before_any_statement_of_coming_back_nothing_is_lost(shop: Shop) -> None:
    deaths = 0
    while dies(shop, deaths * STRIDE + 1, shoppers.come_back, str(redirected(shop).reference)):
        deaths += 1
    settle(shop)

    assert deaths * STRIDE > 5
    assert set(Payment.objects.values_list("state", flat=True)) == {Payment.State.PAID}
    shop.books.assert_settled()


@pytest.mark.parametrize("flags", [REPEATS, NEITHER], ids=["repeats", "neither"])
def test_killed_before_any_statement_of_refunding_no_refund_is_lost_or_doubled(
    shop: Shop, flags: Flags
) -> None:
    shop.equip(flags)

    deaths = 0
    while dies(shop, deaths * STRIDE + 1, shoppers.ask_refund, *refund_of_new_payment(shop)):
        deaths += 1
    settle(shop)

    assert deaths * STRIDE > 3
    assert Refund.objects.filter(state=Refund.State.REFUNDED).exists()
    shop.books.assert_settled()


@pytest.mark.parametrize(
    "moment, kind", sampled(product(["before", "after"], ["repeats", "neither"]), every=2)
)
def test_a_refund_whose_process_is_killed_is_made_once_or_left_to_a_person(
    shop: Shop, kind: str, moment: str
) -> None:
    flags = FLAGS[kind]
    shop.equip(flags)
    path, body = refund_of_new_payment(shop)
    shop.provider.script(**{moment: "kill"})
    assert shop.processes.run(shoppers.ask_refund, path, body).was_killed
    shop.provider.script()
    repeated = shop.processes.run(shoppers.ask_refund, path, body)

    exit_code = settle(shop)

    refund = Refund.objects.get()
    assert repeated.result["status"] == 502
    assert refund.state == (Refund.State.REFUNDED if flags == REPEATS else Refund.State.REVIEW)
    assert exit_code == (0 if flags == REPEATS else 1)
    assert Payment.objects.get().refunded_minor_units == refund.minor_units
    assert len(shop.provider.refunds) == (1 if flags == REPEATS or moment == "after" else 0)
    shop.books.assert_settled()


@KINDS
def test_settling_may_be_killed_before_any_of_its_statements(shop: Shop, kind: str) -> None:
    shop.equip(FLAGS[kind])
    leave_everything_unfinished(shop)

    deaths = 0
    while dies(shop, deaths * STRIDE + 1, shoppers.settle_once):
        deaths += 1
        let_time_pass(timedelta(minutes=10))
    settle(shop)

    assert deaths * STRIDE > 5
    shop.books.assert_settled()


@pytest.mark.parametrize(
    "flags, script",
    [
        (LOOKS_UP, {"looking": "kill"}),
        (REPEATS, {"before": "kill"}),
        (REPEATS, {"after": "kill"}),
    ],
    ids=["looking-up", "before-repeating", "after-repeating"],
)
def test_settling_may_be_killed_while_it_asks_the_provider(
    shop: Shop, flags: Flags, script: dict[str, str]
) -> None:
    shop.equip(flags)
    session = shop.snipcart.session()
    crash(shop, session, "after the charge")
    shop.provider.script(**script)
    let_time_pass(timedelta(minutes=10))
    assert shop.processes.run(shoppers.settle_once).was_killed
    shop.provider.script()

    assert settle(shop) == 0

    assert [body["state"] for body in session.confirmations] == ["processed"]
    shop.books.assert_settled()


@pytest.mark.parametrize("fault", ["hang", "hang-after"])
def test_the_settling_command_may_be_killed_while_it_notifies_snipcart(shop: Shop, fault: str) -> None:
    session = shop.snipcart.session()
    crash(shop, session, "once it is committed")
    shop.snipcart.fail("payment", fault, seconds=300)
    let_time_pass(timedelta(minutes=10))
    command = shop.processes.command("snipcart_settle")
    wait_until(lambda: shop.snipcart.calls_to("payment"))
    command.kill()
    command.wait()

    assert settle(shop) == 0

    assert [body["state"] for body in session.confirmations] == ["processed"]
    shop.books.assert_settled()


def dies(shop: Shop, statement: int, function: Any, *arguments: Any) -> bool:
    """Whether a process that is killed before its nth statement has that many."""
    return shop.processes.run(shoppers.fated, {"statement": statement}, function, *arguments).was_killed


def redirected(shop: Shop) -> Payment:
    """A payment whose shopper has paid at the provider and is about to come back."""
    session = shop.snipcart.session()
    shop.provider.script(charge="redirect")
    shoppers.press(lambda: None, shoppers.open_page(session.public_token, "acme_card"))
    payment = Payment.objects.get(session_id=session.id)
    shop.provider.complete(payment.reference)
    shop.provider.script()
    return payment


def refund_of_new_payment(shop: Shop) -> tuple[str, str]:
    """What Snipcart posts to refund a part of a payment made for the purpose."""
    session = shop.snipcart.session(amount="12.30")
    shoppers.press(lambda: None, shoppers.open_page(session.public_token, "acme_card"))
    return shop.refund_call(session, "3.10")


def leave_everything_unfinished(shop: Shop) -> None:
    """Unknown charges, an undelivered capture, a shopper who never came back, and an uncertain refund."""
    crash(shop, shop.snipcart.session(), "before the charge")
    crash(shop, shop.snipcart.session(), "after the charge")
    crash(shop, shop.snipcart.session(), "once it is committed")
    if shop.can_look_up:
        redirected(shop)
    path, body = refund_of_new_payment(shop)
    shop.provider.script(after="raise")
    shoppers.ask_refund(lambda: None, path, body)
    shop.provider.script()
