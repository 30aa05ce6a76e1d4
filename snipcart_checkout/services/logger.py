"""Log lines that cannot fail the work that they report."""

from __future__ import annotations

import contextlib
import logging

logger = logging.getLogger("snipcart_checkout")


def log(level: int, message: str, *arguments: object) -> None:
    """Log one line; a broken log handler must not fail a payment or replace a page."""
    with contextlib.suppress(Exception):
        logger.log(level, message, *arguments)
