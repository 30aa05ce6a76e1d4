"""Which rule an answer of a backend breaks is named in words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings

from snipcart_checkout.backends.base import (
    Declined,
    NotFound,
    Notification,
    Paid,
    PaymentBackend,
    Pending,
    Redirect,
    RefundDeclined,
    Refunded,
)
from snipcart_checkout.backends.results import (
    find_fault_in_charge_result,
    find_fault_in_lookup_result,
    find_fault_in_notification,
    find_fault_in_refund_lookup_result,
    find_fault_in_refund_result,
)
from tests.support.backends import AcmeBackend

AMOUNT = Decimal("12.34")


class Redirecting(AcmeBackend):
    can_lookup = True
    redirect_origins = ("https://pay.acme.example",)


def backend(kind: type[PaymentBackend] = Redirecting) -> PaymentBackend:
    return kind(store="live", method="acme_card", options={})


USABLE_OUTCOMES = [Paid("t", AMOUNT, "EUR"), Pending("t"), Declined("card_declined")]


@pytest.mark.parametrize(
    "result",
    [
        *USABLE_OUTCOMES,
        Paid("t", Decimal("99"), "usd"),  # another amount is for a person, not a broken rule
        Redirect("https://pay.acme.example/p/1?a=b#c", "p-1"),
        Redirect("https://pay.shop.example/back", "p-1"),
    ],
)
def test_a_usable_answer_to_a_charge_has_no_fault(result: object) -> None:
    assert find_fault_in_charge_result(result, backend()) == ""


@pytest.mark.parametrize(
    "result, fault",
    [
        (None, "charge returned None, not Paid, Pending, Redirect or Declined"),
        ({}, "charge returned a dict, not Paid, Pending, Redirect or Declined"),
        (Refunded("r"), "charge returned a Refunded, not"),
        (NotFound(), "charge returned NotFound"),
        (Paid("", AMOUNT, "EUR"), "Paid.transaction_id is empty"),
        (Paid(7, AMOUNT, "EUR"), "Paid.transaction_id is of type int, not a text"),  # type: ignore[arg-type]
        (Paid("t" * 256, AMOUNT, "EUR"), "Paid.transaction_id has more than 255 characters"),
        (Paid("t\n", AMOUNT, "EUR"), "Paid.transaction_id holds control characters"),
        (Paid("t", 12.34, "EUR"), "Paid.amount is of type float, not a Decimal"),  # type: ignore[arg-type]
        (Paid("t", Decimal("NaN"), "EUR"), "Paid.amount is not a finite number"),
        (Paid("t", AMOUNT, None), "Paid.currency is None, not a text"),  # type: ignore[arg-type]
        (Pending(""), "Pending.transaction_id is empty"),
        (Declined(""), "Declined.code is empty"),
        (Redirect("https://pay.acme.example/", ""), "Redirect.provider_reference is empty"),
        (Redirect("", "p"), "Redirect.url is empty"),
        (Redirect(None, "p"), "Redirect.url is None, not a text"),  # type: ignore[arg-type]
        (Redirect("/relative", "p"), "Redirect.url is not an absolute https URL"),
        (Redirect("https://x@pay.acme.example/", "p"), "Redirect.url is not an absolute https URL"),
        (Redirect("https://pay.acme.example/\n", "p"), "Redirect.url is not an absolute https URL"),
        (
            Redirect("https://pay.acme.example/" + "a" * 4096, "p"),
            "Redirect.url has more than 4096 characters",
        ),
        (
            Redirect("https://evil.example/p", "p"),
            "Redirect.url's origin https://evil.example is not https, or is not among redirect_origins",
        ),
        (Redirect("http://127.0.0.1/p", "p"), "Redirect.url's origin http://127.0.0.1 is not https"),
    ],
)
def test_a_broken_rule_of_a_charge_is_named(result: Any, fault: str) -> None:
    assert find_fault_in_charge_result(result, backend()).startswith(fault)


def test_a_redirect_needs_a_backend_that_can_look_up() -> None:
    result = Redirect("https://pay.shop.example/", "p")
    assert "can_lookup" in find_fault_in_charge_result(result, backend(AcmeBackend))


@override_settings(DEBUG=True)
def test_with_debug_a_redirect_may_lead_to_this_machine() -> None:
    class Local(Redirecting):
        redirect_origins = ("http://127.0.0.1:8000",)

    assert find_fault_in_charge_result(Redirect("http://127.0.0.1:8000/p", "p"), backend(Local)) == ""


def test_a_fault_shows_no_more_of_a_url_than_its_origin() -> None:
    result = Redirect("https://evil.example/path?token=secret", "p")
    assert "secret" not in find_fault_in_charge_result(result, backend())


@pytest.mark.parametrize("result", [*USABLE_OUTCOMES, NotFound()])
def test_a_usable_answer_to_a_look_up_has_no_fault(result: object) -> None:
    assert find_fault_in_lookup_result(result) == ""


def test_a_look_up_leads_nowhere() -> None:
    fault = find_fault_in_lookup_result(Redirect("https://pay.acme.example/", "p"))
    assert fault == "lookup returned a Redirect, not Paid, Pending, Declined or NotFound"


@pytest.mark.parametrize(
    "result",
    [Refunded(), Refunded("r", pending=True), Refunded(None), RefundDeclined("disputed"), RefundDeclined("")],  # type: ignore[arg-type]
)
def test_a_usable_answer_to_a_refund_has_no_fault(result: object) -> None:
    assert find_fault_in_refund_result(result) == ""
    assert find_fault_in_refund_lookup_result(result) == ""


@pytest.mark.parametrize(
    "result, fault",
    [
        (NotFound(), "refund returned a NotFound, not Refunded or RefundDeclined"),
        (True, "refund returned a bool, not Refunded or RefundDeclined"),
    ],
)
def test_a_broken_rule_of_a_refund_is_named(result: Any, fault: str) -> None:
    assert find_fault_in_refund_result(result) == fault


def test_only_a_look_up_may_know_nothing_of_a_refund() -> None:
    assert find_fault_in_refund_lookup_result(NotFound()) == ""
    assert find_fault_in_refund_lookup_result(None) == (
        "lookup_refund returned None, not Refunded, RefundDeclined or NotFound"
    )


def test_a_notification_names_a_uuid() -> None:
    assert find_fault_in_notification(Notification(uuid4(), dispute=True)) == ""
    assert find_fault_in_notification(Notification("1")) == (  # type: ignore[arg-type]
        "Notification.reference is of type str, not a UUID"
    )
    assert find_fault_in_notification("1") == "read_notification returned a str, not a Notification"
