"""The shop's account at PiggyPay. A real provider's secrets would come from the environment."""

from __future__ import annotations

API_KEY = "piggypay-key-of-the-example-shop"
NOTIFICATION_SECRET = "piggypay-secret-of-the-example-shop"  # noqa: S105 - opens nothing
