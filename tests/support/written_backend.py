"""What ``snipcart_startbackend`` writes, imported."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from django.core.management import call_command


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The written backend and its stand-in."""
    directory = tmp_path_factory.mktemp("acme")
    call_command("snipcart_startbackend", "acme", directory=str(directory), verbosity=0)
    sys.path.insert(0, str(directory))
    try:
        yield importlib.import_module("acme"), importlib.import_module("acme_stand_in")
    finally:
        sys.path.remove(str(directory))
        for name in ("acme", "acme_stand_in"):
            del sys.modules[name]
