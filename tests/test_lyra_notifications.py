"""Lyra's notifications: which are believed, and what they are about."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, quote, urlencode
from uuid import UUID, uuid4

import pytest

from snipcart_checkout.backends.base import Notification
from snipcart_checkout.exceptions import NotificationRefused
from snipcart_checkout.testing import CheckoutSettings
from tests.support.lyra_account import FORM, HMAC_KEY, LIVE_PASSWORD, TEST_PASSWORD, notification
from tests.support.lyra_charges import backend

NOBODY = Notification(UUID(int=0))


class TestGenuine:
    @pytest.mark.parametrize("status", ["PAID", "RUNNING"])
    def test_it_names_the_charge_whose_money_is_there_or_on_its_way(self, status: str) -> None:
        reference = uuid4()
        body = notification(reference, status=status)
        assert backend().read_notification(FORM, body) == Notification(reference)

    @pytest.mark.parametrize("status", ["UNPAID", "ABANDONED", None, ["PAID"]])
    def test_one_about_an_attempt_that_failed_names_nobody(self, status: object) -> None:
        assert backend().read_notification(FORM, notification(uuid4(), status=status)) == NOBODY

    def test_one_that_came_by_way_of_a_browser_is_signed_with_the_other_key(self) -> None:
        reference = uuid4()
        body = notification(reference, key=HMAC_KEY, hash_key="sha256_hmac")
        assert backend().read_notification(FORM, body) == Notification(reference)

    def test_its_hash_is_the_one_that_another_tool_computes(self) -> None:
        # Computed with another tool than the code under test: openssl dgst -sha256 -hmac KEY.
        order = '{"mode":"PRODUCTION","orderId":"00000000-0000-0000-0000-000000000007"}'
        answer = f'{{"shopId":"69876357","orderStatus":"PAID","orderDetails":{order}}}'
        digest = "c10d0f93c911eb42fd48ae4e58aa4107995e8a842375f9781c7fbe6a9c8a9ad3"
        body = notification(None, answer=answer, hash=digest)
        assert backend().read_notification({}, body) == Notification(UUID(int=7))

    def test_slashes_that_were_escaped_on_the_way_do_no_harm(self) -> None:
        reference = uuid4()
        fields = dict(parse_qsl(notification(reference).decode()))
        fields["kr-answer"] = fields["kr-answer"].replace("V4/Payment", "V4\\/Payment")
        assert backend().read_notification({}, urlencode(fields).encode()) == Notification(reference)

    def test_it_may_be_encoded_in_either_way(self) -> None:
        reference = uuid4()
        fields = dict(parse_qsl(notification(reference).decode()))
        assert backend().read_notification({}, urlencode(fields, quote_via=quote).encode()) == Notification(
            reference
        )

    def test_one_that_is_sent_again_names_the_charge_again(self) -> None:
        reference = uuid4()
        body = notification(reference)
        assert {backend().read_notification({}, body) for _ in range(3)} == {Notification(reference)}

    @pytest.mark.parametrize(
        "reference",
        [
            None,
            "",
            "CMD-7 of another shop",
            "758C2570-A7AF-4335-B091-340D0CC6E694",
            "758c2570a7af4335b091340d0cc6e694",
            7,
        ],
    )
    def test_one_about_anything_else_names_nobody(self, reference: object) -> None:
        assert backend().read_notification({}, notification(reference)) == NOBODY

    @pytest.mark.parametrize("answer", ["[]", "null", "7", '"text"', "{}", '{"orderDetails": []}'])
    def test_one_without_an_order_names_nobody(self, answer: str) -> None:
        assert backend().read_notification({}, notification(None, answer=answer)) == NOBODY


class TestForged:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"key": "prodpassword_ofSomebodyElse0123456789"},
            {"key": TEST_PASSWORD},
            {"key": HMAC_KEY},
            {"key": LIVE_PASSWORD, "hash_key": "sha256_hmac"},
            {"hash_key": "sd"},
            {"hash_key": ""},
            {"key": "", "hash_key": "nonsense"},
            {"algorithm": "sha1"},
            {"algorithm": "none"},
            {"algorithm": ""},
            {"hash": ""},
            {"hash": "0" * 64},
            {"hash": "é" * 64},
            {"mode": "TEST"},
            {"shop_id": "12341234"},
            {"answer": "nonsense"},
            {"answer": '{"orderDetails": {"mode": "PRODUCTION", "mode": "TEST"}}'},
        ],
    )
    def test_one_that_is_forged_or_of_another_shop_or_mode_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(NotificationRefused):
            backend().read_notification(FORM, notification(uuid4(), **wrong))

    def test_the_signature_is_over_every_byte_of_the_answer(self) -> None:
        body = notification(uuid4())
        for old, new in ((b"PAID", b"paid"), (b"1234", b"1235"), (b"%C3%A9", b"e")):
            assert old in body
            with pytest.raises(NotificationRefused):
                backend().read_notification({}, body.replace(old, new, 1))

    @pytest.mark.parametrize("name", ["kr-answer", "kr-hash", "kr-hash-key", "kr-hash-algorithm"])
    def test_a_field_that_is_missing_or_stands_twice_is_refused(self, name: str) -> None:
        fields = dict(parse_qsl(notification(uuid4()).decode()))
        twice = [*fields.items(), (name, fields[name])]
        missing = [(field, value) for field, value in fields.items() if field != name]
        for wrong in (twice, missing):
            with pytest.raises(NotificationRefused):
                backend().read_notification({}, urlencode(wrong).encode())

    def test_too_many_fields_are_refused(self) -> None:
        with pytest.raises(NotificationRefused):
            backend().read_notification({}, notification(uuid4(), more=[(f"f{i}", "") for i in range(60)]))

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{}",
            b"\xff\xfe",
            b"kr-answer",
            b"kr-answer=%FF&kr-hash=a",
            b"&" * 1000,
            b"kr-hash=%",
            b"\x00",
        ],
    )
    def test_what_is_no_form_is_refused(self, body: bytes) -> None:
        with pytest.raises(NotificationRefused):
            backend().read_notification({}, body)

    def test_headers_prove_nothing(self) -> None:
        fields = dict(parse_qsl(notification(uuid4()).decode()))
        headers = {name: fields.pop(name) for name in ("kr-hash", "kr-hash-key", "kr-hash-algorithm")}
        with pytest.raises(NotificationRefused):
            backend().read_notification(headers, urlencode(fields).encode())

    @pytest.mark.parametrize("options", [{"PASSWORD": ""}, {"PASSWORD": None}, {"PASSWORD": TEST_PASSWORD}])
    def test_without_a_usable_password_nothing_is_believed(self, options: dict[str, Any]) -> None:
        for key in ("", "None", TEST_PASSWORD):
            with pytest.raises(NotificationRefused):
                backend(**options).read_notification({}, notification(uuid4(), key=key))

    @pytest.mark.parametrize("key", [None, "", "short"])
    def test_without_a_usable_hmac_key_nothing_that_is_signed_with_one_is(self, key: str | None) -> None:
        body = notification(uuid4(), key=str(key), hash_key="sha256_hmac")
        with pytest.raises(NotificationRefused):
            backend(HMAC_KEY=key).read_notification({}, body)

    def test_a_test_store_believes_only_its_own_password(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.store(MODE="test")
        reference = uuid4()
        built = backend(PASSWORD=TEST_PASSWORD)
        genuine = notification(reference, key=TEST_PASSWORD, mode="TEST")
        assert built.read_notification({}, genuine) == Notification(reference)
        with pytest.raises(NotificationRefused):
            built.read_notification({}, notification(reference, key=TEST_PASSWORD, mode="PRODUCTION"))
