"""Shell commands as far as the rules read them: comments, calls, and variables that others inherit."""

import re
from collections.abc import Iterator, Mapping

VALUE = r"""(?:"[^"]*"|'[^']*'|(?:\$\([^)]*\)|\$\{[^}]*\}|(?!\$[({])[^\s;&|'"])*)"""
ASSIGNMENT = re.compile(rf"(?<![\w$=-])([A-Z][A-Z0-9_]*)=({VALUE})")
_NAME = rf"[A-Z][A-Z0-9_]*(?:={VALUE})?"
_STATEMENT = re.compile(
    rf"\b(?P<verb>export|unset)(?P<words>(?:[ \t]+(?:-\w+|{_NAME}))+)|(?P<alone>{ASSIGNMENT.pattern})"
)
_LAST_WORDS = re.compile(rf"(?:(?:{ASSIGNMENT.pattern}|[\w./~$+-]+)[ \t]+)+[\w./~$-]*$")
"""What precedes a program in its own command: its variables, and words such as env and nohup."""
_BEFORE_COMMENT = frozenset(" \t\n;&|()`")


def uncommented(text: str) -> str:
    """Return a command without comments, also without those in what it quotes, and with its broken lines joined.

    What is quoted, or stands in a here-document, is mostly a file that is written: /etc/fstab, a profile.
    """
    kept, quote, at = "", "", 0
    while at < len(text):
        char = text[at]
        if char == "#" and _starts_word(kept, quote):
            ends = re.compile(rf"\n|\\n|{quote}" if quote else r"\n").search(text, at)
            at = ends.start() if ends else len(text)
            continue
        if char == "\\" and quote != "'":
            kept += text[at : at + 2]
            at += 2
            continue
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        kept += char
        at += 1
    return kept.replace("\\\n", " ")


def _starts_word(before: str, quote: str) -> bool:
    opens = bool(quote) and before.endswith((quote, "\\n")) and not before.endswith(f"\\{quote}")
    return opens or not before or before[-1] in _BEFORE_COMMENT


def call(text: str, program: re.Pattern[str]) -> str | None:
    """Return the words of the command that runs `program`, from its name on; None where nothing runs it."""
    found = program.search(text)
    return re.split(r"[;&|\n]", text[found.start() :])[0] if found else None


def inherited(text: str, before: Mapping[str, str], *, plain: bool = False) -> dict[str, str]:
    """Return the environment `before` after what `text` exports and unsets.

    Args:
        plain: An assignment needs no `export`, as in /etc/environment.
    """
    environment, own = dict(before), dict[str, str]()
    for statement in _STATEMENT.finditer(text.replace('\\"', '"').replace("\\n", "\n")):
        if statement["verb"] == "unset":
            for name in statement["words"].split():
                environment.pop(name, None)
        elif statement["verb"]:
            names = re.findall(r"[A-Z][A-Z0-9_]*\b(?!=)", ASSIGNMENT.sub("", statement["words"]))
            environment |= {name: own[name] for name in names if name in own}
            environment |= dict(_assigned(statement["words"]))
        else:
            (environment if plain else own).update(_assigned(statement["alone"]))
    return environment


def inherited_by(text: str, program: re.Pattern[str], before: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which `text` runs `program`: with what is exported first, and what stands before it."""
    found = program.search(text)
    text = text[: found.start()] if found else text
    words = _LAST_WORDS.search(text)
    return inherited(text, before) | (dict(_assigned(words[0])) if words else {})


def _assigned(text: str) -> Iterator[tuple[str, str]]:
    for name, value in ASSIGNMENT.findall(text):
        yield name, value.strip("'\"")
