"""Where an address leads that a node is given."""

import ipaddress
import re
import socket
from contextlib import suppress
from typing import Literal, NamedTuple

from orchestrator.cluster_file.cluster_file import ClusterFile, Node
from orchestrator.cluster_file.shell import VALUE

Place = Literal["head", "itself", "nowhere", "elsewhere"]

_ADDRESS = re.compile(
    r"(?:(?P<kind>[A-Za-z][\w+.-]*):)?(?://)?(?:[^@/]*@)?"
    r"(?P<host>(?:\$\([^)]*\)|\$\{[^}]*\}|\[[^\]]*\]|[^:/])*)(?::(?P<port>[^/]*))?"
)
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_DEFAULT = re.compile(r"\$\{RAY_HEAD_IP:?-(.*)\}")
_OWN_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")


class Address(NamedTuple):
    """The parts of KIND://HOST:PORT, of which a path has none."""

    kind: str
    host: str
    port: str


def address(text: str) -> Address:
    """Return the parts of an address, which may hold variables of the shell."""
    found = _ADDRESS.match(text)
    assert found, "every part may be empty"
    return Address((found["kind"] or "").lower(), found["host"] or "", found["port"] or "")


def is_itself(host: str) -> bool:
    """Return whether `host` is localhost, or an address of it or of all of a machine's, however it is written."""
    host = host.strip("[]")
    with suppress(OSError):
        host = socket.inet_ntoa(socket.inet_aton(host))  # 127.1 and 0 are short for 127.0.0.1 and 0.0.0.0.
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return host.lower().rstrip(".") in _OWN_NAMES
    number = getattr(number, "ipv4_mapped", None) or number
    return number.is_loopback or number.is_unspecified


def leads_to(cluster: ClusterFile, node: Node, host: str) -> Place:
    """Return what a host is as seen from a node; `nowhere` where nothing sets the variable that names it.

    Ray sets RAY_HEAD_IP on workers only.
    """
    variable = _VARIABLE.fullmatch(host)
    meaning = host if variable is None else _meaning(node, variable[1])
    if "RAY_HEAD_IP" in meaning:
        if not node.is_head:
            return "head"
        default = _DEFAULT.fullmatch(meaning)
        meaning = default[1] if default else ""
    if not meaning:
        return "nowhere"
    if is_itself(meaning):
        return "itself"
    if re.search(r"(?i)\$.*hostname", meaning):
        return "head" if node.is_head else "itself"
    return "head" if meaning == cluster.provider.get("head_ip") else "elsewhere"


def _meaning(node: Node, name: str) -> str:
    """Return what a variable of the shell is set to; the empty string where nothing sets it."""
    if name in ("RAY_HEAD_IP", "HOSTNAME"):
        return f"${name}"
    values = [value for command in node.commands for value in re.findall(rf"(?<!\w){name}=({VALUE})", command.text)]
    return str(values[-1]).strip("'\"") if values else ""
