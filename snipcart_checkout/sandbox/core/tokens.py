"""Tokens that look like Snipcart's: long JWTs, signed, so that nothing has to be kept of them."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

HOUR: Final = 3600  # seconds
JWT: Final = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
_HEADER: Final = {"alg": "HS256", "typ": "JWT"}


@dataclass(frozen=True, kw_only=True)
class Token:
    """What a genuine, living token says. ``purpose`` is ``public`` or ``request``."""

    purpose: str
    session_id: str = ""
    mode: str = "live"


class Tokens:
    """Issues tokens with a key, and reads those that were issued with it."""

    def __init__(self, key: str) -> None:
        self._key = hashlib.sha256(f"snipcart_checkout.sandbox.tokens {key}".encode()).digest()

    def issue(self, token: Token, *, lifetime: int = 24 * HOUR) -> str:
        """Return a new JWT; no two are alike. ``lifetime`` is in seconds."""
        now = int(time.time())
        claims = {
            "iss": "https://sandbox.invalid/snipcart",
            "aud": "custom-payment-gateway",
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + lifetime,
            "purpose": token.purpose,
            "sessionId": token.session_id,
            "mode": token.mode,
            "note": "Made by the sandbox; treat it as you would treat a real one, which is opaque to you.",
        }
        signed = f"{_encode(_HEADER)}.{_encode(claims)}"
        return f"{signed}.{self._signature(signed)}"

    def read(self, text: str, purpose: str) -> Token | None:
        """Return what a token says; None when it is forged, has expired or was made for something else."""
        signed, _, signature = text.rpartition(".")
        if not hmac.compare_digest(self._signature(signed).encode(), signature.encode("utf-8", "replace")):
            return None
        claims = json.loads(urlsafe_b64decode(_padded(signed.partition(".")[2])))
        if claims["purpose"] != purpose or claims["exp"] < time.time():
            return None
        return Token(purpose=purpose, session_id=claims["sessionId"], mode=claims["mode"])

    def _signature(self, signed: str) -> str:
        return _text(hmac.digest(self._key, signed.encode("utf-8", "replace"), "sha256"))


def _encode(value: dict[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)
