"""The app's entry in INSTALLED_APPS."""

from __future__ import annotations

import sys

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

__all__ = ["SnipcartCheckoutConfig"]


class SnipcartCheckoutConfig(AppConfig):
    """Registers the system checks and keeps tokens out of log lines that are not ours."""

    name = "snipcart_checkout"
    label = "snipcart_checkout"
    verbose_name = _("Snipcart checkout")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from snipcart_checkout import checks  # noqa: F401
        from snipcart_checkout.transport import install_log_scrubber, warm

        install_log_scrubber()
        if "django.core.wsgi" in sys.modules or "django.core.asgi" in sys.modules:
            # Only a server imports these before the apps are ready: the first shopper must not pay for
            # reading certificates and locales, and a management command need not.
            warm()
