"""Payments with PayPal, on PayPal's own page: Orders v2, captured when the shopper comes back."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from snipcart_checkout.backends.base import (
    Charge,
    ChargeResult,
    Declined,
    LookupResult,
    NotFound,
    Notification,
    Paid,
    PaymentBackend,
    Pending,
    Redirect,
    RefundDeclined,
    RefundLookupResult,
    RefundRequest,
    RefundResult,
)
from snipcart_checkout.backends.paypal.amounts import CURRENCY_DECIMALS, UnpayableCurrency, to_money
from snipcart_checkout.backends.paypal.api import PayPalApi, PayPalOutcomeUnknown, PayPalRefused
from snipcart_checkout.backends.paypal.checks import (
    DEFAULT_MINUTES,
    check_options,
    is_credential,
    is_loopback_origin,
    is_minutes,
    is_webhook_id,
)
from snipcart_checkout.backends.paypal.declines import CAPTURE_DECLINES, CREATE_DECLINES
from snipcart_checkout.backends.paypal.notifications import read_event
from snipcart_checkout.backends.paypal.objects import Order
from snipcart_checkout.backends.paypal.orders import build_order_body
from snipcart_checkout.backends.paypal.outcomes import OrderState, get_state, to_outcome
from snipcart_checkout.backends.paypal.refunds import find_refund, make_refund
from snipcart_checkout.conf.translation import gettext_lazy as _
from snipcart_checkout.exceptions import NotificationRefused
from snipcart_checkout.snipcart.money import UnpayableAmount

logger = logging.getLogger("snipcart_checkout")

_LIVE_API: Final = "https://api-m.paypal.com"
_SANDBOX_API: Final = "https://api-m.sandbox.paypal.com"
_LIVE_PAGE: Final = "https://www.paypal.com"
_SANDBOX_PAGE: Final = "https://www.sandbox.paypal.com"
_CAPTURABLE: Final = frozenset({OrderState.OPEN, OrderState.APPROVED})
"""The states from which an order can still be captured, now or once the shopper approves it."""


class PayPalBackend(PaymentBackend):
    """Sends the shopper to PayPal to approve an order, and takes the money once that is done.

    Options: ``CLIENT_ID`` and ``CLIENT_SECRET`` (of an app of the store's own side, live or sandbox), ``WEBHOOK_ID``
    (of the app's webhook), ``BRAND_NAME`` (what PayPal's page calls the shop; may be a lazy translation),
    ``ORDER_MINUTES`` (how long a payment may stay unfinished, 60), ``API_URL`` (a stand-in on this machine).

    **Money moves by our capture alone.** An order that the shopper approved is worth nothing until it is captured,
    and only a charge that is looked up, because he came back, PayPal reported or time has passed, captures the one
    order whose id we stored. So an order that was created but never stored (a lost answer, a repeat after PayPal
    forgot the key) can never be paid, and a charge without a stored order is NotFound.

    **One reference.** Ours is ``PayPal-Request-Id`` of the order and of its capture, and ``custom_id`` and
    ``invoice_id`` of the purchase unit, which PayPal passes on to captures, reports and events. PayPal captures an
    order at most once, whatever the key.

    **What is not finished is ended, not forgotten.** PayPal's cancel link leads to the same return address as success.
    An order that the shopper comes back from without having approved it, or that is older than ORDER_MINUTES, or whose
    capture was declined, gets another intent at PayPal, after which PayPal refuses to capture it
    (``forbid_capture``). The payment is then Declined, and a late approval in another tab takes no money.

    **What is unclear raises.** A refusal is PayPal's own error object with a 4xx that says that nothing was done.
    Amount and currency of Paid are those of the capture.
    """

    supports_refund = True
    supports_partial_refund = True
    can_lookup = True
    can_lookup_refund = True
    repeat_is_safe = True
    refund_repeat_is_safe = True
    pay_label = _("Continue to PayPal")
    description = _("You continue at PayPal and then return here.")
    processed_by = "PayPal"
    currency_decimals = CURRENCY_DECIMALS
    redirect_origins: Sequence[str] = (_LIVE_PAGE, _SANDBOX_PAGE)

    def __init__(self, *, store: str, method: str, options: Mapping[str, Any]) -> None:
        super().__init__(store=store, method=method, options=options)
        self.redirect_origins = (self._stand_in or (_SANDBOX_PAGE if self.is_test else _LIVE_PAGE),)

    def charge(self, charge: Charge) -> ChargeResult:
        """Return the way to the charge's order, or what has come of it already."""
        order = self._get_order(charge) if charge.provider_reference else self._create_order(charge)
        if isinstance(order, Declined):
            return order
        if get_state(order) is not OrderState.OPEN:
            return self._settle(charge, order)
        if not order.approval_url:
            raise PayPalOutcomeUnknown("PayPal answered with an order that the shopper cannot approve")
        return Redirect(order.approval_url, order.id)

    def lookup(self, charge: Charge) -> LookupResult:
        """Return what came of the charge's order: capture what is approved, end what nobody will finish."""
        if not charge.provider_reference:
            return NotFound()
        return self._settle(charge, self._get_order(charge))

    def refund(self, refund: RefundRequest) -> RefundResult:
        """Refund a part or all of a payment."""
        try:
            money = to_money(self, refund.amount, refund.currency)
        except UnpayableAmount:
            return RefundDeclined("amount_not_supported", str(_("PayPal cannot refund exactly this amount.")))
        return make_refund(self._api, refund, money)

    def lookup_refund(self, refund: RefundRequest) -> RefundLookupResult:
        """Return what came of a refund, by the order that it belongs to."""
        return find_refund(self._api, refund)

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """Return the charge or refund of an event that PayPal says it sent."""
        webhook_id = self.options.get("WEBHOOK_ID")
        if not is_webhook_id(webhook_id):
            raise NotificationRefused("there is no WEBHOOK_ID to verify the event with")
        return read_event(self._api, str(webhook_id), headers, body)

    def check(self) -> list[CheckMessage]:
        """Check every option, without asking PayPal."""
        return check_options(self)

    def ping(self) -> None:
        """Ask PayPal for an access token, which it gives only for credentials of the store's own side."""
        try:
            self._api.new_token()
        except PayPalRefused as refused:
            problem = str(refused)
        else:
            return
        side = _("sandbox") if self.is_test else _("live")
        raise ImproperlyConfigured(
            str(_("PayPal ({side}) refuses CLIENT_ID and CLIENT_SECRET: {problem}.")).format(
                side=side, problem=problem
            )
        )

    @property
    def _stand_in(self) -> str:
        url = self.options.get("API_URL")
        return str(url) if is_loopback_origin(url) else ""

    @property
    def _api(self) -> PayPalApi:
        url = self._stand_in or (_SANDBOX_API if self.is_test else _LIVE_API)
        credentials = (str(self.options.get(name, "")) for name in ("CLIENT_ID", "CLIENT_SECRET"))
        return PayPalApi(self.http, url, *credentials)

    def _create_order(self, charge: Charge) -> Order | Declined:
        """Create the charge's order; where PayPal does not, nobody is sent anywhere and nothing can be taken."""
        if not all(is_credential(self.options.get(name)) for name in ("CLIENT_ID", "CLIENT_SECRET")):
            return self._declined(charge, "CLIENT_ID or CLIENT_SECRET is unusable")
        try:
            money = to_money(self, charge.amount, charge.currency)
        except UnpayableCurrency as error:
            return self._declined(charge, error, "currency_not_supported")
        except UnpayableAmount as error:
            return self._declined(charge, error, "amount_not_supported")
        body = build_order_body(charge, money, brand_name=self.options.get("BRAND_NAME"))
        try:
            made = self._api.create_order(body, key=str(charge.reference))
        except PayPalRefused as refused:
            return self._declined(charge, refused, CREATE_DECLINES.get(refused.code, "declined"))
        if made.references not in {(), (str(charge.reference),)}:
            raise PayPalOutcomeUnknown("PayPal answered with the order of another charge")
        return made

    def _declined(self, charge: Charge, reason: object, code: str = "declined") -> Declined:
        logger.error("%s/%s cannot charge %s: %s", self.store, self.method, charge.reference, reason)
        return Declined(code)

    def _get_order(self, charge: Charge) -> Order:
        """Return the order whose id we stored; one that PayPal does not know means the wrong account, not nothing."""
        try:
            order = self._api.order(charge.provider_reference)
        except PayPalRefused as refused:
            problem = str(refused)
        else:
            if self._belongs_to(charge, order):
                return order
            problem = "PayPal answered with the order of another charge"
        raise PayPalOutcomeUnknown(problem)

    def _belongs_to(self, charge: Charge, order: Order) -> bool:
        return order.id == charge.provider_reference and order.references == (str(charge.reference),)

    def _settle(self, charge: Charge, order: Order) -> Paid | Pending | Declined:
        """Return what came of an order, after doing what is left to do about it."""
        state = get_state(order)
        if order.captures:
            outcome = to_outcome(order)
            if isinstance(outcome, Declined) and state in _CAPTURABLE:
                return self._end(charge, order, outcome.code)
            return outcome
        if state is OrderState.APPROVED and not charge.is_void:
            return self._capture(charge, order)
        is_left = charge.is_void or charge.shopper_returned or self._is_too_old(order)
        if is_left and state in {OrderState.OPEN, OrderState.APPROVED}:
            return self._end(charge, order, "cancelled")
        return to_outcome(order)

    def _capture(self, charge: Charge, order: Order) -> Paid | Pending | Declined:
        try:
            captured = self._api.capture(order.id, key=str(charge.reference))
        except PayPalRefused as refused:
            code, problem = CAPTURE_DECLINES.get(refused.code, ""), str(refused)
        else:
            is_whole = captured.captures and self._belongs_to(charge, captured)
            return to_outcome(captured if is_whole else self._get_order(charge))
        return self._after_refusal(charge, code, problem)

    def _after_refusal(self, charge: Charge, code: str, problem: str) -> Paid | Pending | Declined:
        """Return what an order is after a refused capture: another process may have captured or ended it."""
        now = self._get_order(charge)
        state = get_state(now)
        if now.captures or state not in _CAPTURABLE:
            return to_outcome(now)
        if code:
            return self._end(charge, now, code)
        if state is OrderState.OPEN:
            return self._settle(charge, now)
        raise PayPalOutcomeUnknown(problem)

    def _end(self, charge: Charge, order: Order, code: str) -> Paid | Pending | Declined:
        """See to it that an order is never captured, and return what came of it then."""
        try:
            self._api.forbid_capture(order.id)
        except PayPalRefused as refused:
            problem = str(refused)
        else:
            return Declined(code)
        now = self._get_order(charge)
        if now.captures or get_state(now) not in _CAPTURABLE:
            return to_outcome(now)
        logger.error(
            "%s/%s: PayPal does not let the order of %s be ended: %s",
            self.store,
            self.method,
            charge.reference,
            problem,
        )
        return Declined(code)

    def _is_too_old(self, order: Order) -> bool:
        minutes = self.options.get("ORDER_MINUTES", DEFAULT_MINUTES)
        limit = timedelta(minutes=minutes if is_minutes(minutes) else DEFAULT_MINUTES)
        return order.created is not None and timezone.now() - order.created > limit
