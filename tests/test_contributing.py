"""What a contributor and a reporter of a vulnerability read is true, and every file says the same of versions."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
DJANGOS: Final = ("5.2", "6.0", "6.1")


def text(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.fixture(scope="module")
def metadata() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg")
    return parser


def pairs(found: list[tuple[str, str]]) -> tuple[set[str], set[str]]:
    return {python for python, _ in found}, {django for _, django in found}


class TestVersions:
    def test_the_metadata_names_the_supported_ones(self, metadata: configparser.ConfigParser) -> None:
        classifiers = metadata["metadata"]["classifiers"]
        assert tuple(re.findall(r"Python :: (3\.\d+)", classifiers)) == PYTHONS
        assert tuple(re.findall(r"Django :: (\d\.\d)", classifiers)) == DJANGOS
        assert metadata["options"]["python_requires"] == f">={PYTHONS[0]}"
        assert f"Django>={DJANGOS[0]},<6.2" in metadata["options"]["install_requires"]

    def test_the_tools_are_set_to_the_oldest(self, metadata: configparser.ConfigParser) -> None:
        assert metadata["mypy"]["python_version"] == PYTHONS[0]
        assert f'target-version = "py{PYTHONS[0].replace(".", "")}"' in text("pyproject.toml")
        oldest = f"({PYTHONS[0].replace('.', ', ')})"
        assert oldest in text("Makefile")
        assert oldest in text(".ci/run")

    @pytest.mark.parametrize("page", ["README.md", "Makefile", "CONTRIBUTING.md"])
    def test_readers_are_told_the_oldest(self, page: str) -> None:
        assert f"Python {PYTHONS[0]} or newer" in text(page)

    @pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
    def test_readers_are_told_the_range(self, page: str) -> None:
        assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in text(page)

    def test_the_hosted_workflow_tries_each_of_them(self) -> None:
        found = re.findall(r'python: "([\d.]+)", django: "([\d.]+)"', text(".github/workflows/ci.yml"))
        assert pairs(found) == (set(PYTHONS), set(DJANGOS))

    def test_ci_tries_each_django(self) -> None:
        pythons, djangos = pairs(re.findall(r"^ +matrix ([\d.]+) ([\d.]+)$", text(".ci/run"), re.MULTILINE))
        assert djangos == set(DJANGOS)
        assert pythons <= set(PYTHONS)

    def test_nobody_is_told_of_one_that_is_not_supported(self) -> None:
        for page in (
            "README.md",
            "Makefile",
            ".ci/run",
            "CONTRIBUTING.md",
            "SECURITY.md",
            "deploy/Dockerfile",
        ):
            named = set(re.findall(r"[Pp]ython ?:?(3\.\d+)\b", text(page)))
            assert named <= set(PYTHONS), page


class TestReports:
    def test_the_address_for_vulnerabilities_is_that_of_the_metadata(
        self, metadata: configparser.ConfigParser
    ) -> None:
        assert f"`{metadata['metadata']['maintainer_email']}`" in text("SECURITY.md")

    def test_what_the_owner_has_to_fill_in_is_marked(self) -> None:
        for page in ("setup.cfg", "SECURITY.md", "CODE_OF_CONDUCT.md"):
            assert ("to-be-filled-in.invalid" in text(page)) == ("PLACEHOLDER" in text(page))

    def test_the_metadata_leads_to_the_places_that_people_look_for(
        self, metadata: configparser.ConfigParser
    ) -> None:
        urls = dict(
            re.findall(r"^(\w+) = (https://\S+)$", metadata["metadata"]["project_urls"], re.MULTILINE)
        )
        assert urls.keys() >= {"Documentation", "Source", "Issues", "Changelog", "Security"}


class TestWorkflow:
    def test_it_follows_its_schema(self) -> None:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "check_jsonschema",
                "--builtin-schema",
                "vendor.github-workflows",
                ROOT / ".github/workflows/ci.yml",
            ],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def test_it_calls_parts_that_ci_has(self) -> None:
        parts = set(re.findall(r"run: \.ci/run (\w+)", text(".github/workflows/ci.yml")))
        assert parts == {"check", "matrix", "test"}
        assert parts == set(re.findall(r"^#   \.ci/run (\w+)", text(".ci/run"), re.MULTILINE))

    @pytest.mark.parametrize("arguments", [["everything"], ["matrix"], ["matrix", "3.13"]])
    def test_ci_refuses_what_it_does_not_have(self, arguments: list[str]) -> None:
        done = subprocess.run(["bash", ".ci/run", *arguments], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 2
        assert "usage" in done.stderr


class TestWhatContributingNames:
    PATHS: Final = re.findall(r"`((?:[\w.<>-]+/)+[\w.<>-]*)`", text("CONTRIBUTING.md"))

    def test_every_path_exists(self) -> None:
        assert self.PATHS
        for path in self.PATHS:
            if "<" not in path:
                assert (ROOT / path).exists() or (ROOT / "snipcart_checkout" / path).exists(), path

    @pytest.mark.parametrize(
        "page", ["CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "deploy/README.md"]
    )
    def test_every_link_leads_somewhere(self, page: str) -> None:
        targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", text(page))
        assert all(((ROOT / page).parent / target).exists() for target in targets)

    def test_every_test_file_in_an_example_exists(self) -> None:
        for path in re.findall(r"tests/test_\w+\.py", text("CONTRIBUTING.md")):
            assert (ROOT / path).exists(), path


class TestMakeTest:
    PYTHON: Final = """#!/bin/sh
case "$*" in
  -c*) echo 2 ;;
  *) echo "$TEST_DATABASE full=$FULL_PRODUCTS schedules=$INVARIANT_EXAMPLES" ;;
esac
"""

    @pytest.mark.parametrize("full, schedules", [("", ""), ("1", "200")])
    def test_sqlite_runs_the_full_products_where_they_are_asked_for_also_after_the_servers(
        self, tmp_path: Path, full: str, schedules: str
    ) -> None:
        (tmp_path / "bin").mkdir()
        python = tmp_path / "bin" / "python"
        python.write_text(self.PYTHON)
        python.chmod(0o755)
        for stamp in (".venv", ".test", ".postgresql", ".mariadb"):
            (tmp_path / stamp).touch()
        environment = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}

        done = subprocess.run(
            ["make", "test", f"VENV={tmp_path}", "DATABASES=postgresql mariadb sqlite"],
            cwd=ROOT,
            # As from a shell, also where make runs this test.
            env={**environment, "FULL_PRODUCTS": full, "REQUIRE_DATABASES": ""},
            capture_output=True,
            text=True,
        )

        assert done.stdout.splitlines()[1::2] == [
            "postgresql full= schedules=24",
            "mariadb full= schedules=24",
            f"sqlite full={full} schedules={schedules}",
        ]
