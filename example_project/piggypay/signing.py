"""How PiggyPay signs its notifications: HMAC-SHA256 over the time and the raw body."""

from __future__ import annotations

import hashlib
import hmac
import time

MAX_AGE = 300  # seconds


def sign(secret: str, body: bytes, now: int | None = None) -> str:
    """Return the value of the header ``PiggyPay-Signature``."""
    moment = int(time.time()) if now is None else now
    return f"t={moment},v1={_digest(secret, moment, body)}"


def is_genuine(secret: str, body: bytes, signature: str) -> bool:
    """Tell whether a body was signed with the secret, and not long ago."""
    fields = dict(part.split("=", 1) for part in signature.split(",") if "=" in part)
    moment = fields.get("t", "")
    if not moment.isascii() or not moment.isdigit() or abs(time.time() - int(moment)) > MAX_AGE:
        return False
    return hmac.compare_digest(_digest(secret, int(moment), body).encode(), fields.get("v1", "").encode())


def _digest(secret: str, moment: int, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
