"""What a site learns of its payments: signals after commit, one line of log per change, and no secret anywhere."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError, connection
from django.dispatch import Signal
from django.http import HttpRequest
from django.test import Client
from django.utils.log import AdminEmailHandler

from snipcart_checkout import services, signals
from snipcart_checkout.models import Payment
from snipcart_checkout.testing import CheckoutSettings, StandIn, ask_for_refund
from tests.support.backends import Provider
from tests.support.ledger import agree, history, let_two_seconds_pass, pay, provider
from tests.support.ledger_invariants import let_time_pass
from tests.support.shopper import METHOD_PAGE, Shopper, address_of

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

_State = Payment.State


class Listener:
    """Receives signals, remembers them, and may break."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.error: Exception | None = None

    def __call__(self, **arguments: Any) -> None:
        self.heard.append({**arguments, "in_transaction": connection.in_atomic_block})
        if self.error:
            raise self.error


@pytest.fixture
def listen() -> Iterator[Any]:
    connected: list[tuple[Signal, Listener]] = []

    def connect(signal: Signal) -> Listener:
        listener = Listener()
        signal.connect(listener)
        connected.append((signal, listener))
        return listener

    yield connect
    for signal, listener in connected:
        signal.disconnect(listener)


def begin(snipcart: StandIn, provider: Provider) -> Payment:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    provider.script()
    return payment


# Signals


@pytest.mark.parametrize(
    "name, script",
    [
        ("payment_paid", {}),
        ("payment_declined", {"charge": "declined"}),
        ("payment_needs_review", {"amount": "1.00"}),
    ],
)
def test_the_signal_of_an_outcome_is_sent_once_with_its_payment(
    snipcart: StandIn, provider: Provider, listen: Any, name: str, script: dict[str, str]
) -> None:
    listener = listen(getattr(signals, name))
    provider.script(**script)

    payment = pay(snipcart)

    (heard,) = listener.heard
    assert (heard["sender"], heard["payment"]) == (Payment, payment)


def test_payment_paid_brings_the_session_as_it_was_read_after_the_capture(
    snipcart: StandIn, provider: Provider, listen: Any
) -> None:
    listener = listen(signals.payment_paid)
    session = snipcart.session(email="ada@example.org", cart_url="https://shop.example/cart")

    pay(snipcart, session=session)

    (sent,) = listener.heard
    assert (sent["session"].id, sent["session"].invoice.email) == (session.id, "ada@example.org")
    assert sent["session"].return_url == "https://shop.example/cart"


def test_the_session_of_a_signal_leads_to_the_shop_where_snipcart_names_no_cart(
    snipcart: StandIn, provider: Provider, listen: Any
) -> None:
    listener = listen(signals.payment_paid)

    payment = pay(snipcart, session=snipcart.session(cart_url=""))

    (sent,) = listener.heard
    assert sent["session"].return_url == payment.cart_url == "https://shop.example"


def test_payment_paid_brings_no_session_where_it_could_not_be_read(
    snipcart: StandIn, provider: Provider, listen: Any
) -> None:
    listener = listen(signals.payment_paid)
    order = agree(snipcart.session())
    snipcart.fail("payment-session", 500)

    services.pay(order)

    (sent,) = listener.heard
    assert (sent["payment"].state, sent["session"]) == (_State.PAID, None)


@pytest.mark.parametrize("changed", [False, True])
def test_what_became_of_an_order_that_could_not_be_read_at_its_capture_is_known_later(
    snipcart: StandIn, provider: Provider, listen: Any, changed: bool
) -> None:
    paid, review = listen(signals.payment_paid), listen(signals.payment_needs_review)
    session = snipcart.session()
    order = agree(session)
    snipcart.fail("payment-session", 500)
    payment = services.pay(order)
    has_order = payment.confirmations.filter(outcome="processed", status="delivered")
    assert (len(paid.heard), payment.order_check, has_order.exists()) == (1, "", False)

    if changed:
        snipcart.change(session, amount="99.00")
    let_time_pass(timedelta(minutes=1))
    services.settle()

    payment.refresh_from_db()
    assert len(paid.heard) == 1
    assert [sent["reason"] for sent in review.heard] == (["order_changed"] if changed else [])
    assert payment.order_check == ("" if changed else "same")
    assert has_order.exists() is not changed


def test_a_payment_whose_order_changed_meanwhile_needs_review_and_is_not_sent_as_paid(
    snipcart: StandIn, provider: Provider, listen: Any
) -> None:
    paid, review = listen(signals.payment_paid), listen(signals.payment_needs_review)
    session = snipcart.session()
    order = agree(session)
    snipcart.change(session, amount="99.00")

    payment = services.pay(order)

    assert paid.heard == []
    (sent,) = review.heard
    assert (sent["sender"], sent["payment"], sent["reason"]) == (Payment, payment, "order_changed")
    assert snipcart.confirmations == []


