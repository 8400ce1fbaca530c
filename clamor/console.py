"""Two consoles: answers go to standard output, everything else to standard error.

What they show is often foreign: a square bracket is a square bracket, and nothing in a text can steer the terminal.
What is piped on is not broken into lines: a command or a path in it can be taken as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.segment import Segment

_STEERING = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_TURNING = dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)))
_WITHHELD = _STEERING | _TURNING
"""Control characters, and those that turn the direction of what follows; all of them are of no width."""


UNBROKEN = 10_000
"""Columns where nobody looks at a terminal and COLUMNS does not say how many there are."""


class Plain(Console):
    """A console that reads no markup and passes on no control character but its own."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False)

    @property
    def size(self) -> ConsoleDimensions:
        found = super().size
        return found if self.is_terminal or self._width is not None else ConsoleDimensions(UNBROKEN, found.height)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control is None:
                yield Segment(segment.text.translate(_WITHHELD), segment.style)
            else:
                yield segment


answers = Plain()
errors = Plain(stderr=True)
