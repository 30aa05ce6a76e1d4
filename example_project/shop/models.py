"""What the shop remembers of its own."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Sale(models.Model):
    """One paid order in the till. The amounts are in the currency's smallest unit."""

    reference = models.UUIDField(primary_key=True)
    time = models.DateTimeField(auto_now_add=True)
    method = models.CharField(max_length=100)
    minor_units = models.BigIntegerField()
    refunded_minor_units = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)

    objects: ClassVar[models.Manager[Sale]] = models.Manager()

    class Meta:
        ordering = ("-time",)

    def __str__(self) -> str:
        return str(self.reference)
