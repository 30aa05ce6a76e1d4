"""A backend that takes no money: the shopper picks what comes of the payment. For development and trials."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from snipcart_checkout.backends.base import (
    Charge,
    ChargeResult,
    Declined,
    LookupResult,
    NotFound,
    Paid,
    PaymentBackend,
    Pending,
    Redirect,
    Refunded,
    RefundRequest,
    RefundResult,
)
from snipcart_checkout.backends.options import unknown_options
from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.debug import is_debug
from snipcart_checkout.conf.translation import gettext
from snipcart_checkout.conf.translation import gettext_lazy as _

__all__ = ["DummyBackend", "DummyForm", "DummyTimeout"]

_DEFAULT_CODE: Final = "card_declined"
_DEFAULT_DELAY: Final = 3.0
_LONGEST_DELAY: Final = 60.0


class DummyTimeout(Exception):
    """What the outcome ``unknown`` raises, as a provider that does not answer would make a backend do."""


class DummyForm(forms.Form):
    """What is to come of the payment. A form posted without any of the fields means ``processed``."""

    outcome = forms.ChoiceField(
        label=_("Simulate an outcome"),
        choices=(
            ("processed", _("It is paid")),
            ("processing", _("It stays pending")),
            ("failed", _("It is declined")),
            ("slow", _("It is paid, but slowly")),
            ("unknown", _("The answer is lost; a later look-up finds it paid")),
            ("redirect", _("It continues at the provider and is paid there")),
        ),
        initial="processed",
        required=False,
    )
    code = forms.CharField(label=_("Decline code"), initial=_DEFAULT_CODE, max_length=100, required=False)
    message = forms.CharField(label=_("Decline message"), max_length=200, required=False)

    def clean_outcome(self) -> str:
        """Return the outcome, never empty."""
        return self.cleaned_data["outcome"] or "processed"


class DummyBackend(PaymentBackend):
    """Does what the shopper picked, and remembers nothing.

    Every answer follows from ``charge.form`` and ``charge.reference`` alone, so that repeating and looking up
    work from any process. The only option is ``DELAY``: the seconds that ``slow`` takes, 3 unless given.
    """

    form_class = DummyForm
    supports_refund = True
    supports_partial_refund = True
    can_lookup = True
    repeat_is_safe = True

    def __init__(self, *, store: str, method: str, options: Mapping[str, Any]) -> None:
        super().__init__(store=store, method=method, options=options)
        configured = get_settings().stores.get(store)
        if not (is_debug() or (configured and configured.is_test)):
            raise ImproperlyConfigured(
                gettext(
                    "DummyBackend takes no money, so with DEBUG off it works only in a store whose MODE is 'test'."
                )
            )

    def charge(self, charge: Charge) -> ChargeResult:
        """Return what the shopper picked; raise DummyTimeout for ``unknown``."""
        outcome = charge.form.get("outcome")
        if outcome == "unknown":
            raise DummyTimeout
        if outcome == "redirect":
            return Redirect(charge.return_url, _transaction_id(charge))
        if outcome == "slow":
            time.sleep(self._delay)
        return _outcome(charge)

    def lookup(self, charge: Charge) -> LookupResult:
        """Return what came of it: Paid, unless the shopper picked ``processing`` or ``failed``.

        A redirect that is no longer wanted is ended before the shopper comes back. NotFound without a form: it is
        forgotten once a payment is final, and a declined one must not come back as paid.
        """
        if charge.is_void and charge.form.get("outcome") == "redirect":
            return Declined("cancelled")
        return _outcome(charge) if charge.form.get("outcome") else NotFound()

    def refund(self, refund: RefundRequest) -> RefundResult:
        """Refund whatever is asked."""
        return Refunded(f"dummy-{refund.reference}")

    def check(self) -> list[checks.CheckMessage]:
        """Warn of unknown options, and refuse a DELAY that is none."""
        messages = unknown_options(self, {"DELAY"})
        if self._delay != self.options.get("DELAY", _DEFAULT_DELAY):
            messages.append(
                checks.Error(
                    gettext("DELAY of {store}/{method} is not a number of seconds from 0 to 60.").format(
                        store=self.store, method=self.method
                    ),
                    hint=gettext('Write "OPTIONS": {"DELAY": 3}, or leave it out.'),
                    id="snipcart_checkout.E215",
                )
            )
        return messages

    @property
    def _delay(self) -> float:
        delay = self.options.get("DELAY", _DEFAULT_DELAY)
        is_number = isinstance(delay, (int, float)) and not isinstance(delay, bool)
        return delay if is_number and 0 <= delay <= _LONGEST_DELAY else _DEFAULT_DELAY


def _transaction_id(charge: Charge) -> str:
    return f"dummy-{charge.reference}"


def _outcome(charge: Charge) -> Paid | Pending | Declined:
    outcome = charge.form.get("outcome")
    if outcome == "processing":
        return Pending(_transaction_id(charge))
    if outcome == "failed":
        return Declined(charge.form.get("code") or _DEFAULT_CODE, charge.form.get("message") or "")
    return Paid(_transaction_id(charge), charge.amount, charge.currency)