def test_each_reason_for_review_is_sent_with_the_signal(
    snipcart: StandIn, provider: Provider, listen: Any
) -> None:
    review = listen(signals.payment_needs_review)
    for _ in range(2):
        pay(snipcart, target_id="cart")
    provider.script(amount="1.00")
    pay(snipcart)

    reasons = [sent["reason"] for sent in review.heard]
    assert reasons == ["cart_paid_twice", "amount_differs"]
    assert set(reasons) <= set(Payment.ReviewReason)


@pytest.mark.django_db(transaction=True)
def test_payment_needs_review_is_sent_after_commit(
    snipcart: StandIn, provider: Provider, listen: Any
) -> None:
    review = listen(signals.payment_needs_review)
    provider.script(amount="1.00")

    pay(snipcart)

    assert [sent["in_transaction"] for sent in review.heard] == [False]


@pytest.mark.parametrize(
    "script", [{"charge": "pending"}, {"charge": "nonsense"}, {"amount": "1.00"}], ids=str
)
def test_what_is_not_decided_sends_no_signal(
    snipcart: StandIn, provider: Provider, listen: Any, script: dict[str, str]
) -> None:
    listeners = [listen(signals.payment_paid), listen(signals.payment_declined)]
    provider.script(**script)

    pay(snipcart)

    assert [listener.heard for listener in listeners] == [[], []]


def test_payment_paid_is_sent_once_however_often_the_shopper_returns(
    snipcart: StandIn, provider: Provider, listen: Any
) -> None:
    listener = listen(signals.payment_paid)
    payment = begin(snipcart, provider)
    provider.complete(payment.reference)

    for _ in range(3):
        Shopper().come_back(payment)
        let_two_seconds_pass()

    assert len(listener.heard) == 1


@pytest.mark.django_db(transaction=True)
def test_a_receiver_sees_what_is_committed(snipcart: StandIn, provider: Provider, listen: Any) -> None:
    listener = listen(signals.payment_paid)

    pay(snipcart)

    assert [heard["in_transaction"] for heard in listener.heard] == [False]


@pytest.mark.parametrize("name, script", [("payment_paid", {}), ("payment_declined", {"charge": "declined"})])
def test_a_receiver_that_breaks_changes_nothing(
    snipcart: StandIn, provider: Provider, listen: Any, name: str, script: dict[str, str]
) -> None:
    listener = listen(getattr(signals, name))
    listener.error = ZeroDivisionError("a bug of the site's")
    provider.script(**script)

    answer = Shopper().pay(snipcart.session())

    assert listener.heard
    assert answer.status_code in {303, 402}
    assert [sent["state"] for sent in snipcart.confirmations] == (["processed"] if not script else [])


