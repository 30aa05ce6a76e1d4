"""A web server in a thread, which serves this process's Django, or whatever stands before or instead of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeAlias
from wsgiref.simple_server import WSGIRequestHandler

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer

Application: TypeAlias = Callable[[dict[str, Any], Any], Iterable[bytes]]
_POLL = 0.01  # seconds until it notices that it is to stop


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class LiveSite:
    """Serves a WSGI application on a free port of this machine while the context lasts.

    ``application`` may be replaced at any time; at first it is this process's Django with its static files.
    ``paths`` lists what was asked for, in order.
    """

    def __init__(self) -> None:
        self.application: Application = StaticFilesHandler(WSGIHandler())
        self.paths: list[str] = []
        self._server = ThreadedWSGIServer(("127.0.0.1", 0), _Quiet)
        self._server.set_app(self._answer)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL,), daemon=True)

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """The address of the site's root, without a slash at its end."""
        return f"http://{self.host}"

    def respond(self, status: str, *headers: tuple[str, str], body: bytes = b"") -> None:
        """Give the same answer to everything from now on, as a stranger would."""

        def stranger(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
            start_response(status, [("Content-Length", str(len(body))), *headers])
            return [body]

        self.application = stranger

    def change_requests(self, **environ: str) -> None:
        """Stand before Django as a proxy does that changes what Django sees."""
        django = self.application
        self.application = lambda seen, start_response: django({**seen, **environ}, start_response)

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.paths.append(environ["PATH_INFO"])
        return self.application(environ, start_response)

    def __enter__(self) -> LiveSite:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
