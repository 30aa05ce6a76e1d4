"""Tests that every payment backend has to pass, to be inherited by the tests of yours.

    class TestAcmeBackend(BackendContract):
        backend_class = AcmeBackend
        options = {"SANDBOX": True}
        paying_form = {"account": "1"}
        declined_form = {"account": "2"}

Fake the provider below the backend (an HTTP stand-in, the provider's own test mode), never the backend itself.
"""

from __future__ import annotations

from snipcart_checkout.testing.backend_contract.charge_promises import ChargeContract
from snipcart_checkout.testing.backend_contract.class_promises import ClassContract
from snipcart_checkout.testing.backend_contract.ending_promises import EndingContract
from snipcart_checkout.testing.backend_contract.hostile_answers import HostileAnswersContract
from snipcart_checkout.testing.backend_contract.lookup_promises import LookupContract
from snipcart_checkout.testing.backend_contract.notification_promises import NotificationContract
from snipcart_checkout.testing.backend_contract.refund_promises import RefundContract

__all__ = ["BackendContract"]


class BackendContract(
    ClassContract,
    ChargeContract,
    LookupContract,
    EndingContract,
    RefundContract,
    NotificationContract,
    HostileAnswersContract,
):
    """One backend against the promises of its interface. Tests of what its class does not claim are not collected.

    ``backend_class`` is the only thing to write; override ``make_backend`` when ``options`` alone do not build it.
    ``paying_form`` is what the shopper types for a payment that is not declined, and ``paying_gives`` is what
    ``charge`` then returns: Paid, Pending or Redirect. ``declined_form`` is for a payment that is declined, if the
    form decides. ``amounts`` are in major units; leave out the currencies that the provider does not take.
    ``secrets`` are values that nobody may see besides the options whose names sound secret.

    Override ``pay`` and ``give_up`` to play the shopper's part at the provider, ``expire`` to let the time to pay run out,
    ``notification``, ``refund_notification`` and ``dispute_notification`` to make genuine ones, ``fail_refund`` to let a
    refund fail later, and ``captures`` and ``refunds`` to count what the provider did; each makes more tests apply, or
    apply harder. ``money_may_come_late`` is for a provider that cannot refuse money after it ended a charge.
    """
