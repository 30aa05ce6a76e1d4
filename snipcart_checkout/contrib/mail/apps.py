"""Connects the receivers when Django starts."""

from __future__ import annotations

from django.apps import AppConfig

from snipcart_checkout import signals


class MailConfig(AppConfig):
    name = "snipcart_checkout.contrib.mail"
    label = "snipcart_checkout_mail"

    def ready(self) -> None:
        from snipcart_checkout.contrib.mail.manager_mails import mail_about_confirmation, mail_about_review

        signals.payment_needs_review.connect(mail_about_review, dispatch_uid="snipcart_checkout_mail")
        signals.confirmation_unresolved.connect(
            mail_about_confirmation, dispatch_uid="snipcart_checkout_mail"
        )
