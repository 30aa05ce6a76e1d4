"""PiggyPay, a payment provider that does not exist, and the backend with which the shop uses it."""
