"""Addresses without their passwords, for messages and files."""

import re

TO_FIRST = r"(?!\d+\b)[^@\n]*@"
"""Up to the first `@`, but nothing where a port seems to stand."""
TO_LAST = r"(?:(?!\?[\w.%-]+=)\S)*@"
"""Up to the last `@` before a blank or a query, `?key=`."""
IN_FRONT = re.compile(rf"(//[^/@:\s\[]*):(?:{TO_FIRST}(?:{TO_LAST})?|{TO_LAST})")
IN_QUERY = re.compile(r"([?&]\w*(?:password|passwd|pwd)=)[^&\s]*", re.IGNORECASE)


def without_passwords(text: str) -> str:
    """Replace the passwords of all addresses in `text`, `//user:***@host` and `?password=***`.

    A password may hold any character. Where it is not clear what is one, more is replaced rather than less.
    """
    text = IN_FRONT.sub(r"\1:***@", text)
    return IN_QUERY.sub(r"\1***", text)
