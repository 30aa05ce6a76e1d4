"""What a backend says of itself, before any money moves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from django import forms
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise

from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.conf.links import to_origin
from snipcart_checkout.conf.origins import is_loopback
from snipcart_checkout.testing.backend_case import BackendCase, needs
from snipcart_checkout.testing.backend_contract.conditions import attempt, overrides
from snipcart_checkout.testing.provider_calls import hang_up

_CARD_FIELDS: Final = ("card_number", "cardnumber", "cvc", "cvv", "pan", "security_code")
_IMPLEMENTS: Final = {
    "can_lookup": "lookup",
    "can_lookup_refund": "lookup_refund",
    "supports_refund": "refund",
    "supports_partial_refund": "refund",
    "refund_repeat_is_safe": "refund",
}
_MOST_DECIMALS: Final = 4
_WRONG_OPTIONS: Final[Sequence[Any]] = (None, 0, "", "x", b"x", [], {}, [None], object())


class ClassContract(BackendCase):
    """The class and its options, before any money moves."""

    def test_capabilities_do_not_contradict_each_other(self) -> None:
        backend = self.make_backend()
        assert backend.supports_refund or not backend.supports_partial_refund, (
            "It claims supports_partial_refund without supports_refund."
        )
        assert backend.can_lookup or not backend.redirect_origins, (
            "It has redirect_origins without can_lookup, so nobody would ever hear what came of a redirect."
        )
        assert backend.supports_refund or not backend.can_lookup_refund, (
            "It claims can_lookup_refund without supports_refund."
        )

    def test_what_it_says_of_itself_can_be_shown(self) -> None:
        backend = self.make_backend()
        texts: dict[str, object] = {name: getattr(backend, name) for name in ("description", "processed_by")}
        if backend.pay_label is not None:
            texts["pay_label"] = backend.pay_label or None
        for name, text in texts.items():
            assert isinstance(text, (str, Promise)), f"{name} is {text!r}, not a text."

    def test_decimals_of_currencies_are_counted_by_upper_case_code(self) -> None:
        for currency, decimals in dict(self.make_backend().currency_decimals).items():
            assert re.fullmatch("[A-Z]{3}", currency), f"currency_decimals names {currency!r}: write EUR."
            assert decimals in range(_MOST_DECIMALS + 1), (
                f"currency_decimals says that {currency} has {decimals!r} decimals."
            )

    def test_only_what_cannot_be_looked_up_expires(self) -> None:
        backend = self.make_backend()
        after: object = backend.expires_after
        assert after is None or (isinstance(after, timedelta) and after > timedelta(0)), (
            f"expires_after is {after!r}, neither a positive timedelta nor None."
        )
        assert after is None or not backend.can_lookup, (
            "It has expires_after and can_lookup: what can be looked up ends by the provider's word."
        )

    def test_every_capability_is_implemented(self) -> None:
        backend = self.make_backend()
        for claim, method in _IMPLEMENTS.items():
            own = getattr(type(backend), method) is not getattr(PaymentBackend, method)
            assert own or not getattr(backend, claim), f"It claims {claim} but has no {method}() of its own."

    def test_redirect_origins_are_origins_over_https(self) -> None:
        for origin in self.make_backend().redirect_origins:
            assert to_origin(origin) == origin, (
                f"{origin!r} is not an origin: write scheme and host, without a path or a slash at the end."
            )
            assert origin.startswith("https://") or is_loopback(urlsplit(origin).hostname), (
                f"{origin!r} is neither https nor on this machine, so no shopper is sent there."
            )

    def test_the_form_asks_no_card_number(self) -> None:
        form_class = self.make_backend().form_class
        assert issubclass(form_class, forms.Form), f"form_class {form_class!r} is no django.forms.Form."
        asked = [name for name in form_class.base_fields if name.lower() in _CARD_FIELDS]
        assert not asked, f"The form asks {asked}: card data belong on the provider's own page."

    def test_the_form_accepts_what_a_shopper_types(self) -> None:
        self._cleaned(self.paying_form)

    def test_options_that_work_pass_the_check(self) -> None:
        messages: list[Any] = list(self.make_backend().check())
        strange = [message for message in messages if not isinstance(message, CheckMessage)]
        assert not strange, f"check() returned {strange}, which are no CheckMessages."
        serious = [f"{message.id}: {message.msg}" for message in messages if message.is_serious()]
        assert not serious, f"check() complains of the options of this test: {serious}"

    def test_options_that_are_missing_or_wrong_are_named_by_the_check(self) -> None:
        works = dict(self.make_backend().options)
        wrong = [{**works, name: value} for name in works for value in _WRONG_OPTIONS]
        for options in ({}, *wrong):
            messages = attempt(lambda options=options: self._build(options).check())  # type: ignore[misc]
            assert isinstance(messages, list), (
                f"With the options {_describe_change(works, options)} check() gave {messages!r}: an incomplete store "
                "says what it lacks, and does not crash."
            )
        assert not self._secrets() or self._build({}).check(), (
            "Without any option check() says nothing, although secrets are among those that work."
        )

    def test_a_check_asks_nobody(self) -> None:
        with hang_up() as calls:
            attempt(lambda: self.make_backend().check())
        assert not calls.made, "check() called the provider; ping() may, and snipcart_doctor asks for that."

    def test_checks_print_no_secret(self) -> None:
        printed = "".join(f"{message.msg} {message.hint}" for message in self.make_backend().check())
        assert not [secret for secret in self._secrets() if secret in printed], (
            "A message of check() holds the value of a secret option."
        )

    def test_the_backend_is_printed_without_its_secrets(self) -> None:
        printed = f"{self.make_backend()!r} {self.make_backend()!s}"
        assert not [secret for secret in self._secrets() if secret in printed], (
            "repr() of the backend holds the value of a secret option."
        )

    @needs(overrides("ping"))
    def test_credentials_that_work_are_pinged_without_a_complaint(self) -> None:
        try:
            self.make_backend().ping()
        except ImproperlyConfigured as problem:
            pytest.fail(f"ping() complains of the options of this test: {problem}")

    def _build(self, options: Mapping[str, Any]) -> PaymentBackend:
        return type(self.make_backend())(store="live", method="shop_card", options=options)


def _describe_change(works: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    changed = [f"{name}={value!r}" for name, value in options.items() if value is not works[name]]
    return ", ".join(changed) or "left out"
