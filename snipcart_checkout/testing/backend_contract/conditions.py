"""To which classes a test of the contract applies, and what its failures have in common."""

from __future__ import annotations

from collections.abc import Callable

from snipcart_checkout.backends.base import Declined, Paid, PaymentBackend, Pending, Redirect
from snipcart_checkout.testing.backend_case import BackendCase, has


def pays_at_once(case: type[BackendCase]) -> bool:
    """Whether ``charge`` returns Paid."""
    return case.paying_gives is Paid


def stays(case: type[BackendCase]) -> bool:
    """Whether the shopper stays on the site."""
    return case.paying_gives in {Paid, Pending}


def redirects(case: type[BackendCase]) -> bool:
    """Whether the shopper is sent to the provider."""
    return case.paying_gives is Redirect


def is_paid_elsewhere(case: type[BackendCase]) -> bool:
    """Whether the test plays the payment at the provider."""
    return case.paying_gives is not Paid and case.pay is not BackendCase.pay


def gives_up(case: type[BackendCase]) -> bool:
    """Whether the test plays a shopper who comes back without having paid."""
    return case.give_up is not BackendCase.give_up


def may_stay_unpaid(case: type[BackendCase]) -> bool:
    """Whether a test can look up a charge that nobody has paid."""
    return has("can_lookup")(case) and (is_paid_elsewhere(case) or (redirects(case) and gives_up(case)))


def runs_out(case: type[BackendCase]) -> bool:
    """Whether the test can let the time to pay run out at the provider."""
    return case.expire is not BackendCase.expire


def gets_paid(case: type[BackendCase]) -> bool:
    """Whether a test can bring about a paid charge."""
    return pays_at_once(case) or (is_paid_elsewhere(case) and has("can_lookup")(case))


def declines(case: type[BackendCase]) -> bool:
    """Whether the form decides about a decline."""
    return case.declined_form is not None


def notifies(case: type[BackendCase]) -> bool:
    """Whether a genuine notification can be made."""
    return case.notification is not BackendCase.notification


def notifies_of_refunds(case: type[BackendCase]) -> bool:
    """Whether a genuine notification about a refund can be made."""
    return case.refund_notification is not BackendCase.refund_notification


def notifies_of_disputes(case: type[BackendCase]) -> bool:
    """Whether a genuine notification of a chargeback can be made."""
    return case.dispute_notification is not BackendCase.dispute_notification


def refunds_may_fail(case: type[BackendCase]) -> bool:
    """Whether the test can let a refund fail later."""
    return case.fail_refund is not BackendCase.fail_refund


def overrides(method: str) -> Callable[[type[BackendCase]], bool]:
    """Whether the class has a method of its own; one that is not named is taken to have none."""

    def is_overridden(case: type[BackendCase]) -> bool:
        own = case.backend_class
        return own is not None and getattr(own, method) is not getattr(PaymentBackend, method)

    return is_overridden


def repeats_refunds(case: type[BackendCase]) -> bool:
    """Whether the class claims that a repeated refund happens once."""
    claimed = getattr(case.backend_class, "refund_repeat_is_safe", None)
    return has("repeat_is_safe")(case) if claimed is None else bool(claimed)


def get_identity(result: object) -> tuple[type, str]:
    """Return what makes two results the same transaction, or the same decline."""
    if isinstance(result, (Paid, Pending)):
        return type(result), result.transaction_id
    if isinstance(result, Redirect):
        return Redirect, result.provider_reference
    return type(result), result.code if isinstance(result, Declined) else ""


def attempt(call: Callable[[], object]) -> object:
    """Return what a call returned, or the exception that it raised."""
    try:
        return call()
    except Exception as error:  # a backend may raise anything to say "unknown"
        return error
