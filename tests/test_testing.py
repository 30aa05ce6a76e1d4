"""The stand-in Snipcart that adopters test with, and the helpers beside it."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
import textwrap
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from django.conf import settings as django_settings
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from snipcart_checkout.conf import get_settings
from snipcart_checkout.sandbox.core.faults import FAULTS, PLACES
from snipcart_checkout.snipcart import PaymentSession, read_json
from snipcart_checkout.testing import (
    CheckoutSettings,
    Line,
    StandIn,
    StandInSession,
    ask_for_methods,
    ask_for_refund,
)

PUBLIC = "public/custom-payment-gateway"


@pytest.fixture
def http() -> Any:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def ask(http: requests.Session, snipcart: StandIn, endpoint: str, token: str) -> requests.Response:
    return http.get(f"{snipcart.api_url}/{PUBLIC}/{endpoint}", params={"publicToken": token}, timeout=10)


def tell(
    http: requests.Session,
    snipcart: StandIn,
    body: object,
    *,
    key: str = "primary-key-for-tests",
    **headers: str,
) -> requests.Response:
    sent = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **headers}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"{snipcart.api_url}/private/custom-payment-gateway/payment"
    return http.post(url, data=data, headers=sent, timeout=10, allow_redirects=False)


def outcome(session: StandInSession, state: str = "processed", **fields: Any) -> dict[str, Any]:
    return {"paymentSessionId": session.id, "state": state, "transactionId": "tr_1", **fields}


def read(session: StandInSession) -> PaymentSession:
    return PaymentSession.from_json(read_json(json.dumps(session.to_json()).encode()))


class TestFixture:
    def test_the_site_talks_to_the_stand_in(self, snipcart: StandIn) -> None:
        assert django_settings.SNIPCART_CHECKOUT["API_URL"] == snipcart.api_url
        assert django_settings.SNIPCART_CHECKOUT["APP_API_URL"] == snipcart.api_url
        assert django_settings.SNIPCART_CHECKOUT["STORES"].keys() == {"live"}

    def test_the_way_back_leads_to_the_sites_shop(self, snipcart: StandIn) -> None:
        host = django_settings.SNIPCART_CHECKOUT["STORES"]["live"]["SHOP_HOSTS"][0]
        assert snipcart.session().cart_url == f"https://{host}/#/checkout"

    @pytest.mark.parametrize("with_pytest_django", [True, False])
    def test_a_strangers_suite_can_use_it(self, tmp_path: Path, with_pytest_django: bool) -> None:
        (tmp_path / "conftest.py").write_text(STRANGERS_CONFTEST)
        (tmp_path / "test_page.py").write_text(STRANGERS_TEST)
        options = ["-p", "no:cacheprovider", *(["-p", "pytest_django.plugin"] if with_pytest_django else [])]
        kept = {name: text for name, text in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", tmp_path, *options, tmp_path],
            capture_output=True,
            text=True,
            timeout=60,
            env={**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )
        assert "3 passed" in done.stdout, done.stdout + done.stderr


STRANGERS_CONFTEST = """
import django
from django.conf import settings

pytest_plugins = ["snipcart_checkout.testing"]

def pytest_configure():
    if not settings.configured:
        settings.configure(
            SNIPCART_CHECKOUT={"STORES": {"live": {"SHOP_HOSTS": ["mugs.example"]}}},
            INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
        )
        django.setup()
"""
STRANGERS_TEST = """
from django.conf import settings

def test_during(snipcart):
    assert settings.SNIPCART_CHECKOUT["API_URL"] == snipcart.api_url
    assert snipcart.session().cart_url == "https://mugs.example/#/checkout"

def test_with_other_settings(checkout_settings):
    checkout_settings(API_URL="https://elsewhere.example")
    assert settings.SNIPCART_CHECKOUT["API_URL"] == "https://elsewhere.example"
    assert "live" in settings.SNIPCART_CHECKOUT["STORES"]

def test_after():
    assert "API_URL" not in settings.SNIPCART_CHECKOUT
