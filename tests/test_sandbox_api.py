"""Snipcart's API as the sandbox plays it: strict, and with every way in which it can go wrong."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from django.conf import settings as django_settings
from django.core.cache import cache
from django.test import Client

from snipcart_checkout.sandbox.core.tokens import Token, Tokens
from tests.support.sandbox import (
    API,
    KEYS,
    METHOD,
    PAYMENT,
    SESSION,
    SETTING,
    STORE_KEYS,
    VALIDATE,
    Shopper,
    merchant_offers,
    post_confirmation,
)

if TYPE_CHECKING:
    from pytest_django import Settings
    from pytest_django.live_server_helper import LiveServer

TOKENS = Tokens(django_settings.SECRET_KEY)
PAYLOADS = Path(__file__).parent / "payloads"


@pytest.fixture(autouse=True)
def sandbox(settings: Settings) -> None:
    settings.DEBUG = True
    settings.SNIPCART_SANDBOX = SETTING
    cache.clear()


@pytest.fixture
def shopper() -> Shopper:
    shopper = Shopper()
    shopper.arrive()
    return shopper


def keys_of(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: keys_of(member) for key, member in value.items()}
    if isinstance(value, list):
        return {json.dumps(keys_of(member), sort_keys=True) for member in value}
    return None


class TestPublicEndpoints:
    @pytest.mark.parametrize(
        "shape, name",
        [
            ("every_field", "session-every-field-seen"),
            ("documented", "session-documented"),
            ("capital_redirect", "session-capital-redirect"),
        ],
    )
    def test_a_session_has_the_keys_of_the_payload(self, shape: str, name: str) -> None:
        shopper = Shopper()
        with merchant_offers(METHOD):
            shopper.fill(do="pay", shape=shape, ship_to="nobody" if shape == "every_field" else "billing")
            shopper.see_methods()
        shopper.choose()
        payload = json.loads((PAYLOADS / f"{name}.json").read_text())
        assert keys_of(shopper.session()) == keys_of(payload)

    def test_the_session_is_the_cart(self) -> None:
        shopper = Shopper()
        shopper.arrive(currency="KWD", language="ar", tax="added", coupon="WELCOME", ship_to="nobody")
        invoice = shopper.session()["invoice"]
        assert invoice["currency"] == "kwd"
        assert invoice["language"] == "ar"
        assert invoice["shippingAddress"] is None
        assert [line["type"] for line in invoice["items"]] == ["Physical", "Discount", "Shipping", "Tax"]
        assert invoice["amount"] == 14.64
        assert sum(line["amount"] for line in invoice["items"]) == pytest.approx(14.64)

    def test_amounts_are_json_numbers_and_may_carry_noise(self) -> None:
        shopper = Shopper()
        shopper.arrive(float_noise="on")
        raw = shopper.client.get(SESSION, {"publicToken": shopper.token}).content
        assert b'"amount": 40.900000000000006,' in raw

    def test_lines_need_not_add_up(self) -> None:
        shopper = Shopper()
        shopper.arrive(lines_add_up="")
        invoice = shopper.session()["invoice"]
        assert invoice["amount"] == 40.9
        assert sum(line["amount"] for line in invoice["items"]) == 36

    def test_session_ids_are_no_uuids(self, shopper: Shopper) -> None:
        identifier = shopper.session()["id"]
        assert len(identifier) == 8 + 1 + 36
        assert identifier[8] == "-"

    def test_a_good_token_is_validated_without_a_key(self, shopper: Shopper) -> None:
        assert Client().get(VALIDATE, {"publicToken": shopper.token}).status_code == 200

    @pytest.mark.parametrize("path", [VALIDATE, SESSION])
    @pytest.mark.parametrize(
        "query, status",
        [
            ("", 400),
            ("?publictoken=TOKEN", 400),
            ("?publicToken=TOKEN&publicToken=TOKEN", 400),
            ("?publicToken=", 404),
            ("?publicToken=x.y.z", 404),
            ("?publicToken=é", 404),
            ("?publicToken=TOKENx", 404),
        ],
    )
    def test_a_bad_token_is_refused_with_the_reason(
        self, shopper: Shopper, path: str, query: str, status: int
    ) -> None:
        answer = Client().get(path + query.replace("TOKEN", shopper.token))
        assert answer.status_code == status
        assert answer.json()["message"]

    def test_an_old_token_and_a_token_for_something_else_are_refused(self, shopper: Shopper) -> None:
        session_id = shopper.session()["id"]
        expired = TOKENS.issue(Token(purpose="public", session_id=session_id, mode="live"), lifetime=-1)
        request = TOKENS.issue(Token(purpose="request", session_id=session_id, mode="live"))
        for token in (expired, request):
            assert Client().get(SESSION, {"publicToken": token}).status_code == 404

    @pytest.mark.parametrize("path", [VALIDATE, SESSION])
    def test_browsers_may_ask(self, shopper: Shopper, path: str) -> None:
        answer = Client().get(path, {"publicToken": shopper.token})
        assert answer["Access-Control-Allow-Origin"] == "*"

    @pytest.mark.parametrize(
        "path, method", [(VALIDATE, "POST"), (SESSION, "POST"), (PAYMENT, "GET"), (f"{API}/requestvalidation/x", "POST")]
    )  # fmt: skip
    def test_another_method_is_refused(self, path: str, method: str) -> None:
        answer = Client().generic(method, path)
        assert answer.status_code == 405
        assert answer["Allow"] == ("POST" if method == "GET" else "GET")


class TestPayment:
    @pytest.mark.parametrize("state", ["processing", "processed", "failed", "invalidated"])
    def test_every_state_is_answered_with_the_way_to_the_order(self, shopper: Shopper, state: str) -> None:
        answer = shopper.confirm(state=state)
        payload = json.loads((PAYLOADS / "confirm-answer.json").read_text())
        assert answer.status_code == 200
        assert answer.json().keys() == payload.keys()

    @pytest.mark.parametrize("name", ["confirm-processed", "confirm-failed-documented"])
    def test_documented_bodies_are_taken(self, shopper: Shopper, name: str) -> None:
        body = json.loads((PAYLOADS / f"{name}.json").read_text())
        assert post_confirmation({**body, "paymentSessionId": shopper.session()["id"]}).status_code == 200

    @pytest.mark.parametrize("key", KEYS["live"])
    def test_both_keys_of_the_mode_are_good(self, shopper: Shopper, key: str) -> None:
        body = {"paymentSessionId": shopper.session()["id"], "state": "processed", "transactionId": "t"}
        assert post_confirmation(body, key=key).status_code == 200

    @pytest.mark.parametrize(
        "key, status, said",
        [
            ("", 401, "is missing"),
            ("nobodys", 401, "none of the gateway"),
            (STORE_KEYS["live"], 401, "store's secret key does not work"),
            (KEYS["test"][0], 403, "the other mode"),
            ("ключ", 401, "none of the gateway"),
        ],
    )
    def test_another_key_is_refused(self, shopper: Shopper, key: str, status: int, said: str) -> None:
        body = {"paymentSessionId": shopper.session()["id"], "state": "processed", "transactionId": "t"}
        answer = post_confirmation(body, key=key)
        assert answer.status_code == status
        assert said in answer.json()["message"]
        assert "Being paid" in shopper.see_order()

    @pytest.mark.parametrize("scheme", ["Basic", "", "Token"])
    def test_another_scheme_is_refused(self, scheme: str) -> None:
        headers = {"Authorization": f"{scheme} {KEYS['live'][0]}".strip()}
        assert post_confirmation({}, headers=headers).status_code == 401

    @pytest.mark.parametrize(
        "body, extra, status",
        [
            ("{", {}, 400),
            ("[]", {}, 400),
            ("{}", {}, 400),
            ("[" * 100_000, {}, 400),
            ("{}", {"content_type": "application/x-www-form-urlencoded"}, 415),
            ("{" + " " * 200_000 + "}", {}, 413),
        ],
    )
    def test_a_body_that_cannot_be_read_is_refused(
        self, body: str, extra: dict[str, str], status: int
    ) -> None:
        answer = post_confirmation(body, **extra)
        assert answer.status_code == status
        assert answer.json()["message"]

    @pytest.mark.parametrize(
        "change, said",
        [
            ({"state": "Processed"}, "not a state"),
            ({"amount": 5}, "not a field"),
            ({"links": {"refunds": "http://pay.shop.example/"}}, "not https"),
            ({"paymentSessionId": "eyJa.b.c"}, "That is a token"),
            ({"paymentSessionId": "unknown"}, "No payment session"),
        ],
    )
    def test_a_wrong_confirmation_is_refused_and_logged(
        self, shopper: Shopper, change: dict[str, Any], said: str
    ) -> None:
        answer = shopper.confirm(**change)
        assert 400 <= answer.status_code < 500
        assert said in answer.json()["message"]
        assert said in shopper.see_activity()
        assert "Being paid" in shopper.see_order()

    def test_a_repeat_changes_nothing_and_has_the_same_answer(self, shopper: Shopper) -> None:
        first, second = shopper.confirm(), shopper.confirm()
        assert second.status_code == 200
        assert first.json() == second.json()

    def test_a_repeat_can_be_refused(self, shopper: Shopper) -> None:
        shopper.switch_on("payment:repeat-refused")
        assert shopper.confirm().status_code == 200
        assert shopper.confirm().status_code == 400
        assert shopper.confirm().status_code == 200

    @pytest.mark.parametrize(
        "first, second, status",
        [
            ("processing", "processed", 200),
            ("processing", "failed", 200),
            ("processing", "invalidated", 200),
            ("processed", "failed", 400),
            ("processed", "processing", 400),
            ("failed", "processed", 400),
            ("invalidated", "processed", 400),
        ],
    )
    def test_what_is_final_stays(self, shopper: Shopper, first: str, second: str, status: int) -> None:
        shopper.confirm(state=first)
        assert shopper.confirm(state=second).status_code == status

    def test_a_regenerated_key_is_refused_and_the_other_one_works(self, shopper: Shopper) -> None:
        shopper.client.post("/sandbox/dashboard/gateway/", {"mode": "live", "regenerate": "0"})
        body = {"paymentSessionId": shopper.session()["id"], "state": "processed", "transactionId": "t"}
        assert post_confirmation(body, key=KEYS["live"][0]).status_code == 401
        assert post_confirmation(body, key=KEYS["live"][1]).status_code == 200

    def test_a_session_of_the_test_half_wants_a_key_of_the_test_half(self) -> None:
        shopper = Shopper()
        with merchant_offers(METHOD, mode="test"):
            shopper.fill(do="pay", mode="test")
            shopper.see_methods()
        shopper.choose()
        body = {"paymentSessionId": shopper.session()["id"], "state": "processed", "transactionId": "t"}
        assert post_confirmation(body).status_code == 403
        assert post_confirmation(body, key=KEYS["test"][1]).status_code == 200


class TestRequestValidation:
    def ask(self, token: str, user: str, password: str = "") -> Any:
        credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
        return Client(headers={"Authorization": f"Basic {credentials}"}).get(
            f"{API}/requestvalidation/{token}"
        )

    def token(self, mode: str = "live", **options: Any) -> str:
        return TOKENS.issue(Token(purpose="request", session_id="s", mode=mode), **options)

    @pytest.mark.parametrize("mode", ["live", "test"])
    def test_a_genuine_token_is_repeated(self, mode: str) -> None:
        token = self.token(mode)
        answer = self.ask(token, STORE_KEYS[mode])
        assert answer.status_code == 200
        assert answer.json() == {"token": token}

    def test_a_wrong_user_a_password_or_no_authentication_is_refused(self) -> None:
        token = self.token()
        assert self.ask(token, KEYS["live"][0]).status_code == 401
        assert self.ask(token, STORE_KEYS["test"]).status_code == 401
        assert self.ask(token, STORE_KEYS["live"], "x").status_code == 401
        assert Client().get(f"{API}/requestvalidation/{token}").status_code == 401
        garbage = Client(headers={"Authorization": "Basic %%%"})
        assert garbage.get(f"{API}/requestvalidation/{token}").status_code == 401

    def test_a_forged_an_old_and_a_public_token_are_refused(self) -> None:
        public = TOKENS.issue(Token(purpose="public", session_id="s", mode="live"))
        for token in ("x", self.token() + "x", self.token(lifetime=-1), public):
            assert self.ask(token, STORE_KEYS["live"]).status_code == 404


class TestFaults:
    @pytest.mark.parametrize("call, path", [("validate", VALIDATE), ("payment-session", SESSION)])
    @pytest.mark.parametrize("status", [401, 404, 500, 503])
    def test_a_status_can_be_had_once(self, shopper: Shopper, call: str, path: str, status: int) -> None:
        shopper.switch_on(f"{call}:{status}")
        query = {"publicToken": shopper.token}
        assert shopper.client.get(path, query).status_code == status
        assert shopper.client.get(path, query).status_code == 200

    def test_a_fault_can_last_until_it_is_switched_off(self, shopper: Shopper) -> None:
        shopper.switch_on("payment-session:500", when="always")
        query = {"publicToken": shopper.token}
        assert [shopper.client.get(SESSION, query).status_code for _ in range(3)] == [500, 500, 500]
        shopper.client.post("/sandbox/dashboard/faults/", {"off": ""})
        assert shopper.client.get(SESSION, query).status_code == 200

    def test_a_fault_can_be_for_one_order_only(self, shopper: Shopper) -> None:
        other = Shopper()
        other.arrive()
        shopper.switch_on("payment-session:500", when="always", session_id=other.session()["id"])
        assert shopper.session()
        assert other.client.get(SESSION, {"publicToken": other.token}).status_code == 500

    @pytest.mark.parametrize("status", [401, 404, 500, 503])
    def test_an_error_on_confirming_records_nothing(self, shopper: Shopper, status: int) -> None:
        shopper.switch_on(f"payment:{status}")
        assert shopper.confirm().status_code == status
        assert "Being paid" in shopper.see_order()

    def test_a_redirect_records_nothing(self, shopper: Shopper) -> None:
        shopper.switch_on("payment:redirect")
        assert shopper.confirm().status_code == 302
        assert "Being paid" in shopper.see_order()

    @pytest.mark.parametrize("fault", ["truncated-json", "wrong-json"])
    def test_a_nonsense_answer_comes_after_recording(self, shopper: Shopper, fault: str) -> None:
        shopper.switch_on(f"payment:{fault}")
        answer = shopper.confirm()
        assert answer.status_code == 200
        with pytest.raises((ValueError, KeyError)):
            json.loads(answer.content)["returnUrl"]
        assert "Paid" in shopper.see_order()

    def test_a_slow_answer_is_a_good_one(self, shopper: Shopper) -> None:
        shopper.switch_on("payment-session:slow")
        begun = time.monotonic()
        assert shopper.session()["id"]
        assert time.monotonic() - begun >= SETTING["SLOW_SECONDS"]

    def test_the_cart_can_change_right_after_it_was_read(self, shopper: Shopper) -> None:
        shopper.switch_on("payment-session:cart-changed-after")
        assert [shopper.session()["invoice"]["amount"] for _ in range(3)] == [40.9, 58.9, 58.9]

    @pytest.mark.parametrize("call, path", [("validate", VALIDATE), ("payment-session", SESSION)])
    def test_an_expired_session_stays_expired(self, shopper: Shopper, call: str, path: str) -> None:
        shopper.switch_on(f"{call}:session-expired")
        for again in (path, SESSION, VALIDATE):
            answer = shopper.client.get(again, {"publicToken": shopper.token})
            assert answer.status_code == 410
            assert "expired" in answer.json()["message"]

    def test_after_expiry_the_payment_step_begins_a_new_session(self, shopper: Shopper) -> None:
        first = shopper.session()["id"]
        shopper.switch_on("payment-session:session-expired")
        shopper.client.get(SESSION, {"publicToken": shopper.token})
        shopper.arrive()
        assert shopper.session()["id"] != first

    def test_a_revoked_first_key_leaves_the_second(self, shopper: Shopper) -> None:
        body = {"paymentSessionId": shopper.session()["id"], "state": "processed", "transactionId": "t"}
        shopper.switch_on("payment:key-revoked", when="always")
        assert post_confirmation(body, key=KEYS["live"][0]).status_code == 401
        assert post_confirmation(body, key=KEYS["live"][1]).status_code == 200

    def test_a_fault_is_named_in_the_log(self, shopper: Shopper) -> None:
        shopper.switch_on("payment-session:500")
        shopper.client.get(SESSION, {"publicToken": shopper.token})
        log = shopper.see_activity()
        assert "a fault kept Snipcart from answering" in log
        assert "HTTP 500" in log


@pytest.mark.django_db(transaction=True)
class TestOverRealConnections:
    """What only a socket can show: no answer at all."""

    @pytest.mark.parametrize(
        "fault, recorded", [("cut-before", False), ("reset", False), ("cut-after", True)]
    )
    def test_a_cut_is_a_cut_before_or_after_recording(
        self, shopper: Shopper, live_server: LiveServer, fault: str, recorded: bool
    ) -> None:
        body = {"paymentSessionId": shopper.session()["id"], "state": "processed", "transactionId": "t"}
        shopper.switch_on(f"payment:{fault}")
        begun = time.monotonic()
        with pytest.raises(requests.ConnectionError):
            self.confirm(live_server, body, timeout=10)
        assert time.monotonic() - begun < 3
        assert ("Paid" in shopper.see_order()) is recorded

    @pytest.mark.parametrize("fault, recorded", [("hang", False), ("hang-after", True)])
    def test_a_silence_is_a_silence_before_or_after_recording(
        self, shopper: Shopper, live_server: LiveServer, fault: str, recorded: bool
    ) -> None:
        body = {"paymentSessionId": shopper.session()["id"], "state": "processed", "transactionId": "t"}
        shopper.switch_on(f"payment:{fault}")
        with pytest.raises(requests.ReadTimeout):
            self.confirm(live_server, body, timeout=0.2)
        assert ("Paid" in shopper.see_order()) is recorded

    def test_afterwards_all_is_well_again(self, shopper: Shopper, live_server: LiveServer) -> None:
        body = {"paymentSessionId": shopper.session()["id"], "state": "processed", "transactionId": "t"}
        shopper.switch_on("payment:cut-after")
        with pytest.raises(requests.ConnectionError):
            self.confirm(live_server, body, timeout=10)
        assert self.confirm(live_server, body, timeout=10).json()["returnUrl"]

    def confirm(self, live_server: LiveServer, body: dict[str, Any], *, timeout: float) -> requests.Response:
        headers = {"Authorization": f"Bearer {KEYS['live'][0]}"}
        return requests.post(live_server.url + PAYMENT, json=body, headers=headers, timeout=timeout)
