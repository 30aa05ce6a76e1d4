"""The tutorial, followed to the letter in a fresh project: its files, its commands, its clicks."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
from django.core.management import call_command

from tests.support import projects
from tests.support.processes import wait_until

ROOT = Path(__file__).parent.parent
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()

# What somebody who followed the tutorial may write next.
TESTS = """
from django.conf import settings
from django.test import TransactionTestCase, override_settings

from snipcart_checkout.testing import StandIn


class CheckoutTest(TransactionTestCase):
    def test_the_trial_payment_is_paid(self):
        path = "/pay/live/methods/shop_trial/"
        with StandIn() as snipcart:
            with override_settings(SNIPCART_CHECKOUT={**settings.SNIPCART_CHECKOUT, **snipcart.settings}):
                token = {"publicToken": snipcart.session(amount="12.30").public_token}
                page = self.client.get(path, token)
                form = {**token, "shown": page.context["shown"], "outcome": "processed"}
                paid = self.client.post(path, form, follow=True)
        self.assertContains(paid, "Thank you")
"""


def names(form: str, values: dict[str, str]) -> bool:
    return any(f'name="{name}"' in form for name in values)


class Walker:
    """A shopper without a browser, who sends the form of each page."""

    def __init__(self, site: str) -> None:
        self.http = requests.Session()
        self.answer = self.http.get(f"{site}/sandbox/", timeout=30)

    def send(self, **values: str) -> None:
        forms = re.findall(r'<form([^>]*method="post"[^>]*)>(.*?)</form>', self.answer.text, re.DOTALL)
        (opening, form) = next(form for form in forms if "data-sc-form" in form[0] or names(form[1], values))
        action = re.search(r'action="([^"]*)"', opening)
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
        self.answer = self.http.post(
            urljoin(self.answer.url, unescape(action[1]) if action else ""),
            data={**{name: unescape(value) for name, value in hidden}, **values},
            headers={"Referer": self.answer.url},
            timeout=30,
        )
        assert self.answer.status_code == 200, self.answer.text

    @property
    def heading(self) -> str:
        (heading,) = re.findall(r"<h1[^>]*>(.*?)</h1>", self.answer.text, re.DOTALL)
        return str(heading)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that the tutorial makes, with every file of it."""
    directory = tmp_path_factory.mktemp("tutorial")
    call_command("startproject", "mysite", str(directory), verbosity=0)
    for snippet in re.findall(r"^```python\n(.*?)^```", TUTORIAL, re.DOTALL | re.MULTILINE):
        (name,) = re.findall(r"\A# (mysite/\w+\.py)\n", snippet)
        before = (directory / name).read_text() if name == "mysite/settings.py" else ""
        (directory / name).write_text(f"{before}\n{snippet}")
    return directory


@pytest.fixture(scope="module")
def site(project: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = project / "mysite" / "settings.py"
    settings.write_text(settings.read_text().replace("127.0.0.1:8000", f"127.0.0.1:{port}"))
    manage(project, "migrate", "--verbosity", "0")
    with (project / "server.log").open("w") as log:
        command = [sys.executable, "-u", "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
        server = subprocess.Popen(command, cwd=project, env=environment(), stdout=log, stderr=log)
        try:
            wait_until(lambda: answers(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def environment() -> dict[str, str]:
    # The project is the tutorial's, not the one that these tests run in.
    kept = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    # Other plugins of pytest take longer to load than the tests to run.
    plugins = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pytest_django.plugin"}
    return {**kept, **plugins, "PYTHONPATH": str(ROOT)}


def run(directory: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def manage(project: Path, *command: str) -> str:
    done = projects.manage(project / "manage.py", *command, environment=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_project_of_the_tutorial_passes_every_check(project: Path) -> None:
    manage(project, "check", "--fail-level", "WARNING")


def test_djangos_test_runner_works_in_the_project_of_the_tutorial(project: Path) -> None:
    (project / "mysite" / "tests.py").write_text(TESTS)
    said = manage(project, "test")
    assert "System check identified no issues" in said
    assert "Ran 1 test" in said


def test_a_backend_written_in_it_passes_its_tests_by_the_command_that_is_printed(project: Path) -> None:
    said = manage(project, "snipcart_startbackend", "lantern")
    (command,) = re.findall(r"^Run: (pytest .+)$", said, re.MULTILINE)
    assert " passed" in run(project, "-m", *command.split())


@pytest.mark.parametrize(
    "method, outcome, heading, is_printed",
    [
        ("shop_transfer", {}, "awaiting payment", False),
        ("shop_trial", {"outcome": "processed"}, "Paid", True),
    ],
)
def test_the_tutorial_leads_to_a_payment(
    site: str, project: Path, method: str, outcome: dict[str, str], heading: str, is_printed: bool
) -> None:
    log = project / "server.log"
    before = len(log.read_text())
    shopper = Walker(site)
    shopper.send(add="mug")
    shopper.send(do="pay")
    shopper.send(method=method)
    shopper.send(**outcome)

    assert heading in shopper.heading
    assert ("Paid: 18.00 EUR" in log.read_text()[before:]) == is_printed
