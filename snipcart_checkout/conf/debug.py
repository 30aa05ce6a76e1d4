"""Whether a project is in development."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import UserSettingsHolder, settings


def is_debug() -> bool:
    """Return DEBUG as the project has it.

    Django's test runner turns DEBUG off. In its run the project's own value counts, unless a test overrides it.
    """
    return bool(settings.DEBUG) or _is_turned_off_by_test_runner()


def _is_turned_off_by_test_runner() -> bool:
    holder: Any = vars(settings)["_wrapped"]
    while isinstance(holder, UserSettingsHolder):
        if "DEBUG" in vars(holder):
            return False
        holder = holder.default_settings
    # Nothing imports it outside of a test run.
    state = getattr(sys.modules.get("django.test.utils"), "_TestState", None)
    return bool(getattr(getattr(state, "saved_data", None), "debug", False))
