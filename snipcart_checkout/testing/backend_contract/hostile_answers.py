"""What a backend makes of a provider that fails, lies, hangs, or refuses its key.

Every call of the backend is interfered with in turn, below ``requests``. A backend that calls nobody has nothing to
fear here.
"""

from __future__ import annotations

import json
import logging
import re
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from requests import PreparedRequest

from snipcart_checkout.backends.base import (
    Charge,
    Declined,
    NotFound,
    Paid,
    PaymentBackend,
    Pending,
    Redirect,
    Refunded,
)
from snipcart_checkout.testing.backend_case import BackendCase, has, needs
from snipcart_checkout.testing.backend_contract.conditions import (
    attempt,
    gets_paid,
    is_paid_elsewhere,
    overrides,
    repeats_refunds,
)
from snipcart_checkout.testing.provider_calls import (
    Calls,
    ProviderAnswer,
    alter_answers,
    hang_up,
    lose_answer,
    record_answers,
    replace_answers,
    replay_answers,
    stall,
)

_HTML: Final = b"<!doctype html><title>Maintenance</title><h1>We will be back soon.</h1>"
_AS_HTML: Final = (("Content-Type", "text/html"),)
_UNUSABLE: Final[Mapping[str, ProviderAnswer]] = {
    "an HTML page": ProviderAnswer(status=200, body=_HTML, headers=_AS_HTML),
    "an HTML page with status 502": ProviderAnswer(status=502, body=_HTML, headers=_AS_HTML),
    "status 500": ProviderAnswer(status=500, body=b"{}"),
    "status 503 and no body": ProviderAnswer(status=503, body=b""),
    "a redirect": ProviderAnswer(status=302, body=b"", headers=(("Location", "https://elsewhere.example/"),)),
    "no body": ProviderAnswer(status=200, body=b""),
    "an empty object": ProviderAnswer(status=200, body=b"{}"),
    "a list of a text": ProviderAnswer(status=200, body=b'["ok"]'),
    "null": ProviderAnswer(status=200, body=b"null"),
    "a text": ProviderAnswer(status=200, body=b'"ok"'),
    "JSON that is cut off": ProviderAnswer(status=200, body=b'{"id": "1", "status": "pa'),
    "bytes that are no text": ProviderAnswer(status=200, body=b"\xff\xfe\x00"),
    "JSON nested too deep": ProviderAnswer(status=200, body=b"[" * 100_000),
    "three megabytes": ProviderAnswer(status=200, body=b'{"id": "' + b"x" * 3 * 1024 * 1024 + b'"}'),
}
_REFUSALS: Final[Mapping[str, ProviderAnswer]] = {
    "status 401": ProviderAnswer(status=401, body=b'{"error": "the key is unknown"}'),
    "status 403": ProviderAnswer(status=403, body=b'{"error": "the key has no permission"}'),
}
_LIMITS: Final = {"CONNECT_TIMEOUT": 0.3, "READ_TIMEOUT": 0.15, "TOTAL_TIMEOUT": 0.3}
_AT_MOST: Final = 4.0  # seconds; without limits of their own the calls end after five


_RAW: Final = "Raw words of the provider, unfit for a shopper"
_REFUSED: Final[Mapping[str, ProviderAnswer]] = {
    f"status {status}": ProviderAnswer(
        status=status,
        body=json.dumps(
            {
                "status": status,
                **dict.fromkeys(("code", "detail", "error_description", "message", "title"), _RAW),
                "answer": {"errorCode": "PSP_999", "errorMessage": _RAW},
                "details": [{"description": _RAW, "issue": "REFUSED"}],
                "error": {"code": "refused", "message": _RAW, "type": "card_error"},
                "name": "REFUSED",
            }
        ).encode(),
    )
    for status in (400, 402, 409, 422)
}


@dataclass(frozen=True)
class Operation:
    """A method of a backend, and how a test comes by what it is called with; None for nothing."""

    name: str
    prepare: Callable[[], Any]

    def run(self, backend: PaymentBackend, subject: Any) -> object:
        """Call the method."""
        method = getattr(backend, self.name)
        found: object = method() if subject is None else method(subject)
        return found


