"""A backend whose provider is the stand-in, so that it can be made to hang."""

from __future__ import annotations

from bench.settings import SNIPCART
from snipcart_checkout.backends.base import (
    Charge,
    ChargeResult,
    Paid,
    PaymentBackend,
    Refunded,
    RefundRequest,
    RefundResult,
)


class RemoteBackend(PaymentBackend):
    """Takes the money with one call."""

    supports_refund = True
    supports_partial_refund = True

    def refund(self, refund: RefundRequest) -> RefundResult:
        return Refunded(f"remote-{refund.reference}")

    def charge(self, charge: Charge) -> ChargeResult:
        self.http.post(SNIPCART.removesuffix("/api") + "/provider", json={"id": str(charge.reference)})
        return Paid(f"remote-{charge.reference}", charge.amount, charge.currency)
