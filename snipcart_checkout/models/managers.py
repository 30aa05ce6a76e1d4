"""The ledger is read from the database that it is written to, and from no cache."""

from __future__ import annotations

from typing import TypeVar

from django.db import models, router

_Row_co = TypeVar("_Row_co", bound=models.Model, covariant=True)


class LedgerManager(models.Manager[_Row_co]):
    """Reads from the database that is written to, whatever a router returns for reads, and outside of django-cacheops.

    Neither a replica that lags nor a result that was kept may decide about money.
    """

    def get_queryset(self) -> models.QuerySet[_Row_co]:
        rows = super().get_queryset().using(self._db or router.db_for_write(self.model))
        # Where django-cacheops is installed, every queryset has this method. django-cachalot has no such way out: see checks.
        return rows.nocache() if hasattr(rows, "nocache") else rows
