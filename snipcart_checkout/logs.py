"""Log lines that cannot fail what they tell of."""

from __future__ import annotations

import contextlib
import logging

__all__ = ["say"]

logger = logging.getLogger("snipcart_checkout")


def say(level: int, message: str, *arguments: object) -> None:
    """Log one line; a broken log handler must not fail a payment or replace a page."""
    with contextlib.suppress(Exception):
        logger.log(level, message, *arguments)
