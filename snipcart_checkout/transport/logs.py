"""Keeps tokens and refund capabilities out of log lines that other packages write."""

from __future__ import annotations

import logging
import re
from typing import Final

__all__ = ["install_log_scrubber"]

_LOGGERS: Final = (
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.util.retry",
    "django.request",
    "django.server",
)
_SECRET: Final = re.compile(r"(publictoken=|/requestvalidation/|/refunds/)[^\s&?/#\"'<>]+", re.IGNORECASE)


class _Scrubber(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:
            # A record that cannot be formatted is its writer's bug. The handlers will say so, and must
            # not print arguments that nobody has read.
            record.msg, record.args = "a log record could not be formatted", ()
            return True
        clean = _SECRET.sub(r"\1[hidden]", message)
        if clean != message:
            record.msg, record.args = clean, ()
        return True


_scrubber: Final = _Scrubber()


def install_log_scrubber() -> None:
    """Filter the loggers that write URLs as they are; doing it twice changes nothing.

    They are urllib3's, which write the query of our calls at DEBUG (and of an answer with malformed
    headers at WARNING), and Django's own for requests and its development server.
    """
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_scrubber)
