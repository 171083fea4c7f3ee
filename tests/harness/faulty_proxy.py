"""A real HTTP proxy in front of a server, which delays, drops and repeats requests."""

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Literal
from urllib.parse import urlsplit

Fault = Literal["late", "answered late", "lost", "unanswered", "repeated"]
"""Forwarded after a pause; forwarded at once, answered after a pause; never forwarded; never answered; sent twice."""


@dataclass
class FaultyProxy:
    """Forwards to `target` and treats each request as `choose` says.

    `choose` gets a request's path and returns a fault or None. It may be replaced while the proxy runs.
    """

    target: str
    choose: Callable[[str], Fault | None] = {}.get
    pause_s: float = 3.0
    uri: str = ""
    seen: list[tuple[str, Fault | None]] = field(default_factory=list)
    """Path and fault of each request so far."""
    num_forwarded: dict[str, int] = field(default_factory=dict)
    """Path -> how many of its requests the server has answered."""

    @contextmanager
    def running(self) -> Iterator["FaultyProxy"]:
        """Listen on a free port of this machine until the context ends."""
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *arguments: object) -> None: ...

            def do(self) -> None:
                with suppress(ConnectionError):  # The client has given up.
                    proxy.handle(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.uri = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Forward one request, or not, and answer it, or not."""
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        path = urlsplit(request.path).path
        fault = self.choose(path)
        self.seen.append((path, fault))
        if fault == "late":
            time.sleep(self.pause_s)
        if fault != "lost":
            answer = self._forward(request, body)
            if fault == "repeated":
                answer = self._forward(request, body)
            self.num_forwarded[path] = self.num_forwarded.get(path, 0) + 1
        if fault == "answered late":
            time.sleep(self.pause_s)
        request.close_connection = True
        if fault not in ("lost", "unanswered"):
            _answer(request, *answer)

    def _forward(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.target).netloc, timeout=120)
        headers = {key: value for key, value in request.headers.items() if key.lower() not in ("host", "connection")}
        try:
            connection.request(request.command, request.path, body, headers)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()


def _answer(request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, Any]], body: bytes) -> None:
    request.send_response(status)
    for key, value in headers:
        if key.lower() not in ("transfer-encoding", "connection", "content-length"):
            request.send_header(key, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
