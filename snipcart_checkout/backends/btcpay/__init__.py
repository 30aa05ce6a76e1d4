"""Bitcoin and Lightning payments on the merchant's own BTCPay Server."""

from __future__ import annotations

from snipcart_checkout.backends.btcpay.backend import BTCPayBackend

__all__ = ["BTCPayBackend"]
