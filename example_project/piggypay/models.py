"""PiggyPay's own books. The shop never looks into them; it asks over HTTP, as with any provider."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models


class Order(models.Model):
    """What a shop wants to have paid. ``reference`` is the shop's, ``amount`` is in the smallest unit."""

    class State(models.TextChoices):
        """What the payer decided."""

        OPEN = "open"
        PAID = "paid"
        DECLINED = "declined"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=100, unique=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    return_url = models.TextField()
    notification_url = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    notified = models.CharField(max_length=100, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Order]] = models.Manager()

    class Meta:
        ordering = ("-created",)

    def __str__(self) -> str:
        return str(self.id)


class Return(models.Model):
    """Money that went back to the payer."""

    reference = models.CharField(max_length=100, primary_key=True)
    order = models.ForeignKey(Order, models.CASCADE)
    amount = models.BigIntegerField()

    objects: ClassVar[models.Manager[Return]] = models.Manager()

    def __str__(self) -> str:
        return self.reference
