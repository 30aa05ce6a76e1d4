"""The BTCPay backend's charges and look-ups against a server that answers as BTCPay Server
documents.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID, uuid4

import pytest

from snipcart_checkout.backends.base import Charge, Declined, NotFound, Paid, Pending, Redirect, Refunded
from snipcart_checkout.backends.btcpay import BTCPayBackend
from snipcart_checkout.backends.btcpay.api import BTCPayOutcomeUnknown
from snipcart_checkout.backends.http import ProviderUnavailable
from snipcart_checkout.services import get_payment_session
from snipcart_checkout.testing import StandIn
from snipcart_checkout.testing.backends import BackendContract
from tests.support.btcpay_charges import OPTIONS, RETURN_URL, backend, charge, left, refund_of, returned
from tests.support.btcpay_server import STORE_ID, URL, BTCPayServer

if TYPE_CHECKING:
    from collections.abc import Mapping


class TestContract(BackendContract):
    backend_class = BTCPayBackend
    options: ClassVar[Mapping[str, Any]] = OPTIONS
    paying_gives = Redirect
    money_may_come_late = True  # whoever has the address can send to it

    @pytest.fixture(autouse=True)
    def _server(self, btcpay: BTCPayServer) -> None:
        self.server = btcpay

    def pay(self, charge: Charge) -> None:
        self.server.shopper_pays(charge.provider_reference)

    def give_up(self, charge: Charge) -> None:
        """The way back leaves the invoice as it is."""

    def expire(self, charge: Charge) -> None:
        self.server.time_runs_out(charge.provider_reference)

    def captures(self, reference: UUID) -> int | None:
        paid = [made for made in self._of(reference) if made["status"] == "Settled"]
        return len(paid)

    def refunds(self, reference: UUID) -> int | None:
        return len([made for made in self.server.pull_payments.values() if str(reference) in made["name"]])

    def notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        return self.server.event(
            "InvoiceSettled", invoiceId="x1", metadata={"orderId": str(reference)}, manuallyMarked=False
        )

    def _of(self, reference: UUID) -> list[dict[str, Any]]:
        made = self.server.invoices.values()
        return [invoice for invoice in made if invoice["metadata"]["orderId"] == str(reference)]


class TestCharge:
    def test_the_shopper_goes_on_at_an_invoice_of_the_merchants_server(self, btcpay: BTCPayServer) -> None:
        result = backend().charge(charge())
        assert result == Redirect(f"{URL}/i/{btcpay.invoice['id']}", btcpay.invoice["id"])

    def test_an_invoice_names_the_charge_its_amount_and_the_way_back(self, btcpay: BTCPayServer) -> None:
        asked = charge("12.30", language="fr-ca")
        backend().charge(asked)
        (body,) = btcpay.posts()
        assert body == {
            "amount": "12.30",
            "currency": "EUR",
            "metadata": {"orderId": str(asked.reference)},
            "checkout": {"redirectURL": RETURN_URL, "redirectAutomatically": True, "defaultLanguage": "fr"},
        }

    @pytest.mark.parametrize(
        "amount, currency, sent",
        [("1500", "JPY", "1500"), ("1.234", "KWD", "1.234"), ("0.01", "USD", "0.01")],
    )
    def test_an_amount_has_the_decimals_of_its_currency(
        self, btcpay: BTCPayServer, amount: str, currency: str, sent: str
    ) -> None:
        backend().charge(charge(amount, currency))
        assert btcpay.posts()[0]["amount"] == sent

    @pytest.mark.parametrize(
        "language, sent",
        [("pt-br", "pt-BR"), ("zh-hant", "zh-TW"), ("nb", "no"), ("de-at", "de"), ("eo", None), ("et", None)],
    )
    def test_the_page_speaks_the_carts_language_where_it_can(
        self, btcpay: BTCPayServer, language: str, sent: str | None
    ) -> None:
        assert isinstance(backend().charge(charge(language=language)), Redirect)
        assert btcpay.posts()[0]["checkout"].get("defaultLanguage") == sent

    def test_the_merchant_is_told_the_shoppers_address(self, btcpay: BTCPayServer, snipcart: StandIn) -> None:
        session = get_payment_session(snipcart.session(email="ada@example.org").public_token, "live")
        backend().charge(charge(session=session))
        assert btcpay.posts()[0]["metadata"]["buyerEmail"] == "ada@example.org"

    def test_an_invoice_of_the_reference_is_taken_up_again(self, btcpay: BTCPayServer) -> None:
        asked = charge()
        first = backend().charge(asked)
        assert backend().charge(asked) == first
        assert len(btcpay.invoices) == 1

    def test_an_invoice_whose_answer_was_lost_is_taken_up_again(self, btcpay: BTCPayServer) -> None:
        asked = charge()
        btcpay.answer_next(200, [])
        btcpay.meanwhile(btcpay.lose_next_answer)
        with pytest.raises(ProviderUnavailable):
            backend().charge(asked)
        assert isinstance(backend().charge(asked), Redirect)
        assert len(btcpay.invoices) == 1

    def test_whoever_comes_again_is_led_back_to_the_same_invoice(self, btcpay: BTCPayServer) -> None:
        asked = left()
        assert backend().charge(asked) == Redirect(btcpay.invoice["checkoutLink"], asked.provider_reference)

    def test_a_partly_paid_invoice_is_gone_on_with(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference, "5")
        assert isinstance(backend().charge(asked), Redirect)

    def test_a_charge_that_is_paid_already_is_paid(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference)
        assert backend().charge(replace(asked, provider_reference="")) == Paid(
            asked.provider_reference, Decimal("12.34"), "EUR"
        )

    @pytest.mark.parametrize(
        "status, body, code",
        [
            (400, {"code": "generic-error", "message": "No wallet has been linked."}, "declined"),
            (401, {"code": "unauthenticated", "message": "x"}, "declined"),
            (403, {"code": "missing-permission", "missingPermission": "btcpay.store.x"}, "declined"),
            (404, {"code": "store-not-found", "message": "x"}, "declined"),
            (422, [{"path": "amount", "message": "x"}], "amount_not_supported"),
            (422, [{"path": "Currency", "message": "x"}], "currency_not_supported"),
        ],
    )
    def test_a_refused_invoice_is_a_decline(
        self, btcpay: BTCPayServer, caplog: pytest.LogCaptureFixture, status: int, body: Any, code: str
    ) -> None:
        btcpay.answer_next(200, [])
        btcpay.answer_next(status, body)
        assert backend().charge(charge()) == Declined(code)
        assert f"BTCPay Server answered {status}" in caplog.text
        assert "wallet" not in caplog.text

    @pytest.mark.parametrize("status", [302, 408, 409, 425, 429, 500, 502, 503])
    def test_any_other_answer_is_not_known(self, btcpay: BTCPayServer, status: int) -> None:
        btcpay.answer_next(200, [])
        btcpay.answer_next(status, {})
        with pytest.raises(BTCPayOutcomeUnknown, match=str(status)):
            backend().charge(charge())

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
    def test_nothing_is_created_while_it_is_not_known_what_there_is(
        self, btcpay: BTCPayServer, status: int
    ) -> None:
        btcpay.answer_next(status, {})
        with pytest.raises(BTCPayOutcomeUnknown):
            backend().charge(charge())
        assert not btcpay.posts()

    def test_an_invoice_of_another_charge_is_not_shown(self, btcpay: BTCPayServer) -> None:
        btcpay.answer_next(200, [])
        btcpay.meanwhile(lambda: btcpay.change_next_answer(metadata={"orderId": str(uuid4())}))
        with pytest.raises(BTCPayOutcomeUnknown, match="another charge"):
            backend().charge(charge())

    def test_an_amount_that_the_server_rounds_is_declined(self, btcpay: BTCPayServer) -> None:
        btcpay.answer_next(200, [])
        btcpay.meanwhile(lambda: btcpay.change_next_answer(amount="12.3"))
        assert backend().charge(charge()) == Declined("amount_not_supported")

    def test_a_page_at_another_address_is_never_shown(self, btcpay: BTCPayServer) -> None:
        btcpay.page = "https://btcpay.evil.example"
        assert backend().charge(charge()) == Declined("declined")

    @pytest.mark.parametrize("option", ["URL", "STORE_ID", "API_KEY"])
    def test_nothing_is_sent_with_an_unusable_option(self, btcpay: BTCPayServer, option: str) -> None:
        assert backend(**{option: "your\nown"}).charge(charge()) == Declined("declined")
        with pytest.raises(BTCPayOutcomeUnknown, match=option):
            backend(**{option: ""}).lookup(charge())
        assert not btcpay.requests


class TestLookup:
    """The table of outcomes: InvoiceStatus, InvoiceAdditionalStatus and the payments decide."""

    def test_an_unknown_reference_is_not_found(self, btcpay: BTCPayServer) -> None:
        assert backend().lookup(charge()) == NotFound()

    def test_an_unfinished_invoice_is_pending(self, btcpay: BTCPayServer) -> None:
        asked = left()
        assert backend().lookup(asked) == Pending(asked.provider_reference, unfinished=True)

    def test_a_payment_that_is_not_confirmed_is_pending_then_paid(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference, confirmed=False)
        assert backend().lookup(asked) == Pending(asked.provider_reference)
        btcpay.payments_confirm(asked.provider_reference)
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("12.34"), "EUR")

    def test_a_payment_is_found_by_its_reference_alone(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference)
        assert isinstance(backend().lookup(replace(asked, provider_reference="")), Paid)

    def test_too_little_is_pending_until_the_invoice_expires(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference, "5")
        assert backend().lookup(asked) == Pending(asked.provider_reference)
        btcpay.time_runs_out(asked.provider_reference)
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("5.00"), "EUR")

    def test_too_little_is_pending_until_it_is_confirmed(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference, "5", confirmed=False)
        btcpay.time_runs_out(asked.provider_reference)
        assert backend().lookup(asked) == Pending(asked.provider_reference)
        btcpay.payments_confirm(asked.provider_reference)
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("5.00"), "EUR")

    def test_two_parts_that_make_the_whole_are_paid(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference, "5")
        btcpay.shopper_pays(asked.provider_reference)
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("12.34"), "EUR")

    def test_too_much_is_paid_as_it_arrived(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference, "20")
        assert btcpay.invoice["additionalStatus"] == "PaidOver"
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("20.00"), "EUR")

    def test_a_satoshi_rounded_up_is_not_too_much(self, btcpay: BTCPayServer) -> None:
        asked = left(amount="0.0001", currency="CLF")  # a satoshi is worth five of its smallest units
        btcpay.shopper_pays(asked.provider_reference)
        assert btcpay.invoice["additionalStatus"] == "None"
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("0.0001"), "CLF")

    def test_a_satoshi_rounded_up_is_not_too_much_for_an_expired_invoice_either(
        self, btcpay: BTCPayServer
    ) -> None:
        asked = left(amount="0.0001", currency="CLF")
        btcpay.time_runs_out(asked.provider_reference)
        btcpay.shopper_pays(asked.provider_reference)
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("0.0001"), "CLF")

    def test_what_the_server_tolerates_is_reported_as_it_arrived(self, btcpay: BTCPayServer) -> None:
        btcpay.tolerance = Decimal(5)
        asked = left()
        btcpay.shopper_pays(asked.provider_reference, "12")
        assert btcpay.invoice["status"] == "Settled"
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("12.00"), "EUR")

    def test_an_expired_invoice_is_declined_in_the_shoppers_words(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.time_runs_out(asked.provider_reference)
        result = backend().lookup(asked)
        assert result == Declined("cancelled", "The time to pay ran out. No money was taken.")

    def test_money_that_comes_late_is_paid_once_it_is_confirmed(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.time_runs_out(asked.provider_reference)
        btcpay.shopper_pays(asked.provider_reference, confirmed=False)
        assert btcpay.invoice["additionalStatus"] == "PaidLate"
        assert backend().lookup(asked) == Pending(asked.provider_reference)
        btcpay.payments_confirm(asked.provider_reference)
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("12.34"), "EUR")

    def test_too_much_that_comes_late_is_paid_as_it_arrived(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.time_runs_out(asked.provider_reference)
        btcpay.shopper_pays(asked.provider_reference, "20")
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("20.00"), "EUR")

    def test_a_network_fee_of_the_payment_is_no_money_of_ours(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.time_runs_out(asked.provider_reference)
        btcpay.shopper_pays(asked.provider_reference, "5", fee="0.00002")
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("5.00"), "EUR")

    def test_coins_that_are_spent_elsewhere_are_no_money(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.time_runs_out(asked.provider_reference)
        btcpay.shopper_pays(asked.provider_reference, confirmed=False)
        btcpay.payments_are_replaced(asked.provider_reference)
        assert isinstance(backend().lookup(asked), Declined)

    def test_a_payment_that_is_not_confirmed_in_time_stays_pending(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference, confirmed=False)
        btcpay.monitoring_ends(asked.provider_reference)
        assert btcpay.invoice["status"] == "Invalid"
        assert backend().lookup(asked) == Pending(asked.provider_reference)

    def test_an_invoice_that_the_merchant_marks_as_invalid_is_declined(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.merchant_marks(asked.provider_reference, "Invalid")
        assert backend().lookup(asked) == Declined("cancelled")

    def test_an_invoice_that_the_merchant_marks_as_settled_is_paid(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.merchant_marks(asked.provider_reference, "Settled")
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("12.34"), "EUR")

    def test_one_marked_as_settled_is_paid_as_far_as_money_arrived(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference, "5")
        btcpay.merchant_marks(asked.provider_reference, "Settled")
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("5.00"), "EUR")

    def test_an_archived_invoice_is_still_found(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference)
        btcpay.merchant_archives(asked.provider_reference)
        assert isinstance(backend().lookup(asked), Paid)

    def test_an_invoice_that_is_gone_is_not_the_same_as_none(self, btcpay: BTCPayServer) -> None:
        with pytest.raises(BTCPayOutcomeUnknown, match="404 invoice-not-found"):
            backend().lookup(charge(provider_reference="gone"))


class TestSeveralInvoices:
    def two(self, btcpay: BTCPayServer) -> tuple[Charge, str, str]:
        """A charge with two invoices: each request was on its way while the other one looked."""
        asked = charge()
        made = []
        for _ in range(2):
            btcpay.answer_next(200, [])
            result = backend().charge(asked)
            assert isinstance(result, Redirect)
            made.append(result.provider_reference)
        return asked, made[0], made[1]

    def test_the_oldest_one_is_shown(self, btcpay: BTCPayServer) -> None:
        asked, first, _second = self.two(btcpay)
        assert backend().charge(asked) == Redirect(f"{URL}/i/{first}", first)

    def test_the_one_that_the_shopper_was_sent_to_is_shown(self, btcpay: BTCPayServer) -> None:
        asked, _first, second = self.two(btcpay)
        result = backend().charge(replace(asked, provider_reference=second))
        assert result == Redirect(f"{URL}/i/{second}", second)

    def test_money_is_found_on_whichever_it_is(self, btcpay: BTCPayServer) -> None:
        asked, first, second = self.two(btcpay)
        btcpay.time_runs_out(first)
        btcpay.shopper_pays(second)
        found = backend().lookup(replace(asked, provider_reference=first))
        assert found == Paid(second, Decimal("12.34"), "EUR")

    def test_money_on_both_is_for_a_person(self, btcpay: BTCPayServer) -> None:
        asked, first, second = self.two(btcpay)
        btcpay.shopper_pays(first)
        btcpay.shopper_pays(second, "1")
        with pytest.raises(BTCPayOutcomeUnknown, match="several invoices"):
            backend().lookup(asked)

    def test_all_are_ended_when_the_shopper_comes_back(self, btcpay: BTCPayServer) -> None:
        asked, first, _second = self.two(btcpay)
        assert backend().lookup(returned(replace(asked, provider_reference=first))) == Declined("cancelled")
        assert {invoice["status"] for invoice in btcpay.invoices.values()} == {"Invalid"}


class TestReturn:
    def test_what_nobody_paid_is_ended_and_declined(self, btcpay: BTCPayServer) -> None:
        asked = left()
        assert backend().lookup(returned(asked)) == Declined("cancelled")
        assert btcpay.invoice["status"] == "Invalid"

    def test_a_payment_on_its_way_is_left_alone(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference, confirmed=False)
        assert backend().lookup(returned(asked)) == Pending(asked.provider_reference)
        assert btcpay.invoice["status"] == "Processing"

    def test_a_part_is_left_alone(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference, "5")
        assert backend().lookup(returned(asked)) == Pending(asked.provider_reference)
        assert btcpay.invoice["status"] == "New"

    @pytest.mark.parametrize("confirmed", [True, False])
    def test_money_that_arrives_that_moment_is_not_lost(self, btcpay: BTCPayServer, confirmed: bool) -> None:
        asked = left()
        btcpay.meanwhile(lambda: btcpay.shopper_pays(asked.provider_reference, confirmed=confirmed))
        result = backend().lookup(returned(asked))
        if confirmed:
            assert result == Paid(asked.provider_reference, Decimal("12.34"), "EUR")
        else:
            assert result == Pending(asked.provider_reference)

    def test_money_that_arrives_later_is_paid(self, btcpay: BTCPayServer) -> None:
        asked = left()
        backend().lookup(returned(asked))
        btcpay.shopper_pays(asked.provider_reference)
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("12.34"), "EUR")

    def test_a_key_that_may_not_end_it_leaves_it_unknown(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.permissions.remove(f"btcpay.store.canmodifyinvoices:{STORE_ID}")
        with pytest.raises(
            BTCPayOutcomeUnknown, match=r"missing-permission btcpay\.store\.canmodifyinvoices"
        ):
            backend().lookup(returned(asked))

    def test_a_lost_answer_leaves_it_unknown(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.meanwhile(btcpay.lose_next_answer)
        with pytest.raises(ProviderUnavailable):
            backend().lookup(returned(asked))
        assert isinstance(backend().lookup(returned(asked)), Declined)


class TestHostileAnswers:
    @pytest.mark.parametrize(
        "changes",
        [
            {"status": "Complete"},
            {"additionalStatus": "Gifted"},
            {"amount": "NaN"},
            {"paidAmount": "1e9"},
            {"paidAmount": True},
            {"id": "../../server/info"},
            {"currency": None},
            {"metadata": {"orderId": str(uuid4())}},
            {"metadata": []},
            {"createdTime": "yesterday"},
        ],
    )
    def test_an_invoice_that_is_not_as_documented_is_not_known(
        self, btcpay: BTCPayServer, changes: dict[str, Any]
    ) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference)
        btcpay.change_next_answer(**changes)
        with pytest.raises(BTCPayOutcomeUnknown):
            backend().lookup(asked)

    @pytest.mark.parametrize("raw", ["<html>paid</html>", "", "null", "{}", "[[]]", "[" * 100_000, '"paid"'])
    def test_an_answer_that_is_no_list_of_invoices_is_not_known(self, btcpay: BTCPayServer, raw: str) -> None:
        btcpay.answer_next(200, raw=raw)
        with pytest.raises(BTCPayOutcomeUnknown):
            backend().lookup(charge())

    def test_an_answer_without_end_is_not_known(self, btcpay: BTCPayServer) -> None:
        btcpay.answer_next(200, raw=f"[{' ' * 3_000_000}]")
        with pytest.raises(ProviderUnavailable):
            backend().lookup(charge())

    def test_the_amount_in_another_currency_is_reported_as_such(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference)
        btcpay.change_next_answer(currency="USD")
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("12.34"), "USD")

    def test_a_settled_invoice_that_nothing_was_paid_for_is_not_known(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.shopper_pays(asked.provider_reference)
        btcpay.change_next_answer(paidAmount="0.00")
        with pytest.raises(BTCPayOutcomeUnknown):
            backend().lookup(asked)

    def test_a_payment_of_unknown_status_is_not_known(self, btcpay: BTCPayServer) -> None:
        asked = left()
        btcpay.time_runs_out(asked.provider_reference)
        btcpay.shopper_pays(asked.provider_reference)
        btcpay.payments[asked.provider_reference][0]["status"] = "Promised"
        with pytest.raises(BTCPayOutcomeUnknown):
            backend().lookup(asked)

    def test_nothing_secret_is_raised_logged_or_shown(
        self, btcpay: BTCPayServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        texts = []
        for status in (400, 401, 403, 500):
            btcpay.answer_next(200, [])
            btcpay.answer_next(status, [{"path": OPTIONS["API_KEY"] * 2, "code": OPTIONS["API_KEY"] * 2}])
            try:
                backend().charge(charge())
            except BTCPayOutcomeUnknown as error:
                texts.append(f"{error!r} {error.__context__!r}")
        built = backend()
        texts += [repr(built), repr(built._options), repr(built._api), caplog.text]
        for secret in (OPTIONS["API_KEY"], OPTIONS["WEBHOOK_SECRET"]):
            assert not [text for text in texts if secret in text]


class TestVersions:
    """Servers before 2.4 know the paths of an invoice that name the store, later ones document those that do not."""

    def test_an_older_server_that_does_not_sum_up_what_was_paid_is_understood(
        self, btcpay: BTCPayServer
    ) -> None:
        btcpay.version = "2.0"
        asked = left()
        assert backend().lookup(asked) == Pending(asked.provider_reference, unfinished=True)
        btcpay.shopper_pays(asked.provider_reference, "5", confirmed=False)
        assert backend().lookup(returned(asked)) == Pending(asked.provider_reference)
        btcpay.payments_are_replaced(asked.provider_reference)
        assert backend().lookup(returned(asked)) == Declined("cancelled")
        btcpay.shopper_pays(asked.provider_reference, "20")
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("20.00"), "EUR")

    @pytest.mark.parametrize("version", ["2.0", "2.3", "2.4", "3.0"])
    def test_every_version_is_asked_by_paths_that_it_knows(self, btcpay: BTCPayServer, version: str) -> None:
        btcpay.version = version
        cancelled, late, archived = left(), left(), left()
        assert backend().lookup(returned(cancelled)) == Declined("cancelled")
        btcpay.time_runs_out(late.provider_reference)
        btcpay.shopper_pays(late.provider_reference)
        btcpay.merchant_archives(archived.provider_reference)
        assert isinstance(backend().lookup(late), Paid)
        assert backend().lookup(archived) == Pending(archived.provider_reference, unfinished=True)
        assert isinstance(backend().refund(refund_of(late)), Refunded)
        assert len(btcpay.pull_payments) == 1

    def test_a_server_of_today_is_asked_by_the_documented_paths_alone(self, btcpay: BTCPayServer) -> None:
        cancelled, late = left(), left()
        backend().lookup(returned(cancelled))
        btcpay.time_runs_out(late.provider_reference)
        btcpay.shopper_pays(late.provider_reference)
        backend().lookup(late)
        backend().refund(refund_of(late))
        about_an_invoice = [path for _method, path, _sent in btcpay.requests if "/invoices/" in path]
        assert {path.rpartition("/")[2] for path in about_an_invoice} >= {
            "status",
            "payment-methods",
            "refund",
        }
        assert not [path for path in about_an_invoice if not path.startswith("/api/v1/invoices/")]
