"""What refunds give, and what is told of them later."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

from snipcart_checkout.backends.base import NotFound, RefundDeclined, Refunded, RefundRequest
from snipcart_checkout.backends.results import (
    find_fault_in_refund_lookup_result,
    find_fault_in_refund_result,
)
from snipcart_checkout.snipcart.money import to_amount
from snipcart_checkout.testing.backend_case import BackendCase, build_refund, has, needs
from snipcart_checkout.testing.backend_contract.conditions import (
    attempt,
    gets_paid,
    refunds_may_fail,
    repeats_refunds,
)


class RefundContract(BackendCase):
    """What ``refund`` and ``lookup_refund`` do."""

    @needs(has("supports_refund"), gets_paid)
    def test_a_paid_charge_can_be_refunded(self) -> None:
        refund = self._refund()
        self._assert_made(refund)

    @needs(has("supports_refund"), repeats_refunds, gets_paid)
    def test_a_refund_repeated_with_its_reference_happens_once(self) -> None:
        refund = self._refund()
        results = [self.make_backend().refund(refund) for _ in range(2)]
        assert results[0] == results[1], (
            f"One refund sent twice gave {results[0]!r} and {results[1]!r}, and repeats are claimed to be safe."
        )
        self._assert_counted_once(refund)

    @needs(has("supports_partial_refund"), gets_paid)
    def test_two_equal_partial_refunds_are_two(self) -> None:
        whole = self._refund()
        half = _part(whole, whole.minor_units // 2)
        for refund in (half, replace(half, reference=uuid4())):
            self._assert_made(refund)

    @needs(lambda case: not has("supports_refund")(case))
    def test_a_backend_that_cannot_refund_does_not_say_it_did(self) -> None:
        outcome = attempt(lambda: self.make_backend().refund(build_refund(self._charge(), "any")))
        assert isinstance(outcome, Exception), (
            f"It does not claim supports_refund, and refund returned {outcome!r}: raise, or claim it."
        )

    @needs(has("can_lookup_refund"), gets_paid)
    def test_a_refund_that_was_made_is_looked_up_as_made(self) -> None:
        refund = self._refund()
        made = self.make_backend().refund(refund)
        found = self._look_up_refund(refund)
        assert isinstance(found, Refunded), f"A refund that was made was looked up as {found!r}."
        assert isinstance(made, Refunded), f"{made!r} is not Refunded."
        assert found.refund_id == made.refund_id, f"refund gave {made!r}, and lookup_refund found {found!r}."

    @needs(has("can_lookup_refund"), gets_paid)
    def test_a_refund_that_never_was_is_not_found_and_not_made(self) -> None:
        refund = self._refund()
        found = self._look_up_refund(refund)
        assert isinstance(found, NotFound), (
            f"Nobody asked for this refund, and lookup_refund found {found!r}."
        )
        assert not self.refunds(refund.reference), "Looking a refund up made it."

    @needs(has("can_lookup_refund"), has("supports_partial_refund"), gets_paid)
    def test_another_refund_of_the_same_charge_is_not_taken_for_it(self) -> None:
        made = _part(self._refund(), 1)
        self._assert_made(made)
        found = attempt(lambda: self._look_up_refund(replace(made, reference=uuid4())))
        assert isinstance(found, (NotFound, Exception)), (
            f"Another refund of the same charge and amount was made, and lookup_refund found {found!r}."
        )

    @needs(has("can_lookup_refund"), gets_paid, refunds_may_fail)
    def test_a_refund_that_fails_later_is_declined_when_looked_up(self) -> None:
        refund = self._refund()
        self._assert_made(refund)
        self.fail_refund(refund)
        found = self._look_up_refund(refund)
        assert isinstance(found, RefundDeclined), (
            f"The provider took a refund back, and lookup_refund found {found!r}."
        )

    def _assert_made(self, refund: RefundRequest) -> None:
        result: object = self.make_backend().refund(refund)
        fault = find_fault_in_refund_result(result)
        assert not fault, f"The app cannot use this answer: {fault}."
        assert isinstance(result, Refunded), f"A refund of {refund.amount} {refund.currency} gave {result!r}."
        self._assert_counted_once(refund)

    def _assert_counted_once(self, refund: RefundRequest) -> None:
        count = self.refunds(refund.reference)
        assert count in {None, 1}, f"The provider made {count} refunds for one reference."

    def _look_up_refund(self, refund: RefundRequest) -> object:
        found: object = self.make_backend().lookup_refund(refund)
        fault = find_fault_in_refund_lookup_result(found)
        assert not fault, f"The app cannot use this answer: {fault}."
        return found


def _part(whole: RefundRequest, units: int) -> RefundRequest:
    amount: Decimal = to_amount(units, whole.currency)
    return replace(whole, amount=amount, minor_units=units, reference=uuid4())
