"""What a shopper and a developer can fill in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.numbers import get_currency_precision
from django import forms
from django.utils.functional import Promise

from snipcart_checkout.sandbox.carts import COUPONS, SHIPPING, TAXES, Cart, get_name
from snipcart_checkout.sandbox.conf import get_settings
from snipcart_checkout.sandbox.core.contract import LANGUAGES
from snipcart_checkout.sandbox.core.fault_injection import FaultInjection
from snipcart_checkout.sandbox.core.faults import FAULTS, PLACES
from snipcart_checkout.sandbox.core.invoices import Address
from snipcart_checkout.sandbox.snipcart import SandboxSession
from snipcart_checkout.sandbox.translation import gettext_lazy as _

MODES = [("live", _("live")), ("test", _("test"))]
SHIP_TO = [
    ("billing", _("to the billing address")),
    ("other", _("to another address")),
    ("nobody", _("nothing is sent, and there is no shipping address")),
]
WEBHOOK_STYLES = [
    ("body", _("in the body, as publicToken")),
    ("capital", _("in the body, as PublicToken")),
    ("query", _("in the query string")),
]
SHAPES = [
    ("every_field", _("every field that was ever seen")),
    ("documented", _("the fields of the reference")),
    ("capital_redirect", _("the older text: other casing, no shipping address")),
]
# A web server gives its application no say in connections.
_CONNECTION = "connection"
_ADDRESS_FIELDS = ("name", "surname", "street", "postal_code", "city", "region", "country")


def _address_fields(prefix: str) -> dict[str, forms.Field]:
    def text(label: Any, autocomplete: str, length: int = 200, required: bool = False) -> forms.CharField:
        field = forms.CharField(label=label, max_length=length, required=required)
        field.widget.attrs["autocomplete"] = f"{prefix} {autocomplete}"
        return field

    section = {
        "name": text(_("First name, or full name"), "given-name", required=prefix == "billing"),
        "surname": text(_("Last name"), "family-name"),
        "street": text(_("Street and number"), "street-address"),
        "postal_code": text(_("Postal code"), "postal-code"),
        "city": text(_("City"), "address-level2"),
        "region": text(_("Region"), "address-level1"),
        "country": text(_("Country, two letters"), "country", length=2),
    }
    return {f"{prefix}_{name}": field for name, field in section.items()}


@cache
def _languages() -> list[tuple[str, str]]:
    return sorted((code, f"{_own_name(code)} ({code})") for code in LANGUAGES)


def _own_name(code: str) -> str:
    try:
        return (Locale.parse(code, sep="-").get_display_name() or code).capitalize()
    except (UnknownLocaleError, ValueError):
        return code


class CartForm(forms.Form):
    """Everything about a cart, in one form, so that nothing gets lost on the way to the payment."""

    currency = forms.ChoiceField(label=_("Currency"))
    language = forms.ChoiceField(label=_("Language"), choices=_languages)
    shipping = forms.ChoiceField(label=_("Shipping"))
    tax = forms.ChoiceField(label=_("Tax"))
    coupon = forms.CharField(label=_("Coupon"), max_length=40, required=False)
    email = forms.EmailField(label=_("E-mail"), max_length=254)
    ship_to = forms.ChoiceField(label=_("The order is sent"), choices=SHIP_TO)
    mode = forms.ChoiceField(label=_("Mode"), choices=MODES)
    webhook_style = forms.ChoiceField(
        label=_("The payment-methods webhook has its token"), choices=WEBHOOK_STYLES
    )
    shape = forms.ChoiceField(label=_("The payment session has"), choices=SHAPES)
    float_noise = forms.BooleanField(label=_("The total carries the noise of binary floats"), required=False)
    lines_add_up = forms.BooleanField(label=_("The lines add up to the total"), required=False)

    def __init__(self, data: Any = None, *, cart: Cart) -> None:
        super().__init__(data, initial=_initial(cart))
        self.cart = cart
        shop = get_settings()
        for product in shop.products.values():
            self.fields[f"quantity_{product.id}"] = forms.IntegerField(
                label=product.name(cart.language), min_value=0, max_value=999, required=False
            )
        self.fields.update(_address_fields("billing"))
        self.fields.update(_address_fields("shipping"))
        self._offer("currency", ((code, code) for code in shop.currencies))
        self._offer("shipping", ((key, get_name(names, cart.language)) for key, names in SHIPPING.items()))
        self._offer("tax", ((key, get_name(names, cart.language)) for key, names in TAXES.items()))
        self.fields["coupon"].help_text = ", ".join(COUPONS)

    def _offer(self, name: str, choices: Iterable[tuple[str, str]]) -> None:
        field = self.fields[name]
        if isinstance(field, forms.ChoiceField):
            field.choices = list(choices)

    def clean_coupon(self) -> str:
        """Refuse a coupon that the shop does not have."""
        coupon: str = self.cleaned_data["coupon"].upper()
        if coupon and coupon not in COUPONS:
            raise forms.ValidationError(_("This coupon does not exist."))
        return coupon

    @property
    def has_folded_errors(self) -> bool:
        """Whether something is wrong in the parts of the page that are folded at first."""
        shown = {"currency", "language", "shipping", "tax", "coupon", "email"}
        return any(name not in shown and not name.startswith("quantity_") for name in self.errors)

    def changed_cart(self) -> Cart:
        """Return the cart as it was filled in."""
        data = self.cleaned_data
        products = get_settings().products
        same = ("currency", "language", "shipping", "tax", "coupon", "email", "ship_to", "mode")
        behaviour = ("webhook_style", "shape", "float_noise", "lines_add_up")
        return replace(
            self.cart,
            quantities={key: data[f"quantity_{key}"] or 0 for key in products},
            billing=_address(data, "billing"),
            other=_address(data, "shipping"),
            **{name: data[name] for name in (*same, *behaviour)},
        )


def _initial(cart: Cart) -> dict[str, Any]:
    addresses = {"billing": cart.billing, "shipping": cart.other}
    return {
        **vars(cart),
        **{f"quantity_{key}": quantity for key, quantity in cart.quantities.items()},
        **{
            f"{prefix}_{name}": getattr(address, name)
            for prefix, address in addresses.items()
            for name in _ADDRESS_FIELDS
        },
    }


def _address(data: dict[str, Any], prefix: str) -> Address:
    fields = {name: data[f"{prefix}_{name}"] for name in _ADDRESS_FIELDS}
    return Address(
        **{
            **fields,
            "surname": fields["surname"] or None,
            "region": fields["region"] or None,
            "country": fields["country"].upper(),
        }
    )


class RefundForm(forms.Form):
    """How much goes back. More than is left may be asked for: the merchant's server has to refuse that."""

    amount = forms.DecimalField(
        label=_("Amount"),
        min_value=Decimal(0),
        max_digits=15,
        localize=True,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )

    def __init__(self, data: Any = None, *, session: SandboxSession) -> None:
        digits = get_currency_precision(session.invoice.currency)
        super().__init__(data, initial={"amount": round(session.amount_left, digits)})


