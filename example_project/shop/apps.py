"""The shop's entry in INSTALLED_APPS."""

from __future__ import annotations

from django.apps import AppConfig


class ShopConfig(AppConfig):
    """Listens to what happens to payments."""

    name = "example_project.shop"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from example_project.shop import till  # noqa: F401
