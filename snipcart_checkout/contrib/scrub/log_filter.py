"""A filter for log lines that other packages write, such as a server's access log."""

from __future__ import annotations

import logging

from snipcart_checkout.contrib.scrub.scrubbing import scrub
from snipcart_checkout.snipcart.transport.log_masking import hide_secrets

__all__ = ["HideSecrets"]


class HideSecrets(logging.Filter):
    """Takes public tokens and refund capabilities out of a record's message, and lets every record through.

    Arguments stay where they are as long as that is enough, because some formatters read them one by one.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record in place; a record that cannot be formatted is left to its handlers."""
        if isinstance(record.args, tuple):
            record.args = scrub(record.args)
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            return True
        if (clean := hide_secrets(message)) != message:
            record.msg, record.args = clean, ()
        return True
