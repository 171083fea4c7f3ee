"""What `campaign tracking serve` checks before it starts anything."""

import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from orchestrator.tracking import Store, resolve_store
from orchestrator.tracking.server import TrackingServer, _answers, artifacts_of, check_port
from trainables.config import ConfigError

Cli = Callable[..., Any]


def test_taken_port_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--host 127.0.0.1 --port {port}: Address already in use; give another"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_host_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot listen on --host {host} --port 5000: "):
        check_port(host, 5000)


@pytest.mark.parametrize("uri", ["postgresql://u:p@h:port/x", "postgresql://u:pw@h:pw/x", "postgresql://u:x@y:pw@h/x"])
def test_address_without_a_port_after_its_colon_is_refused(uri: str, cli: Cli, tmp_path: Path) -> None:
    ran = cli("tracking", "serve", "--storage", tmp_path, "--backend-store-uri", uri)
    assert ran.code == 2
    assert f"tracking URI {Store(uri)}: what follows the host's colon is no port" in ran.err
    assert "x@y" not in ran.err


@pytest.mark.parametrize(
    ("host", "is_open"), [("127.0.0.1", False), ("localhost", False), ("::1", False), ("0.0.0.0", True), ("head", True)]
)
def test_what_lets_other_machines_in_is_known(host: str, is_open: bool, tmp_path: Path) -> None:
    assert TrackingServer(resolve_store(tmp_path), "a", host, 5000).is_open is is_open


def test_address_for_clients_is_one_they_can_reach(tmp_path: Path) -> None:
    store = resolve_store(tmp_path)
    assert TrackingServer(store, "a", "127.0.0.1", 5000).uri == "http://127.0.0.1:5000"
    assert TrackingServer(store, "a", "::1", 5000).uri == "http://[::1]:5000"
    assert "0.0.0.0" not in TrackingServer(store, "a", "0.0.0.0", 5000).uri


@pytest.mark.parametrize("host", ["head.cluster", "203.0.113.7", "2001:db8::7", "127.0.0.2", "0.0.0.0", "::"])
def test_address_for_clients_is_one_that_mlflow_lets_in(host: str, tmp_path: Path) -> None:
    from mlflow.server.security_utils import is_allowed_host_header

    server = TrackingServer(resolve_store(tmp_path), "a", host, 5000)
    allowed = server._environment()["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert is_allowed_host_header(allowed, server.uri.removeprefix("http://"))
    assert is_allowed_host_header(allowed, "localhost:5000")
    assert not is_allowed_host_header(allowed, "elsewhere:5000")


def test_its_own_pages_may_change_what_they_show(tmp_path: Path) -> None:
    from mlflow.server.security_utils import should_block_cors_request

    server = TrackingServer(resolve_store(tmp_path), "a", "203.0.113.7", 5000, ("head",))
    allowed = server._environment()["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"].split(",")
    assert not should_block_cors_request(server.uri, "POST", allowed)
    assert not should_block_cors_request("http://head:5000", "POST", allowed)
    assert should_block_cors_request("http://elsewhere:5000", "POST", allowed)


def test_names_of_the_environment_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", "mlflow.lab.org")
    monkeypatch.setenv("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS", "https://mlflow.lab.org")
    environment = TrackingServer(resolve_store(tmp_path), "a", "203.0.113.7", 5000)._environment()
    assert environment["MLFLOW_SERVER_ALLOWED_HOSTS"] == "mlflow.lab.org,203.0.113.7,203.0.113.7:5000"
    assert environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"].startswith("https://mlflow.lab.org,")


def test_answer_of_this_machine_needs_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with socket.socket() as closed, HTTPServer(("127.0.0.1", 0), Healthy) as server:
        closed.bind(("127.0.0.1", 0))
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        thread = Thread(target=server.handle_request)
        thread.start()
        assert _answers(f"http://127.0.0.1:{server.server_port}")
        thread.join()


def test_artifacts_lie_in_the_storage_or_where_they_are_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert artifacts_of(Path("data"), None) == f"{tmp_path}/data/artifacts"
    assert artifacts_of(Path("data"), "s3://bucket/runs") == "s3://bucket/runs"
    assert artifacts_of(Path("data"), "elsewhere") == f"{tmp_path}/elsewhere"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--backend-store-uri", "http://other:5000"), "--backend-store-uri http://other:5000 is no database"),
        (("--backend-store-uri", "mlruns"), "MLflow no longer tracks runs in plain folders"),
        (("--port", "0"), "greater than or equal to 1"),
    ],
)
def test_wrong_settings_are_refused(arguments: tuple[str, ...], message: str, cli: Cli, tmp_path: Path) -> None:
    ran = cli("tracking", "serve", "--storage", tmp_path, *arguments)
    assert ran.code == 2
    assert message in " ".join(ran.err.replace("│", " ").split())


def test_open_server_is_warned_about(cli: Cli, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        ran = cli("tracking", "serve", "--host", "0.0.0.0", "--port", taken.getsockname()[1], "--storage", tmp_path)
    assert ran.code == 2
    assert "warning: --host 0.0.0.0 lets other machines in, and MLflow asks for no password" in ran.err
