"""Tokens that look like Snipcart's: long JWTs, signed with the site's SECRET_KEY, so that nothing has to be kept."""

from __future__ import annotations

import hmac
import json
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from django.utils.crypto import salted_hmac

__all__ = ["HOUR", "JWT", "Token", "issue_token", "read_token"]

HOUR: Final = 3600
JWT: Final = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
_HEADER: Final = {"alg": "HS256", "typ": "JWT"}


@dataclass(frozen=True, kw_only=True)
class Token:
    """What a genuine, living token says. ``purpose`` is ``public`` or ``request``."""

    purpose: str
    session_id: str
    mode: str


def issue_token(token: Token, *, lifetime: int = 24 * HOUR) -> str:
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
    return f"{signed}.{_signature(signed)}"


def read_token(text: str, purpose: str) -> Token | None:
    """Return what a token says; None when it is forged, has expired or was made for something else."""
    signed, _, signature = text.rpartition(".")
    if not hmac.compare_digest(_signature(signed).encode(), signature.encode("utf-8", "replace")):
        return None
    claims = json.loads(urlsafe_b64decode(_padded(signed.partition(".")[2])))
    if claims["purpose"] != purpose or claims["exp"] < time.time():
        return None
    return Token(purpose=purpose, session_id=claims["sessionId"], mode=claims["mode"])


def _encode(value: dict[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _signature(signed: str) -> str:
    return _text(salted_hmac("snipcart_checkout.sandbox.tokens", signed, algorithm="sha256").digest())


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)
