"""Whether an API key may do what the backend asks, and whether the coins fit the store's MODE."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ImproperlyConfigured

from snipcart_checkout.backends.btcpay.api import BTCPayApi, BTCPayRefused
from snipcart_checkout.conf.translation import gettext as _

_PREFIX: Final = "btcpay.store."
_NEEDED: Final = (
    "canviewinvoices",
    "cancreateinvoice",
    "canmodifyinvoices",
    "canviewpullpayments",
    "cancreatenonapprovedpullpayments",
)
_INCLUDED: Final = {
    "unrestricted": _NEEDED,
    "canmodifystoresettings": _NEEDED,
    "canmodifyinvoices": ("canmodifyinvoices", "canviewinvoices", "cancreateinvoice"),
    "canviewstoresettings": ("canviewinvoices", "canviewpullpayments"),
    "canmanagepullpayments": ("canviewpullpayments", "cancreatenonapprovedpullpayments"),
    "cancreatepullpayments": ("canviewpullpayments", "cancreatenonapprovedpullpayments"),
    "cancreatenonapprovedpullpayments": ("canviewpullpayments", "cancreatenonapprovedpullpayments"),
}
"""Which permissions hold others of those that are needed, by the operation permissionsMetadata of
the same reference: https://docs.btcpayserver.org/API/Greenfield/v1/#operation/permissionsMetadata
"""
_TEST_COINS: Final = ("bcrt1", "tb1", "lnbcrt", "lntb")
"""How addresses and Lightning invoices of regtest, testnet and signet begin (BIP 173, BOLT 11)."""
_REAL_COINS: Final = ("bc1", "lnbc")


def verify_credentials(api: BTCPayApi, *, is_test: bool) -> None:
    """Ask BTCPay Server about key and store, and raise what is wrong with them.

    That is ImproperlyConfigured, or what the API raises. Test coins in a live store, or real ones
    in a test store, are seen by the newest invoice; a store without any invoice passes.
    """
    try:
        problem = _permission_problem(api) or _coin_problem(api, is_test=is_test)
    except BTCPayRefused as refusal:
        problem = str(refusal)
    if problem:
        raise ImproperlyConfigured(problem)


def _permission_problem(api: BTCPayApi) -> str:
    suffix = f":{api.store_id}"
    held = {text.removesuffix(suffix).removeprefix(_PREFIX) for text in api.permissions()}
    given = {needed for name in held for needed in _INCLUDED.get(name, (name,))}
    lacking = ", ".join(f"{_PREFIX}{name}" for name in _NEEDED if name not in given)
    return _("The API key lacks these permissions: {names}.").format(names=lacking) if lacking else ""


def _coin_problem(api: BTCPayApi, *, is_test: bool) -> str:
    newest = api.newest_invoices()
    destinations = [way.destination.lower() for made in newest for way in api.payment_methods(made.id)]
    has_test_coins = any(text.startswith(_TEST_COINS) for text in destinations)
    has_real_coins = any(text.startswith(_REAL_COINS) for text in destinations) and not has_test_coins
    if not is_test and has_test_coins:
        return _("This live store takes test coins, which are worth nothing.")
    return _("This test store takes real coins.") if is_test and has_real_coins else ""