def test_a_receiver_that_breaks_is_named_in_the_log(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(**_arguments: Any) -> None:
        raise ZeroDivisionError("a bug of the site's")

    signals.payment_paid.connect(break_down)
    pay(snipcart)
    signals.payment_paid.disconnect(break_down)

    assert any("receiver" in r.message and "ZeroDivisionError" in r.message for r in caplog.records)


def test_a_receiver_that_breaks_does_not_keep_the_next_from_hearing(
    snipcart: StandIn, provider: Provider, listen: Any
) -> None:
    def break_down(**_arguments: Any) -> None:
        raise ZeroDivisionError

    signals.payment_paid.connect(break_down)
    second = listen(signals.payment_paid)
    pay(snipcart)
    signals.payment_paid.disconnect(break_down)

    assert len(second.heard) == 1


def test_a_log_handler_that_breaks_costs_no_payment(
    snipcart: StandIn, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("the disk of the logs is full")

    broken = Broken()
    logging.getLogger("snipcart_checkout").addHandler(broken)
    try:
        answer = Shopper().pay(snipcart.session())
    finally:
        logging.getLogger("snipcart_checkout").removeHandler(broken)

    assert answer.status_code == 303
    assert Payment.objects.get().state == _State.PAID


# One line per change


def lines(caplog: pytest.LogCaptureFixture, payment: Payment) -> list[str]:
    """What the log says that happened to a payment, without its reference; warnings give reasons."""
    named = f"payment {payment.reference}: "
    happened = [
        " ".join(record.getMessage().split()) for record in caplog.records if record.levelname == "INFO"
    ]
    return [text.removeprefix(named) for text in happened if named in text]


@pytest.mark.parametrize(
    "script, expected",
    [
        (
            {},
            ["paid was=charging (shopper)", "confirmation_delivered outcome=processed attempts=1 (snipcart)"],
        ),
        (
            {"charge": "pending"},
            [
                "pending was=charging (shopper)",
                "confirmation_delivered outcome=processing attempts=1 (snipcart)",
            ],
        ),
        ({"charge": "declined"}, ["declined was=charging reason=card_declined (shopper)"]),
        ({"charge": "redirect"}, ["pending was=charging (shopper)"]),
        ({"charge": "nonsense"}, ["unknown was=charging (shopper)"]),
        ({"amount": "1.00"}, ["review was=charging reason=amount_differs (shopper)"]),
    ],
    ids=str,
)
def test_every_change_of_state_is_one_line(
    snipcart: StandIn,
    provider: Provider,
    caplog: pytest.LogCaptureFixture,
    script: dict[str, str],
    expected: list[str],
) -> None:
    caplog.set_level("INFO")
    provider.script(**script)

    assert lines(caplog, pay(snipcart)) == ["charging (shopper)", *expected]


def test_the_line_names_the_source(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    payment = begin(snipcart, provider)
    provider.script(lookup="not_found")
    Shopper().come_back(payment)
    headers, body = provider.notification(payment.reference)
    provider.script(lookup="paid")
    let_two_seconds_pass()
    Client().post("/checkout/live/notifications/acme_card/", body, content_type="text/plain", headers=headers)
    payment.refresh_from_db()
    services.refund_by_staff(payment, 100, by="ada")

    assert "abandoned was=pending (shopper)" in lines(caplog, payment)
    assert "paid was=abandoned (provider)" in lines(caplog, payment)
    refund = payment.refunds.get()
    assert f"refund_requested refund={refund.pk} minor_units=100 (staff ada)" in lines(caplog, payment)


def test_every_line_of_the_log_is_an_event_of_the_history_and_the_other_way_round(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    payment = pay(snipcart)

    assert [line.split()[0] for line in lines(caplog, payment)] == history(payment)


# No secret


class _Mails(AdminEmailHandler):
    """Error mails with all that Django would put into them."""

    def __init__(self) -> None:
        super().__init__(include_html=True)
        self.sent: list[str] = []

    def send_mail(self, subject: Any, message: Any, *args: Any, **kwargs: Any) -> None:
        self.sent.append(f"{subject}\n{message}\n{kwargs.get('html_message')}")


@pytest.fixture
def mails() -> Iterator[list[str]]:
    """What the site's administrators are sent for every error that is logged."""
    handler = _Mails()
    handler.setLevel("ERROR")
    logging.getLogger().addHandler(handler)
    yield handler.sent
    logging.getLogger().removeHandler(handler)


class Secrets:
    """Every secret that a test lets pass through the site."""

    def __init__(self, snipcart: StandIn) -> None:
        self.snipcart = snipcart
        self.tokens: list[str] = []

    def session(self, **fields: Any) -> Any:
        session = self.snipcart.session(email="ada.secret@example.org", **fields)
        self.tokens.append(session.public_token)
        return session

    @property
    def capabilities(self) -> list[str]:
        sent = [call.json for call in self.snipcart.calls_to("payment")]
        links = [body["links"]["refunds"] for body in sent if "links" in body]
        return [urlsplit(link).path.split("/")[-2] for link in links]

    def in_text(self, text: str, *, with_tokens: bool = True) -> list[str]:
        keys = ["primary-key-for-tests", "secondary-key-for-tests", "ada.secret@example.org", "rue des"]
        return [s for s in (*keys, *self.capabilities, *(self.tokens if with_tokens else ())) if s in text]


def a_busy_day(snipcart: StandIn, provider: Provider, secrets: Secrets) -> list[Any]:
    """Everything that can happen to a shopper, and the answers to it."""
    shopper = Shopper()
    answers = [shopper.pay(secrets.session())]
    refunded = secrets.session()
    answers.append(shopper.pay(refunded))
    answers.append(ask_for_refund(refunded, "1.00"))
    answers.append(ask_for_refund(refunded, "9999.00"))

    provider.script(charge="redirect")
    answers.append(shopper.pay(secrets.session()))
    payment = Payment.objects.get(state=_State.PENDING)
    provider.script(lookup="raise")
    answers.append(shopper.come_back(payment))
    answers.append(shopper.look(payment))
    headers, body = provider.notification(payment.reference)
    notifications = "/checkout/live/notifications/acme_card/"
    answers.append(Client().post(notifications, body, content_type="text/plain", headers=headers))
    provider.script()
    let_two_seconds_pass()
    answers.append(Client().post(notifications, body, content_type="text/plain", headers=headers))
    answers.append(Client().post(notifications, b"x", content_type="text/plain"))

    provider.script(before="raise")
    answers.append(shopper.pay(secrets.session()))
    provider.script()
    for fault in (500, 400, 401, 429, "cut-before", "cut-after", "redirect", "not-json"):
        snipcart.fail("payment", fault, times=2)
        answers.append(shopper.pay(secrets.session()))
        snipcart.recover()
    for fault in (500, 404, "cut-before", "redirect", "not-json"):
        session = secrets.session()
        page = shopper.open(session)
        snipcart.fail("payment-session", fault)
        answers.append(shopper.press(page))
    page = shopper.open(secrets.session())
    with connection.execute_wrapper(_broken):
        answers.append(shopper.press(page))
        answers.append(ask_for_refund(refunded, "1.00"))
    answers.append(shopper.press(page, csrfmiddlewaretoken="wrong"))
    answers.append(shopper.press(page, publicToken="x" * 5000))
    return answers


def _broken(execute: Any, sql: str, *arguments: Any) -> Any:
    raise OperationalError(f"gone while asking {sql}")


def test_no_secret_is_in_any_log_line_at_any_level(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    secrets = Secrets(snipcart)

    a_busy_day(snipcart, provider, secrets)

    assert len(caplog.records) > 50
    assert secrets.capabilities
    for record in caplog.records:
        assert not secrets.in_text(f"{record.getMessage()} {vars(record)}")


def test_no_secret_is_in_an_error_mail(snipcart: StandIn, provider: Provider, mails: list[str]) -> None:
    secrets = Secrets(snipcart)

    a_busy_day(snipcart, provider, secrets)

    assert mails
    for mail in mails:
        assert not secrets.in_text(mail)


def test_no_key_and_no_capability_is_in_any_answer(snipcart: StandIn, provider: Provider) -> None:
    secrets = Secrets(snipcart)

    answers = a_busy_day(snipcart, provider, secrets)

    assert {answer.status_code for answer in answers} >= {200, 204, 303, 400, 403, 409, 410, 503}
    for answer in answers:
        text = answer.content.decode() + str(answer.headers)
        found = secrets.in_text(text)
        shows_the_order = b"sc-form" in answer.content
        assert not found or shows_the_order
        assert not set(found) & {"primary-key-for-tests", *secrets.capabilities}


def explode(request: HttpRequest, session: Any, store: Any) -> dict[str, Any]:
    """A CONTEXT hook that is a bug."""
    raise RuntimeError(f"{request.get_full_path()} {request.POST} {session} {store}")


def test_no_secret_is_in_what_a_broken_hook_leaves_behind(
    snipcart: StandIn,
    provider: Provider,
    caplog: pytest.LogCaptureFixture,
    mails: list[str],
    checkout_settings: CheckoutSettings,
) -> None:
    caplog.set_level("DEBUG")
    checkout_settings(CONTEXT="tests.test_signals.explode")
    secrets = Secrets(snipcart)

    page = Shopper().open(secrets.session())

    assert page.status_code == 200
    assert mails
    assert not secrets.in_text(caplog.text + "".join(mails))


def test_no_secret_is_in_what_a_bug_leaves_behind(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture, mails: list[str]
) -> None:
    caplog.set_level("DEBUG")
    secrets = Secrets(snipcart)
    shopper = Shopper()
    page = shopper.open(secrets.session())

    def bug(execute: Any, sql: str, *arguments: Any) -> Any:
        raise ZeroDivisionError(str(arguments))

    with connection.execute_wrapper(bug):
        answer = shopper.press(page)

    assert answer.status_code == 500
    assert "We cannot tell from here whether money was taken" in answer.content.decode()
    assert not secrets.in_text(caplog.text + "".join(mails) + answer.content.decode())


def test_the_token_stands_only_in_relative_links_and_hidden_fields(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    content = Shopper().open(session).content.decode()

    without = re.sub(r'(href|action)="[?/][^"]*"|<input type="hidden"[^>]*>', "", content)
    assert session.public_token in content
    assert session.public_token not in without


def test_a_token_that_was_paid_with_is_nowhere_in_the_ledger(snipcart: StandIn, provider: Provider) -> None:
    session = snipcart.session()
    Shopper().pay(session)

    payment = Payment.objects.get()
    rows = [*Payment.objects.values(), *payment.events.values(), *payment.confirmations.values()]
    assert session.public_token not in str(rows)
    assert services.get_payment(payment.reference) == payment
    assert METHOD_PAGE not in address_of(payment)
