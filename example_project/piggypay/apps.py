"""PiggyPay's entry in INSTALLED_APPS."""

from __future__ import annotations

from django.apps import AppConfig


class PiggyPayConfig(AppConfig):
    """A provider to play with; it would not be on the same server."""

    name = "example_project.piggypay"
    default_auto_field = "django.db.models.BigAutoField"
