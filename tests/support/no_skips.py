"""A pytest plugin: where databases or the browser are required, a test that is skipped has failed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

REQUIREMENTS = ("REQUIRE_DATABASES", "REQUIRE_BROWSER")

_Report = TypeVar("_Report", pytest.TestReport, pytest.CollectReport)


def _allow_no_skip(report: _Report) -> _Report:
    required = [name for name in REQUIREMENTS if os.environ.get(name)]
    if required and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{required[0]} is set, so nothing may be skipped, but this was: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _allow_no_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _allow_no_skip((yield))
