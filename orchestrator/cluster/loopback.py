"""Whether a host is the machine that asks for it."""

import ipaddress
import socket
from contextlib import suppress

NAMES = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")


def is_loopback(host: str) -> bool:
    """Return whether `host` is localhost, a loopback address or the unspecified address, in any notation."""
    host = host.strip("[]")
    with suppress(OSError):
        host = socket.inet_ntoa(socket.inet_aton(host))  # 127.1 and 0 are short for 127.0.0.1 and 0.0.0.0.
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower().rstrip(".") in NAMES
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified
