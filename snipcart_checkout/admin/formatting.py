"""What is stored as a code or a number, in words for staff: events, their sources, amounts."""

from __future__ import annotations

from datetime import datetime

from django.db.models import TextChoices
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html

from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.translation import gettext
from snipcart_checkout.models import Event
from snipcart_checkout.snipcart.money import to_amount


def money(units: int, currency: str) -> str:
    """Return minor units as staff read them: in the number format of the admin, with the currency's code."""
    return f"{number_format(to_amount(units, currency), force_grouping=True)}\N{NO-BREAK SPACE}{currency}"


def moment(when: datetime) -> str:
    """Return a date and time, short enough for a list and free to wrap there."""
    return date_format(timezone.localtime(when) if timezone.is_aware(when) else when, "SHORT_DATETIME_FORMAT")


def describe_source(source: str, actor: str) -> str:
    """Return who brought something about, in words."""
    if actor:
        return gettext("%(name)s (staff)") % {"name": actor}
    return label(Event.Source, source)


def describe_requester(requested_by: str) -> str:
    """Return who wanted a refund, in words."""
    return gettext("%(name)s (staff)") % {"name": requested_by} if requested_by else "Snipcart"


def label(choices: type[TextChoices], value: str) -> str:
    """Return the words for a stored choice; one that only a newer release knows is returned as it is."""
    return str(choices(value).label) if value in choices.values else value


def badge(choices: type[TextChoices], value: str) -> str:
    """Return a stored state as HTML: its words, with a look of its own."""
    return format_html('<span class="snipcart-badge snipcart-{}">{}</span>', value, label(choices, value))


def describe_method(store_name: str, method_id: str) -> str:
    """Return the name of a payment method, or its id where the settings do not know it any more."""
    store = get_settings().stores.get(store_name)
    method = store.methods.get(method_id) if store else None
    return str(method.name) if method else method_id
