"""What staff are told above a list and on the admin's first page: what needs attention, and what does not run."""

from __future__ import annotations

import contextlib
from typing import Final

from django.contrib import messages
from django.db import DatabaseError, router, transaction
from django.http import HttpRequest
from django.utils.html import format_html

from snipcart_checkout import services
from snipcart_checkout.admin.formatting import moment
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.conf.translation import ngettext
from snipcart_checkout.models import Payment

_MOST: Final = 1000


def notice_attention(request: HttpRequest, list_url: str) -> None:
    """Say how many payments need attention, with a link to them; nothing where none does."""
    count = len(services.find_payments_needing_attention(_MOST + 1))
    if not count:
        return
    if count > _MOST:
        text = _("More than %(count)d payments need attention") % {"count": _MOST}
    else:
        one = ngettext("%(count)d payment needs attention", "%(count)d payments need attention", count)
        text = one % {"count": count}
    link = format_html('<a href="{}?needs_attention=yes">{}</a>', list_url, text)
    messages.warning(request, link)


def notice_missing_settle(request: HttpRequest) -> None:
    """Say since when work has been pending, if ``snipcart_settle`` does not seem to run."""
    since = services.get_settle_overdue_since()
    if since is not None:
        text = _("Work has been pending since %(since)s: snipcart_settle does not seem to run.")
        messages.warning(request, text % {"since": moment(since)})


def notice_on_index(request: HttpRequest, list_url: str) -> None:
    """Say what needs attention once, on the admin's first page, whatever templates that page is made of.

    Never in the way of that page: where the ledger's tables cannot be read nothing is said.
    """
    if getattr(request, "_snipcart_noticed", False):
        return
    request._snipcart_noticed = True  # type: ignore[attr-defined]
    with contextlib.suppress(DatabaseError), transaction.atomic(using=router.db_for_write(Payment)):
        notice_attention(request, list_url)
        notice_missing_settle(request)
