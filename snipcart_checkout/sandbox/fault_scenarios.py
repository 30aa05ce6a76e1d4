"""Bad days of a shop, to be lived through with one button each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise

from snipcart_checkout.sandbox.core.fault_injection import FaultInjection
from snipcart_checkout.sandbox.translation import gettext_lazy as _


@dataclass(frozen=True, kw_only=True)
class FaultScenario:
    """What happens, and what to look at. ``place`` and ``fault`` are of the list of faults, at the ``nth`` call."""

    title: str | Promise
    happens: str | Promise
    watch: str | Promise
    place: str
    fault: str
    nth: int = 1
    times: int = 1

    def begin(self, faults: FaultInjection) -> None:
        """Plan the faults of the scenario, and nothing else."""
        faults.cancel()
        faults.plan(self.place, self.fault, nth=self.nth, times=self.times)


SCENARIOS: Final[Mapping[str, FaultScenario]] = {
    "lost-answer": FaultScenario(
        title=_("The confirmation arrives, its answer gets lost"),
        happens=_(
            "The next payment is confirmed and recorded, but the connection is cut before the shop gets "
            "the answer."
        ),
        watch=_(
            "The shop sends the same confirmation again. The shopper has paid once, and there is one order."
        ),
        place="payment",
        fault="cut-after",
    ),
    "snipcart-down": FaultScenario(
        title=_("Snipcart is down when the money was taken"),
        happens=_("Snipcart answers the next two confirmations with an error of its own (503)."),
        watch=_(
            "The shopper reads that the payment arrived. The order follows once the shop's cron job has run."
        ),
        place="payment",
        fault="503",
        times=2,
    ),
    "cart-changes": FaultScenario(
        title=_("The cart changes while it is being paid"),
        happens=_(
            "Begin this before you open the checkout page: right after you pressed the pay button, one more thing is put into the cart."
        ),
        watch=_(
            "The shop compares the order once more after the payment. It confirms nothing, and the payment needs review."
        ),
        place="payment-session",
        fault="cart-changed-after",
        nth=2,
    ),
    "session-expires": FaultScenario(
        title=_("The payment session expires during the payment"),
        happens=_(
            "Begin this before you open the checkout page: the session expires when the money was taken, and the order can no longer be read."
        ),
        watch=_("Money was taken for an order that can no longer be compared: the payment needs review."),
        place="payment-session",
        fault="session-expired",
        nth=3,
    ),
    "refund-twice": FaultScenario(
        title=_("A refund is sent twice"),
        happens=_("Snipcart sends the next refund twice, as after a time-out."),
        watch=_("The money goes back once, and both requests get the same answer."),
        place="refund",
        fault="sent-twice",
    ),
}
