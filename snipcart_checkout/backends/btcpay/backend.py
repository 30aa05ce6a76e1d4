"""Bitcoin and Lightning payments on the merchant's own BTCPay Server."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.core.checks import CheckMessage

from snipcart_checkout.backends.base import (
    Charge,
    ChargeResult,
    Declined,
    LookupResult,
    NotFound,
    Notification,
    PaymentBackend,
    Redirect,
    Refunded,
    RefundLookupResult,
    RefundRequest,
    RefundResult,
)
from snipcart_checkout.backends.btcpay.api import BTCPayApi, BTCPayOutcomeUnknown, BTCPayRefused
from snipcart_checkout.backends.btcpay.checks import check_options
from snipcart_checkout.backends.btcpay.credentials import verify_credentials
from snipcart_checkout.backends.btcpay.invoices import build_invoice_body
from snipcart_checkout.backends.btcpay.notifications import read_reference
from snipcart_checkout.backends.btcpay.objects import Invoice
from snipcart_checkout.backends.btcpay.options import BTCPayOptions
from snipcart_checkout.backends.btcpay.outcomes import (
    choose,
    is_open,
    is_unpaid,
    to_outcome,
    with_paid_amount,
)
from snipcart_checkout.backends.btcpay.refunds import find_refund, make_refund
from snipcart_checkout.conf.links import to_origin, to_safe_provider_url
from snipcart_checkout.conf.translation import gettext_lazy as _

logger = logging.getLogger("snipcart_checkout")

_REFUSED_FIELDS: Final = {"amount": "amount_not_supported", "currency": "currency_not_supported"}


class BTCPayBackend(PaymentBackend):
    """Sends the shopper to an invoice of BTCPay Server, and asks the server what came of it.

    Options: ``URL`` of the server, ``STORE_ID``, ``API_KEY`` and ``WEBHOOK_SECRET``. Written for
    the Greenfield API v1 of BTCPay Server 2.0 and later.

    **A charge is not repeated blindly.** BTCPay Server has no idempotency key: whoever creates an
    invoice twice has two. So the reference is the invoice's ``orderId``, and an invoice of this
    reference is looked for before one is created. A window remains: a first request that is still
    on its way while the second one looks. The invoice that nobody heard of then cannot be paid,
    because its address was shown to nobody, and it expires by itself. A look-up reads every invoice
    of the reference, so even money on the wrong one would be seen.

    **What arrived is reported as it arrived.** Too little is pending while the rest can still be
    paid; then, and whenever too much or too late came, Paid holds the amount that BTCPay Server
    counted, at the rate of the invoice. Money that BTCPay Server does not count as settled yet is
    pending, never paid.

    **The shopper comes back without having paid.** The invoice is marked as invalid, and looked at
    once more, because BTCPay Server does so even where money arrived that moment. Only when nothing
    did is the payment Declined. Money that is sent later still is reported by the webhook.

    **A refund is an offer.** BTCPay Server makes a pull payment, from which the customer claims the
    money, and the merchant approves and sends it. Until all of it was sent the refund is pending.
    ``refund_id`` is the pull payment's id, and whoever knows it can claim, so it is not logged. The
    merchant has to send the customer the link.
    """

    supports_refund = True
    supports_partial_refund = True
    can_lookup = True
    can_lookup_refund = True
    repeat_is_safe = False
    refund_repeat_is_safe = False
    pay_label = _("Continue to the Bitcoin payment")
    description = _("You pay with Bitcoin or Lightning on the next page.")

    def __init__(self, *, store: str, method: str, options: Mapping[str, Any]) -> None:
        super().__init__(store=store, method=method, options=options)
        self._options = BTCPayOptions.of(options)
        origin = to_origin(self._options.url)
        self.redirect_origins: Sequence[str] = (origin,) if origin else ()

    def charge(self, charge: Charge) -> ChargeResult:
        """Return the way to the charge's invoice, or what has come of it already."""
        if self._options.missing:
            return self._declined(charge, f"{', '.join(self._options.missing)} cannot be used")
        invoices = self._invoices(charge)
        if invoices:
            return self._to_redirect(charge, choose(invoices, charge.provider_reference))
        return self._create(charge)

    def lookup(self, charge: Charge) -> LookupResult:
        """Return what came of the charge; an unpaid invoice ends when the shopper comes back."""
        invoices = self._invoices(charge)
        if not invoices:
            return NotFound()
        invoice = choose(invoices, charge.provider_reference)
        if (charge.shopper_returned or charge.is_void) and is_unpaid(invoice):
            invoice = self._end(charge, invoices)
        return to_outcome(self._api, invoice, charge.language)

    def refund(self, refund: RefundRequest) -> RefundResult:
        """Offer the customer a part or all of a payment, to be claimed at BTCPay Server."""
        result = make_refund(self._api, refund)
        if isinstance(result, Refunded) and result.pending:
            logger.warning(
                "%s/%s: send the customer the link of the pull payment 'Refund %s' to claim the money",
                self.store,
                self.method,
                refund.reference,
            )
        return result

    def lookup_refund(self, refund: RefundRequest) -> RefundLookupResult:
        """Return whether the money of a refund has been claimed and sent."""
        return find_refund(self._api, refund)

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """Return the charge or refund of an event that BTCPay Server signed."""
        secret = self._options.webhook_secret
        return Notification(read_reference(headers, body, secret=secret, api=self._api))

    def check(self) -> list[CheckMessage]:
        """Check every option, without asking BTCPay Server."""
        return check_options(self)

    def ping(self) -> None:
        """Raise what is wrong with the server's address, the key, its permissions or the store."""
        verify_credentials(self._api, is_test=self.is_test)

    @property
    def _api(self) -> BTCPayApi:
        options = self._options
        if options.missing:
            raise BTCPayOutcomeUnknown(f"{', '.join(options.missing)} cannot be used")
        return BTCPayApi(http=self.http, url=options.url, store_id=options.store_id, api_key=options.api_key)

    def _invoices(self, charge: Charge) -> list[Invoice]:
        """Return every invoice of a charge, also an archived one whose id we know."""
        try:
            found = self._api.find_invoices(str(charge.reference))
            known = charge.provider_reference
            if known and known not in {invoice.id for invoice in found}:
                found.append(self._api.get_invoice(known))
            found = [with_paid_amount(self._api, invoice) for invoice in found]
        except BTCPayRefused as refusal:
            # The wrong server or a key without permissions: that is not the same as no invoice.
            problem = str(refusal)
        else:
            if {invoice.order_id for invoice in found} <= {str(charge.reference)}:
                return found
            problem = "BTCPay Server answered with an invoice of another charge"
        raise BTCPayOutcomeUnknown(problem)

    def _create(self, charge: Charge) -> ChargeResult:
        """Create the charge's invoice; where that is refused, there is nothing to pay."""
        try:
            invoice = self._api.create_invoice(build_invoice_body(charge))
        except BTCPayRefused as refusal:
            return self._declined(charge, refusal, _REFUSED_FIELDS.get(refusal.field.lower(), "declined"))
        if invoice.order_id != str(charge.reference):
            raise BTCPayOutcomeUnknown("BTCPay Server answered with an invoice of another charge")
        if (invoice.amount, invoice.currency) != (charge.amount, charge.currency):
            return self._declined(charge, "BTCPay Server changed the amount", "amount_not_supported")
        if not to_safe_provider_url(invoice.checkout_link, self.redirect_origins):
            return self._declined(charge, "BTCPay Server's page is at another address than URL")
        return self._to_redirect(charge, invoice)

    def _to_redirect(self, charge: Charge, invoice: Invoice) -> ChargeResult:
        if is_open(invoice):
            return Redirect(invoice.checkout_link, invoice.id)
        return to_outcome(self._api, invoice, charge.language)

    def _end(self, charge: Charge, invoices: Sequence[Invoice]) -> Invoice:
        """Mark what nobody paid as invalid, and return what is true afterwards."""
        problem = "BTCPay Server neither ends the invoice nor says that it is paid"
        for invoice in filter(is_unpaid, invoices):
            try:
                self._api.mark_invalid(invoice.id)
            except BTCPayRefused as refusal:
                problem = f"{problem}: {refusal}"
        now = choose(self._invoices(charge), charge.provider_reference)
        if is_unpaid(now):
            raise BTCPayOutcomeUnknown(problem)
        return now

    def _declined(self, charge: Charge, reason: object, code: str = "declined") -> Declined:
        logger.error("%s/%s cannot charge %s: %s", self.store, self.method, charge.reference, reason)
        return Declined(code)
