"""Shoppers on raw sockets, cheap enough to share two cores with what they measure."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

import requests


@dataclass
class Report:
    """Seconds that each answer took, and how many answers there were of each status."""

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    elapsed: float = 0.0

    def add(self, status: int, seconds: float) -> None:
        self.seconds.append(seconds)
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def percentile(self, share: float) -> float:
        return sorted(self.seconds)[min(int(len(self.seconds) * share), len(self.seconds) - 1)]

    @property
    def per_second(self) -> float:
        return len(self.seconds) / self.elapsed

    def expect(self, status: int) -> Report:
        if self.statuses.keys() != {status}:
            raise RuntimeError(f"expected only answers {status}, got {self.statuses}")
        return self


class Shopper:
    """One kept connection; a call at a time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def get(self, path: str) -> tuple[int, bytes]:
        status, body, _cookies = await self.ask("GET", path)
        return status, body

    async def ask(
        self, verb: str, path: str, fields: dict[str, str] | None = None, cookies: str = ""
    ) -> tuple[int, bytes, str]:
        """Send one request; returns status, body and the cookie that was set."""
        if self.writer is None or self.reader is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        content = urlencode(fields or {}).encode()
        form = (
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(content)}\r\n"
            if fields
            else ""
        )
        head = f"{verb} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\nCookie: {cookies}\r\n{form}\r\n"
        self.writer.write(head.encode() + content)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        lower = answer.lower()
        length = int(lower.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        body = await self.reader.readexactly(length)
        if b"connection: close" in lower:
            self.close()
        cookie = re.search(rb"(?i)\r\nset-cookie: ([^;]+)", answer)
        return int(answer[9:12]), body, cookie[1].decode() if cookie else ""

    async def pay(self, path: str) -> int:
        """Open a page and press its button; returns the status of the answer."""
        status, page, cookie = await self.ask("GET", path)
        if status != 200:
            return status
        action = re.findall(rb'method="post" action="([^"]+)"', page)[0].decode()
        fields = re.findall(rb'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
        sent = {name.decode(): value.decode() for name, value in fields}
        return (await self.ask("POST", action, sent, cookie))[0]

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


def fetch(port: int, path: str) -> bytes:
    """The body of one page."""
    return asyncio.run(Shopper(port).get(path))[1]


def pay(port: int, path: str) -> None:
    """Open a page and press its button, as a browser would."""
    with requests.Session() as browser:
        page = browser.get(f"http://127.0.0.1:{port}{path}", timeout=10)
        action = re.findall(r'method="post" action="([^"]+)"', page.text)[0]
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        answer = browser.post(
            f"http://127.0.0.1:{port}{action}", data=fields, allow_redirects=False, timeout=10
        )
    if answer.status_code != 303:
        raise RuntimeError(f"paying was answered with {answer.status_code}")


async def _timed(shopper: Shopper, path: str, report: Report) -> None:
    started = time.perf_counter()
    try:
        status, _ = await shopper.get(path)
    except (OSError, asyncio.IncompleteReadError):
        shopper.close()
        status = 0
    report.add(status, time.perf_counter() - started)


def visit(port: int, path: str, *, pages: int, at_once: int = 1) -> Report:
    """Load a number of pages, so many shoppers at once, each asking anew as soon as answered."""

    async def run(report: Report) -> None:
        left = iter(range(pages))

        async def shop() -> None:
            shopper = Shopper(port)
            for _ in left:
                await _timed(shopper, path, report)
            shopper.close()

        await asyncio.gather(*(shop() for _ in range(at_once)))

    return _measured(run)


def visit_while_others_wait(
    port: int, path: str, wait: Callable[[Shopper, int], Awaitable[object]], *, shoppers: int, seconds: float
) -> Report:
    """Time one page while so many shoppers wait for something that does not come, each again after a second."""

    async def run(report: Report) -> None:
        crowd = [asyncio.create_task(shop(number)) for number in range(shoppers)]
        prober = Shopper(port)
        await asyncio.sleep(2)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            await _timed(prober, path, report)
            await asyncio.sleep(0.02)
        prober.close()
        for shopper in crowd:
            shopper.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)

    async def shop(number: int) -> None:
        shopper = Shopper(port)
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, IndexError):
                await wait(shopper, number)
            shopper.close()
            await asyncio.sleep(1)

    return _measured(run)


def _measured(run: Callable[[Report], Awaitable[None]]) -> Report:
    async def timed() -> Report:
        report = Report()
        started = time.perf_counter()
        await run(report)
        report.elapsed = time.perf_counter() - started
        return report

    return asyncio.run(timed())
