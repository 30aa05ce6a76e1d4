"""System checks: rules about the settings and the project, which find mistakes before they cost a payment.

Every rule has an id that is never reused. No message contains a key, a proxy's address or the value
of an option.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Tags, register

from snipcart_checkout.checks.database import tables
from snipcart_checkout.checks.methods import METHOD_RULES
from snipcart_checkout.checks.project import DEPLOYMENT_RULES, PROJECT_RULES
from snipcart_checkout.checks.secrets import without_secrets
from snipcart_checkout.checks.sections import Section, iter_methods, iter_stores
from snipcart_checkout.checks.stores import STORE_RULES
from snipcart_checkout.checks.top_level import TOP_LEVEL_RULES, setting
from snipcart_checkout.conf import raw_settings

TAG = "snipcart_checkout"
"""``manage.py check --tag snipcart_checkout`` runs these checks alone."""

Apps = Sequence[AppConfig] | None


@register(TAG)
def check_settings(app_configs: Apps = None, **_kwargs: Any) -> list[CheckMessage]:
    """Check SNIPCART_CHECKOUT, every store and method in it, and the options of each backend."""
    if not _is_asked(app_configs):
        return []
    whole = Section(values=raw_settings())
    return [without_secrets(message, whole) for message in list(setting(whole)) or _walk(whole)]


def _walk(whole: Section) -> Iterator[CheckMessage]:
    for top_level_rule in TOP_LEVEL_RULES:
        yield from top_level_rule(whole)
    for store in iter_stores(whole):
        for store_rule in STORE_RULES:
            yield from store_rule(store)
        for method in iter_methods(store):
            for method_rule in METHOD_RULES:
                yield from method_rule(method)


@register(TAG)
def check_project(app_configs: Apps = None, **_kwargs: Any) -> list[CheckMessage]:
    """Check what the app needs from the project."""
    return [message for rule in PROJECT_RULES for message in rule()] if _is_asked(app_configs) else []


@register(TAG, deploy=True)
def check_deployment(app_configs: Apps = None, **_kwargs: Any) -> list[CheckMessage]:
    """Check what often goes wrong behind a proxy; part of ``manage.py check --deploy``."""
    return [message for rule in DEPLOYMENT_RULES for message in rule()] if _is_asked(app_configs) else []


@register(TAG, Tags.database)
def check_database(
    app_configs: Apps = None, databases: Sequence[str] | None = None, **_kwargs: Any
) -> list[CheckMessage]:
    """Check how the ledger's tables are made, in those databases that are named: ``check --database default``."""
    return list(tables(databases)) if databases and _is_asked(app_configs) else []


def _is_asked(app_configs: Apps) -> bool:
    return app_configs is None or any(app.name == TAG for app in app_configs)
