"""Card payments on the payment page of PayZen, Systempay, Scellius and the other platforms of Lyra."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.text import format_lazy

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
from snipcart_checkout.backends.lyra.api import MODES, LyraApi, LyraOutcomeUnknown, LyraRefused
from snipcart_checkout.backends.lyra.checks import check_options, is_hmac_key, is_shop_id, suits_store
from snipcart_checkout.backends.lyra.declines import order_decline_code
from snipcart_checkout.backends.lyra.errors import (
    BAD_CREDENTIALS,
    BAD_LOCALE,
    PAYMENT_ORDER_NOT_FOUND,
)
from snipcart_checkout.backends.lyra.notifications import read_reference
from snipcart_checkout.backends.lyra.objects import PaymentOrder, Transaction
from snipcart_checkout.backends.lyra.orders import CURRENCY_DECIMALS, build_order_params
from snipcart_checkout.backends.lyra.outcomes import (
    PAID,
    find_outcome,
    is_undecided,
    list_attempts,
    may_still_pay,
    to_outcome,
)
from snipcart_checkout.backends.lyra.platforms import get_platform
from snipcart_checkout.backends.lyra.refunds import find_refund, make_refund
from snipcart_checkout.conf.links import to_origin
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.conf.translation import gettext_lazy
from snipcart_checkout.snipcart.money import UnpayableAmount

logger = logging.getLogger("snipcart_checkout")

_DEFAULT_MINUTES: Final = 60
_ECHO: Final = "snipcart_checkout"


class LyraBackend(PaymentBackend):
    """Sends the shopper to a payment order of Lyra, and asks Lyra what came of it.

    Options: ``PLATFORM`` (``payzen``, ``systempay``, ``scellius`` …; see ``platforms``), ``SHOP_ID``, ``PASSWORD`` and
    ``HMAC_KEY`` of the store's own mode, ``SESSION_MINUTES`` (how long a payment may stay unfinished, 60), ``API_URL``
    and ``PAGE_ORIGINS`` (for a platform of Lyra's that has no name here).

    **No repeat.** Lyra has no idempotency keys, so neither a charge nor a refund is ever repeated. A charge's reference
    is the order id of its payment order and of every transaction, and is what Lyra is asked about. A payment order
    whose answer was lost was shown to nobody; Lyra closes it after SESSION_MINUTES.

    **The shopper comes back without having paid**: the payment order is cancelled, which Lyra does only while it is
    open, and then its transactions are asked for once more. Without a payment among them the charge is Declined as
    cancelled, or with the reason of the last card. One that is still open after SESSION_MINUTES, or whose charge is void,
    is cancelled, too.

    **What is unclear raises.** Only Lyra's own word that a payment order was not created is a decline. Answers of the
    other mode, of another order or with a status that is not in the tables are not believed. Amount and currency of
    Paid are those of the transaction.
    """

    supports_refund = True
    supports_partial_refund = True
    can_lookup = True
    can_lookup_refund = True
    repeat_is_safe = False
    refund_repeat_is_safe = False
    currency_decimals = CURRENCY_DECIMALS
    redirect_origins: Sequence[str] = ()

    def __init__(self, *, store: str, method: str, options: Mapping[str, Any]) -> None:
        super().__init__(store=store, method=method, options=options)
        self._platform = get_platform(options)
        if self._platform:
            self.redirect_origins = self._platform.page_origins
            self.processed_by = self._platform.name
            self.pay_label = format_lazy(gettext_lazy("Continue to {provider}"), provider=self._platform.name)
            self.description = format_lazy(
                gettext_lazy("You continue on the secure payment page of {provider}."),
                provider=self._platform.name,
            )

    def charge(self, charge: Charge) -> ChargeResult:
        """Return the way to the charge's payment order, or what has come of it already."""
        if not charge.provider_reference:
            return self._open_order(charge)
        order, attempts = self._get_order(charge), self._get_attempts(charge)
        if order is not None and order.url and may_still_pay(order, attempts):
            return Redirect(order.url, order.id)
        return self._outcome(order, attempts)

    def lookup(self, charge: Charge) -> LookupResult:
        """Return what came of the charge, ending its payment order where nobody will finish it."""
        if not charge.provider_reference:
            return find_outcome(self._get_attempts(charge), self.from_minor_units) or NotFound()
        # In this order, because a payment order that is final gets no further transaction.
        order = self._get_order(charge)
        attempts = self._get_attempts(charge)
        if order is not None and may_still_pay(order, attempts):
            if not (charge.shopper_returned or charge.is_void or self._is_too_old(order)):
                return Pending(order.id, unfinished=True)
            order = self._cancel(order)
            attempts = self._get_attempts(charge)
        if charge.shopper_returned and is_undecided(attempts):
            raise LyraOutcomeUnknown("the acquirer has not answered yet")
        return self._outcome(order, attempts)

    def refund(self, refund: RefundRequest) -> RefundResult:
        """Refund a part or all of a payment; never to be repeated."""
        try:
            units = self.to_minor_units(refund.amount, refund.currency)
        except UnpayableAmount:
            return RefundDeclined(
                "amount_not_supported", _("The payment provider cannot refund exactly this amount.")
            )
        return make_refund(self._api(), refund, units)

    def lookup_refund(self, refund: RefundRequest) -> RefundLookupResult:
        """Return what came of a refund, as far as it can be told from others of the same payment."""
        units = self.to_minor_units(refund.amount, refund.currency)
        paid = self.to_minor_units(refund.charge.amount, refund.charge.currency)
        return find_refund(self._api(), refund, units, paid)

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """Return the charge of a notification that Lyra signed."""
        password, hmac_key = self.options.get("PASSWORD"), self.options.get("HMAC_KEY")
        keys = {
            **({"password": str(password)} if suits_store(password, self) else {}),
            **({"sha256_hmac": str(hmac_key)} if is_hmac_key(hmac_key) else {}),
        }
        shop_id = str(self.options.get("SHOP_ID"))
        return Notification(read_reference(body, keys, mode=MODES[self.is_test], shop_id=shop_id))

    def check(self) -> list[CheckMessage]:
        """Check every option, without asking Lyra."""
        return check_options(self)

    def ping(self) -> None:
        """Let Lyra echo a text, which it does for a shop and a password that belong together."""
        try:
            echo = self._api().echo(_ECHO)
        except LyraRefused as refusal:
            is_password = refusal.code == BAD_CREDENTIALS
            problem = _("Lyra refuses SHOP_ID and PASSWORD.") if is_password else str(refusal)
        except LyraOutcomeUnknown as unknown:
            problem = str(unknown)
        else:
            if echo == _ECHO:
                return
            problem = _("Lyra gave an unexpected answer.")
        raise ImproperlyConfigured(problem)

    def _api(self) -> LyraApi:
        shop_id, password = self.options.get("SHOP_ID"), self.options.get("PASSWORD")
        if self._platform is None or not is_shop_id(shop_id) or not suits_store(password, self):
            raise ImproperlyConfigured(
                _("PLATFORM, SHOP_ID or PASSWORD of {method} cannot be used in this store.").format(
                    method=f"{self.store}/{self.method}"
                )
            )
        return LyraApi(
            self.http,
            url=self._platform.api_url,
            shop_id=str(shop_id),
            password=str(password),
            is_test=self.is_test,
        )

    def _open_order(self, charge: Charge) -> ChargeResult:
        """Create the charge's payment order; where Lyra does not, nobody is sent anywhere and nothing can be taken."""
        try:
            api = self._api()
            units = self.to_minor_units(charge.amount, charge.currency)
            order = _create(api, build_order_params(charge, units=units, minutes=self._minutes))
        except ImproperlyConfigured as error:
            return self._declined(charge, error)
        except UnpayableAmount as error:
            return self._declined(charge, error, "amount_not_supported")
        except LyraRefused as refusal:
            return self._declined(charge, refusal, order_decline_code(refusal.code))
        if order.order_id not in {"", str(charge.reference)}:
            raise LyraOutcomeUnknown("Lyra answered with a payment order of another charge")
        origin = to_origin(order.url)
        if origin not in self.redirect_origins:
            # Nobody was shown the address, so nobody can pay there.
            return self._declined(charge, f"the payment page is at {origin}, which PAGE_ORIGINS lacks")
        return Redirect(order.url, order.id)

    def _get_order(self, charge: Charge) -> PaymentOrder | None:
        """Return the charge's payment order; None where what is stored names a transaction instead of one."""
        try:
            order = self._api().payment_order(charge.provider_reference)
        except LyraRefused as refusal:
            if refusal.code == PAYMENT_ORDER_NOT_FOUND:
                return None
            problem = str(refusal)
        else:
            if order.order_id == str(charge.reference):
                return order
            problem = "Lyra answered with a payment order of another charge"
        raise LyraOutcomeUnknown(problem)

    def _get_attempts(self, charge: Charge) -> list[Transaction]:
        try:
            transactions = self._api().transactions(str(charge.reference))
        except LyraRefused as refusal:
            problem = str(refusal)
        else:
            attempts = list_attempts(transactions)
            if sum(attempt.status == PAID for attempt in attempts) > 1:
                logger.error("%s/%s: %s was paid twice", self.store, self.method, charge.reference)
            return attempts
        raise LyraOutcomeUnknown(problem)

    def _outcome(
        self, order: PaymentOrder | None, attempts: Sequence[Transaction]
    ) -> Paid | Pending | Declined:
        if order is not None:
            return to_outcome(order, attempts, self.from_minor_units)
        outcome = find_outcome(attempts, self.from_minor_units)
        if outcome is None:
            raise LyraOutcomeUnknown("Lyra knows neither the payment order nor a payment of it")
        return outcome

    def _cancel(self, order: PaymentOrder) -> PaymentOrder:
        try:
            self._api().cancel_payment_order(order.id)
        except LyraRefused as refusal:
            # It may have been paid, or have expired, this moment.
            logger.info("%s/%s: %s", self.store, self.method, refusal)
        now = self._api().payment_order(order.id)
        if now.status == order.status:
            raise LyraOutcomeUnknown("Lyra neither ends the payment order nor says what came of it")
        return now

    def _is_too_old(self, order: PaymentOrder) -> bool:
        return order.created is not None and timezone.now() - order.created > timedelta(minutes=self._minutes)

    @property
    def _minutes(self) -> int:
        minutes = self.options.get("SESSION_MINUTES", _DEFAULT_MINUTES)
        return minutes if type(minutes) is int and 5 <= minutes <= 1440 else _DEFAULT_MINUTES

    def _declined(self, charge: Charge, reason: object, code: str = "declined") -> Declined:
        logger.error("%s/%s cannot charge %s: %s", self.store, self.method, charge.reference, reason)
        return Declined(code)


def _create(api: LyraApi, params: dict[str, Any]) -> PaymentOrder:
    """Create a payment order, in the shop's own language where Lyra does not know the shopper's."""
    try:
        return api.create_payment_order(params)
    except LyraRefused as refusal:
        if refusal.code != BAD_LOCALE or "locale" not in params:
            raise
    return api.create_payment_order({name: value for name, value in params.items() if name != "locale"})
