"""PayPal's access tokens, kept for as long as PayPal lets them live, so that not every call asks for one first.

PayPal asks for this: tokens live for hours, and asking for too many is limited
(https://developer.paypal.com/api/rest/authentication/). They are kept in memory only, under a hash of the account.
"""

from __future__ import annotations

import hashlib
import threading
import time
from typing import Final

_MARGIN: Final = 60  # seconds before its end at which a token is not used any more
_LONGEST: Final = 9 * 3600  # seconds; what PayPal gives at most

_tokens: dict[str, tuple[str, float]] = {}
_lock = threading.Lock()


def account_key(*parts: str) -> str:
    """Return the name under which the token of an account is kept; it tells nothing of the parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def get_token(account: str) -> str:
    """Return the token of an account that is still good; empty when there is none."""
    with _lock:
        token, until = _tokens.get(account, ("", 0.0))
    return token if time.monotonic() < until else ""


def store_token(account: str, token: str, *, seconds: int) -> None:
    """Keep a token that lives for so many seconds from now."""
    with _lock:
        _tokens[account] = (token, time.monotonic() + min(seconds, _LONGEST) - _MARGIN)


def drop_token(account: str, token: str) -> None:
    """Drop a token that PayPal refused, unless another thread has a newer one already."""
    with _lock:
        if _tokens.get(account, ("", 0.0))[0] == token:
            del _tokens[account]


def drop_all_tokens() -> None:
    """Drop every token; for tests."""
    with _lock:
        _tokens.clear()
