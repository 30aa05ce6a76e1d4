"""Moments of the ledger, by the clock of whichever host reads them.

A moment that is further ahead than anybody writes one was written by a host whose clock is wrong, or was. It must not
keep the others from their work until it has come.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q
from django.utils import timezone

LONGEST_LEASE: Final = timedelta(hours=1)
"""No lease is longer."""


def long_ago(column: str, age: timedelta) -> Q:
    """Return a ``Q`` that finds the rows whose moment in a column is older than that."""
    now = timezone.now()
    return Q(**{f"{column}__lt": now - age}) | Q(**{f"{column}__gt": now + age})


def not_lately(column: str, interval: timedelta) -> Q:
    """Return a ``Q`` that finds the rows whose moment in a column is none, or older than the interval."""
    return Q(**{f"{column}__isnull": True}) | long_ago(column, interval)


def has_come(column: str, longest: timedelta) -> Q:
    """Return a ``Q`` that finds the rows whose moment in a column has come, which nobody sets further ahead than that."""
    now = timezone.now()
    return Q(**{f"{column}__lte": now}) | Q(**{f"{column}__gt": now + longest})


def is_unleased() -> Q:
    """Return a ``Q`` that finds the rows on which no process is working."""
    return Q(lease_until__isnull=True) | has_come("lease_until", LONGEST_LEASE)


def is_past(moment: datetime, longest: timedelta) -> bool:
    """Return whether a moment that was read has come, as ``has_come`` does."""
    now = timezone.now()
    return not now < moment <= now + longest


def is_lease_over(until: datetime | None) -> bool:
    """Return whether the lease of a row that was read has ended, or there is none."""
    return until is None or is_past(until, LONGEST_LEASE)
