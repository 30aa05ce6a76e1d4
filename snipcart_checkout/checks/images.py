"""Whether an icon or a logo can be shown."""

from __future__ import annotations

from django.apps import apps

from snipcart_checkout.conf.links import icon_url
from snipcart_checkout.conf.translation import gettext_noop


def image_problem(value: object) -> str:
    """Return, as an English clause, why an image in the settings cannot be shown; empty when it can."""
    if not isinstance(value, str) or not icon_url(value) or value.lower().startswith("http:"):
        return gettext_noop("leads to no image that may be shown on a page over https")
    if "://" not in value and not _is_static_file(value):
        return gettext_noop("is not among the static files")
    return ""


def _is_static_file(path: str) -> bool:
    if not apps.is_installed("django.contrib.staticfiles"):
        return True
    from django.contrib.staticfiles import finders

    return finders.find(path) is not None
