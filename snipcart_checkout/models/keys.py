"""Digests that replace outside ids in comparisons, because a collation may treat different ids as equal."""

from __future__ import annotations

import hashlib


def session_key(store_name: str, session_id: str) -> str:
    """Return the digest by which a session is compared.

    MariaDB's default collation ignores case, and session ids are case-sensitive.
    """
    return hashlib.sha256(f"{store_name}\0{session_id}".encode()).hexdigest()


def cart_key(store_name: str, cart_id: str) -> str:
    """Return the digest by which a cart is compared; empty for an order without a cart id."""
    return session_key(store_name, f"cart\0{cart_id}") if cart_id else ""


def transaction_key(store_name: str, method_id: str, transaction_id: str) -> str:
    """Return the digest by which a provider's transaction is compared; it belongs to one payment only."""
    return hashlib.sha256(f"{store_name}\0{method_id}\0{transaction_id}".encode()).hexdigest()
