"""Where everything is required, nothing is skipped in silence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.no_skips import REQUIREMENTS

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


FILES = {"test_test.py": SKIPPED_TEST, "test_fixture.py": SKIPPED_FIXTURE, "test_module.py": SKIPPED_MODULE}


def run(tmp_path: Path, *required: str) -> subprocess.CompletedProcess[str]:
    for name, source in FILES.items():
        (tmp_path / name).write_text(source)
    (tmp_path / "pytest.ini").write_text("[pytest]")
    names = {name: text for name, text in os.environ.items() if not name.startswith(("REQUIRE_", "PYTEST_"))}
    # Other plugins take longer to load than these tests to run.
    environment = {**names, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "tests.support.no_skips"),
            *("--continue-on-collection-errors", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**environment, **dict.fromkeys(required, "1")},
    )


@pytest.mark.parametrize("required", REQUIREMENTS)
def test_a_skip_is_a_failure_where_everything_is_required(tmp_path: Path, required: str) -> None:
    done = run(tmp_path, required)
    assert done.returncode == 1
    told = rf"{required} is set, so nothing may be skipped, but this was: .*no such server"
    assert len(re.findall(rf"^E? *{told}", done.stdout, re.MULTILINE)) == len(FILES), done.stdout
    summary = done.stdout.splitlines()[-1]
    assert "skipped" not in summary
    assert "1 failed, 1 xfailed, 2 errors" in summary


def test_a_skip_is_one_elsewhere_and_a_known_failure_is_none(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "3 skipped, 1 xfailed" in done.stdout.splitlines()[-1]
