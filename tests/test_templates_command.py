"""``manage.py snipcart_templates``: where the originals are, a copy to change, and what changed since."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.template.loader import get_template

import snipcart_checkout

ORIGINALS = Path(snipcart_checkout.__file__).parent / "templates" / "snipcart_checkout"
NAMES = sorted(path.relative_to(ORIGINALS).as_posix() for path in ORIGINALS.rglob("*.html"))


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    """The project's own directory of templates, which is empty."""
    changed = copy.deepcopy(settings.TEMPLATES)
    changed[0]["DIRS"] = [tmp_path]
    settings.TEMPLATES = changed
    return tmp_path / "snipcart_checkout"


def run(*arguments: str) -> list[str]:
    """Run the command, and return the lines that it prints."""
    printed = io.StringIO()
    call_command("snipcart_templates", *arguments, stdout=printed)
    return printed.getvalue().splitlines()


def test_list_says_where_the_originals_are_and_which_versions(folder: Path) -> None:
    first, *others = run("list")

    assert first == f"The originals are in {ORIGINALS}"
    assert [line.split()[0] for line in others] == NAMES
    for line in others:
        name, version = line.split()
        assert f"version: {version.strip('()')} #" in (ORIGINALS / name).read_text("utf-8").split("\n")[0]


def test_list_names_what_the_project_has_of_its_own(folder: Path) -> None:
    run("copy", "parts/methods.html")

    lines = run("list")

    below = next(number for number, line in enumerate(lines) if "parts/methods.html" in line) + 1
    assert lines[below] == f"    your own: {folder / 'parts/methods.html'}"
    assert len([line for line in lines if "your own" in line]) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_is_the_original_and_is_what_pages_use_from_then_on(folder: Path, name: str) -> None:
    (line,) = run("copy", name)

    made = folder / name
    assert line == f"Copied to {made}"
    assert made.read_bytes() == (ORIGINALS / name).read_bytes()
    used: Any = get_template(f"snipcart_checkout/{name}")
    assert used.template.origin.name == str(made)


def test_a_copy_can_be_named_as_templates_are_and_go_elsewhere(folder: Path, tmp_path: Path) -> None:
    run("copy", "snipcart_checkout/base.html", "--to", str(tmp_path / "else"))

    assert (tmp_path / "else" / "snipcart_checkout" / "base.html").exists()
    assert not folder.exists()


def test_what_is_there_is_never_overwritten(folder: Path) -> None:
    run("copy", "base.html")
    (folder / "base.html").write_text("changed")

    with pytest.raises(CommandError, match="exists already"):
        run("copy", "base.html")

    assert (folder / "base.html").read_text() == "changed"


@pytest.mark.parametrize(
    "typed, hint", [("part/methods.html", "Did you mean parts/methods.html?"), ("../../../etc/passwd", "")]
)
def test_a_name_that_is_none_of_ours_is_refused_with_the_nearest(folder: Path, typed: str, hint: str) -> None:
    with pytest.raises(CommandError, match="There is no template") as refused:
        run("copy", typed)

    assert str(refused.value).endswith(hint or f"{typed}.")
    assert not folder.exists()


def test_a_project_without_a_directory_is_told_how_to_say_one(settings: Any) -> None:
    changed = copy.deepcopy(settings.TEMPLATES)
    changed[0]["DIRS"] = []
    settings.TEMPLATES = changed

    with pytest.raises(CommandError, match="--to"):
        run("copy", "base.html")


def test_diff_shows_what_a_copy_and_ours_do_not_share(folder: Path) -> None:
    run("copy", "parts/item_rows.html")
    made = folder / "parts/item_rows.html"
    ours = made.read_text("utf-8")
    made.write_text(ours.replace("version: 1", "version: 0") + "<p>Mine</p>", "utf-8")

    lines = run("diff")

    assert lines[0] == f"{made}: made from version 0, ours is 1"
    assert any(line.startswith("-") and "<p>Mine</p>" in line for line in lines)
    assert any(line.startswith("+{# snipcart_checkout template version: 1 #}") for line in lines)


def test_diff_of_a_copy_that_is_unchanged_shows_no_lines(folder: Path) -> None:
    run("copy", "parts/item_rows.html")

    assert run("diff") == [f"{folder / 'parts/item_rows.html'}: made from version 1, ours is 1"]


def test_diff_leaves_alone_what_extends_ours(folder: Path) -> None:
    folder.mkdir()
    (folder / "base.html").write_text('{% extends "snipcart_checkout/base.html" %}')

    (line,) = run("diff")

    assert line == (
        f"{folder / 'base.html'}: extends ours or was written from scratch; there is nothing to compare"
    )


def test_diff_of_a_project_without_templates_of_its_own_says_so(folder: Path) -> None:
    assert run("diff") == ["The project has no templates of its own for these pages."]
