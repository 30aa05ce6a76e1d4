"""The stand-in Snipcart that adopters test with, and the helpers beside it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import textwrap
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings as django_settings
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from snipcart_checkout.protocol import PaymentSession, read_json
from snipcart_checkout.sandbox.contract import Line
from snipcart_checkout.testing import StandIn, StandInSession, ask_for_methods, ask_for_refund

PUBLIC = "public/custom-payment-gateway"


@pytest.fixture
def http() -> Any:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def ask(http: requests.Session, snipcart: StandIn, endpoint: str, token: str) -> requests.Response:
    return http.get(f"{snipcart.api_url}/{PUBLIC}/{endpoint}", params={"publicToken": token}, timeout=10)


def tell(
    http: requests.Session, snipcart: StandIn, body: object, *, key: str = "key", **headers: str
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
        assert snipcart.session().return_url == f"https://{host}/#/checkout"

    @pytest.mark.parametrize("with_pytest_django", [True, False])
    def test_a_strangers_suite_can_use_it(self, tmp_path: Path, with_pytest_django: bool) -> None:
        (tmp_path / "conftest.py").write_text(STRANGERS_CONFTEST)
        (tmp_path / "test_page.py").write_text(STRANGERS_TEST)
        switched_off = ["cacheprovider", "randomly", *([] if with_pytest_django else ["django"])]
        options = [option for plugin in switched_off for option in ("-p", f"no:{plugin}")]
        clean = {name: text for name, text in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", tmp_path, *options, tmp_path],
            capture_output=True,
            text=True,
            timeout=60,
            env=clean,
        )
        assert "2 passed" in done.stdout, done.stdout + done.stderr


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
    assert snipcart.session().return_url == "https://mugs.example/#/checkout"

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
        assert read(session).return_url == session.return_url

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
        snipcart.meanwhile("payment-session", lambda: snipcart.change(session, amount="20"))
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
        assert ask(http, snipcart, endpoint, session.public_token).status_code == 404
        assert ask(http, snipcart, endpoint, second).status_code == 404


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

    def test_a_preliminary_outcome_is_told_once(self, snipcart: StandIn, http: requests.Session) -> None:
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

    @pytest.mark.parametrize("endpoint, fault", [("validate", "explode"), ("session", "hang")])
    def test_a_slip_of_the_pen_is_told(self, snipcart: StandIn, endpoint: str, fault: str) -> None:
        with pytest.raises(ValueError, match="stand-in; it has"):
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
        assert http.put(f"{snipcart.api_url}/{PUBLIC}/validate", timeout=10).status_code == 404
        assert [call.endpoint for call in snipcart.calls] == ["", ""]

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
