"""Connections that are made or fail at once, and the first line of an error."""

import socket

import pytest

from orchestrator.cluster.connection import connection_error, first_line


def test_port_that_listens_has_no_error_and_a_closed_one_has_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert connection_error("127.0.0.1", port) is None
    assert isinstance(connection_error("127.0.0.1", port), ConnectionRefusedError)


def test_port_that_cannot_be_is_an_error() -> None:
    assert isinstance(connection_error("127.0.0.1", 10**30), OverflowError)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("\n first \nsecond"), "first "),
        (ValueError(), "ValueError"),
        (ValueError("x" * 400), "x" * 300),
    ],
)
def test_first_line_of_an_error(error: Exception, line: str) -> None:
    assert first_line(error) == line
