"""A backend with a form of its own, as a merchant's bank might ask for: every kind of field once."""

from __future__ import annotations

from django import forms

from tests.support.backends import ScriptedBackend


class PayerForm(forms.Form):
    """Fields of each kind that the page's templates have to lay out."""

    bank = forms.ChoiceField(
        label="Your bank",
        choices=(
            ("north", "Bank of the North"),
            ("south", "Bank of the South"),
            ("sea", "Sea & Harbour Savings"),
        ),
        widget=forms.RadioSelect,
    )
    holder = forms.CharField(label="Account holder", widget=forms.TextInput(attrs={"autocomplete": "name"}))
    code = forms.CharField(
        label="Customer number",
        help_text="Eight digits, on top of your statement.",
        max_length=12,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    note = forms.CharField(
        label="Note for the bank", required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    terms = forms.BooleanField(label="I have read the bank's terms")

    def clean_code(self) -> str:
        code = str(self.cleaned_data["code"]).replace(" ", "")
        if not code.isdigit():
            raise forms.ValidationError("A customer number has digits only.")
        return code


class FormBackend(ScriptedBackend):
    """Asks for the fields of PayerForm, then does what the script says."""

    form_class = PayerForm