class HostileAnswersContract(BackendCase):
    """What is unknown has to stay unknown, in time, and without a secret in logs or exceptions."""

    def test_an_answer_to_charge_that_means_nothing_leaves_the_outcome_unknown(self) -> None:
        self._assert_unknown(Operation("charge", self._charge), _UNUSABLE)

    @needs(has("can_lookup"))
    def test_an_answer_to_lookup_that_means_nothing_leaves_the_outcome_unknown(self) -> None:
        self._assert_unknown(Operation("lookup", self._left), _UNUSABLE)

    @needs(has("supports_refund"), gets_paid)
    def test_an_answer_to_refund_that_means_nothing_leaves_the_outcome_unknown(self) -> None:
        self._assert_unknown(Operation("refund", self._refund), _UNUSABLE)

    @needs(has("can_lookup_refund"), gets_paid)
    def test_an_answer_to_lookup_refund_that_means_nothing_leaves_the_outcome_unknown(self) -> None:
        self._assert_unknown(Operation("lookup_refund", self._refund), _UNUSABLE)

    def test_a_key_that_the_provider_refuses_charges_nothing(self) -> None:
        for report in self._replace(Operation("charge", self._charge), _REFUSALS):
            assert isinstance(report.outcome, (Declined, Exception)), report.sentence("nothing can be paid")

    @needs(has("can_lookup"))
    def test_a_key_that_the_provider_refuses_leaves_a_look_up_unknown(self) -> None:
        self._assert_unknown(Operation("lookup", self._left), _REFUSALS)

    @needs(has("supports_refund"), gets_paid)
    def test_a_key_that_the_provider_refuses_refunds_nothing(self) -> None:
        for report in self._replace(Operation("refund", self._refund), _REFUSALS):
            assert not isinstance(report.outcome, Refunded), report.sentence("nothing was refunded")

    @needs(has("can_lookup_refund"), gets_paid)
    def test_a_key_that_the_provider_refuses_leaves_a_refund_unknown(self) -> None:
        self._assert_unknown(Operation("lookup_refund", self._refund), _REFUSALS)

    @needs(overrides("ping"))
    def test_a_key_that_the_provider_refuses_fails_the_ping(self) -> None:
        for name, answer in _REFUSALS.items():
            with replace_answers(answer) as calls:
                outcome = attempt(lambda: self.make_backend().ping())
            assert not calls.changed or isinstance(outcome, Exception), (
                f"ping() is content although the provider answered with {name}."
            )

    def test_a_charge_whose_answer_is_lost_is_unknown_and_happens_once(self) -> None:
        for position in self._positions(Operation("charge", self._charge)):
            charge = self._charge()
            with lose_answer(position) as calls:
                outcome = attempt(lambda charge=charge: self.make_backend().charge(charge))  # type: ignore[misc]
            assert not (calls.changed and isinstance(outcome, Declined)), (
                f"The answer to call {position + 1} of charge was lost, so nobody knows what came of it, "
                f"and charge returned {outcome!r}."
            )
            self._repeat_if_safe(charge)

    @needs(has("supports_refund"), repeats_refunds, gets_paid)
    def test_a_refund_whose_answer_is_lost_is_unknown_and_happens_once(self) -> None:
        for position in self._positions(Operation("refund", self._refund)):
            refund = self._refund()
            with lose_answer(position) as calls:
                outcome = attempt(lambda refund=refund: self.make_backend().refund(refund))  # type: ignore[misc]
            assert not calls.changed or isinstance(outcome, Exception), (
                f"The answer to call {position + 1} of refund was lost, and refund returned {outcome!r}."
            )
            again: object = self.make_backend().refund(refund)
            assert isinstance(again, Refunded), f"After a lost answer the repeat of a refund gave {again!r}."
            assert self.refunds(refund.reference) in {None, 1}, (
                "The answer to a refund was lost, and its repeat gave the money back a second time."
            )

    def test_a_provider_that_cannot_be_reached_leaves_the_outcome_unknown(self) -> None:
        charge = self._charge()
        with hang_up() as calls:
            outcome = attempt(lambda: self.make_backend().charge(charge))
        assert not (calls.changed and isinstance(outcome, (Declined, Paid))), (
            f"The provider could not be reached, and charge returned {outcome!r}."
        )

    @needs(has("can_lookup"), is_paid_elsewhere)
    def test_the_answers_about_another_charge_are_not_taken_for_this_ones(self) -> None:
        ours, theirs = self._left(), self._left()
        self.pay(theirs)
        with record_answers() as answers:
            self.make_backend().lookup(theirs)
        with replay_answers(answers) as calls:
            outcome = attempt(lambda: self.make_backend().lookup(ours))
        assert not (calls.changed and isinstance(outcome, (Paid, Declined, NotFound))), (
            f"The provider answered about another charge, which is paid, and lookup returned {outcome!r}: compare "
            "the reference in the answer with the charge's, and raise."
        )

    @needs(has("can_lookup"), is_paid_elsewhere)
    def test_the_currency_that_was_paid_is_the_providers_word(self) -> None:
        charge = self._left()
        self.pay(charge)
        other = "USD" if charge.currency != "USD" else "EUR"
        with alter_answers(lambda body: _rename_currency(body, charge.currency, other)) as calls:
            outcome = attempt(lambda: self.make_backend().lookup(charge))
        echoes = isinstance(outcome, Paid) and outcome.currency == charge.currency
        assert not (calls.changed and echoes), (
            f"The provider says that {other} was paid, and lookup returned {outcome!r}: take the currency from its "
            "answer, not from the charge."
        )

    @needs(has("can_lookup"), is_paid_elsewhere)
    def test_the_amount_that_was_paid_is_the_providers_word(self) -> None:
        charge = self._left()
        self.pay(charge)
        with alter_answers(lambda body: _raise_amount(body, charge)) as calls:
            outcome = attempt(lambda: self.make_backend().lookup(charge))
        echoes = isinstance(outcome, Paid) and outcome.amount == charge.amount
        assert not (calls.changed and echoes), (
            f"The provider says that another amount than {charge.amount} was paid, and lookup returned {outcome!r}: "
            "take the amount from its answer, not from the charge."
        )

    @pytest.mark.parametrize("drip", [False, True], ids=["silent", "dripping"])
    def test_a_provider_that_hangs_does_not_hold_the_shopper(self, drip: bool) -> None:
        charge = self._charge()
        configured = {**getattr(django_settings, "SNIPCART_CHECKOUT", {}), **_LIMITS}
        with override_settings(SNIPCART_CHECKOUT=configured), stall(drip=drip) as calls:
            started = time.monotonic()
            outcome = attempt(lambda: self.make_backend().charge(charge))
            seconds = time.monotonic() - started
        assert not calls.made or seconds < _AT_MOST, (
            f"The provider hung, and charge took {seconds:.1f} s although TOTAL_TIMEOUT is "
            f"{_LIMITS['TOTAL_TIMEOUT']} s: make calls through self.http."
        )
        assert not (calls.made and isinstance(outcome, (Declined, Paid, Redirect))), (
            f"The provider hung, and charge returned {outcome!r}."
        )

    def test_no_secret_gets_into_logs_or_exceptions(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        secrets = self._secrets()
        for operation in self._operations():
            for report in self._replace(operation, dict.fromkeys(("an echo",), _echo)):
                written = _describe(report.outcome) + caplog.text
                found = [secret for secret in secrets if secret in written]
                assert not found, (
                    f"The provider repeated the request in its answer to {operation.name}, and "
                    f"{len(found)} secret option(s) stand in what the backend logs, raises or returns."
                )
            caplog.clear()

    def test_nothing_of_the_shopper_gets_into_logs_or_exceptions(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        for report in self._replace(
            Operation("charge", self._charge_of_a_shopper), dict.fromkeys(("an echo",), _echo)
        ):
            written = _describe(report.outcome) + caplog.text
            found = [name for name, text in self._personal_texts().items() if text in written]
            assert not found, (
                f"The provider repeated the request in its answer to charge, and the shopper's {', '.join(found)} "
                "stand in what the backend logs, raises or returns."
            )

    def test_a_shopper_does_not_read_the_providers_raw_words(self) -> None:
        for report in self._replace(Operation("charge", self._charge), _REFUSED):
            shown = [str(getattr(report.outcome, name, "")) for name in ("code", "message", "instructions")]
            assert isinstance(report.outcome, Exception) or not any(_RAW in text for text in shown), (
                report.sentence(
                    "its words are not for shoppers: leave message empty, or write a text of your own"
                )
            )

    @needs(has("can_lookup"), is_paid_elsewhere)
    def test_a_status_that_is_not_documented_leaves_the_outcome_unknown(self) -> None:
        charge = self._left()
        self.pay(charge)
        with alter_answers(_rename_statuses) as calls:
            outcome = attempt(lambda: self.make_backend().lookup(charge))
        is_open = isinstance(outcome, Pending) and outcome.unfinished
        assert not calls.changed or is_open or isinstance(outcome, Exception), (
            f"The provider answered with a status that nobody documents, and lookup returned {outcome!r}: name every "
            "status that you know, and raise for any other."
        )

    @needs(has("can_lookup_refund"), gets_paid)
    def test_a_status_that_is_not_documented_leaves_a_refund_unknown(self) -> None:
        refund = self._refund()
        self.make_backend().refund(refund)
        with alter_answers(_rename_statuses) as calls:
            outcome = attempt(lambda: self.make_backend().lookup_refund(refund))
        assert not calls.changed or isinstance(outcome, Exception), (
            f"The provider answered with a status that nobody documents, and lookup_refund returned {outcome!r}: name "
            "every status that you know, and raise for any other."
        )

    def _personal_texts(self) -> Mapping[str, str]:
        session = self._charge_of_a_shopper().session
        assert session is not None
        address = session.invoice.billing_address
        assert address is not None
        return {"e-mail": session.invoice.email, "name": address.name, "street": address.street}

    def _operations(self) -> Iterator[Operation]:
        kind = type(self)
        yield Operation("charge", self._charge)
        if has("can_lookup")(kind):
            yield Operation("lookup", self._left)
        if has("supports_refund")(kind) and gets_paid(kind):
            yield Operation("refund", self._refund)
        if has("can_lookup_refund")(kind) and gets_paid(kind):
            yield Operation("lookup_refund", self._refund)
        if overrides("ping")(kind):
            yield Operation("ping", lambda: None)

    def _assert_unknown(self, operation: Operation, answers: Mapping[str, ProviderAnswer]) -> None:
        wrong = [
            report.sentence("nobody knows what came of it; raise")
            for report in self._replace(operation, answers)
            if not isinstance(report.outcome, Exception)
        ]
        assert not wrong, "\n".join(wrong)

    def _replace(self, operation: Operation, answers: Mapping[str, Any]) -> Iterator[Report]:
        """Let the calls of an operation, from each one on, be answered with each of the answers."""
        for position in self._positions(operation):
            for name, answer in answers.items():
                subject = operation.prepare()
                outcome, calls = self._run(operation, subject, replace_answers(answer, start=position))
                if calls.changed:
                    yield Report(operation.name, name, position + 1, outcome)

    def _run(
        self, operation: Operation, subject: Any, interference: AbstractContextManager[Calls]
    ) -> tuple[object, Calls]:
        with interference as calls:
            outcome = attempt(lambda: operation.run(self.make_backend(), subject))
        return outcome, calls

    def _positions(self, operation: Operation) -> range:
        """Return the numbers of the calls that an operation makes when all goes well."""
        subject = operation.prepare()
        with record_answers() as answers:
            operation.run(self.make_backend(), subject)
        return range(len(answers))

    def _repeat_if_safe(self, charge: Charge) -> None:
        backend = self.make_backend()
        if backend.repeat_is_safe:
            result: object = backend.charge(charge)
            assert isinstance(result, (self.paying_gives, Declined)), (
                f"After a lost answer the repeat of a charge gave {result!r}."
            )
            captures = self.captures(charge.reference)
            assert captures in {None, 0, 1}, (
                f"The answer to a charge was lost, and with its repeat the money was taken {captures} times."
            )


@dataclass(frozen=True)
class Report:
    """What came of an operation whose calls were answered with something else."""

    operation: str
    answer: str
    call: int
    outcome: object

    def sentence(self, consequence: str) -> str:
        """Say what was wrong."""
        return (
            f"The provider answered call {self.call} of {self.operation} with {self.answer}, so {consequence}; "
            f"{self.operation} returned {self.outcome!r}."
        )


def _echo(request: PreparedRequest) -> ProviderAnswer:
    """Answer with an error that holds the whole request, as some debugging proxies do."""
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    head = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
    return ProviderAnswer(status=400, body=f"{request.url}\n{head}\n".encode() + body, headers=_AS_HTML)


def _describe(outcome: object) -> str:
    if isinstance(outcome, BaseException):
        return "".join(traceback.format_exception(outcome)) + repr(outcome) + repr(vars(outcome))
    return repr(outcome)


def _rename_currency(body: bytes, currency: str, other: str) -> bytes:
    for written, instead in ((currency, other), (currency.lower(), other.lower())):
        body = re.sub(rb"\b%s\b" % written.encode(), instead.encode(), body)
    return body


def _raise_amount(body: bytes, charge: Charge) -> bytes:
    """Put one more smallest unit wherever the amount stands, in major or in minor units."""
    major = charge.amount + charge.amount.scaleb(0) / charge.minor_units
    body = re.sub(
        rb"(?<![\w.])%s(?![\w.])" % re.escape(str(charge.amount)).encode(), str(major).encode(), body
    )
    return re.sub(rb"(?<![\w.-])%d(?![\w.-])" % charge.minor_units, b"%d" % (charge.minor_units + 1), body)


def _rename_statuses(body: bytes) -> bytes:
    """Put a status that no provider has wherever JSON has one."""
    try:
        found = json.loads(body)
    except ValueError:
        return body
    changed = _with_other_statuses(found)
    return body if changed == found else json.dumps(changed).encode()


def _with_other_statuses(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_other_statuses(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return {
        name: "SOMETHING_NEW"
        if isinstance(member, str) and name.lower().endswith(("status", "state"))
        else _with_other_statuses(member)
        for name, member in value.items()
    }
