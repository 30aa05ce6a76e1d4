"""A backend for money that arrives by itself: bank transfer, cheque, or cash at the counter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, TypeGuard

from django.core import checks
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from snipcart_checkout.backends.base import Charge, ChargeResult, PaymentBackend, Pending
from snipcart_checkout.backends.options import unknown_options
from snipcart_checkout.formats import format_amount
from snipcart_checkout.languages import language_tag, page_language

__all__ = ["ManualBackend"]

_ACCOUNT: Final = ("ACCOUNT_HOLDER", "IBAN", "BIC", "BANK")
_TEXTS: Final = frozenset({*_ACCOUNT, "INSTRUCTIONS"})
_DAYS: Final = "LAPSES_AFTER_DAYS"
_MOST_DAYS: Final = 3650


class ManualBackend(PaymentBackend):
    """Tells the shopper how to pay and leaves the payment pending until staff mark it received or lapsed.

    Every option may be left out. ``ACCOUNT_HOLDER``, ``IBAN``, ``BIC`` and ``BANK`` are texts listed under the
    instructions; ``INSTRUCTIONS`` replaces their opening sentence and may be a lazy translation.
    ``LAPSES_AFTER_DAYS`` has ``snipcart_settle`` give up a payment that was not received for so many days; money that
    comes later can still be marked as received.

    Nothing here can see the money, so there is nothing to look up. Nothing can send it back either: a refund
    asked for in Snipcart's dashboard is refused with the reason, because answering it would tell the customer
    that money is on its way which nobody has sent.
    """

    repeat_is_safe = True

    def __init__(self, *, store: str, method: str, options: Mapping[str, Any]) -> None:
        super().__init__(store=store, method=method, options=options)
        days = options.get(_DAYS)
        self.waits_for = timedelta(days=days) if _is_days(days) else None

    def charge(self, charge: Charge) -> ChargeResult:
        """Return Pending with the instructions, in the language of the charge."""
        with translation.override(charge.language):
            return Pending(f"manual-{charge.reference}", "\n".join(self._lines(charge)))

    def check(self) -> list[checks.CheckMessage]:
        """Warn of unknown options, of options that cannot be read, and of an IBAN whose check digits are wrong."""
        return [
            *unknown_options(self, {*_TEXTS, _DAYS}),
            *self._unreadable_options(),
            *self._unreadable_days(),
            *self._wrong_iban(),
        ]

    def _lines(self, charge: Charge) -> Iterator[str]:
        account = [key for key in _ACCOUNT if self._text(key)]
        yield self._text("INSTRUCTIONS") or _opening(to_account=bool(account))
        yield _line(_("Amount"), format_amount(charge.amount, charge.currency, _locale(charge)))
        for key in account:
            yield _line(_label(key), self._text(key))
        yield _line(_("Payment reference"), str(charge.reference))

    def _text(self, key: str) -> str:
        value = self.options.get(key)
        return str(value).strip() if isinstance(value, (str, Promise)) else ""

    def _unreadable_options(self) -> list[checks.CheckMessage]:
        return [
            checks.Warning(
                _("{option} of {store}/{method} is not a text and is not shown.").format(
                    option=key, store=self.store, method=self.method
                ),
                hint=_("Put it in quotation marks, or leave it out."),
                id="snipcart_checkout.W212",
            )
            for key in sorted(_TEXTS & self.options.keys())
            if self.options[key] is not None and not isinstance(self.options[key], (str, Promise))
        ]

    def _unreadable_days(self) -> list[checks.CheckMessage]:
        days = self.options.get(_DAYS)
        if days is None or _is_days(days):
            return []
        return [
            checks.Warning(
                _(
                    "{option} of {store}/{method} is not a number of days, so no payment lapses by itself."
                ).format(option=_DAYS, store=self.store, method=self.method),
                hint=_('Write "LAPSES_AFTER_DAYS": 14, or leave it out.'),
                id="snipcart_checkout.W214",
            )
        ]

    def _wrong_iban(self) -> list[checks.CheckMessage]:
        iban = self._text("IBAN")
        if not iban or _is_iban(iban):
            return []
        return [
            checks.Warning(
                _("IBAN of {store}/{method} is mistyped: its check digits do not fit.").format(
                    store=self.store, method=self.method
                ),
                hint=_(
                    "Copy it from a bank statement; write an account number of another kind into INSTRUCTIONS."
                ),
                id="snipcart_checkout.W213",
            )
        ]


def _locale(charge: Charge) -> str:
    cart = charge.session.invoice.language if charge.session else language_tag(charge.language)
    return page_language(cart).locale


def _is_days(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST_DAYS


def _opening(*, to_account: bool) -> str:
    if to_account:
        return _("Please transfer the amount to this account and give the payment reference.")
    return _("Please give the payment reference when you pay.")


def _label(key: str) -> str:
    labels = {"ACCOUNT_HOLDER": _("Account holder"), "IBAN": _("IBAN"), "BIC": _("BIC"), "BANK": _("Bank")}
    return labels[key]


def _line(label: str, value: str) -> str:
    return _("{label}: {value}").format(label=label, value=value)


def _is_iban(text: str) -> bool:
    """ISO 13616: the first four characters moved to the end, letters read as 10 to 35, the rest of 97 is 1."""
    iban = re.sub(r"\s", "", text).upper()
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", iban):
        return False
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1
