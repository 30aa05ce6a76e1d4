"""How a request gets to Snipcart and an answer back: pooled, within limits, and without surprises."""

from __future__ import annotations

from snipcart_checkout.transport.calls import Answer, exchange, warm
from snipcart_checkout.transport.logs import install_log_scrubber

__all__ = ["Answer", "exchange", "install_log_scrubber", "warm"]
