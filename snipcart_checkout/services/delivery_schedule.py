"""When Snipcart is told again what it did not take the last time, and when that is over."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Final

from snipcart_checkout.models import Confirmation
from snipcart_checkout.models.confirmations import LONGEST_DELAY

_DELAYS: Final = (
    *(timedelta(seconds=seconds) for seconds in (30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600)),
    LONGEST_DELAY,
)
_GIVE_UP_AFTER: Final = timedelta(hours=72)


def get_next_attempt(confirmation: Confirmation, now: datetime) -> datetime | None:
    """Return when to try again after the attempts that were made; None once three days are over."""
    last_moment = confirmation.created_at + _GIVE_UP_AFTER
    if now >= last_moment:
        return None
    delay = _DELAYS[min(confirmation.attempts, len(_DELAYS)) - 1]
    # Jitter of five percent, so that not every site retries in the same second after an outage.
    return min(now + delay * random.uniform(0.95, 1), last_moment)  # noqa: S311
