"""Tests that every payment backend has to pass, to be inherited by the tests of yours.

    class TestAcmeBackend(BackendContract):
        backend_class = AcmeBackend
        options = {"SANDBOX": True}
        paying_form = {"account": "1"}
        declined_form = {"account": "2"}

Fake the provider below the backend (an HTTP stand-in, the provider's own test mode), never the backend itself.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from decimal import Decimal
from typing import Final
from uuid import uuid4

import pytest
from django import forms
from django.core.checks import CheckMessage
from django.views.debug import SafeExceptionReporterFilter

from snipcart_checkout.backends.base import (
    Charge,
    Declined,
    NotFound,
    Notification,
    Paid,
    PaymentBackend,
    Pending,
    Redirect,
    Refunded,
)
from snipcart_checkout.links import origin_of, safe_provider_url
from snipcart_checkout.money import amount_of
from snipcart_checkout.testing.backend_case import BackendCase, has, later, needs, refund_of

__all__ = ["BackendContract"]

_LONGEST_ID: Final = 255
_LONGEST_CODE: Final = 100
_CARD_FIELDS: Final = ("card_number", "cardnumber", "cvc", "cvv", "pan", "security_code")


def _pays_at_once(case: type[BackendCase]) -> bool:
    return case.paying_gives is Paid


def _stays(case: type[BackendCase]) -> bool:
    return case.paying_gives in {Paid, Pending}


def _redirects(case: type[BackendCase]) -> bool:
    return case.paying_gives is Redirect


def _is_paid_elsewhere(case: type[BackendCase]) -> bool:
    return case.paying_gives is not Paid and case.pay is not BackendCase.pay


def _gets_paid(case: type[BackendCase]) -> bool:
    return _pays_at_once(case) or (_is_paid_elsewhere(case) and has("can_lookup")(case))


def _declines(case: type[BackendCase]) -> bool:
    return case.declined_form is not None


def _notifies(case: type[BackendCase]) -> bool:
    return case.notification is not BackendCase.notification


class BackendContract(BackendCase):
    """One backend against the promises of its interface. Tests of what its class does not claim are not collected.

    ``backend_class`` is the only thing to write; override ``make_backend`` when ``options`` alone do not build it.
    ``paying_form`` is what the shopper types for a payment that is not declined, and ``paying_gives`` is what
    ``charge`` then returns: Paid, Pending or Redirect. ``declined_form`` is for a payment that is declined, if the
    form decides. ``amounts`` are in major units; leave out the currencies that the provider does not take.

    Override ``pay`` to play the shopper's part at the provider, ``notification`` to make a genuine one, and
    ``captures`` and ``refunds`` to count what the provider did; each makes more tests apply, or apply harder.
    """

    def test_capabilities_do_not_contradict_each_other(self) -> None:
        backend = self.make_backend()
        assert backend.supports_refund or not backend.supports_partial_refund
        assert backend.can_lookup or not backend.redirect_origins

    def test_every_capability_is_implemented(self) -> None:
        backend = self.make_backend()
        assert not backend.can_lookup or type(backend).lookup is not PaymentBackend.lookup
        assert not backend.supports_refund or type(backend).refund is not PaymentBackend.refund

    def test_redirect_origins_are_origins_over_https(self) -> None:
        for origin in self.make_backend().redirect_origins:
            assert origin.startswith("https://")
            assert origin_of(origin) == origin

    def test_the_form_asks_no_card_number(self) -> None:
        form_class = self.make_backend().form_class
        assert issubclass(form_class, forms.Form)
        assert not [name for name in form_class.base_fields if name.lower() in _CARD_FIELDS]

    def test_the_form_accepts_what_a_shopper_types(self) -> None:
        assert self._cleaned(self.paying_form) is not None

    def test_options_that_work_pass_the_check(self) -> None:
        messages = self.make_backend().check()
        assert all(isinstance(message, CheckMessage) for message in messages)
        assert not [message for message in messages if message.is_serious()]

    def test_checks_print_no_secret(self) -> None:
        backend = self.make_backend()
        printed = "".join(f"{message.msg} {message.hint}" for message in backend.check())
        secret_name = SafeExceptionReporterFilter.hidden_settings
        secrets = [
            str(value) for name, value in backend.options.items() if value and secret_name.search(name)
        ]
        assert not [secret for secret in secrets if secret in printed]

    def test_a_charge_gives_what_it_is_said_to_give(self) -> None:
        assert self.paying_gives in {Paid, Pending, Redirect}
        for charge in self._charges():
            assert isinstance(self.make_backend().charge(charge), self.paying_gives)

    @needs(_pays_at_once)
    def test_what_is_paid_is_what_was_asked(self) -> None:
        results = [(charge, self.make_backend().charge(charge)) for charge in self._charges()]
        for charge, result in results:
            assert isinstance(result, Paid)
            _assert_paid(result, charge)

    @needs(_stays)
    def test_a_transaction_has_an_id(self) -> None:
        result = self.make_backend().charge(self._charge())
        assert isinstance(result, (Paid, Pending))
        _assert_id(result.transaction_id)
        assert isinstance(result.instructions, str)

    def test_two_charges_are_two_transactions(self) -> None:
        results = [self.make_backend().charge(self._charge()) for _ in range(2)]
        assert len({_identity(result) for result in results}) == len(results)

    @needs(_redirects)
    def test_a_redirect_leads_where_it_may_and_can_be_looked_up(self) -> None:
        backend = self.make_backend()
        result = backend.charge(self._charge())
        assert isinstance(result, Redirect)
        assert backend.can_lookup
        assert result.url == self.return_url or safe_provider_url(result.url, backend.redirect_origins)
        _assert_id(result.provider_reference)

    @needs(_declines)
    def test_a_decline_has_a_code(self) -> None:
        charge = self._declined_charge()
        result = self.make_backend().charge(charge)
        assert isinstance(result, Declined)
        assert 0 < len(result.code) <= _LONGEST_CODE
        assert isinstance(result.message, str)

    @needs(_declines)
    def test_a_decline_takes_no_money(self) -> None:
        charge = self._declined_charge()
        self.make_backend().charge(charge)
        assert not self.captures(charge.reference)

    @needs(has("repeat_is_safe"))
    def test_a_charge_repeated_with_its_reference_happens_once(self) -> None:
        charge = self._charge()
        results = [self.make_backend().charge(charge) for _ in range(2)]
        assert _identity(results[0]) == _identity(results[1])
        assert self.captures(charge.reference) in {None, 0, 1}

    def test_a_charge_taken_up_again_needs_no_session(self) -> None:
        backend = self.make_backend()
        charge = self._charge()
        assert charge.session is None
        assert isinstance(backend.charge(charge), (Paid, Pending, Redirect, Declined))

    def test_charging_leaves_the_options_as_they_are(self) -> None:
        backend = self.make_backend()
        before = copy.deepcopy(dict(backend.options))
        backend.charge(self._charge())
        assert dict(backend.options) == before

    @needs(has("can_lookup"))
    def test_a_charge_that_never_was_is_not_paid(self) -> None:
        charge = replace(self._charge(), form={})
        assert not isinstance(self.make_backend().lookup(charge), Paid)
        assert not self.captures(charge.reference)

    @needs(has("can_lookup"))
    def test_a_look_up_agrees_with_the_charge(self) -> None:
        charge = self._charge()
        result = self.make_backend().charge(charge)
        found = self.make_backend().lookup(later(charge, result))
        assert isinstance(found, (Paid, Pending, Declined, NotFound))
        if isinstance(result, (Paid, Declined)):
            assert _identity(found) == _identity(result)

    @needs(has("can_lookup"), _declines)
    def test_a_decline_is_still_one_when_looked_up(self) -> None:
        charge = self._declined_charge()
        result = self.make_backend().charge(charge)
        assert isinstance(self.make_backend().lookup(later(charge, result)), (Declined, NotFound))

    @needs(has("can_lookup"))
    def test_looking_up_takes_no_money(self) -> None:
        charge = self._charge()
        self.make_backend().lookup(charge)
        assert not self.captures(charge.reference)

    @needs(has("can_lookup"), _is_paid_elsewhere)
    def test_what_is_paid_at_the_provider_is_found_paid(self) -> None:
        charge = self._charge()
        charge = later(charge, self.make_backend().charge(charge))
        self.pay(charge)
        found = self.make_backend().lookup(charge)
        assert isinstance(found, Paid)
        _assert_paid(found, charge)

    @needs(has("supports_refund"), _gets_paid)
    def test_a_paid_charge_can_be_refunded(self) -> None:
        refund = self._refund()
        result = self.make_backend().refund(refund)
        assert isinstance(result, Refunded)
        assert isinstance(result.refund_id, str)
        assert self.refunds(refund.reference) in {None, 1}

    @needs(has("supports_refund"), has("repeat_is_safe"), _gets_paid)
    def test_a_refund_repeated_with_its_reference_happens_once(self) -> None:
        refund = self._refund()
        results = [self.make_backend().refund(refund) for _ in range(2)]
        assert results[0] == results[1]
        assert self.refunds(refund.reference) in {None, 1}

    @needs(has("supports_partial_refund"), _gets_paid)
    def test_two_equal_partial_refunds_are_two(self) -> None:
        whole = self._refund()
        units = whole.minor_units // 2
        half = replace(whole, amount=amount_of(units, whole.currency), minor_units=units)
        for refund in (half, replace(half, reference=uuid4())):
            assert isinstance(self.make_backend().refund(refund), Refunded)
            assert self.refunds(refund.reference) in {None, 1}

    @needs(lambda case: not has("supports_refund")(case))
    def test_a_backend_that_cannot_refund_does_not_say_it_did(self) -> None:
        with pytest.raises(Exception):  # noqa: B017, PT011
            self.make_backend().refund(refund_of(self._charge(), "any"))

    @pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b'{"reference": "0"}'])
    def test_a_notification_that_cannot_be_verified_is_refused(self, body: bytes) -> None:
        with pytest.raises(Exception):  # noqa: B017, PT011
            self.make_backend().read_notification({}, body)

    @needs(_notifies)
    def test_a_forged_notification_is_refused(self) -> None:
        headers, body = self.notification(uuid4())
        forged = body.replace(b"-", b"0", 1) + b" "
        with pytest.raises(Exception):  # noqa: B017, PT011
            self.make_backend().read_notification(headers, forged)

    @needs(_notifies)
    def test_a_genuine_notification_names_the_charge(self) -> None:
        reference = uuid4()
        headers, body = self.notification(reference)
        assert self.make_backend().read_notification(headers, body) == Notification(reference)


def _identity(result: object) -> tuple[type, str]:
    if isinstance(result, (Paid, Pending)):
        return type(result), result.transaction_id
    if isinstance(result, Redirect):
        return Redirect, result.provider_reference
    return type(result), result.code if isinstance(result, Declined) else ""


def _assert_id(identifier: object) -> None:
    assert isinstance(identifier, str)
    assert 0 < len(identifier) <= _LONGEST_ID


def _assert_paid(paid: Paid, charge: Charge) -> None:
    assert isinstance(paid.amount, Decimal)
    assert paid.amount == charge.amount
    assert paid.currency == charge.currency
