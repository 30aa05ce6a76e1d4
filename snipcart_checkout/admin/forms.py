"""What staff are asked before an action."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.contrib.admin.widgets import AdminRadioSelect, AdminTextareaWidget
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.formats import get_format
from django.utils.translation import gettext_lazy as _

from snipcart_checkout.admin.words import money
from snipcart_checkout.models import Payment
from snipcart_checkout.money import UnpayableAmount, amount_of, decimals, minor_units

__all__ = ["ActionForm", "RefundForm", "ResolveRefundForm", "ResolveReviewForm", "read_amount"]

_AMOUNT: Final = re.compile(r"(\d+)(?:([.,٫])(\d+))?")
_RADIO: Final = AdminRadioSelect(attrs={"class": "radiolist"})
_SPACING: Final = re.compile(r"[\s'’]")


def read_amount(text: str, currency: str) -> int:
    """Return an amount that a person typed, in minor units; raise UnpayableAmount unless it is exact.

    The decimal separator may be a point or a comma, whatever the language. Thousands may be set apart by spaces
    or apostrophes only: ``1,234`` and ``1.234`` mean different sums to different people, and are refused.
    """
    found = _AMOUNT.fullmatch(_SPACING.sub("", text))
    whole, separator, fraction = found.groups(default="") if found else ("", "", "")
    groups_here = separator == get_format("THOUSAND_SEPARATOR") != get_format("DECIMAL_SEPARATOR")
    if len(fraction) > decimals(currency) or (groups_here and len(fraction) == 3):
        raise UnpayableAmount("the amount has more decimals than its currency")
    if not whole:
        raise UnpayableAmount("the amount is not a number")
    return minor_units(Decimal(f"{whole}.{fraction or 0}"), currency)


class ActionForm(forms.Form):
    """A question with nothing to fill in. ``rows`` are what the action is for."""

    def __init__(self, data: Any = None, *, rows: Sequence[Model]) -> None:
        super().__init__(data, label_suffix="")
        self.rows = rows


class RefundForm(ActionForm):
    """Asks how much of one payment to give back, and notes how many refunds the page knew of."""

    amount = forms.CharField(label=_("Amount to refund"), max_length=40)
    asked = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, rows: Sequence[Payment]) -> None:
        super().__init__(data, rows=rows)
        (self.payment,) = rows
        left, currency = self.payment.refundable_minor_units, self.payment.currency
        amount = self.fields["amount"]
        amount.help_text = _("Up to %(amount)s can be refunded.") % {"amount": money(left, currency)}
        amount.initial = str(amount_of(left, currency)).replace(".", get_format("DECIMAL_SEPARATOR"))
        amount.widget.attrs.update({"inputmode": "decimal", "autocomplete": "off"})
        self.fields["asked"].initial = self.payment.refunds_asked

    def clean_amount(self) -> int:
        """Return the amount in minor units."""
        currency = self.payment.currency
        try:
            units = read_amount(self.cleaned_data["amount"], currency)
        except UnpayableAmount:
            example = amount_of(10 ** (decimals(currency) + 3) + 10 ** decimals(currency) // 2, currency)
            raise ValidationError(
                _("Write an exact amount of %(currency)s, with thousands not set apart: %(example)s"),
                params={"currency": currency, "example": example},
            ) from None
        if units > self.payment.refundable_minor_units:
            raise ValidationError(_("That is more than is left of the payment."))
        return units


class _NoteForm(ActionForm):
    resolution = forms.ChoiceField(label=_("What came of it"), widget=_RADIO)
    note = forms.CharField(
        label=_("Note"),
        max_length=1000,
        widget=AdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("How you know, or what you did. It becomes part of the payment's story."),
    )


class ResolveReviewForm(_NoteForm):
    """Asks how a review ends. ``choices`` are those that are possible for every row."""

    def __init__(
        self, data: Any = None, *, rows: Sequence[Payment], choices: Sequence[tuple[str, Any]]
    ) -> None:
        super().__init__(data, rows=rows)
        self.fields["resolution"].choices = choices  # type: ignore[attr-defined]


class ResolveRefundForm(_NoteForm):
    """Asks whether a refund was made."""

    resolution = forms.ChoiceField(
        label=_("What came of it"),
        widget=_RADIO,
        choices=[
            ("made", _("The refund was made: the provider shows it")),
            ("not_made", _("The refund was not made: its amount can be refunded anew")),
        ],
    )
