"""How sure a share is that was counted on few."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

Z = 1.96
"""Of the normal distribution, for 95 %."""


class Share(NamedTuple):
    """`hits` of `of`, and where the true share lies at 95 %: Wilson's score interval (Wilson 1927)."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """0 where nothing was counted."""
        return self.hits / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high); (0, 1) where nothing was counted."""
        if not self.of:
            return 0.0, 1.0
        spread = Z * sqrt(self.value * (1 - self.value) / self.of + Z * Z / (4 * self.of**2))
        middle, scale = self.value + Z * Z / (2 * self.of), 1 + Z * Z / self.of
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.1%} ({self.hits} of {self.of}; {low:.1%} to {high:.1%})" if self.of else "–"
