"""What the HTTP statuses mean that Snipcart answers with, beyond what HTTP says."""

from __future__ import annotations

from typing import Final

TRY_AGAIN: Final = frozenset({408, 425, 429})
"""Of the 4xx: not a refusal, and the same call may be made again later, as after a 5xx."""

NOT_TAKEN_UP: Final = frozenset({425, 429})
"""Snipcart did not process the request."""

KEY_REFUSED: Final = frozenset({401, 403})
"""The key is not, or no longer, one of the gateway's."""

RECORDED_BEFORE: Final = frozenset({400, 409})
"""What Snipcart may answer to an outcome that it has recorded already. Its reference does not say; a first outcome may be
refused with the same."""
