"""The app's entry in INSTALLED_APPS."""

from __future__ import annotations

import sys
from importlib import import_module

from django.apps import AppConfig

from snipcart_checkout.conf.translation import gettext_lazy as _


class SnipcartCheckoutConfig(AppConfig):
    """Registers the system checks and keeps tokens out of log lines that are not ours."""

    name = "snipcart_checkout"
    label = "snipcart_checkout"
    verbose_name = _("Snipcart checkout")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("snipcart_checkout.checks")
        from snipcart_checkout.snipcart.transport import install_log_scrubber

        install_log_scrubber()
        if "django.core.wsgi" in sys.modules or "django.core.asgi" in sys.modules:
            # Only a server imports these before the apps are ready: the first shopper must not pay for what the
            # first page would load, and a management command need not.
            import_module("snipcart_checkout.views.warming").warm()
