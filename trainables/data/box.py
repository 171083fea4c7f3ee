"""A rectangle of an image's pixels."""

from typing import NamedTuple


class Box(NamedTuple):
    """The pixels of the rows `top <= y < bottom` and the columns `left <= x < right`."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def area(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an image with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)
