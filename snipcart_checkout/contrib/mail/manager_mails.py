"""The mails. They hold a payment's reference, amount and reason, and nothing of the shopper."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.mail import mail_managers
from django.urls import NoReverseMatch, get_script_prefix, reverse
from django.utils import translation

from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.models import Payment


def mail_about_review(*, payment: Payment, reason: str, **_kwargs: Any) -> None:
    """Mail MANAGERS, in LANGUAGE_CODE, that a payment needs review, and why. Receives ``payment_needs_review``."""
    with translation.override(settings.LANGUAGE_CODE):
        _send(payment, str(Payment.ReviewReason(reason).label))


def mail_about_confirmation(*, payment: Payment, **_kwargs: Any) -> None:
    """Mail MANAGERS that Snipcart could not be notified of an outcome. Receives ``confirmation_unresolved``."""
    with translation.override(settings.LANGUAGE_CODE):
        _send(payment, _("Snipcart could not be notified of the outcome of this payment."))


def _send(payment: Payment, reason: str) -> None:
    lines = [
        reason,
        "",
        _("Payment reference: {reference}").format(reference=payment.reference),
        _("Amount: {amount} {currency}").format(amount=payment.amount, currency=payment.currency),
        _("Store and method: {store}, {method}").format(store=payment.store, method=payment.method),
    ]
    if link := _find_admin_link(payment):
        lines += ["", link]
    subject = _("Payment {reference} needs review").format(reference=payment.display_reference)
    mail_managers(subject, "\n".join(lines))


def _find_admin_link(payment: Payment) -> str:
    try:
        path = reverse("admin:snipcart_checkout_payment_change", args=[payment.pk])
    except NoReverseMatch:  # a site without the admin
        return ""
    # PUBLIC_URL ends in the script's prefix already.
    return get_settings().public_url + path.removeprefix(get_script_prefix().rstrip("/"))
