"""Where everything is required, nothing is skipped in silence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.no_skips import REQUIREMENTS

ROOT = Path(__file__).parent.parent
SKIPPED_TEST = """
import pytest

def test_that_is_skipped():
    pytest.skip("no such server")

@pytest.mark.xfail
def test_that_is_known_to_fail():
    raise AssertionError
"""
SKIPPED_FIXTURE = """
import pytest

@pytest.fixture
def server():
    pytest.skip("no such server")

def test_that_needs_a_server(server):
    pass
"""
SKIPPED_MODULE = """
import pytest

pytest.skip("no such server", allow_module_level=True)
"""


def run(tmp_path: Path, source: str, *required: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_it.py").write_text(source)
    (tmp_path / "pytest.ini").write_text("[pytest]")
    names = {name: text for name, text in os.environ.items() if not name.startswith(("REQUIRE_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.no_skips", "-p", "no:django", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**names, "PYTHONPATH": str(ROOT), **dict.fromkeys(required, "1")},
    )


@pytest.mark.parametrize("required", REQUIREMENTS)
@pytest.mark.parametrize("source", [SKIPPED_TEST, SKIPPED_FIXTURE, SKIPPED_MODULE])
def test_a_skip_is_a_failure_where_everything_is_required(tmp_path: Path, source: str, required: str) -> None:
    done = run(tmp_path, source, required)
    assert done.returncode in {1, 2}
    assert f"{required} is set, so nothing may be skipped, but this was:" in done.stdout
    assert "no such server" in done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("source", [SKIPPED_TEST, SKIPPED_FIXTURE])
def test_a_skip_is_one_elsewhere(tmp_path: Path, source: str) -> None:
    done = run(tmp_path, source)
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout


def test_a_known_failure_is_no_skip(tmp_path: Path) -> None:
    assert "1 xfailed" in run(tmp_path, SKIPPED_TEST, "REQUIRE_BROWSER").stdout
