"""The README keeps up with the code: every setting, check, URL, command and snippet."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.management import get_commands

import snipcart_checkout
from snipcart_checkout import conf, exceptions, signals, urls
from snipcart_checkout.backends import base
from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.backends.stripe.checks import OPTIONS as STRIPE_OPTIONS
from snipcart_checkout.backends.stripe.notifications import EVENTS
from snipcart_checkout.testing import StandIn
from snipcart_checkout.testing.endpoints import ENDPOINTS
from snipcart_checkout.testing.faults import FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PACKAGE = Path(snipcart_checkout.__file__).parent
DERIVED = {"name", "complete", "id"}  # fields of the values in conf that are no settings of their own


def setting_names() -> set[str]:
    store = {field.name for field in fields(conf.Store)} - DERIVED
    method = ({field.name for field in fields(conf.Method)} - DERIVED) | {"name"}
    return {name.upper() for name in {field.name for field in fields(conf.Settings)} | store | method}


def check_ids() -> set[str]:
    """Every id in the package's source, so that a check cannot be added without being documented."""
    text = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    return set(re.findall(r"\bsnipcart_checkout(?:\.sandbox)?\.[EWI]\d{3}\b", text))


def snippets(language: str) -> Iterator[str]:
    return (
        match[1] for match in re.finditer(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    )


@pytest.mark.parametrize("name", sorted(setting_names()))
def test_the_readme_explains_every_setting(name: str) -> None:
    assert re.search(rf"[`\"]{name}[`\"]", README)


def test_the_readme_explains_every_check() -> None:
    assert check_ids()
    documented = set(re.findall(r"\b(?:snipcart_checkout\.(?:sandbox\.)?)?[EWI]\d{3}\b", README))
    assert {check.rpartition(".")[2] for check in check_ids()} == {
        name.rpartition(".")[2] for name in documented
    }


def test_the_readme_names_every_url() -> None:
    names = {pattern.name for pattern in urls.urlpatterns if pattern.name}
    assert names
    assert not {name for name in names if f"`{name}`" not in README}


@pytest.mark.parametrize("module", [exceptions, signals], ids=["exceptions", "signals"])
def test_the_readme_names_every_public_exception_and_signal(module: object) -> None:
    assert not {name for name in getattr(module, "__all__") if f"`{name}`" not in README}  # noqa: B009


def test_the_readme_names_every_command_of_ours() -> None:
    ours = {command for command, app in get_commands().items() if app == "snipcart_checkout"}
    assert ours
    assert not {command for command in ours if command not in README}


def test_the_readme_names_every_target_of_the_makefile() -> None:
    targets = set(re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets
    assert not {target for target in targets if f"make {target}" not in README}


def test_every_python_snippet_of_the_readme_is_python() -> None:
    found = list(snippets("python"))
    assert found
    for snippet in found:
        ast.parse(snippet)


def test_every_import_in_the_readme_works() -> None:
    for snippet in snippets("python"):
        for node in ast.walk(ast.parse(snippet)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("snipcart_checkout"):
                names = [alias.name for alias in node.names]
                module = __import__(node.module or "", fromlist=names)
                assert not [name for name in names if not hasattr(module, name)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_into_the_repository_leads_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#]*)(?:#([^)]+))?\)", page.read_text()):
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), anchor


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_every_promise_about_security_names_tests_that_exist() -> None:
    promises = re.findall(
        r"^\| (?!promise \||---)(.+) \| (.+) \|$", (ROOT / "docs/security.md").read_text(), re.MULTILINE
    )
    assert promises
    for promise, tests in promises:
        named = re.findall(r"`(\w+)::(\w+)`", tests)
        assert named, promise
        for module, test in named:
            (path,) = (ROOT / "tests").rglob(f"{module}.py")
            assert re.search(rf"^ *def {test}\(", path.read_text(), re.MULTILINE), f"{module}::{test}"


def test_the_docs_of_stripe_name_every_option_and_event() -> None:
    text = (ROOT / "docs/stripe.md").read_text()
    assert not {option for option in STRIPE_OPTIONS if f"| `{option}` |" not in text}
    assert not [event for event in EVENTS if f"\n{event}\n" not in text]


def test_the_docs_of_the_tests_name_every_fault_and_endpoint() -> None:
    text = (ROOT / "docs/testing.md").read_text()
    assert not [name for name in (*FAULTS, *ENDPOINTS) if f"`{name}`" not in text]


def test_the_docs_of_the_tests_name_all_that_the_stand_in_offers() -> None:
    text = (ROOT / "docs/testing.md").read_text()
    assert not [name for name in vars(StandIn) if not name.startswith("_") and f"snipcart.{name}" not in text]


def test_the_docs_of_backends_name_all_that_a_backend_may_have() -> None:
    text = (ROOT / "docs/backends.md").read_text()
    assert not [name for name in vars(PaymentBackend) if not name.startswith("_") and name not in text]
    assert not [
        value
        for value in base.__all__
        if value[0].isupper() and not value.endswith("Result") and value not in text
    ]


def test_the_changelog_opens_with_what_is_unreleased() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