class FaultForm(forms.Form):
    """One thing that is to go wrong: ``fault`` is a place and a name, with a colon between them."""

    fault = forms.ChoiceField(label=_("What goes wrong"))
    when = forms.ChoiceField(
        label=_("When"),
        choices=[
            ("1", _("the next time")),
            ("2", _("the second time from now")),
            ("3", _("the third time from now")),
            ("always", _("every time, until it is switched off")),
        ],
    )
    session_id = forms.ChoiceField(label=_("For which order"), required=False)

    def __init__(self, data: Any = None, *, sessions: Iterable[SandboxSession], initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        fault, session_id = self.fields["fault"], self.fields["session_id"]
        if isinstance(fault, forms.ChoiceField) and isinstance(session_id, forms.ChoiceField):
            fault.choices = [
                (words, _switches(place)) for place, words in PLACES.items() if place != _CONNECTION
            ]
            session_id.choices = [
                ("", _("any order")),
                *((session.id, f"SNIP-{session.number}") for session in sessions),
            ]

    def plan(self, faults: FaultInjection) -> None:
        """Plan what was chosen."""
        place, name = self.cleaned_data["fault"].split(":")
        when = self.cleaned_data["when"]
        always = when == "always"
        faults.plan(
            place,
            name,
            session_id=self.cleaned_data["session_id"],
            nth=1 if always else int(when),
            times=None if always else 1,
        )


def _switches(place: str) -> list[tuple[str, str | Promise]]:
    return [(f"{place}:{name}", fault.words) for name, fault in FAULTS.items() if place in fault.places]


class GatewayForm(forms.Form):
    """What a merchant writes into the gateway's configuration at Snipcart."""

    mode = forms.ChoiceField(choices=MODES, widget=forms.HiddenInput)
    payment_methods_url = forms.CharField(label=_("Payment-methods URL"), max_length=500)
