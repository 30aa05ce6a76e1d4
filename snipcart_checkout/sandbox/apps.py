"""The app's entry in INSTALLED_APPS."""

from __future__ import annotations

from django.apps import AppConfig

from snipcart_checkout.sandbox.translation import gettext_lazy as _


class SnipcartSandboxConfig(AppConfig):
    """An app without tables; its checks refuse to run with DEBUG off."""

    name = "snipcart_checkout.sandbox"
    label = "snipcart_sandbox"
    verbose_name = _("Snipcart sandbox")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from snipcart_checkout.sandbox import checks  # noqa: F401
