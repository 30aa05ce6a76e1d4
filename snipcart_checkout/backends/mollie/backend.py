"""Cards, iDEAL, Bancontact, bank transfer and more on Mollie's own page: no card number ever meets this site."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.utils.text import format_lazy

from snipcart_checkout.backends.base import (
    Charge,
    ChargeResult,
    Declined,
    LookupResult,
    NotFound,
    Notification,
    PaymentBackend,
    Redirect,
    RefundDeclined,
    RefundLookupResult,
    RefundRequest,
    RefundResult,
)
from snipcart_checkout.backends.mollie.api import MollieApi, MollieOutcomeUnknown, MollieRefused
from snipcart_checkout.backends.mollie.checks import check_options, is_of_mode, is_usable_key
from snipcart_checkout.backends.mollie.declines import refusal_code
from snipcart_checkout.backends.mollie.notifications import read_payment_id, to_notification
from snipcart_checkout.backends.mollie.objects import MolliePayment, MollieProfile
from snipcart_checkout.backends.mollie.outcomes import is_unfinished, to_outcome
from snipcart_checkout.backends.mollie.payments import build_description, build_payment
from snipcart_checkout.backends.mollie.refunds import look_up_refund, make_refund
from snipcart_checkout.conf.links import to_origin
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.conf.translation import gettext_lazy
from snipcart_checkout.exceptions import NotificationRefused
from snipcart_checkout.snipcart.money import UnpayableAmount

logger = logging.getLogger("snipcart_checkout")

_CHECKOUT_ORIGINS: Final = ("https://www.mollie.com", "https://pay.ideal.nl")


class MollieBackend(PaymentBackend):
    """Sends the shopper to a payment page of Mollie, and asks Mollie what came of the payment (API v2).

    Options: ``API_KEY`` (of the store's own mode), ``METHODS`` (Mollie's names of ways to pay, ``["ideal"]``; without
    it the shopper chooses among all that are enabled at Mollie), ``PROFILE_ID`` (checked by ``ping``, so that a key of another
    website of yours is noticed), ``PAYMENT_DESCRIPTION`` (what the shopper's statement says before the payment
    reference; may be a lazy translation), ``CHECKOUT_ORIGINS`` (further origins where Mollie may send the shopper).

    **One payment at Mollie per reference.** The reference is the idempotency key, and stands in the metadata. Mollie
    forgets keys after an hour, so a later repeat makes a second payment. It can still be paid only once: a repeat is
    sent only where the first one's link was never stored, so nobody has it, and it expires. The contract of
    ``repeat_is_safe`` is kept in that no money is taken twice, not in that Mollie lists one payment. A charge whose payment
    was never stored is NotFound for the same reason. No e-mail address is sent, because with one Mollie
    sends instructions for a transfer by itself.

    **The shopper comes back without having paid.** An open payment that Mollie can cancel is canceled there, and is then
    Declined, so that the order can be paid another way; Mollie cancels only what is not paid. One that Mollie cannot
    cancel is not known: his bank may be about to say that it is paid. An open payment for which he was given an account to
    transfer to is Pending: the money is on its way, for days.

    **What is unclear raises.** Only Mollie's own refusal of a new payment is a decline; a lost answer is not.
    """

    supports_refund = True
    supports_partial_refund = True
    can_lookup = True
    can_lookup_refund = True
    repeat_is_safe = True
    refund_repeat_is_safe = True
    pay_label = format_lazy(gettext_lazy("Continue to {provider}"), provider="Mollie")
    description = gettext_lazy("You continue on Mollie's payment page.")
    processed_by = "Mollie"
    redirect_origins: Sequence[str] = _CHECKOUT_ORIGINS

    def __init__(self, *, store: str, method: str, options: Mapping[str, Any]) -> None:
        super().__init__(store=store, method=method, options=options)
        self.redirect_origins = (*_CHECKOUT_ORIGINS, *self._texts("CHECKOUT_ORIGINS"))

    def charge(self, charge: Charge) -> ChargeResult:
        """Return the way to the charge's payment, or what has come of it already."""
        payment = self._get_payment(charge) if charge.provider_reference else self._create_payment(charge)
        return payment if isinstance(payment, Declined) else self._to_redirect(charge, payment)

    def lookup(self, charge: Charge) -> LookupResult:
        """Return what came of the charge's payment, canceling it where the shopper left it unfinished."""
        if not charge.provider_reference:
            return NotFound()
        payment = self._get_payment(charge)
        if (charge.shopper_returned or charge.is_void) and is_unfinished(payment):
            payment = self._cancel(payment)
        return to_outcome(payment, charge.language)

    def refund(self, refund: RefundRequest) -> RefundResult:
        """Refund a part or all of a payment."""
        try:
            value = self.to_major_units(refund.amount, refund.currency)
        except UnpayableAmount:
            return RefundDeclined("amount_not_supported", _("Mollie cannot refund exactly this amount."))
        return make_refund(self._api, refund, value, self._describe(refund.charge))

    def lookup_refund(self, refund: RefundRequest) -> RefundLookupResult:
        """Return what became of a refund. One that was canceled at Mollie is NotFound: Mollie does not list it."""
        return look_up_refund(self._api, refund)

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """Return the charge or refund that a message is about, once Mollie has said that it knows the payment."""
        payment_id = read_payment_id(body)
        try:
            payment = self._api.get_payment(payment_id, with_refunds=True)
        except MollieRefused as refused:
            problem = str(refused)
        else:
            return to_notification(payment)
        raise NotificationRefused(problem)

    def check(self) -> list[CheckMessage]:
        """Check every option, without asking Mollie."""
        return check_options(self)

    def ping(self) -> None:
        """Ask Mollie for the website profile that the key belongs to; raise ImproperlyConfigured for what is wrong."""
        try:
            problem = self._find_fault_in_profile(self._api.get_profile())
        except MollieRefused as refused:
            problem = "Mollie does not accept API_KEY" if refused.status in {401, 403} else str(refused)
        except MollieOutcomeUnknown as unknown:
            problem = str(unknown)
        if problem:
            raise ImproperlyConfigured(problem)

    def _find_fault_in_profile(self, profile: MollieProfile) -> str:
        expected = self.options.get("PROFILE_ID")
        if expected and profile.id != expected:
            return "API_KEY belongs to another website profile than PROFILE_ID names"
        if profile.mode and profile.mode != ("test" if self.is_test else "live"):
            return "API_KEY is of the other mode than the store"
        if profile.status == "blocked" or (profile.status == "unverified" and not self.is_test):
            return f"the website profile is {profile.status} at Mollie, so it takes no payment"
        return ""

    @property
    def _api(self) -> MollieApi:
        return MollieApi(self.http, str(self.options.get("API_KEY", "")))

    def _texts(self, option: str) -> tuple[str, ...]:
        values = self.options.get(option)
        if not isinstance(values, (list, tuple)):
            return ()
        return tuple(text for text in values if isinstance(text, str))

    def _describe(self, charge: Charge) -> str:
        return build_description(charge, self.options.get("PAYMENT_DESCRIPTION"))

    def _has_own_key(self) -> bool:
        key = self.options.get("API_KEY")
        return is_usable_key(key) and is_of_mode(str(key), is_test=self.is_test)

    def _get_payment(self, charge: Charge) -> MolliePayment:
        """Return the payment whose id we stored; one that Mollie does not know means the wrong key, not nothing."""
        try:
            payment = self._api.get_payment(charge.provider_reference)
        except MollieRefused as refused:
            problem = str(refused)
        else:
            if payment.id == charge.provider_reference and payment.reference == str(charge.reference):
                return payment
            problem = "Mollie answered with the payment of another charge"
        raise MollieOutcomeUnknown(problem)

    def _create_payment(self, charge: Charge) -> MolliePayment | Declined:
        """Create the charge's payment; where Mollie does not, nobody is sent anywhere and nothing can be taken."""
        if not self._has_own_key():
            return self._declined(charge, "API_KEY is unusable in this store")
        try:
            value = self.to_major_units(charge.amount, charge.currency)
        except UnpayableAmount as error:
            return self._declined(charge, error, "amount_not_supported")
        body = build_payment(charge, value, self._describe(charge), methods=self._texts("METHODS"))
        try:
            payment = self._api.create_payment(body, key=str(charge.reference))
        except MollieRefused as refused:
            # Also when the options changed since a payment that nobody was ever sent to: a new reference is then
            # better than a second payment for this one.
            return self._declined(charge, refused, refusal_code(refused))
        requested = (str(charge.reference), charge.amount, charge.currency)
        if (payment.reference, payment.amount, payment.currency) != requested:
            raise MollieOutcomeUnknown("Mollie answered with the payment of another charge")
        return payment

    def _to_redirect(self, charge: Charge, payment: MolliePayment) -> ChargeResult:
        if payment.status != "open":
            return to_outcome(payment, charge.language)
        if not payment.checkout_url:
            raise MollieOutcomeUnknown("Mollie answered with an open payment that has no page to pay on")
        origin = to_origin(payment.checkout_url)
        if not charge.provider_reference and origin not in self.redirect_origins:
            return self._declined(charge, f"Mollie's page is at {origin}, which CHECKOUT_ORIGINS lacks")
        return Redirect(payment.checkout_url, payment.id)

    def _declined(self, charge: Charge, reason: object, code: str = "declined") -> Declined:
        logger.error("%s/%s cannot charge %s: %s", self.store, self.method, charge.reference, reason)
        return Declined(code)

    def _cancel(self, payment: MolliePayment) -> MolliePayment:
        if not payment.is_cancelable:
            raise MollieOutcomeUnknown("the payment is open, and Mollie cannot cancel it")
        try:
            now = self._api.cancel_payment(payment.id)
        except MollieRefused:
            now = self._api.get_payment(payment.id)
        if is_unfinished(now) or now.reference != payment.reference:
            raise MollieOutcomeUnknown("Mollie neither cancels the payment nor says that it is paid")
        return now