"""


class TestSessions:
    @pytest.mark.parametrize(
        "amount, currency", [("12.30", "EUR"), ("1000", "JPY"), ("1.234", "KWD"), ("0.01", "USD")]
    )
    @pytest.mark.parametrize("items", [0, 1, 3, 500])
    def test_the_lines_add_up_to_the_amount(self, amount: str, currency: str, items: int) -> None:
        with StandIn() as snipcart:
            session = snipcart.session(amount=amount, currency=currency, items=items)
        invoice = read(session).invoice
        assert invoice.amount == Decimal(amount)
        assert invoice.currency == currency
        assert len(invoice.items) == items
        assert items == 0 or sum(line.unit_price for line in session.invoice.lines) == Decimal(amount)

    def test_lines_and_fields_of_ones_own(self) -> None:
        mug = Line(name="Mug", unit_price=Decimal("6.15"), quantity=2)
        with StandIn() as snipcart:
            session = snipcart.session(
                items=[mug], shipping=None, email="b@example.org", payment_method="acme_card"
            )
        assert read(session).invoice.shipping_address is None
        assert read(session).invoice.email == "b@example.org"
        assert read(session).invoice.items[0].quantity == 2
        assert read(session).payment_method == "acme_card"

    @pytest.mark.parametrize("shape", ["every_field", "documented", "capital_redirect"])
    def test_every_shape_is_the_same_order(self, shape: str) -> None:
        with StandIn() as snipcart:
            session = snipcart.session(shape=shape)
        assert read(session).invoice.amount == Decimal("12.30")
        assert read(session).return_url == session.cart_url

    def test_a_document_may_hold_what_no_order_would(self, snipcart: StandIn, http: requests.Session) -> None:
        session = snipcart.session(document={"id": 7, "invoice": None})
        answer = ask(http, snipcart, "payment-session", session.public_token).json()
        assert (answer["id"], answer["invoice"]) == (7, None)

    def test_ids_are_no_uuids_and_tokens_are_long(self, snipcart: StandIn) -> None:
        session = snipcart.session()
        assert len(session.id) == 8 + 1 + 36
        assert session.public_token.count(".") == 2

    def test_a_changed_cart_shows_at_once(self, snipcart: StandIn, http: requests.Session) -> None:
        session = snipcart.session(amount="10")
        snipcart.change(session, amount="99.90", currency="USD")
        invoice = ask(http, snipcart, "payment-session", session.public_token).json()["invoice"]
        assert (invoice["amount"], invoice["currency"]) == (99.9, "usd")

    def test_a_cart_may_change_while_the_site_asks(self, snipcart: StandIn, http: requests.Session) -> None:
        session = snipcart.session(amount="10")
        ask(http, snipcart, "payment-session", session.public_token)
        snipcart.before("payment-session", lambda: snipcart.change(session, amount="20"))
        answer = ask(http, snipcart, "payment-session", session.public_token)
        assert answer.json()["invoice"]["amount"] == 20

    @pytest.mark.parametrize("endpoint", ["validate", "payment-session"])
    def test_only_living_tokens_are_known(
        self, snipcart: StandIn, http: requests.Session, endpoint: str
    ) -> None:
        session = snipcart.session()
        second = snipcart.new_token(session)
        assert ask(http, snipcart, endpoint, session.public_token).status_code == 200
        assert ask(http, snipcart, endpoint, second).status_code == 200
        assert ask(http, snipcart, endpoint, "other").status_code == 404
        snipcart.expire(session)
        assert ask(http, snipcart, endpoint, session.public_token).status_code == 410
        assert ask(http, snipcart, endpoint, second).status_code == 410

    @pytest.mark.parametrize("status", [410, 401])
    def test_a_session_may_expire_and_come_back_to_life(
        self, snipcart: StandIn, http: requests.Session, status: int
    ) -> None:
        session = snipcart.session()
        snipcart.expire(session, status)
        assert ask(http, snipcart, "payment-session", session.public_token).status_code == status
        snipcart.revive(session)
        assert ask(http, snipcart, "payment-session", session.public_token).status_code == 200

    def test_two_sessions_may_be_of_one_cart(self, snipcart: StandIn) -> None:
        first = snipcart.session()
        second = snipcart.session(same_cart_as=first)
        assert read(first).invoice.cart_id == read(second).invoice.cart_id
        assert first.id != second.id


class TestConfirmations:
    def test_an_outcome_is_recorded(self, snipcart: StandIn, http: requests.Session) -> None:
        session = snipcart.session()
        answer = tell(http, snipcart, outcome(session))
        assert answer.json() == {"returnUrl": f"https://shop.example/#/order/{session.id}"}
        assert snipcart.confirmations == [outcome(session)]
        assert session.state == "processed"

    def test_an_expired_session_can_still_be_confirmed(
        self, snipcart: StandIn, http: requests.Session
    ) -> None:
        session = snipcart.session()
        snipcart.expire(session)
        assert tell(http, snipcart, outcome(session)).status_code == 200

    def test_a_final_outcome_follows_a_preliminary_one(
        self, snipcart: StandIn, http: requests.Session
    ) -> None:
        session = snipcart.session()
        for state in ("processing", "failed"):
            assert tell(http, snipcart, outcome(session, state)).status_code == 200
        assert [body["state"] for body in session.confirmations] == ["processing", "failed"]

    def test_a_final_outcome_stays(self, snipcart: StandIn, http: requests.Session) -> None:
        session = snipcart.session()
        tell(http, snipcart, outcome(session))
        refused = tell(http, snipcart, outcome(session, "invalidated"))
        assert refused.status_code == 400
        assert "already processed" in refused.json()["message"]
        assert session.state == "processed"

    def test_a_preliminary_outcome_is_delivered_once(self, snipcart: StandIn, http: requests.Session) -> None:
        session = snipcart.session()
        tell(http, snipcart, outcome(session, "processing"))
        other = outcome(session, "processing", instructions="Please wait.")
        assert tell(http, snipcart, other).status_code == 400

    @pytest.mark.parametrize("accepts_repeats, status", [(True, 200), (False, 400)])
    def test_a_repeat_is_recorded_once(
        self, http: requests.Session, accepts_repeats: bool, status: int
    ) -> None:
        with StandIn(accepts_repeats=accepts_repeats) as snipcart:
            session = snipcart.session()
            answers = [tell(http, snipcart, outcome(session)).status_code for _ in range(2)]
        assert answers == [200, status]
        assert len(snipcart.confirmations) == 1
        assert len(snipcart.calls_to("payment")) == 2

    def test_repeats_may_be_refused_from_some_moment_on(
        self, snipcart: StandIn, http: requests.Session
    ) -> None:
        session = snipcart.session()
        statuses = [tell(http, snipcart, outcome(session)).status_code for _ in range(2)]
        snipcart.refuse_repeats()
        assert [*statuses, tell(http, snipcart, outcome(session)).status_code] == [200, 200, 400]

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            ({"state": "Processed"}, "lower case"),
            ({"state": "paid"}, "not a state"),
            ({"transactionId": None}, "transactionId"),
            ({"amount": 12.3}, "not a field"),
            ({"links": {"refunds": "http://pay.shop.example/"}}, "https"),
            ({"error": "declined"}, "error"),
        ],
    )
    def test_a_mistake_is_refused_in_words(
        self, snipcart: StandIn, http: requests.Session, wrong: dict[str, Any], hint: str
    ) -> None:
        session = snipcart.session()
        answer = tell(http, snipcart, {**outcome(session), **wrong})
        assert answer.status_code == 400
        assert hint in answer.json()["message"]
        assert snipcart.confirmations == []

    @pytest.mark.parametrize("body", [b"", b"paymentSessionId=1", b"[]", b"null", b"\xff"])
    def test_a_body_that_is_no_object_is_refused(
        self, snipcart: StandIn, http: requests.Session, body: bytes
    ) -> None:
        assert tell(http, snipcart, body).status_code == 400

    def test_a_form_is_refused(self, snipcart: StandIn, http: requests.Session) -> None:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert tell(http, snipcart, outcome(snipcart.session()), **form).status_code == 415

    def test_an_unknown_session_is_refused(self, snipcart: StandIn, http: requests.Session) -> None:
        session = snipcart.session()
        body = {**outcome(session), "paymentSessionId": session.public_token}
        assert tell(http, snipcart, body).status_code == 404

    def test_the_fixture_knows_the_keys_of_the_site_as_they_are_now(
        self, snipcart: StandIn, http: requests.Session, checkout_settings: CheckoutSettings
    ) -> None:
        old, session = "primary-key-for-tests", snipcart.session()
        before = [tell(http, snipcart, outcome(session), key=key).status_code for key in (old, "new", "")]

        checkout_settings.store(API_KEYS=["new"])

        after = [tell(http, snipcart, outcome(session), key=key).status_code for key in (old, "new", "")]
        assert (before, after) == ([200, 401, 401], [401, 200, 401])

    def test_keys_are_checked(self, http: requests.Session) -> None:
        with StandIn(api_keys=["first", "second"]) as snipcart:
            snipcart.revoke("first")
            session = snipcart.session()
            keys = ("first", "third", "", "second")
            statuses = [tell(http, snipcart, outcome(session), key=key).status_code for key in keys]
        assert statuses == [401, 401, 401, 200]

    def test_another_scheme_is_refused(self, snipcart: StandIn, http: requests.Session) -> None:
        basic = {"Authorization": "Basic a2V5Og=="}
        assert tell(http, snipcart, outcome(snipcart.session()), **basic).status_code == 401


@pytest.mark.parametrize(
    "credentials, known, status",
    [
        ("secret:", True, 200),
        ("secret:", False, 404),
        ("secret:x", True, 401),
        ("other:", True, 401),
        (":", True, 401),
    ],
)
def test_request_tokens_need_the_stores_key(
    http: requests.Session, credentials: str, known: bool, status: int
) -> None:
    with StandIn(secret_keys=["secret"]) as snipcart:
        token = snipcart.new_request_token() if known else "unknown"
        header = {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
        answer = http.get(f"{snipcart.api_url}/requestvalidation/{token}", headers=header, timeout=10)
    assert answer.status_code == status
    assert status != 200 or answer.json()["token"] == token


class TestTrouble:
    def test_faults_of_an_endpoint_happen_in_turn(self, snipcart: StandIn, http: requests.Session) -> None:
        token = snipcart.session().public_token
        snipcart.fail("validate", 500, times=2)
        snipcart.fail("validate", 404)
        statuses = [ask(http, snipcart, "validate", token).status_code for _ in range(4)]
        assert statuses == [500, 500, 404, 200]

    def test_other_endpoints_stay_well(self, snipcart: StandIn, http: requests.Session) -> None:
        snipcart.fail("validate", 500, times=None)
        assert ask(http, snipcart, "payment-session", snipcart.session().public_token).status_code == 200

    def test_trouble_lasts_until_recovery(self, snipcart: StandIn, http: requests.Session) -> None:
        token = snipcart.session().public_token
        snipcart.fail("validate", 503, times=None)
        assert [ask(http, snipcart, "validate", token).status_code for _ in range(3)] == [503] * 3
        snipcart.recover()
        assert ask(http, snipcart, "validate", token).status_code == 200

    @pytest.mark.parametrize(
        "fault, recorded",
        [
            ("hang", False),
            ("hang-after", True),
            ("cut-before", False),
            ("cut-after", True),
            ("cut-body", True),
            (500, False),
            ("redirect", False),
            ("truncated-json", True),
        ],
    )
    def test_a_fault_says_whether_the_outcome_is_recorded(
        self, snipcart: StandIn, http: requests.Session, fault: str | int, recorded: bool
    ) -> None:
        session = snipcart.session()
        snipcart.fail("payment", fault, seconds=0.05)
        try:
            tell(http, snipcart, outcome(session))
        except requests.RequestException:
            assert fault in {"hang", "hang-after", "cut-before", "cut-after", "cut-body"}
        assert (session.state == "processed") is recorded

    def test_a_slow_answer_is_a_good_one(self, snipcart: StandIn, http: requests.Session) -> None:
        snipcart.fail("validate", "slow", seconds=0.1)
        start = time.monotonic()
        assert ask(http, snipcart, "validate", snipcart.session().public_token).status_code == 200
        assert time.monotonic() - start >= 0.1

    def test_a_reset_is_one_and_records_nothing(self, snipcart: StandIn, http: requests.Session) -> None:
        session = snipcart.session()
        snipcart.fail("payment", "reset")
        with pytest.raises(requests.ConnectionError, match="reset by peer"):
            tell(http, snipcart, outcome(session))
        assert session.state == ""

    def test_the_nth_call_may_fail(self, snipcart: StandIn, http: requests.Session) -> None:
        token = snipcart.session().public_token
        snipcart.fail("validate", 500, nth=3)
        assert [ask(http, snipcart, "validate", token).status_code for _ in range(4)] == [200, 200, 500, 200]

    def test_one_session_may_fail(self, snipcart: StandIn, http: requests.Session) -> None:
        good, bad = snipcart.session(), snipcart.session()
        snipcart.fail("validate", 500, session=bad)
        statuses = [ask(http, snipcart, "validate", one.public_token).status_code for one in (good, bad)]
        assert statuses == [200, 500]

    @pytest.mark.parametrize("fault", ["cut-before", "reset"])
    def test_a_connection_may_fail_before_anything_was_read(
        self, snipcart: StandIn, http: requests.Session, fault: str
    ) -> None:
        token = snipcart.session().public_token
        ask(http, snipcart, "validate", token)
        snipcart.fail("connection", fault)
        with pytest.raises(requests.ConnectionError):
            ask(http, snipcart, "validate", token)
        assert ask(http, snipcart, "validate", token).status_code == 200
        assert len(snipcart.calls) == 2

    @pytest.mark.parametrize("fault", ["cut-before", "reset"])
    def test_a_tls_handshake_may_fail(self, fault: str, tmp_path: Path) -> None:
        authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(server)
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        with StandIn(tls=server) as snipcart:
            url = f"{snipcart.api_url}/{PUBLIC}/validate?publicToken={snipcart.session().public_token}"
            snipcart.fail("connection", fault)
            with pytest.raises(requests.ConnectionError):
                requests.get(url, verify=str(tmp_path / "ca.pem"), timeout=10)
            assert requests.get(url, verify=str(tmp_path / "ca.pem"), timeout=10).status_code == 200
            assert len(snipcart.calls) == 1

    @pytest.mark.parametrize(
        "fault, amounts",
        [
            ("cart-changed", [(20, "eur"), (20, "eur")]),
            ("cart-changed-after", [(10, "eur"), (20, "eur")]),
            ("currency-changed", [(10, "usd"), (10, "usd")]),
        ],
    )
    def test_the_shopper_may_change_the_cart_around_a_call(
        self, snipcart: StandIn, http: requests.Session, fault: str, amounts: list[tuple[int, str]]
    ) -> None:
        session = snipcart.session(amount="10", items=1)
        snipcart.fail("payment-session", fault)
        answers = [ask(http, snipcart, "payment-session", session.public_token).json() for _ in range(2)]
        assert [(one["invoice"]["amount"], one["invoice"]["currency"]) for one in answers] == amounts

    def test_the_cart_may_change_just_before_a_confirmation(
        self, snipcart: StandIn, http: requests.Session
    ) -> None:
        session = snipcart.session(amount="10", items=1)
        snipcart.fail("payment", "cart-changed")
        assert tell(http, snipcart, outcome(session)).status_code == 200
        assert session.invoice.amount == 20

    def test_a_session_may_expire_at_a_call(self, snipcart: StandIn, http: requests.Session) -> None:
        token = snipcart.session().public_token
        snipcart.fail("payment-session", "session-expired", nth=2)
        statuses = [ask(http, snipcart, "payment-session", token).status_code for _ in range(3)]
        assert statuses == [200, 410, 410]

    def test_the_key_of_a_call_may_be_revoked_while_others_work(
        self, snipcart: StandIn, http: requests.Session
    ) -> None:
        session = snipcart.session()
        snipcart.fail("payment", "key-revoked", times=None)
        first, second = django_settings.SNIPCART_CHECKOUT["STORES"]["live"]["API_KEYS"]
        statuses = [
            tell(http, snipcart, outcome(session), key=key).status_code for key in (first, first, second)
        ]
        assert statuses == [401, 401, 200]

    def test_a_refused_repeat_waits_for_a_repeat(self, snipcart: StandIn, http: requests.Session) -> None:
        session = snipcart.session()
        snipcart.fail("payment", "repeat-refused")
        statuses = [tell(http, snipcart, outcome(session)).status_code for _ in range(3)]
        assert statuses == [200, 400, 200]

    def test_every_fault_has_words_and_a_place(self) -> None:
        for name, fault in FAULTS.items():
            assert str(fault.words), name
            assert not str(fault.words).isdigit(), name
            assert set(fault.places) <= PLACES.keys(), name

    @pytest.mark.parametrize("endpoint, fault", [("validate", "explode"), ("session", "hang")])
    def test_a_slip_of_the_pen_is_told(self, snipcart: StandIn, endpoint: str, fault: str) -> None:
        with pytest.raises(ValueError, match="it has"):
            snipcart.fail(endpoint, fault)

    def test_a_stopped_stand_in_refuses_connections_and_comes_back(
        self, snipcart: StandIn, http: requests.Session
    ) -> None:
        token = snipcart.session().public_token
        snipcart.stop()
        with pytest.raises(requests.ConnectionError):
            ask(http, snipcart, "validate", token)
        snipcart.start()
        assert ask(http, snipcart, "validate", token).status_code == 200

    def test_stopping_lets_go_of_what_hangs(self) -> None:
        start = time.monotonic()
        with StandIn() as snipcart:
            snipcart.fail("validate", "hang", seconds=30)
            with pytest.raises(requests.Timeout):
                requests.get(f"{snipcart.api_url}/{PUBLIC}/validate", timeout=0.1)
        assert time.monotonic() - start < 5


class TestHooks:
    def test_something_happens_before_the_nth_call(self, snipcart: StandIn, http: requests.Session) -> None:
        session = snipcart.session(amount="10")
        snipcart.before("payment-session", lambda: snipcart.change(session, amount="20"), nth=3)
        answers = [ask(http, snipcart, "payment-session", session.public_token).json() for _ in range(3)]
        assert [one["invoice"]["amount"] for one in answers] == [10, 10, 20]

    def test_something_happens_after_a_call_was_obeyed(
        self, snipcart: StandIn, http: requests.Session
    ) -> None:
        session = snipcart.session(amount="10")
        snipcart.after("payment-session", lambda: snipcart.change(session, amount="20"))
        answers = [ask(http, snipcart, "payment-session", session.public_token).json() for _ in range(2)]
        assert [one["invoice"]["amount"] for one in answers] == [10, 20]

    def test_before_and_after_a_confirmation_is_recorded(
        self, snipcart: StandIn, http: requests.Session
    ) -> None:
        session, seen = snipcart.session(), []
        snipcart.before("payment", lambda: seen.append(session.state))
        snipcart.after("payment", lambda: seen.append(session.state))
        tell(http, snipcart, outcome(session))
        assert seen == ["", "processed"]

    @pytest.mark.parametrize("times, expected", [(1, 1), (2, 2), (None, 4)])
    def test_as_often_as_it_was_wished(
        self, snipcart: StandIn, http: requests.Session, times: int | None, expected: int
    ) -> None:
        token, seen = snipcart.session().public_token, []
        snipcart.before("validate", lambda: seen.append(1), times=times)
        for _ in range(4):
            ask(http, snipcart, "validate", token)
        assert len(seen) == expected

    def test_a_hook_and_a_fault_may_meet_at_one_call(self, snipcart: StandIn, http: requests.Session) -> None:
        session, seen = snipcart.session(), []
        snipcart.fail("payment", "cut-after")
        snipcart.after("payment", lambda: seen.append(session.state))
        with pytest.raises(requests.ConnectionError):
            tell(http, snipcart, outcome(session))
        assert seen == ["processed"]

    def test_a_call_may_cause_another_one(self, snipcart: StandIn, http: requests.Session) -> None:
        token, statuses = snipcart.session().public_token, []
        snipcart.before(
            "payment-session",
            lambda: statuses.append(ask(requests.Session(), snipcart, "validate", token).status_code),
        )
        statuses.append(ask(http, snipcart, "payment-session", token).status_code)
        assert statuses == [200, 200]

    def test_a_hook_that_fails_fails_the_test(self) -> None:
        def fail() -> None:
            raise LookupError("not there")

        def call() -> None:
            with StandIn() as snipcart:
                snipcart.before("validate", fail)
                with pytest.raises(requests.ConnectionError):
                    requests.get(f"{snipcart.api_url}/{PUBLIC}/validate", timeout=10)

        with pytest.raises(LookupError, match="not there"):
            call()


class TestCheckoutSettings:
    def test_a_part_changes_and_the_rest_stays(self, checkout_settings: CheckoutSettings) -> None:
        before = django_settings.SNIPCART_CHECKOUT
        checkout_settings(PUBLIC_URL="https://pay.example", stores={"live": {"MODE": "test"}})
        after = django_settings.SNIPCART_CHECKOUT
        assert after["PUBLIC_URL"] == "https://pay.example"
        assert after["STORES"]["live"] == {**before["STORES"]["live"], "MODE": "test"}
        assert "MODE" not in before["STORES"]["live"]

    def test_the_stand_in_stays_where_it_is(
        self, checkout_settings: CheckoutSettings, snipcart: StandIn
    ) -> None:
        checkout_settings(PUBLIC_URL="https://pay.example")
        assert django_settings.SNIPCART_CHECKOUT["API_URL"] == snipcart.api_url

    def test_a_method_and_its_store_need_no_nesting(self, checkout_settings: CheckoutSettings) -> None:
        changed = checkout_settings.method("acme_card", currencies=["EUR"])["STORES"]["live"]["METHODS"]
        assert changed["acme_card"]["CURRENCIES"] == ["EUR"]
        assert changed["acme_card"]["NAME"] == "Credit card"
        assert checkout_settings.store(mode="test")["STORES"]["live"]["MODE"] == "test"

    def test_a_dict_can_be_replaced_and_removed(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.set("STORES.live.METHODS", {"other": {}})
        assert checkout_settings()["STORES"]["live"]["METHODS"] == {"other": {}}
        assert "API_KEYS" not in checkout_settings.remove("STORES.live.API_KEYS")["STORES"]["live"]
        with pytest.raises(KeyError):
            checkout_settings.remove("STORES.live.API_KEYS")

    def test_it_may_be_used_a_thousand_times(self, checkout_settings: CheckoutSettings) -> None:
        for number in range(1, 1200):
            checkout_settings(TOTAL_TIMEOUT=number)
        assert get_settings().total_timeout == 1199
        assert django_settings.DEBUG is False

    def test_what_is_set_beside_it_stays(self, checkout_settings: CheckoutSettings, settings: Any) -> None:
        settings.SNIPCART_CHECKOUT = {**checkout_settings(), "API_URL": "https://elsewhere.example"}
        checkout_settings(TOTAL_TIMEOUT=1)
        assert (get_settings().api_url, get_settings().total_timeout) == ("https://elsewhere.example", 1)

    def test_among_several_stores_one_is_named(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings(STORES={"second": {}})
        with pytest.raises(ValueError, match="name the store"):
            checkout_settings.store(MODE="test")
        assert checkout_settings.store("second", MODE="test")["STORES"]["second"] == {"MODE": "test"}

    def test_a_store_is_added_that_is_like_another(self, checkout_settings: CheckoutSettings) -> None:
        usual = django_settings.SNIPCART_CHECKOUT["STORES"]["live"]
        stores = checkout_settings.store("second", like="live", mode="test", methods={"other": {}})["STORES"]
        assert stores["live"] == usual
        assert stores["second"] == {**usual, "MODE": "test", "METHODS": {**usual["METHODS"], "other": {}}}
        with pytest.raises(KeyError):
            checkout_settings.store("third", like="nowhere")

    def test_so_is_a_method(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.store("second", METHODS={"acme_cash": {"NAME": "Cash"}})
        stores = checkout_settings.method("acme_coins", store="second", like="acme_cash", ICON="")["STORES"]
        assert stores["second"]["METHODS"]["acme_coins"] == {"NAME": "Cash", "ICON": ""}
        assert stores["live"]["METHODS"].keys() == {"acme_card"}

    @pytest.mark.parametrize("_time", [1, 2])
    def test_afterwards_all_is_as_it_was(self, checkout_settings: CheckoutSettings, _time: int) -> None:
        assert "TOTAL_TIMEOUT" not in django_settings.SNIPCART_CHECKOUT
        checkout_settings(TOTAL_TIMEOUT=1.0)


class TestRecords:
    def test_a_call_is_kept_as_it_came(self, snipcart: StandIn, http: requests.Session) -> None:
        session = snipcart.session()
        tell(http, snipcart, outcome(session), key="k-1")
        (call,) = snipcart.calls
        assert (call.method, call.path) == ("POST", "/api/private/custom-payment-gateway/payment")
        assert call.headers["authorization"] == "Bearer k-1"
        assert call.json == outcome(session)

    def test_calls_to_nowhere_are_kept_too(self, snipcart: StandIn, http: requests.Session) -> None:
        assert http.get(f"{snipcart.api_url}/elsewhere", timeout=10).status_code == 404
        assert http.put(f"{snipcart.api_url}/{PUBLIC}/validate", timeout=10).status_code == 405
        assert [call.endpoint for call in snipcart.calls] == ["", "validate"]

    def test_a_process_can_be_told_where_it_is(self, snipcart: StandIn) -> None:
        script = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).status)"
        url = f"{snipcart.api_url}/{PUBLIC}/validate?publicToken={snipcart.session().public_token}"
        done = subprocess.run(
            [sys.executable, "-c", script, url], capture_output=True, text=True, timeout=30, env={}
        )
        assert done.stdout.strip() == "200"


def test_no_pytest_is_needed() -> None:
    script = textwrap.dedent(
        """
        import sys
        sys.modules["pytest"] = None
        from snipcart_checkout.testing import StandIn
        with StandIn() as snipcart:
            print(snipcart.session().public_token.count("."))
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == "2", done.stderr


