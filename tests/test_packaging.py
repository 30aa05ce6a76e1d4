"""The built wheel, installed by a stranger into an empty environment, gives a working page."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
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
        "BACKEND": "snipcart_checkout.backends.manual.ManualBackend", "NAME": "Bank transfer"}},
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
    # A directory named in a .pth file is searched last, and .pth files inside it are not read: an editable install of
    # the working tree stays invisible.
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin" / "python"


@pytest.fixture
def project(python: Path, tmp_path: Path) -> Path:
    run(python, "-m", "django", "startproject", "scratch", tmp_path, cwd=tmp_path)
    with (tmp_path / "scratch" / "settings.py").open("a") as settings:
        settings.write(SETTINGS)
    (tmp_path / "scratch" / "urls.py").write_text(URLS)
    return tmp_path


def test_the_source_distribution_is_the_whole_repository(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    copied = built.parent
    folders = (".ci", "bench", "docs", "example_project", "snipcart_checkout", "tests")
    needed = {
        path.relative_to(copied).as_posix()
        for folder in folders
        for path in (copied / folder).rglob("*")
        if path.is_file()
    }
    assert needed <= held
    assert {
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "manage.py",
        "pyproject.toml",
        "setup.cfg",
    } <= held


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
    assert "snipcart_checkout/migrations/0001_ledger.py" in held
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
    assert "/static/snipcart_checkout/checkout.css" in "\n".join(page)


def test_the_installed_package_needs_no_migration_of_its_own(project: Path, python: Path) -> None:
    run(python, "manage.py", "makemigrations", "--check", "--dry-run", cwd=project)
