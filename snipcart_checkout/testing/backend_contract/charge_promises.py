"""What the charges of a backend give."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from django.test import override_settings

from snipcart_checkout.backends.base import Charge, Declined, Paid, Pending, Redirect
from snipcart_checkout.backends.results import find_fault_in_charge_result
from snipcart_checkout.presentation.languages import LANGUAGES
from snipcart_checkout.testing.backend_case import BackendCase, has, needs, through_json
from snipcart_checkout.testing.backend_contract.conditions import (
    attempt,
    declines,
    get_identity,
    overrides,
    pays_at_once,
    redirects,
    stays,
)
from snipcart_checkout.testing.provider_calls import hang_up

_LONGEST_CODE: Final = 100


class ChargeContract(BackendCase):
    """What ``charge`` gives."""

    def test_a_charge_gives_what_it_is_said_to_give(self) -> None:
        assert self.paying_gives in {Paid, Pending, Redirect}, "paying_gives is Paid, Pending or Redirect."
        for charge in self._charges():
            result: object = self.make_backend().charge(charge)
            assert isinstance(result, self.paying_gives), (
                f"A charge of {charge.amount} {charge.currency} gave {result!r}, not "
                f"{self.paying_gives.__name__} as paying_gives says. Leave currencies that the provider does not "
                "take out of amounts."
            )
            self._assert_usable(result)

    @needs(pays_at_once)
    def test_what_is_paid_is_what_was_asked(self) -> None:
        results = [(charge, self.make_backend().charge(charge)) for charge in self._charges()]
        for charge, result in results:
            assert isinstance(result, Paid), f"{result!r} is not Paid."
            assert (result.amount, result.currency) == (charge.amount, charge.currency), (
                f"{charge.amount} {charge.currency} was asked for, and the backend says that {result.amount} "
                f"{result.currency} was paid."
            )

    @needs(stays)
    def test_a_transaction_has_an_id(self) -> None:
        result = self.make_backend().charge(self._charge())
        assert isinstance(result, (Paid, Pending)), f"{result!r} is neither Paid nor Pending."
        self._assert_usable(result)
        assert isinstance(result.instructions, str), "instructions are not a text."

    def test_two_charges_are_two_transactions(self) -> None:
        results = [self.make_backend().charge(self._charge()) for _ in range(2)]
        assert get_identity(results[0]) != get_identity(results[1]), (
            f"Two charges with two references are one transaction: {results[0]!r}"
        )

    @needs(redirects)
    def test_a_redirect_leads_where_it_may_and_can_be_looked_up(self) -> None:
        result = self.make_backend().charge(self._charge())
        assert isinstance(result, Redirect), f"{result!r} is no Redirect."
        if result.url != self.return_url:
            self._assert_usable(result)

    @needs(declines)
    def test_a_decline_has_a_code(self) -> None:
        result = self.make_backend().charge(self._declined_charge())
        assert isinstance(result, Declined), f"With declined_form charge gave {result!r}, not Declined."
        self._assert_usable(result)
        assert len(result.code) <= _LONGEST_CODE, f"The code has more than {_LONGEST_CODE} characters."
        assert isinstance(result.message, str), "The message of a decline is not a text."

    @needs(declines)
    def test_a_decline_takes_no_money(self) -> None:
        charge = self._declined_charge()
        self.make_backend().charge(charge)
        assert not self.captures(charge.reference), "A charge was declined, and the provider took the money."

    @needs(has("repeat_is_safe"))
    def test_a_charge_repeated_with_its_reference_happens_once(self) -> None:
        charge = self._charge()
        results = [self.make_backend().charge(charge) for _ in range(2)]
        assert get_identity(results[0]) == get_identity(results[1]), (
            f"It claims repeat_is_safe, and one reference charged twice gave {results[0]!r} and {results[1]!r}."
        )
        self._assert_captured_once(charge)

    def test_a_charge_can_be_made_with_the_order_and_without(self) -> None:
        for charge in (self._charge_of_a_shopper(), self._charge()):
            result: object = self.make_backend().charge(charge)
            assert isinstance(result, self.paying_gives), (
                f"A charge {'without' if charge.session is None else 'with'} a session gave {result!r}, not "
                f"{self.paying_gives.__name__}."
            )

    @needs(has("repeat_is_safe"))
    def test_a_charge_taken_up_again_without_the_shopper_happens_once(self) -> None:
        charge = self._charge_of_a_shopper()
        again = replace(charge, session=None, form=through_json(charge.form))
        first = attempt(lambda: self.make_backend().charge(charge))
        second = attempt(lambda: self.make_backend().charge(again))
        is_same = get_identity(first) == get_identity(second)
        # Nobody was sent to the provider's page, so the payment may as well be given up.
        is_given_up = isinstance(first, Redirect) and isinstance(second, (Declined, Exception))
        assert is_same or is_given_up, (
            f"It claims repeat_is_safe, and one reference gave {first!r} with the order, and {second!r} when it was "
            "taken up again without it."
        )
        self._assert_captured_once(charge)

    def test_a_charge_can_be_made_in_every_language_of_a_cart(self) -> None:
        for language in LANGUAGES:
            charge = self._charge(language=language)
            result: object = self.make_backend().charge(charge)
            assert isinstance(result, self.paying_gives), (
                f"A charge in the language {language!r} gave {result!r}, not {self.paying_gives.__name__}."
            )

    def test_what_a_shopper_types_can_be_stored(self) -> None:
        typed = self._cleaned(self.paying_form)
        stored = attempt(lambda: through_json(typed))
        assert isinstance(stored, Mapping), (
            f"The form's fields do not fit into JSON ({stored!r}), where they are kept until the outcome is known."
        )

    @needs(overrides("payment_details"))
    def test_what_a_shopper_needs_to_pay_are_texts_and_ask_nobody(self) -> None:
        charge = self._left()
        with hang_up() as calls:
            details = attempt(lambda: list(self.make_backend().payment_details(charge)))
        assert not calls.made, (
            "payment_details() called the provider; it is asked whenever the page is shown."
        )
        assert isinstance(details, list), f"payment_details() gave {details!r}, and the page needs a list."
        wrong = [entry for entry in details if not _is_pair_of_texts(entry)]
        assert not wrong, f"payment_details() returned {wrong}, which are no labels and values."

    @needs(overrides("payment_code"))
    def test_the_code_to_pay_with_is_a_text_and_asks_nobody(self) -> None:
        charge = self._left()
        with hang_up() as calls:
            code = attempt(lambda: self.make_backend().payment_code(charge))
        assert not calls.made, "payment_code() called the provider; it is asked whenever the page is shown."
        assert isinstance(code, str), f"payment_code() returned {code!r}, not a text."

    def test_charging_leaves_the_options_as_they_are(self) -> None:
        backend = self.make_backend()
        before = copy.deepcopy(dict(backend.options))
        backend.charge(self._charge())
        assert dict(backend.options) == before, "charge() changes the options, which all uses share."

    def _assert_usable(self, result: object) -> None:
        # With DEBUG the app accepts a provider's stand-in on this machine.
        with override_settings(DEBUG=True):
            fault = find_fault_in_charge_result(result, self.make_backend())
        assert not fault, f"The app cannot use this answer: {fault}."

    def _assert_captured_once(self, charge: Charge) -> None:
        captures = self.captures(charge.reference)
        assert captures in {None, 0, 1}, f"The provider took the money {captures} times for one reference."


def _is_pair_of_texts(entry: object) -> bool:
    return isinstance(entry, tuple) and len(entry) == 2 and all(isinstance(text, str) for text in entry)
