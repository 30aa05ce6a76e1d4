"""A backend for money that arrives by itself: bank transfer, cheque, cash at the counter or on delivery."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeGuard
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core import checks
from django.utils import translation
from django.utils.functional import Promise

from snipcart_checkout.backends.bank_accounts import BankAccount
from snipcart_checkout.backends.base import Charge, ChargeResult, PaymentBackend, Pending
from snipcart_checkout.backends.options import unknown_options
from snipcart_checkout.backends.qr_codes import build_epc_code
from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.origins import is_loopback
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.conf.translation import gettext_lazy
from snipcart_checkout.presentation.formats import format_amount
from snipcart_checkout.presentation.languages import language_tag, page_language
from snipcart_checkout.snipcart.references import format_short_reference, to_short_reference

__all__ = ["ManualBackend"]

_TEXTS: Final = frozenset({"ACCOUNT_HOLDER", "IBAN", "BIC", "BANK", "INSTRUCTIONS"})
_DAYS: Final = "EXPIRES_AFTER_DAYS"
_MOST_DAYS: Final = 3650


class ManualBackend(PaymentBackend):
    """Tells the shopper how to pay and leaves the payment pending until staff mark it as received or as expired.

    ``ACCOUNT_HOLDER``, ``IBAN``, ``BIC`` and ``BANK`` are texts listed under the instructions; ``INSTRUCTIONS``
    replaces their opening sentence and may be a lazy translation. Without any of them a shopper would not know how to
    pay, which is an error of ``check``, as an account of the documentation is in a live store.
    ``EXPIRES_AFTER_DAYS`` has ``snipcart_settle`` give up a payment that was not received for so many days; money that
    comes later can still be marked as received.

    The payment reference that shoppers quote is the short one: the first eight digits of ours, ``8572-A9BB``.

    Nothing here can see the money, so there is nothing to look up. Nothing can send it back either: a refund
    asked for in Snipcart's dashboard is refused with the reason, because answering it would tell the customer
    that money is on its way which nobody has sent.
    """

    repeat_is_safe = True

    def __init__(self, *, store: str, method: str, options: Mapping[str, Any]) -> None:
        super().__init__(store=store, method=method, options=options)
        days = options.get(_DAYS)
        self.expires_after = timedelta(days=days) if _is_days(days) else None
        if self._account():
            self.pay_label = gettext_lazy("Place order and see bank details")
            self.description = gettext_lazy(
                "You transfer the amount from your bank. The bank details come next."
            )
        else:
            self.pay_label = gettext_lazy("Place order")
            self.description = gettext_lazy("How to pay is shown on the next page.")

    def charge(self, charge: Charge) -> ChargeResult:
        """Return Pending with the instructions, in the language of the charge."""
        with translation.override(charge.language):
            return Pending(f"manual-{charge.reference}", "\n".join(self._lines(charge)))

    def payment_details(self, charge: Charge) -> Sequence[tuple[str, str]]:
        """Return amount, account and payment reference, in the language of the charge."""
        with translation.override(charge.language):
            return tuple(self._details(charge))

    def payment_code(self, charge: Charge) -> str:
        """Return the text of an EPC QR code (EPC069-12, version 002); empty for other currencies than EUR, and without IBAN."""
        if charge.currency != "EUR":
            return ""
        return build_epc_code(
            self._account(),
            amount=self.to_major_units(charge.amount, charge.currency),
            cents=charge.minor_units,
            reference=format_short_reference(to_short_reference(charge.reference)),
        )

    def check(self) -> list[checks.CheckMessage]:
        """Refuse what no shopper could pay by; warn of unknown options and of those that cannot be read."""
        return [
            *unknown_options(self, {*_TEXTS, _DAYS}),
            *self._missing_instructions(),
            *self._sample_account(),
            *self._unreadable_options(),
            *self._unreadable_days(),
            *self._wrong_iban(),
        ]

    def _lines(self, charge: Charge) -> Iterator[str]:
        yield self._text("INSTRUCTIONS") or _opening(to_account=bool(self._account()))
        for label, value in self._details(charge):
            yield _("{label}: {value}").format(label=label, value=value)

    def _details(self, charge: Charge) -> Iterator[tuple[str, str]]:
        yield _("Amount"), format_amount(charge.amount, charge.currency, _locale(charge))
        yield from self._account().details()
        yield _("Payment reference"), format_short_reference(to_short_reference(charge.reference))

    def _account(self) -> BankAccount:
        return BankAccount(
            holder=self._text("ACCOUNT_HOLDER"),
            iban=self._text("IBAN"),
            bic=self._text("BIC"),
            bank=self._text("BANK"),
        )

    def _text(self, key: str) -> str:
        value = self.options.get(key)
        return str(value).strip() if isinstance(value, (str, Promise)) else ""

    def _missing_instructions(self) -> list[checks.CheckMessage]:
        if any(self._text(key) for key in _TEXTS):
            return []
        return [
            checks.Error(
                _("{store}/{method} has neither account details nor INSTRUCTIONS.").format(
                    store=self.store, method=self.method
                ),
                hint=_(
                    "Nobody could know how to pay: write IBAN and ACCOUNT_HOLDER, or INSTRUCTIONS, into OPTIONS."
                ),
                id="snipcart_checkout.E216",
            )
        ]

    def _sample_account(self) -> list[checks.CheckMessage]:
        if self.is_test or _is_rehearsal() or not self._account().is_sample:
            return []
        return [
            checks.Error(
                _("IBAN of {store}/{method} is an example of a documentation, and nobody's account.").format(
                    store=self.store, method=self.method
                ),
                hint=_("Write the shop's own account; an example is fine in a store whose MODE is 'test'."),
                id="snipcart_checkout.E217",
            )
        ]

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
                    "{option} of {store}/{method} is not a number of days, so no payment expires by itself."
                ).format(option=_DAYS, store=self.store, method=self.method),
                hint=_('Write "EXPIRES_AFTER_DAYS": 14, or leave it out.'),
                id="snipcart_checkout.W214",
            )
        ]

    def _wrong_iban(self) -> list[checks.CheckMessage]:
        if not self._account().is_mistyped:
            return []
        return [
            checks.Warning(
                _("IBAN of {store}/{method} is mistyped: its check digits do not match.").format(
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
        return _("Please transfer the amount to this account and quote the payment reference.")
    return _("Please quote the payment reference when you pay.")


def _is_rehearsal() -> bool:
    """Return whether Snipcart is a stand-in on a developer's machine, where no customer pays."""
    return django_settings.DEBUG and is_loopback(urlsplit(get_settings().api_url).hostname)
