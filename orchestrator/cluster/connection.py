"""Whether something listens at an address, and what a failed connection says."""

import socket

CONNECT_TIMEOUT_S = 10.0


def connection_error(host: str, port: int) -> Exception | None:
    """Return why no connection can be made, or None where something listens; Ray itself would wait for minutes."""
    try:
        socket.create_connection((host.strip("[]"), port), timeout=CONNECT_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        return error
    return None


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type where it has no message."""
    return (str(error).strip().partition("\n")[0] or type(error).__name__)[:300]
