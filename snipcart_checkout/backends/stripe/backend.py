"""Card and wallet payments on Stripe's own page: hosted Checkout, so that no card number ever meets this site."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.utils import translation

from snipcart_checkout.backends.base import (
    Charge,
    ChargeResult,
    Declined,
    LookupResult,
    NotFound,
    Notification,
    PaymentBackend,
    Redirect,
    RefundLookupResult,
    RefundRequest,
    RefundResult,
)
from snipcart_checkout.backends.stripe.api import (
    StripeApi,
    StripeBusy,
    StripeOutcomeUnknown,
    StripeRefused,
)
from snipcart_checkout.backends.stripe.checks import check_options, is_usable_key, suits_store
from snipcart_checkout.backends.stripe.declines import refusal_code
from snipcart_checkout.backends.stripe.notifications import read_event
from snipcart_checkout.backends.stripe.outcomes import is_unfinished, to_outcome
from snipcart_checkout.backends.stripe.refunds import find_refund, make_refund
from snipcart_checkout.backends.stripe.sessions import build_session_params
from snipcart_checkout.conf.links import to_origin
from snipcart_checkout.conf.translation import gettext
from snipcart_checkout.conf.translation import gettext_lazy as _
from snipcart_checkout.snipcart.money import UnpayableAmount

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams

    from snipcart_checkout.backends.stripe.objects import CheckoutSession

logger = logging.getLogger("snipcart_checkout")

_CHECKOUT: Final = "https://checkout.stripe.com"
_DEFAULT_MINUTES: Final = 60


class StripeBackend(PaymentBackend):
    """Sends the shopper to a Checkout Session of Stripe, and asks Stripe what came of it.

    Options: ``SECRET_KEY`` (secret or restricted, of the store's own mode), ``WEBHOOK_SECRETS`` (a list, so that they
    can be rotated), ``SESSION_MINUTES`` (how long a payment may stay unfinished, 60), ``CHECKOUT_ORIGINS`` (for a
    domain of one's own at Stripe), ``PRODUCT_NAME`` (what Stripe's page calls the purchase; may be a lazy translation).

    **One session per reference.** The reference is the idempotency key and ``client_reference_id``. Stripe forgets
    keys after a day, and that is also when a session ends, so a later repeat never makes a second one that can be
    paid. A charge whose session was never stored is NotFound: nobody was ever sent there, so nobody can have paid.

    **The shopper comes back without having paid** (Stripe's back arrow leads to the same return address as success):
    an open session keeps the order from being paid any other way, so it is ended at Stripe, which only succeeds as
    long as nothing was paid. The payment is then Declined as cancelled, and the shopper chooses anew. Asked without
    the shopper, an open session is Pending: he may be typing his card number this moment. One that is still
    unfinished after SESSION_MINUTES is ended too. Whoever closed Stripe's page and opens the order again is led back
    to the same session, and can pay there or go back.

    **What is unclear raises.** Only Stripe's own refusal of a new session is a decline; a lost answer is not. A call
    that Stripe turned away because there are too many (429) made no session, so the payment is Declined with a
    sentence that says so, and the order can be paid again at once.

    Amount and currency of Paid are Stripe's. Ways to pay that take days (debits, transfers) are Pending until then.
    """

    supports_refund = True
    supports_partial_refund = True
    can_lookup = True
    can_lookup_refund = True
    repeat_is_safe = True
    refund_repeat_is_safe = True
    pay_label = _("Continue to Stripe")
    description = _("You continue on Stripe's secure page, and come back here.")
    processed_by = "Stripe"
    redirect_origins: Sequence[str] = (_CHECKOUT,)

    def __init__(self, *, store: str, method: str, options: Mapping[str, Any]) -> None:
        super().__init__(store=store, method=method, options=options)
        self.redirect_origins = (_CHECKOUT, *self._texts("CHECKOUT_ORIGINS"))

    def charge(self, charge: Charge) -> ChargeResult:
        """Return the way to the charge's session, or what has come of it already."""
        found = self._get_session(charge) if charge.provider_reference else self._open_session(charge)
        return found if isinstance(found, Declined) else self._to_redirect(charge, found)

    def lookup(self, charge: Charge) -> LookupResult:
        """Return what came of the charge's session, ending it where nobody will finish it."""
        if not charge.provider_reference:
            return NotFound()
        session = self._get_session(charge)
        is_over = charge.shopper_returned or charge.is_void or self._is_too_old(session)
        if is_unfinished(session) and is_over:
            session = self._end(session)
        return to_outcome(session)

    def refund(self, refund: RefundRequest) -> RefundResult:
        """Refund a part or all of a payment."""
        return make_refund(self._api, refund)

    def lookup_refund(self, refund: RefundRequest) -> RefundLookupResult:
        """Return what became of a refund, which may fail days after Stripe took it on."""
        return find_refund(self._api, refund)

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """Return the charge or refund of an event that Stripe signed within the last five minutes."""
        return read_event(self._api, headers, body, self._texts("WEBHOOK_SECRETS"))

    def check(self) -> list[CheckMessage]:
        """Check every option, without asking Stripe."""
        return check_options(self)

    def ping(self) -> None:
        """Ask Stripe for one session, PaymentIntent and refund; raise ImproperlyConfigured if the key may not read them.

        Whether a restricted key may also write cannot be asked without writing.
        """
        try:
            missing = self._api.find_missing_permissions()
            problem = gettext("SECRET_KEY may not read at Stripe: {names}.").format(names=", ".join(missing))
        except (StripeRefused, StripeOutcomeUnknown) as error:
            missing = [""]
            problem = gettext("Stripe does not accept SECRET_KEY, or cannot be asked: {problem}.").format(
                problem=error
            )
        if missing:
            raise ImproperlyConfigured(problem)

    @property
    def _api(self) -> StripeApi:
        return StripeApi(self.http, str(self.options.get("SECRET_KEY", "")))

    def _texts(self, option: str) -> tuple[str, ...]:
        values = self.options.get(option)
        if not isinstance(values, (list, tuple)):
            return ()
        # An empty entry is what an environment variable that is not set leaves behind.
        return tuple(text for text in values if isinstance(text, str) and text.strip())

    def _has_own_key(self) -> bool:
        key = self.options.get("SECRET_KEY")
        return is_usable_key(key) and suits_store(str(key), self.store)

    def _get_session(self, charge: Charge) -> CheckoutSession:
        """Return the session whose id we stored; one that Stripe does not know means the wrong account, not nothing."""
        try:
            session = self._api.session(charge.provider_reference)
        except StripeRefused as refusal:
            problem = str(refusal)
        else:
            if session.reference == str(charge.reference):
                return session
            problem = "Stripe answered with a session of another charge"
        raise StripeOutcomeUnknown(problem)

    def _open_session(self, charge: Charge) -> CheckoutSession | Declined:
        """Create the charge's session; where Stripe does not, nobody is sent anywhere and nothing can be taken."""
        if not self._has_own_key():
            return self._declined(charge, "SECRET_KEY is unusable in this store")
        try:
            params = build_session_params(charge, product_name=self.options.get("PRODUCT_NAME"))
        except UnpayableAmount as error:
            return self._declined(charge, error, "amount_not_supported")
        try:
            return self._create_session(params, str(charge.reference))
        except StripeRefused as refused:
            # Also when the shopper changed his address or language since a session that he was never sent to:
            # a new reference is then better than a second session for this one.
            return self._declined(charge, refused, refusal_code(refused))
        except StripeBusy as busy:
            return self._declined(charge, busy, "provider_busy", _get_busy_text(charge.language))
        except StripeOutcomeUnknown as unknown:
            if not unknown.is_replay:
                raise
            # The first call failed, and Stripe will answer so for a day.
            return self._declined(charge, unknown)

    def _create_session(self, params: SessionCreateParams, key: str) -> CheckoutSession:
        """Create the session, without the e-mail address where Stripe does not take it for one."""
        try:
            return self._api.create_session(params, key=key)
        except StripeRefused as refused:
            if "customer_email" not in params or not _is_about_email(refused):
                raise
        # Other parameters need a key of their own, the same on every repeat.
        anonymous = params.copy()
        del anonymous["customer_email"]
        return self._api.create_session(anonymous, key=f"{key}-without-email")

    def _to_redirect(self, charge: Charge, session: CheckoutSession) -> ChargeResult:
        if not is_unfinished(session) or not session.url:
            return to_outcome(session)
        origin = to_origin(session.url)
        if not charge.provider_reference and origin not in self.redirect_origins:
            return self._declined(charge, f"Stripe's page is at {origin}, which CHECKOUT_ORIGINS lacks")
        return Redirect(session.url, session.id)

    def _declined(
        self, charge: Charge, reason: object, code: str = "declined", message: str = ""
    ) -> Declined:
        logger.error("%s/%s cannot charge %s: %s", self.store, self.method, charge.reference, reason)
        return Declined(code, message)

    def _end(self, session: CheckoutSession) -> CheckoutSession:
        try:
            return self._api.expire(session.id)
        except StripeRefused:
            now = self._api.session(session.id)
        if is_unfinished(now):
            raise StripeOutcomeUnknown("Stripe neither ends the session nor says that it is paid")
        return now

    def _is_too_old(self, session: CheckoutSession) -> bool:
        minutes = self.options.get("SESSION_MINUTES", _DEFAULT_MINUTES)
        limit = minutes if type(minutes) is int and minutes >= 5 else _DEFAULT_MINUTES
        return time.time() - session.created > limit * 60


def _is_about_email(refused: StripeRefused) -> bool:
    return refused.param == "customer_email" or refused.code == "email_invalid"


def _get_busy_text(language: str) -> str:
    with translation.override(language):
        return gettext("The payment provider is busy. No money was taken. Please try again in a minute.")
