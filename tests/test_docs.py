"""README and documentation keep up with the code: every setting, check, URL, command and snippet."""

from __future__ import annotations

import ast
import importlib.util
import re
import unicodedata
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import get_commands

import snipcart_checkout
from snipcart_checkout import conf, exceptions, signals, urls
from snipcart_checkout.backends import base
from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.backends.stripe.checks import OPTIONS as STRIPE_OPTIONS
from snipcart_checkout.backends.stripe.notifications import EVENTS
from snipcart_checkout.sandbox.core.faults import ENDPOINTS, FAULTS
from snipcart_checkout.testing import StandIn
from snipcart_checkout.testing.backend_case import BackendCase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
MOST_WORDS_OF_THE_README = 1200
PACKAGE = Path(snipcart_checkout.__file__).parent
DERIVED = {"name", "complete", "id"}  # fields of the values in conf that are no settings of their own
PLURALS = {"icons": "icon"}  # fields that are named otherwise than their setting, which may be one or a list


def setting_names() -> set[str]:
    store = {field.name for field in fields(conf.Store)} - DERIVED
    method = ({field.name for field in fields(conf.Method)} - DERIVED) | {"name"}
    names = {field.name for field in fields(conf.Settings)} | store | method
    return {PLURALS.get(name, name).upper() for name in names}


def check_ids() -> set[str]:
    """Every id in the package's source, so that a check cannot be added without being documented."""
    text = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    return set(re.findall(r"\bsnipcart_checkout(?:\.sandbox)?\.[EWI]\d{3}\b", text))


def in_english(page: Path) -> Path:
    return page.with_name(page.name.replace(".fr.md", ".md"))


FRENCH_PAGES = sorted(DOCS.rglob("*.fr.md"))


