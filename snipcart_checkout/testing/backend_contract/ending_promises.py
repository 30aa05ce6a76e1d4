"""What becomes of a charge that nobody wants or finishes any more."""

from __future__ import annotations

from dataclasses import replace

from snipcart_checkout.backends.base import Charge, Declined, NotFound, Paid
from snipcart_checkout.testing.backend_case import BackendCase, has, needs
from snipcart_checkout.testing.backend_contract.conditions import (
    attempt,
    gives_up,
    is_paid_elsewhere,
    may_stay_unpaid,
    redirects,
    runs_out,
)


class EndingContract(BackendCase):
    """How ``lookup`` ends what is open: for a shopper who came back, and for a charge that is void."""

    @needs(has("can_lookup"), redirects, gives_up)
    def test_who_comes_back_without_paying_has_placed_no_order(self) -> None:
        charge = replace(self._left(), shopper_returned=True)
        self.give_up(charge)
        found = attempt(lambda: self.make_backend().lookup(charge))
        assert isinstance(found, (Declined, Exception)), (
            f"The shopper came back without having paid, and lookup found {found!r}: with shopper_returned that "
            "places the order. End the attempt at the provider and return Declined, or raise."
        )
        assert not self.captures(charge.reference), "Nobody paid, and the provider took the money."

    @needs(has("can_lookup"), redirects, gives_up, is_paid_elsewhere)
    def test_what_was_declined_for_who_came_back_cannot_be_paid_any_more(self) -> None:
        charge = replace(self._left(), shopper_returned=True)
        self.give_up(charge)
        self._assert_final(charge)

    @needs(may_stay_unpaid)
    def test_a_void_charge_that_nobody_has_paid_is_ended(self) -> None:
        charge = replace(self._left(), is_void=True)
        found = attempt(lambda: self.make_backend().lookup(charge))
        assert isinstance(found, (Declined, Exception)), (
            f"A charge that nobody has paid is no longer wanted, and lookup found {found!r}: with is_void end it at "
            "the provider and return Declined, or raise."
        )
        assert not self.captures(charge.reference), "A void charge was looked up, and its money was taken."

    @needs(may_stay_unpaid, is_paid_elsewhere)
    def test_a_void_charge_cannot_be_paid_any_more(self) -> None:
        self._assert_final(replace(self._left(), is_void=True))

    @needs(has("can_lookup"), is_paid_elsewhere)
    def test_a_void_charge_takes_no_money_and_hides_none(self) -> None:
        charge = replace(self._left(), is_void=True)
        self.pay(charge)
        taken = self.captures(charge.reference)
        found = attempt(lambda: self.make_backend().lookup(charge))
        assert self.captures(charge.reference) == taken, (
            "A charge is no longer wanted, and looking it up took its money: with is_void capture nothing."
        )
        assert not taken or isinstance(found, (Paid, Exception)), (
            f"The money of a void charge was taken, and lookup found {found!r}: return Paid, or nobody gives it back."
        )

    @needs(has("can_lookup"), runs_out)
    def test_a_charge_whose_time_has_run_out_is_declined(self) -> None:
        charge = self._left()
        self.expire(charge)
        for asked in (charge, replace(charge, shopper_returned=True), replace(charge, is_void=True)):
            found: object = self.make_backend().lookup(asked)
            assert isinstance(found, (Declined, NotFound)), (
                f"The time to pay has run out at the provider, and lookup found {found!r}."
            )
        assert not self.captures(charge.reference), "Nobody paid in time, and the provider took the money."

    def _assert_final(self, charge: Charge) -> None:
        """Pay after lookup returned Declined: that was the final word, so no money may be taken unseen."""
        if not isinstance(attempt(lambda: self.make_backend().lookup(charge)), Declined):
            return
        refusal = attempt(lambda: self.pay(charge))
        found = attempt(lambda: self.make_backend().lookup(replace(charge, is_void=True)))
        if self.money_may_come_late:
            assert isinstance(refusal, Exception) or isinstance(found, (Paid, Exception)), (
                f"Money came after lookup had returned Declined, and the next lookup found {found!r}."
            )
            return
        is_taken = bool(self.captures(charge.reference)) or isinstance(found, Paid)
        assert not is_taken, (
            f"lookup returned Declined, the shopper paid in another tab, and the money was taken ({found!r}): end the "
            "attempt at the provider before you return Declined. Where a provider cannot refuse late money, set "
            "money_may_come_late."
        )
