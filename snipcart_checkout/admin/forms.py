"""What staff are asked before an action."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.contrib.admin.widgets import AdminRadioSelect, AdminTextareaWidget
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.formats import get_format

from snipcart_checkout import services
from snipcart_checkout.admin.formatting import money
from snipcart_checkout.conf.translation import gettext_lazy as _
from snipcart_checkout.models import Payment
from snipcart_checkout.snipcart.money import UnpayableAmount, get_decimals, to_amount, to_minor_units

_AMOUNT: Final = re.compile(r"(\d+)(?:([.,٫])(\d+))?")
_RADIO: Final = AdminRadioSelect(attrs={"class": "radiolist"})
_SPACING: Final = re.compile(r"[\s'’]")


def read_amount(text: str, currency: str) -> int:
    """Return an amount that a person typed, in minor units; raise UnpayableAmount unless it is exact.

    The decimal separator may be a point or a comma, whatever the language. Thousands may be set apart by spaces
    or apostrophes only: ``1,234`` and ``1.234`` mean different sums to different people, and are refused.
    """
    match = _AMOUNT.fullmatch(_SPACING.sub("", text))
    whole, separator, fraction = match.groups(default="") if match else ("", "", "")
    groups_here = separator == get_format("THOUSAND_SEPARATOR") != get_format("DECIMAL_SEPARATOR")
    if len(fraction) > get_decimals(currency) or (groups_here and len(fraction) == 3):
        raise UnpayableAmount("the amount has more decimals than its currency")
    if not whole:
        raise UnpayableAmount("the amount is not a number")
    return to_minor_units(Decimal(f"{whole}.{fraction or 0}"), currency)


class ActionForm(forms.Form):
    """A question with nothing to fill in. ``rows`` are what the action is for."""

    def __init__(self, data: Any = None, *, rows: Sequence[Model]) -> None:
        super().__init__(data, label_suffix="")
        self.rows = rows


class SeenForm(ActionForm):
    """Asks nothing, and notes how much had happened to each of the rows when the page was made."""

    seen = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, rows: Sequence[Payment]) -> None:
        super().__init__(data, rows=rows)
        self.fields["seen"].initial = " ".join(f"{row.pk}:{services.count_events(row)}" for row in rows)

    def clean_seen(self) -> dict[str, str]:
        """Return the number of events, as text, by the reference of the row."""
        return dict(part.partition(":")[::2] for part in self.cleaned_data["seen"].split())


class ReceivedForm(ActionForm):
    """Asks when money arrived and, of one payment, how much; it notes which version of the payment the page showed."""

    received_on = forms.DateField(
        label=_("Received on"),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        help_text=_("The day on which the money arrived, as the account shows it."),
    )
    amount = forms.CharField(label=_("Amount received"), max_length=40)
    note = forms.CharField(
        label=_("Note"),
        max_length=1000,
        required=False,
        widget=AdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("For example the number of the bank statement."),
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, rows: Sequence[Payment]) -> None:
        super().__init__(data, rows=rows)
        self.payments = rows
        self.fields["received_on"].initial = services.get_today()
        if len(rows) > 1:
            del self.fields["amount"], self.fields["version"]
            return
        (self.payment,) = rows
        self.missing = services.get_missing_minor_units(self.payment)
        self.fields["version"].initial = self.payment.version
        _ask_for_amount(
            self.fields["amount"],
            self.missing,
            self.payment.currency,
            _("%(amount)s is missing. A smaller amount is noted as a part, and the rest stays missing."),
        )

    def clean_received_on(self) -> date:
        """Return the day, which is not before the payment began, nor still to come."""
        return _clean_day(self.cleaned_data["received_on"], self.payments)

    def clean_amount(self) -> int:
        """Return the amount in minor units."""
        units = _clean_amount(self.cleaned_data["amount"], self.payment.currency)
        if units > self.missing:
            raise ValidationError(
                _("That is more than is missing. Enter what belongs to this order, and note the rest.")
            )
        return units


class RefundForm(ActionForm):
    """Asks how much of one payment to give back, and notes how many refunds the page knew of."""

    amount = forms.CharField(label=_("Amount to refund"), max_length=40)
    requested = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, rows: Sequence[Payment]) -> None:
        super().__init__(data, rows=rows)
        (self.payment,) = rows
        _ask_for_amount(
            self.fields["amount"],
            self.payment.refundable_minor_units,
            self.payment.currency,
            _("Up to %(amount)s can be refunded."),
        )
        self.fields["requested"].initial = self.payment.refunds_requested

    def clean_amount(self) -> int:
        """Return the amount in minor units."""
        units = _clean_amount(self.cleaned_data["amount"], self.payment.currency)
        if units > self.payment.refundable_minor_units:
            raise ValidationError(_("That is more than is left of the payment."))
        return units


class GivenBackForm(ActionForm):
    """Asks how much of one payment went back and when, and notes how many refunds the page knew of."""

    given_back_on = forms.DateField(
        label=_("Given back on"),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        help_text=_("The day on which the money left, as the account shows it."),
    )
    amount = forms.CharField(label=_("Amount given back"), max_length=40)
    note = forms.CharField(
        label=_("Note"),
        max_length=1000,
        required=False,
        widget=AdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("For example the number of the bank statement."),
    )
    requested = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, rows: Sequence[Payment]) -> None:
        super().__init__(data, rows=rows)
        (self.payment,) = rows
        self.fields["given_back_on"].initial = services.get_today()
        self.fields["requested"].initial = self.payment.refunds_requested
        _ask_for_amount(
            self.fields["amount"],
            self.payment.kept_minor_units,
            self.payment.captured_currency,
            _("Up to %(amount)s may have gone back."),
        )

    def clean_given_back_on(self) -> date:
        """Return the day, which is not before the payment began, nor still to come."""
        return _clean_day(self.cleaned_data["given_back_on"], [self.payment])

    def clean_amount(self) -> int:
        """Return the amount in minor units."""
        units = _clean_amount(self.cleaned_data["amount"], self.payment.captured_currency)
        if units > self.payment.kept_minor_units:
            raise ValidationError(_("That is more than is left of the payment."))
        return units


def _clean_day(day: date, payments: Iterable[Payment]) -> date:
    if day > services.get_today():
        raise ValidationError(_("This day has not come yet."))
    if any(day < services.get_day(payment.created_at) for payment in payments):
        raise ValidationError(_("This day is before the payment was begun."))
    return day


def _ask_for_amount(field: forms.Field, units: int, currency: str, help_text: Any) -> None:
    """Have a field offer an amount of minor units, written as staff write it."""
    field.help_text = help_text % {"amount": money(units, currency)}
    field.initial = str(to_amount(units, currency)).replace(".", get_format("DECIMAL_SEPARATOR"))
    field.widget.attrs.update({"inputmode": "decimal", "autocomplete": "off"})


def _clean_amount(text: str, currency: str) -> int:
    try:
        return read_amount(text, currency)
    except UnpayableAmount:
        example = to_amount(10 ** (get_decimals(currency) + 3) + 10 ** get_decimals(currency) // 2, currency)
        raise ValidationError(
            _("Enter an exact amount in %(currency)s, without a thousands separator: %(example)s"),
            params={"currency": currency, "example": example},
        ) from None


def _note_field() -> forms.CharField:
    return forms.CharField(
        label=_("Note"),
        max_length=1000,
        widget=AdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("How you know, or what you did. It becomes part of the payment's history."),
    )


class ResolveReviewForm(SeenForm):
    """Asks how a review ends. ``choices`` are those that are possible for every row."""

    resolution = forms.ChoiceField(label=_("Result"), widget=_RADIO)
    note = _note_field()

    def __init__(
        self, data: Any = None, *, rows: Sequence[Payment], choices: Sequence[tuple[str, Any]]
    ) -> None:
        super().__init__(data, rows=rows)
        self.fields["resolution"].choices = choices  # type: ignore[attr-defined]


class ResolveRefundForm(ActionForm):
    """Asks whether a refund was made."""

    resolution = forms.ChoiceField(
        label=_("Result"),
        widget=_RADIO,
        choices=[
            ("made", _("The refund was made: the provider shows it")),
            ("not_made", _("The refund was not made: its amount can be refunded again")),
        ],
    )
    note = _note_field()


class UndoForm(ActionForm):
    """Asks why something was recorded by mistake."""

    note = _note_field()
