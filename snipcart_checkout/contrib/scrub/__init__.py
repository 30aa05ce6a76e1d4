"""Takes public tokens and refund capabilities out of what monitoring services are sent and servers log.

The hooks for Sentry and the filter for loggers are offered here and need no further package; the span processor for OpenTelemetry stands in
``snipcart_checkout.contrib.scrub.opentelemetry`` and needs ``opentelemetry-sdk``. Both may be imported by a settings
module.
"""

from __future__ import annotations

from snipcart_checkout.contrib.scrub.log_filter import HideSecrets
from snipcart_checkout.contrib.scrub.sentry import (
    before_breadcrumb,
    before_send,
    before_send_log,
    before_send_span,
    before_send_transaction,
)

__all__ = [
    "HideSecrets",
    "before_breadcrumb",
    "before_send",
    "before_send_log",
    "before_send_span",
    "before_send_transaction",
]
