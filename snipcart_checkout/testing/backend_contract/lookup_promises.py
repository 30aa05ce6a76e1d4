"""What look-ups tell in every state of a charge."""

from __future__ import annotations

from dataclasses import replace

from snipcart_checkout.backends.base import Charge, Declined, NotFound, Paid, Pending
from snipcart_checkout.backends.results import find_fault_in_lookup_result
from snipcart_checkout.testing.backend_case import BackendCase, has, later, needs
from snipcart_checkout.testing.backend_contract.conditions import (
    attempt,
    declines,
    get_identity,
    gives_up,
    is_paid_elsewhere,
    redirects,
)


class LookupContract(BackendCase):
    """What ``lookup`` tells."""

    @needs(has("can_lookup"))
    def test_a_charge_that_never_was_is_not_paid(self) -> None:
        charge = replace(self._charge(), form={})
        found = self.make_backend().lookup(charge)
        assert not isinstance(found, (Paid, Pending)), (
            f"Nobody began this charge, and lookup found {found!r}."
        )
        assert not self.captures(charge.reference), "Looking a charge up took its money."

    @needs(has("can_lookup"))
    def test_a_look_up_agrees_with_the_charge(self) -> None:
        charge = self._charge()
        result = self.make_backend().charge(charge)
        found = self._look_up(later(charge, result))
        if isinstance(result, (Paid, Declined)):
            assert get_identity(found) == get_identity(result), (
                f"charge gave {result!r}, and lookup found {found!r}."
            )

    @needs(has("can_lookup"), declines)
    def test_a_decline_is_still_one_when_looked_up(self) -> None:
        charge = self._declined_charge()
        result = self.make_backend().charge(charge)
        found = self._look_up(later(charge, result))
        assert isinstance(found, (Declined, NotFound)), f"A declined charge was looked up as {found!r}."

    @needs(has("can_lookup"))
    def test_looking_up_takes_no_money(self) -> None:
        charge = self._charge()
        self.make_backend().lookup(charge)
        assert not self.captures(charge.reference), "Looking a charge up took its money."

    @needs(has("can_lookup"), redirects, gives_up)
    def test_what_nobody_has_paid_is_not_paid(self) -> None:
        charge = self._left()
        found = self._look_up(charge)
        assert not isinstance(found, (Paid, NotFound)), (
            f"The shopper is at the provider and has not paid, and lookup found {found!r}."
        )
        assert not isinstance(found, Pending) or found.unfinished, (
            f"The shopper is at the provider and has not paid, and lookup found {found!r}: a Pending that is not "
            "unfinished places the order."
        )

    @needs(has("can_lookup"), is_paid_elsewhere)
    def test_what_is_paid_at_the_provider_is_found_paid(self) -> None:
        charge = self._left()
        self.pay(charge)
        for asked in (replace(charge, shopper_returned=True), charge):
            found = self._look_up(asked)
            assert isinstance(found, Paid), f"The shopper has paid, and lookup found {found!r}."
            assert (found.amount, found.currency) == (charge.amount, charge.currency), (
                f"{charge.amount} {charge.currency} was paid, and lookup says {found.amount} {found.currency}."
            )
        assert self.captures(charge.reference) in {None, 1}, (
            "The money of one charge was taken more than once."
        )

    @needs(has("can_lookup"), is_paid_elsewhere)
    def test_a_paid_charge_that_is_charged_again_is_not_paid_twice(self) -> None:
        charge = self._left()
        self.pay(charge)
        attempt(lambda: self.make_backend().charge(charge))
        assert self.captures(charge.reference) in {None, 1}, "A repeat of a paid charge took the money again."

    def _look_up(self, charge: Charge) -> object:
        found = self.make_backend().lookup(charge)
        fault = find_fault_in_lookup_result(found)
        assert not fault, f"The app cannot use this answer: {fault}."
        return found
