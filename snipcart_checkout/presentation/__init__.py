"""What the templates show, as finished strings in the page's language.

Templates only place these values: nothing is formatted while a page is rendered.
"""

from __future__ import annotations

from snipcart_checkout.presentation.choices import (
    LanguageChoice,
    LanguageSwitch,
    MethodChoice,
    present_languages,
    present_methods,
    with_query,
)
from snipcart_checkout.presentation.orders import InvoiceView, ItemView, present_invoice
from snipcart_checkout.presentation.payments import PaymentView, present_decline, present_payment
from snipcart_checkout.presentation.problems import Problem, ProblemView, present_problem

__all__ = [
    "InvoiceView",
    "ItemView",
    "LanguageChoice",
    "LanguageSwitch",
    "MethodChoice",
    "PaymentView",
    "Problem",
    "ProblemView",
    "present_decline",
    "present_invoice",
    "present_languages",
    "present_methods",
    "present_payment",
    "present_problem",
    "with_query",
]
