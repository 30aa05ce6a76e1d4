"""Refunds by the Lyra backend: what is captured is refunded, what is not is cancelled or lowered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from snipcart_checkout.backends.base import NotFound, RefundDeclined, Refunded
from snipcart_checkout.backends.http import ProviderUnavailable
from snipcart_checkout.backends.lyra.api import LyraOutcomeUnknown
from tests.support.lyra_account import LIVE_PASSWORD, LyraAccount
from tests.support.lyra_charges import backend, captured, charge, paid, refund_of

MAKE = "Transaction/CancelOrRefund"
UPDATE = "Transaction/Update"


class TestCaptured:
    def test_it_is_refunded_under_our_reference_as_a_comment(self, lyra: LyraAccount) -> None:
        asked, uuid = captured(lyra)
        refund = refund_of(asked, uuid)
        (result, made) = backend().refund(refund), lyra.of_order(asked.reference, "CREDIT")
        assert result == Refunded(made[0]["uuid"])
        assert lyra.asked(MAKE) == [
            {
                "uuid": uuid,
                "amount": 1234,
                "currency": "EUR",
                "resolutionMode": "REFUND_ONLY",
                "comment": str(refund.reference),
            }
        ]

    def test_parts_are_refunded_until_nothing_is_left(self, lyra: LyraAccount) -> None:
        asked, uuid = captured(lyra)
        for amount in ("5.00", "5.00", "2.34"):
            assert isinstance(backend().refund(refund_of(asked, uuid, amount)), Refunded)
        result = backend().refund(refund_of(asked, uuid, "0.01"))
        assert isinstance(result, RefundDeclined)
        assert result.code == "PSP_104"
        assert "Back Office" in result.message

    def test_more_than_is_left_is_declined(self, lyra: LyraAccount) -> None:
        asked, uuid = captured(lyra)
        backend().refund(refund_of(asked, uuid, "5.00"))
        result = backend().refund(refund_of(asked, uuid, "8.00"))
        assert isinstance(result, RefundDeclined)
        assert result.code == "PSP_511"

    @pytest.mark.parametrize(
        "status, expected",
        [
            (("PAID", "CAPTURED"), False),
            (("RUNNING", "REFUND_TO_RETRY"), True),
            (("RUNNING", "WAITING_AUTHORISATION"), True),
            (("RUNNING", "UNDER_VERIFICATION"), True),
        ],
    )
    def test_one_that_may_still_fail_is_pending(
        self, lyra: LyraAccount, status: tuple[str, str], expected: bool
    ) -> None:
        asked, uuid = captured(lyra)
        lyra.credit_status = status
        result = backend().refund(refund_of(asked, uuid))
        assert isinstance(result, Refunded)
        assert result.pending is expected

    def test_one_that_the_bank_refuses_at_once_is_declined(self, lyra: LyraAccount) -> None:
        asked, uuid = captured(lyra)
        lyra.credit_status = ("UNPAID", "REFUSED")
        assert backend().refund(refund_of(asked, uuid)) == RefundDeclined("refused")

    def test_an_amount_that_lyra_does_not_have_is_declined(self, lyra: LyraAccount) -> None:
        asked, uuid = captured(lyra, amount="20.5", currency="CNY")
        result = backend().refund(refund_of(asked, uuid, "0.05"))
        assert isinstance(result, RefundDeclined)
        assert lyra.asked(MAKE) == []


class TestNotCaptured:
    def test_the_whole_is_cancelled(self, lyra: LyraAccount) -> None:
        asked, uuid = paid(lyra)
        refund = refund_of(asked, uuid)
        assert backend().refund(refund) == Refunded(uuid)
        assert lyra.transactions[uuid]["detailedStatus"] == "CANCELLED"
        assert lyra.asked(MAKE) == [
            {"uuid": uuid, "resolutionMode": "CANCELLATION_ONLY", "comment": str(refund.reference)}
        ]

    def test_for_a_part_the_amount_is_lowered_and_never_is_all_cancelled(self, lyra: LyraAccount) -> None:
        asked, uuid = paid(lyra)
        refund = refund_of(asked, uuid, "5.00")
        assert backend().refund(refund) == Refunded()
        assert lyra.asked(UPDATE) == [
            {
                "uuid": uuid,
                "cardUpdate": {"amount": 734, "currency": "EUR"},
                "comment": str(refund.reference),
            }
        ]
        assert lyra.transactions[uuid]["amount"] == 734
        assert lyra.transactions[uuid]["detailedStatus"] == "AUTHORISED"

    def test_the_rest_is_cancelled(self, lyra: LyraAccount) -> None:
        asked, uuid = paid(lyra)
        backend().refund(refund_of(asked, uuid, "5.00"))
        assert backend().refund(refund_of(asked, uuid, "7.34")) == Refunded(uuid)
        assert lyra.transactions[uuid]["detailedStatus"] == "CANCELLED"

    def test_more_than_is_left_is_declined_before_anything_is_sent(self, lyra: LyraAccount) -> None:
        asked, uuid = paid(lyra)
        backend().refund(refund_of(asked, uuid, "5.00"))
        assert isinstance(backend().refund(refund_of(asked, uuid, "7.35")), RefundDeclined)
        assert lyra.asked(MAKE) == []

    def test_a_part_of_what_is_no_card_has_to_wait(self, lyra: LyraAccount) -> None:
        asked, uuid = paid(lyra)
        lyra.transactions[uuid]["paymentMethodType"] = "PAYPAL"
        result = backend().refund(refund_of(asked, uuid, "5.00"))
        assert isinstance(result, RefundDeclined)
        assert "captured" in result.message
        assert lyra.asked(UPDATE) == []

    def test_what_is_captured_in_this_moment_is_refunded(self, lyra: LyraAccount) -> None:
        asked, uuid = paid(lyra)
        lyra.meanwhile(MAKE, lambda: lyra.is_captured(uuid))
        result = backend().refund(refund_of(asked, uuid))
        assert result == Refunded(lyra.of_order(asked.reference, "CREDIT")[0]["uuid"])
        assert [params["resolutionMode"] for params in lyra.asked(MAKE)] == [
            "CANCELLATION_ONLY",
            "REFUND_ONLY",
        ]

    def test_what_cannot_be_cancelled_is_declined(self, lyra: LyraAccount) -> None:
        asked, uuid = paid(lyra)
        lyra.fail_next("PSP_612", service=MAKE)
        result = backend().refund(refund_of(asked, uuid))
        assert isinstance(result, RefundDeclined)
        assert result.code == "PSP_612"

    def test_so_it_is_not_lowered(self, lyra: LyraAccount) -> None:
        asked, uuid = paid(lyra)
        lyra.meanwhile(UPDATE, lambda: lyra.is_captured(uuid))
        result = backend().refund(refund_of(asked, uuid, "5.00"))
        assert isinstance(result, RefundDeclined)
        assert lyra.of_order(asked.reference, "CREDIT") == []

    @pytest.mark.parametrize("status, detailed", [("UNPAID", "CANCELLED"), ("RUNNING", "UNDER_VERIFICATION")])
    def test_what_is_not_paid_is_not_refunded(self, lyra: LyraAccount, status: str, detailed: str) -> None:
        asked, uuid = paid(lyra)
        lyra.becomes(uuid, status, detailed)
        assert isinstance(backend().refund(refund_of(asked, uuid)), RefundDeclined)
        assert lyra.asked(MAKE) == []


class TestUnclear:
    @pytest.mark.parametrize(
        "code", ["PSP_011", "PSP_083", "PSP_099", "PSP_101", "PSP_638", "INT_001", "INT_905"]
    )
    def test_an_error_that_proves_that_nothing_was_done_is_a_decline(
        self, lyra: LyraAccount, code: str
    ) -> None:
        asked, uuid = captured(lyra)
        lyra.fail_next(code, service=MAKE)
        result = backend().refund(refund_of(asked, uuid))
        assert isinstance(result, RefundDeclined)
        assert result.code == code
        assert "Raw words" not in result.message

    @pytest.mark.parametrize("code", ["PSP_113", "PSP_590", "PSP_1076", "PSP_999", "ACQ_999", "NEW_001"])
    def test_any_other_error_is_not_known(self, lyra: LyraAccount, code: str) -> None:
        asked, uuid = captured(lyra)
        lyra.fail_next(code, service=MAKE)
        with pytest.raises(LyraOutcomeUnknown):
            backend().refund(refund_of(asked, uuid))

    def test_a_lost_answer_is_not_known(self, lyra: LyraAccount) -> None:
        asked, uuid = captured(lyra)
        lyra.lose_next_answer(MAKE)
        with pytest.raises(ProviderUnavailable):
            backend().refund(refund_of(asked, uuid))

    @pytest.mark.parametrize(
        "wrong",
        [
            {"amount": 1},
            {"currency": "USD"},
            {"operationType": "DEBIT"},
            {"uuid": ""},
            {"detailedStatus": "NEWEST"},
            {"transactionDetails": {"parentTransactionUuid": "3c28bc9cfea343a99edfcbde833f09b9"}},
        ],
    )
    def test_an_answer_about_another_refund_is_not_believed(
        self, lyra: LyraAccount, wrong: dict[str, Any]
    ) -> None:
        asked, uuid = captured(lyra)
        lyra.change_next(
            lambda envelope: {**envelope, "answer": {**envelope["answer"], **wrong}}, service=MAKE
        )
        with pytest.raises(LyraOutcomeUnknown):
            backend().refund(refund_of(asked, uuid))

    @pytest.mark.parametrize("wrong", [{"uuid": "another"}, {"detailedStatus": "AUTHORISED"}, {}])
    def test_nor_is_one_about_another_cancellation(self, lyra: LyraAccount, wrong: dict[str, Any]) -> None:
        asked, uuid = paid(lyra)
        answer = {**lyra.transactions[uuid], **wrong} if wrong else {}
        lyra.change_next(lambda envelope: {**envelope, "answer": answer}, service=MAKE)
        with pytest.raises(LyraOutcomeUnknown):
            backend().refund(refund_of(asked, uuid))

    def test_nor_is_one_that_does_not_say_what_is_left(self, lyra: LyraAccount) -> None:
        asked, uuid = paid(lyra)
        lyra.change_next(lambda envelope: {**envelope, "answer": {"uuid": uuid}}, service=UPDATE)
        with pytest.raises(LyraOutcomeUnknown):
            backend().refund(refund_of(asked, uuid, "5.00"))

    def test_the_transaction_of_another_payment_is_left_alone(self, lyra: LyraAccount) -> None:
        (asked, _), (_, other) = captured(lyra), captured(lyra)
        with pytest.raises(LyraOutcomeUnknown):
            backend().refund(refund_of(asked, other))
        assert lyra.asked(MAKE) == []

    def test_a_transaction_that_lyra_does_not_know_is_declined(self, lyra: LyraAccount) -> None:
        result = backend().refund(refund_of(charge(), "3c28bc9cfea343a99edfcbde833f09b9"))
        assert isinstance(result, RefundDeclined)
        assert result.code == "PSP_010"

    def test_no_exception_holds_the_password(self, lyra: LyraAccount) -> None:
        asked, uuid = captured(lyra)
        lyra.answer_next(OSError(LIVE_PASSWORD), service=MAKE)
        with pytest.raises(ProviderUnavailable) as caught:
            backend().refund(refund_of(asked, uuid))
        chain = [caught.value, caught.value.__cause__, caught.value.__context__]
        assert not [error for error in chain if LIVE_PASSWORD in repr(error)]


class TestLookup:
    def test_one_that_is_named_is_found(self, lyra: LyraAccount) -> None:
        asked, uuid = captured(lyra)
        lyra.credit_status = ("RUNNING", "REFUND_TO_RETRY")
        refund = refund_of(asked, uuid, "5.00")
        backend().refund(refund_of(asked, uuid, "5.00"))
        result = backend().refund(refund)
        assert isinstance(result, Refunded)
        named = replace(refund, refund_id=result.refund_id)
        assert backend().lookup_refund(named) == result
        lyra.becomes(result.refund_id, "PAID", "CAPTURED")
        assert backend().lookup_refund(named) == Refunded(result.refund_id)
        lyra.becomes(result.refund_id, "UNPAID", "REFUSED")
        lyra.transactions[result.refund_id]["errorCode"] = "ACQ_001"
        assert backend().lookup_refund(named) == RefundDeclined("ACQ_001")

    def test_a_cancellation_that_is_named_is_found(self, lyra: LyraAccount) -> None:
        asked, uuid = paid(lyra)
        backend().refund(refund_of(asked, uuid, "5.00"))
        rest = refund_of(asked, uuid, "7.34")
        assert backend().refund(rest) == Refunded(uuid)
        assert backend().lookup_refund(replace(rest, refund_id=uuid)) == Refunded(uuid)

    @pytest.mark.parametrize("is_captured", [True, False])
    def test_the_whole_is_found_though_the_answer_was_lost(
        self, lyra: LyraAccount, is_captured: bool
    ) -> None:
        asked, uuid = captured(lyra) if is_captured else paid(lyra)
        refund = refund_of(asked, uuid)
        lyra.lose_next_answer(MAKE)
        with pytest.raises(ProviderUnavailable):
            backend().refund(refund)
        made = lyra.of_order(asked.reference, "CREDIT")
        assert backend().lookup_refund(refund) == Refunded(made[0]["uuid"] if is_captured else uuid)

    @pytest.mark.parametrize("amount", ["12.34", "5.00"])
    def test_one_that_never_reached_lyra_is_not_found(self, lyra: LyraAccount, amount: str) -> None:
        asked, uuid = captured(lyra)
        refund = refund_of(asked, uuid, amount)
        lyra.answer_next(OSError(), service=MAKE)
        with pytest.raises(ProviderUnavailable):
            backend().refund(refund)
        assert backend().lookup_refund(refund) == NotFound()

    def test_a_part_that_may_be_another_one_is_not_known(self, lyra: LyraAccount) -> None:
        asked, uuid = captured(lyra)
        backend().refund(refund_of(asked, uuid, "5.00"))
        with pytest.raises(LyraOutcomeUnknown):
            backend().lookup_refund(refund_of(asked, uuid, "5.00"))
        assert backend().lookup_refund(refund_of(asked, uuid, "4.00")) == NotFound()

    def test_parts_that_all_failed_were_not_made(self, lyra: LyraAccount) -> None:
        asked, uuid = captured(lyra)
        lyra.credit_status = ("UNPAID", "REFUSED")
        refund = refund_of(asked, uuid, "5.00")
        backend().refund(refund)
        assert backend().lookup_refund(refund) == RefundDeclined("refused")

    def test_a_payment_that_was_lowered_tells_nothing(self, lyra: LyraAccount) -> None:
        asked, uuid = paid(lyra)
        refund = refund_of(asked, uuid, "5.00")
        lyra.lose_next_answer(UPDATE)
        with pytest.raises(ProviderUnavailable):
            backend().refund(refund)
        with pytest.raises(LyraOutcomeUnknown):
            backend().lookup_refund(refund)

    def test_one_that_was_cancelled_tells_nothing_of_a_part(self, lyra: LyraAccount) -> None:
        asked, uuid = paid(lyra)
        lyra.becomes(uuid, "UNPAID", "CANCELLED")
        with pytest.raises(LyraOutcomeUnknown):
            backend().lookup_refund(refund_of(asked, uuid, "5.00"))

    @pytest.mark.parametrize("code", ["INT_905", "PSP_999", "PSP_010"])
    def test_a_refused_look_up_is_no_outcome(self, lyra: LyraAccount, code: str) -> None:
        asked, uuid = captured(lyra)
        lyra.fail_next(code, service="Order/Get")
        with pytest.raises(LyraOutcomeUnknown):
            backend().lookup_refund(refund_of(asked, uuid))