def snippets(language: str) -> Iterator[str]:
    return (
        match[1] for match in re.finditer(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    )


@pytest.fixture(scope="module")
def generated() -> Any:
    """The module that writes the parts of the reference that come from the code."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / ".ci" / "docs" / "reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def reference(generated: Any) -> Callable[[str], str]:
    """Reads a page of the reference as the site shows it."""

    def read(name: str) -> str:
        page = (DOCS / "reference" / f"{name}.md").read_text()
        return str(generated.fill_in(page, "fr" if name.endswith(".fr") else "en"))

    return read


@pytest.mark.parametrize("page", ["settings", "settings.fr"])
@pytest.mark.parametrize("name", sorted(setting_names()))
def test_the_reference_explains_every_setting(name: str, page: str, reference: Callable[[str], str]) -> None:
    assert re.search(rf"^\| .*`{name}`.* \|", reference(page), re.MULTILINE)


@pytest.mark.parametrize("page", ["checks", "checks.fr"])
def test_the_reference_explains_every_check_and_no_other(page: str, reference: Callable[[str], str]) -> None:
    documented = set(re.findall(r"^\| ((?:sandbox\.)?[EWI]\d{3}) \|", reference(page), re.MULTILINE))
    assert {check.removeprefix("snipcart_checkout.") for check in check_ids()} == documented


@pytest.mark.parametrize("page", ["urls", "urls.fr"])
def test_the_reference_names_every_url(page: str, reference: Callable[[str], str]) -> None:
    names = {pattern.name for pattern in urls.urlpatterns if pattern.name}
    assert names
    assert not {name for name in names if f"`{name}`" not in reference(page)}


@pytest.mark.parametrize(
    "module, page",
    [
        (exceptions, "session"),
        (exceptions, "session.fr"),
        (signals, "signals"),
        (signals, "signals.fr"),
    ],
)
def test_the_reference_explains_every_public_exception_and_signal(
    module: Any, page: str, reference: Callable[[str], str]
) -> None:
    assert not {name for name in module.__all__ if f"`{name}`" not in reference(page)}


@pytest.mark.parametrize(
    "page, part",
    [
        ("models", "`captured_minor_units`"),
        ("models", "As the provider reported it."),
        ("codes", "`order_changed`"),
        ("codes", "`insufficient_funds`"),
        ("codes", "`confirmation_delivered`"),
        ("commands", "`--older-than DAYS`"),
        ("signals", "the PaymentSession as it was read after the capture"),
        ("models.fr", "Tel que le prestataire l’a communiqué."),
        ("codes.fr", "La commande n’est plus celle qui a été payée."),
        ("commands.fr", "`--older-than DAYS`"),
        ("session.fr", "Snipcart refuse le jeton"),
    ],
)
def test_the_reference_holds_what_the_code_says(
    page: str, part: str, reference: Callable[[str], str]
) -> None:
    assert part in reference(page)


def test_a_part_that_nobody_generates_is_an_error(generated: Any) -> None:
    with pytest.raises(KeyError):
        generated.fill_in("<!-- generated: nothing -->")


@pytest.mark.parametrize("page", ["commands", "commands.fr"])
def test_the_reference_names_every_command_of_ours(page: str, reference: Callable[[str], str]) -> None:
    ours = {command for command, app in get_commands().items() if app == "snipcart_checkout"}
    assert ours
    assert not {command for command in ours if f"## `{command}`" not in reference(page)}


def test_the_readme_is_short_and_leads_with_the_picture_and_two_commands() -> None:
    assert len(README.split()) <= MOST_WORDS_OF_THE_README
    picture, commands = README.index("docs/images/checkout.png"), README.index("make demo")
    assert picture < commands < README.index("## ")


@pytest.mark.parametrize("page", FRENCH_PAGES, ids=lambda page: page.stem)
def test_a_french_page_shows_the_same_code_and_pictures(page: Path) -> None:
    shown = r"^ *```\w*\n(?:.*?)^ *```|\]\(\S+\.png\)"
    texts = [
        re.findall(shown, path.read_text(), re.DOTALL | re.MULTILINE) for path in (page, in_english(page))
    ]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    "page",
    # What is generated is English: a French page may say it in its own way.
    [page for page in FRENCH_PAGES if "<!-- generated" not in in_english(page).read_text()],
    ids=lambda page: page.stem,
)
def test_a_french_page_has_the_headings_and_tables_of_the_english_one(page: Path) -> None:
    assert outline(page.read_text()) == outline(in_english(page).read_text())


def outline(text: str) -> list[str]:
    """Headings by their level, rows of tables by the number of their cells."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    lines = re.findall(r"^(?:#+ |\|.*\|$)", prose, re.MULTILINE)
    return [line if line[0] == "#" else f"{line.count('|') - 1} cells" for line in lines]


def test_every_page_is_in_the_navigation_of_the_site_once() -> None:
    navigation = re.findall(r"^ +- .*?([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    pages = (page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
    assert sorted(navigation) == sorted(page for page in pages if not page.endswith(".fr.md"))


def test_every_label_of_the_navigation_has_a_french_one() -> None:
    settings, _, navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")
    labels = set(re.findall(r"^ +- (.+?):", navigation, re.MULTILINE))
    translated = set(re.findall(r"^ {12}(.+?): .", settings, re.MULTILINE))
    names = {"Stripe", "PayPal", "Mollie", "PayZen, Systempay, Scellius", "BTCPay Server"}
    assert labels - names <= translated


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_into_the_repository_leads_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#]*)(?:#([^)]+))?\)", page.read_text()):
        there = as_the_site_shows(page.parent / target if target else page, page)
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), anchor


def as_the_site_shows(there: Path, linked_from: Path) -> Path:
    """Return the French version of a page that a French page links to, where there is one."""
    french = there.with_suffix(".fr.md")
    return french if linked_from.name.endswith(".fr.md") and french.exists() else there


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+?)(?: \{#([\w-]+)\})?$", page.read_text(), re.MULTILINE)
    return {name or slug(heading) for heading, name in headings}


def slug(heading: str) -> str:
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


@pytest.mark.parametrize("page", ["security", "security.fr"])
def test_every_promise_about_security_names_tests_that_exist(page: str) -> None:
    promises = re.findall(
        r"^\| (?!\w+ \| test|---)(.+) \| (.+) \|$", (DOCS / f"{page}.md").read_text(), re.MULTILINE
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


@pytest.mark.parametrize("page", ["testing.md", "testing.fr.md"])
def test_the_docs_of_the_tests_name_every_fault_and_endpoint(page: str) -> None:
    text = (DOCS / page).read_text()
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


def test_the_docs_of_backends_name_every_field_of_every_value() -> None:
    text = (ROOT / "docs/backends.md").read_text()
    values = [value for value in vars(base).values() if isinstance(value, type) and is_dataclass(value)]
    named = {f"{value.__name__}.{field.name}": field.name for value in values for field in fields(value)}
    assert not [full for full, name in named.items() if not re.search(rf"[`(. ]{name}\b", text)]


def test_the_docs_of_the_contract_name_all_that_a_test_of_a_backend_may_give() -> None:
    text = (ROOT / "docs/testing.md").read_text()
    given = [name for name in vars(BackendCase) if not name.startswith("_")]
    assert not [name for name in given if not re.search(rf"`{name}[`(]", text)]


def test_the_changelog_opens_with_what_is_unreleased() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
