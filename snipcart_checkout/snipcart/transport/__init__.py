"""Calls to remotes: connections are pooled, and time, size and concurrency are limited."""

from __future__ import annotations

from snipcart_checkout.snipcart.transport.connections import is_urllib3_genuine
from snipcart_checkout.snipcart.transport.exchange import Answer, exchange, warm
from snipcart_checkout.snipcart.transport.log_masking import install_log_scrubber
from snipcart_checkout.snipcart.transport.time_limits import REQUEST_SECONDS, seconds_left, time_budget

__all__ = [
    "REQUEST_SECONDS",
    "Answer",
    "exchange",
    "install_log_scrubber",
    "is_urllib3_genuine",
    "seconds_left",
    "time_budget",
    "warm",
]