@csrf_exempt
def echo(request: HttpRequest, **_parts: str) -> JsonResponse:
    sent = {
        "path": request.get_full_path(),
        "body": json.loads(request.body),
        "headers": dict(request.headers),
    }
    return JsonResponse(sent)


# The addresses that Snipcart knows, answered by a mirror.
_mirrors = [
    path("<slug:store>/payment-methods/", echo, name="payment_methods"),
    path("<slug:store>/refunds/<str:capability>/", echo, name="refund"),
]
urlpatterns = [path("checkout/", include((_mirrors, "snipcart_checkout")))]


@pytest.mark.urls(__name__)
class TestWebhooks:
    @pytest.mark.parametrize("place, key", [("body", "publicToken"), ("capital", "PublicToken")])
    def test_the_methods_are_asked_for_with_a_token_in_the_body(
        self, snipcart: StandIn, place: str, key: str
    ) -> None:
        session = snipcart.session(amount="12.30", currency="EUR")
        sent = ask_for_methods(session, store="live", place=place).json()
        assert sent["path"] == "/checkout/live/payment-methods/"
        assert sent["body"][key] == session.public_token
        assert sent["body"]["invoice"]["amount"] == 12.3
        assert sent["headers"]["Content-Type"] == "application/json"

    def test_the_methods_are_asked_for_with_a_token_in_the_query(self, snipcart: StandIn) -> None:
        session = snipcart.session()
        headers = {"X-Snipcart-RequestToken": "rt"}
        sent = ask_for_methods(session, store="test", mode="test", place="query", headers=headers).json()
        assert sent["path"] == f"/checkout/test/payment-methods/?publicToken={session.public_token}"
        assert sent["body"]["mode"].lower() == "test"
        assert "publicToken" not in sent["body"]
        assert sent["headers"]["X-Snipcart-Requesttoken"] == "rt"

    def test_a_refund_goes_to_the_address_of_the_confirmation(
        self, snipcart: StandIn, http: requests.Session
    ) -> None:
        session = snipcart.session()
        links = {"refunds": "https://pay.shop.example/checkout/live/refunds/abc/?x=1"}
        tell(http, snipcart, outcome(session, links=links))
        sent = ask_for_refund(session, "3.20").json()
        assert sent["path"] == "/checkout/live/refunds/abc/?x=1"
        assert sent["body"] == {"paymentId": "tr_1", "amount": 3.2}

    def test_a_refund_needs_an_address(self, snipcart: StandIn, http: requests.Session) -> None:
        session = snipcart.session()
        tell(http, snipcart, outcome(session))
        with pytest.raises(LookupError):
            ask_for_refund(session, 1)
