"""The built wheel, installed by a stranger into an empty environment, gives a working page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
NOT_SOURCES = shutil.ignore_patterns(
    ".git",
    ".venv*",
    "*_cache",
    "__pycache__",
    "*.egg-info",
    ".hypothesis",
    "*.sqlite3*",
    ".env",
    "build",
    "dist",
)

SETTINGS = """
INSTALLED_APPS += ["snipcart_checkout"]
SNIPCART_CHECKOUT = {"PUBLIC_URL": "https://pay.shop.example", "STORES": {"live": {
    "API_KEYS": ["k3y-0f-the-gateway-9d1e"], "SHOP_HOSTS": ["shop.example"],
    "METHODS": {"acme_transfer": {
        "BACKEND": "snipcart_checkout.backends.manual.ManualBackend", "NAME": "Bank transfer",
        "OPTIONS": {"INSTRUCTIONS": "Pay at the counter."}}},
}}}
"""

URLS = """
from django.urls import include, path
urlpatterns = [path("checkout/", include("snipcart_checkout.urls"))]
"""

# Runs inside the scratch project, with the interpreter of the empty environment.
VISIT = """
import django; django.setup()
import snipcart_checkout
from django.contrib.staticfiles import finders
from django.test import Client
answer = Client(SERVER_NAME="localhost").get("/checkout/")
print(snipcart_checkout.__file__)
print(answer.status_code, answer["Content-Type"], answer["Cache-Control"])
print(finders.find("snipcart_checkout/checkout.css"))
print(answer.content.decode())
"""


def run(*command: str | Path, cwd: Path) -> str:
    # The scratch project is not the one that these tests run in.
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the source distribution, and the wheel that was built out of it."""
    source = tmp_path_factory.mktemp("source") / "copy"
    shutil.copytree(ROOT, source, ignore=NOT_SOURCES)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist", cwd=source)
    return source / "dist"


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (wheel,) = built.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that knows nothing but the wheel and, so that no network is needed, our dependencies."""
    home = tmp_path_factory.mktemp("empty-environment")
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=home)
    (site_packages,) = home.glob("lib/python*/site-packages")
    with ZipFile(wheel) as archive:
        archive.extractall(site_packages)
    run(sys.executable, "-m", "compileall", "-q", site_packages, cwd=home)  # as pip does
    # A directory named in a .pth file is searched last, and .pth files inside it are not read: an editable install of
    # the working tree stays invisible.
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin" / "python"


@pytest.fixture(scope="module")
def project(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("project")
    run(python, "-m", "django", "startproject", "scratch", directory, cwd=directory)
    with (directory / "scratch" / "settings.py").open("a") as settings:
        settings.write(SETTINGS)
    (directory / "scratch" / "urls.py").write_text(URLS)
    return directory


def test_the_source_distribution_is_the_whole_repository(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    copied = built.parent
    folders = (".ci", ".github", "bench", "deploy", "docs", "example_project", "snipcart_checkout", "tests")
    needed = {
        path.relative_to(copied).as_posix()
        for folder in folders
        for path in (copied / folder).rglob("*")
        if path.is_file()
    }
    assert needed <= held
    assert {
        ".editorconfig",
        ".pre-commit-config.yaml",
        "CHANGELOG.md",
        "CODE_OF_CONDUCT.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "SECURITY.md",
        "manage.py",
        "mkdocs.yml",
        "pyproject.toml",
        "setup.cfg",
        "setup.py",
    } <= held


def test_a_package_index_takes_both_files(built: Path) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", *built.iterdir(), cwd=built)


def test_the_description_has_absolute_links_and_pictures_only(wheel: Path) -> None:
    metadata = read_metadata(wheel)
    description = str(metadata.get_payload())
    targets = re.findall(r"\]\(([^)\s]+)\)", description)
    assert len(targets) > 20
    assert not [target for target in targets if not target.startswith("https://")]
    pictures = re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", description)
    assert len(pictures) == 5
    assert all("/raw/main/docs/images/" in picture for picture in pictures)
    assert all((ROOT / picture.partition("/raw/main/")[2]).is_file() for picture in pictures)
    pages = [target.partition("/blob/main/")[2] for target in targets if "/blob/main/" in target]
    assert not [page for page in pages if not (ROOT / page).exists()]


def test_the_metadata_is_complete(wheel: Path) -> None:
    metadata = read_metadata(wheel)
    for field in ("Summary", "Author", "Maintainer-email", "License", "Keywords", "Requires-Python"):
        assert metadata[field], field
    assert metadata["Description-Content-Type"] == "text/markdown"
    urls = [url.partition(",")[0] for url in metadata.get_all("Project-URL", [])]
    assert {"Documentation", "Source", "Issues", "Changelog", "Security"} <= set(urls)
    extras = set(metadata.get_all("Provides-Extra", []))
    assert {"check", "demo", "docs", "mariadb", "postgres", "production", "stripe", "test"} <= extras
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])


def test_every_extra_that_the_documentation_installs_exists(wheel: Path) -> None:
    text = "".join(page.read_text() for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    named = re.findall(r"django-snipcart-checkout\[([\w,]+)\]", text)
    assert named
    extras = set(read_metadata(wheel).get_all("Provides-Extra", []))
    assert {extra for group in named for extra in group.split(",")} <= extras


def read_metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def test_the_wheel_holds_every_file_that_is_not_python(wheel: Path) -> None:
    held = set(ZipFile(wheel).namelist())
    package = ROOT / "snipcart_checkout"
    needed = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("templates/**/*.*", "static/**/*.*", "locale/**/*.mo", "py.typed")
        for path in (*package.glob(pattern), *(package / "sandbox").glob(pattern))
    }
    assert needed <= held
    for kind in ("templates/", "static/", "locale/fr/LC_MESSAGES/", "py.typed"):
        assert any(name.startswith(f"snipcart_checkout/{kind}") for name in needed), kind


def test_the_wheel_holds_every_module_and_nothing_of_the_repository(wheel: Path) -> None:
    held = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "snipcart_checkout").rglob("*.py")}
    assert modules <= held
    assert "snipcart_checkout/migrations/0001_initial.py" in held
    assert {name.split("/")[0] for name in held} == {"snipcart_checkout"}


def test_six_lines_of_settings_and_a_path_give_the_page(project: Path, python: Path) -> None:
    run(python, "manage.py", "check", "--fail-level", "WARNING", cwd=project)
    run(python, "manage.py", "migrate", "--verbosity", "0", cwd=project)
    visit = f"import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'scratch.settings'\n{VISIT}"
    package, headers, stylesheet, *page = run(python, "-W", "error", "-c", visit, cwd=project).splitlines()
    installed = python.parent.parent
    assert Path(package).is_relative_to(installed)
    assert headers == "400 text/html; charset=utf-8 no-store, private"
    assert Path(stylesheet).is_relative_to(installed)
    assert '<html lang="en' in "\n".join(page)
    assert "--sc-accent" in "\n".join(page)


def test_the_installed_package_needs_no_migration_of_its_own(project: Path, python: Path) -> None:
    run(python, "manage.py", "makemigrations", "--check", "--dry-run", cwd=project)
