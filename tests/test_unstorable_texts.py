"""A backend's words that the database does not take: state, amounts and ids are stored all the same.

On MariaDB the tables are made latin1, as an old server makes them; elsewhere the connection refuses what latin1 cannot hold.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, connection

from snipcart_checkout import services
from snipcart_checkout.backends.base import Paid
from snipcart_checkout.exceptions import RefundNotPossible
from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.services.audit_log import PROVIDER
from snipcart_checkout.services.outcomes import record
from snipcart_checkout.testing import StandIn
from tests.support.backends import Provider
from tests.support.ledger import pay, provider
from tests.support.ledger_invariants import let_time_pass

__all__ = ["provider"]

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "振込先:みずほ銀行 1234567"


@pytest.fixture(autouse=True)
def latin1() -> Iterator[None]:
    """The ledger holds Western European letters only."""
    if connection.vendor != "mysql":
        with connection.execute_wrapper(refuse):
            yield
        return
    convert("latin1")
    try:
        yield
    finally:
        convert("utf8mb4")


def convert(charset: str) -> None:
    with connection.cursor() as cursor:
        for model in (Payment, Confirmation, Refund):
            cursor.execute(f"ALTER TABLE {model._meta.db_table} CONVERT TO CHARACTER SET {charset}")


def refuse(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    try:
        str(params).encode("latin1")
    except UnicodeEncodeError:
        raise DataError("the text does not fit the column") from None
    return execute(sql, params, many, context)


def refuse_escapes(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    """Refuse what PostgreSQL does not take for JSON in a database of Western European letters."""
    if any(re.search(r"(?<!\\)\\u[0-9a-f]{4}", text) for text in map(to_json, params or ())):
        raise DataError("unsupported Unicode escape sequence")
    return execute(sql, params, many, context)


def to_json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(getattr(value, "obj", None))


@pytest.mark.parametrize(
    "kind, words, state, heard",
    [
        ("paid", {"instructions": WORDS}, "paid", ["processed"]),
        ("pending", {"instructions": WORDS}, "pending", ["processing"]),
        ("declined", {"message": WORDS}, "declined", []),
    ],
)
def test_the_outcome_is_stored_without_the_words(
    snipcart: StandIn,
    provider: Provider,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    words: dict[str, str],
    state: str,
    heard: list[str],
) -> None:
    provider.script(charge=kind, **words)

    pay(snipcart)

    payment = Payment.objects.get()
    assert payment.state == state
    assert payment.instructions == ""
    assert payment.captured_minor_units == (1230 if state == "paid" else None)
    assert payment.transaction_id == ("" if state == "declined" else f"tr-{payment.reference}")
    assert [body["state"] for body in snipcart.confirmations] == heard
    assert "convert its tables to utf8mb4" in caplog.text


def test_an_id_that_cannot_be_stored_is_kept_in_other_letters(snipcart: StandIn, provider: Provider) -> None:
    provider.script(transaction_id="取引-1")

    pay(snipcart)

    payment = Payment.objects.get()
    assert (payment.state, payment.transaction_id) == ("paid", "\\u53d6\\u5f15-1")
    assert payment.captured_minor_units == 1230
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


@pytest.mark.parametrize(
    "column, letters, script",
    [
        ("transaction_id", 255, {"charge": "pending", "transaction_id": "取" * 200}),
        ("provider_reference", 255, {"charge": "pending", "transaction_id": "取" * 200}),
        ("decline_code", 100, {"charge": "declined", "code": "取" * 100}),
        ("captured_currency", 3, {"currency": "取" * 3}),
    ],
)
def test_what_is_longer_in_other_letters_is_cut_to_its_column(
    snipcart: StandIn, provider: Provider, column: str, letters: int, script: dict[str, str]
) -> None:
    provider.script(**script)

    pay(snipcart)

    assert getattr(Payment.objects.get(), column) == ("\\u53d6" * 100)[:letters]


@pytest.mark.parametrize(
    "column, letters, refund", [("provider_refund_id", 255, "refunded"), ("decline_code", 100, "declined")]
)
def test_what_a_refund_says_at_length_in_other_letters_is_cut_to_its_column(
    snipcart: StandIn, provider: Provider, column: str, letters: int, refund: str
) -> None:
    payment = pay(snipcart)
    provider.script(refund=refund, refund_id="取" * 200, code="取" * 100)

    with contextlib.suppress(RefundNotPossible):
        services.refund_by_staff(payment, 500, by="ada")

    assert getattr(Refund.objects.get(), column) == ("\\u53d6" * 100)[:letters]


def test_another_capture_is_noted_in_other_letters_as_long_as_an_id_may_be(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = pay(snipcart)

    with connection.execute_wrapper(refuse_escapes):
        record(payment, Paid("取" * 200, payment.amount, payment.currency), actor=PROVIDER)

    noted = payment.events.get(name="another_capture").data
    assert noted["transaction"] == ("\\u53d6" * 100)[:255]


def test_a_payment_that_is_looked_up_is_stored_without_the_words(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="pending")
    payment = pay(snipcart)
    provider.complete(payment.reference)
    provider.script(instructions=WORDS)
    let_time_pass(timedelta(minutes=10))

    services.settle()

    payment.refresh_from_db()
    assert payment.state == "paid"
    assert [body["state"] for body in snipcart.confirmations] == ["processing", "processed"]
    assert payment.public_token == ""


@pytest.mark.parametrize("refund, state", [("refunded", "refunded"), ("declined", "declined")])
def test_what_came_of_a_refund_is_stored_in_other_letters(
    snipcart: StandIn, provider: Provider, refund: str, state: str
) -> None:
    payment = pay(snipcart)
    provider.script(refund=refund, refund_id=WORDS, code=WORDS)

    with contextlib.suppress(RefundNotPossible):
        services.refund_by_staff(payment, 500, by="ada")

    made = Refund.objects.get()
    stored = made.provider_refund_id if state == "refunded" else made.decline_code
    assert made.state == state
    assert stored == WORDS.encode("ascii", "backslashreplace").decode()[: 255 if state == "refunded" else 100]
    assert made.decline_reason == ("" if state == "refunded" else Refund.DeclineReason.PROVIDER)


def test_a_refund_that_is_refused_whatever_its_words_is_not_tried_in_other_letters(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    payment = pay(snipcart)
    tried: list[str] = []

    def refuse_all(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if re.match("UPDATE .snipcart_checkout_refund. ", sql):
            tried.append(sql)
            raise DataError("the column is gone")
        return execute(sql, *rest)

    with connection.execute_wrapper(refuse_all), pytest.raises(DataError):
        services.refund_by_staff(payment, 500, by="ada")

    assert len(tried) == 1
    assert f"refund {Refund.objects.get().pk}: DataError while storing" in caplog.messages
