"""System checks: each rule about the settings and the project, told before it costs a payment.

Every rule has an id that is never reused. No message prints a key, a proxy's address or an option.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, register

from snipcart_checkout.checks.methods import METHOD_RULES
from snipcart_checkout.checks.parts import Part, methods_of, stores_of
from snipcart_checkout.checks.project import DEPLOYMENT_RULES, PROJECT_RULES
from snipcart_checkout.checks.secrets import without_secrets
from snipcart_checkout.checks.site import SITE_RULES, setting
from snipcart_checkout.checks.stores import STORE_RULES
from snipcart_checkout.conf import raw_settings

__all__ = ["TAG", "check_deployment", "check_project", "check_settings"]

TAG = "snipcart_checkout"
"""``manage.py check --tag snipcart_checkout`` runs these checks alone."""

Apps = Sequence[AppConfig] | None


@register(TAG)
def check_settings(app_configs: Apps = None, **_kwargs: Any) -> list[CheckMessage]:
    """Check SNIPCART_CHECKOUT, every store and method in it, and what each backend says of its options."""
    if not _is_asked(app_configs):
        return []
    whole = Part(values=raw_settings())
    return [without_secrets(message, whole) for message in list(setting(whole)) or _walk(whole)]


def _walk(whole: Part) -> Iterator[CheckMessage]:
    for site_rule in SITE_RULES:
        yield from site_rule(whole)
    for store in stores_of(whole):
        for store_rule in STORE_RULES:
            yield from store_rule(store)
        for method in methods_of(store):
            for method_rule in METHOD_RULES:
                yield from method_rule(method)


@register(TAG)
def check_project(app_configs: Apps = None, **_kwargs: Any) -> list[CheckMessage]:
    """Check what the app needs of the project it is installed in."""
    return [message for rule in PROJECT_RULES for message in rule()] if _is_asked(app_configs) else []


@register(TAG, deploy=True)
def check_deployment(app_configs: Apps = None, **_kwargs: Any) -> list[CheckMessage]:
    """Check what often goes wrong behind a proxy; part of ``manage.py check --deploy``."""
    return [message for rule in DEPLOYMENT_RULES for message in rule()] if _is_asked(app_configs) else []


def _is_asked(app_configs: Apps) -> bool:
    return app_configs is None or any(app.name == TAG for app in app_configs)
