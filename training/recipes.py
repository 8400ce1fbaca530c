"""A recipe's `teach` as plain values: laid over by another, and the sets that it leaves out. Needs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

TEACH = frozenset(
    {
        "seeds", "start", "draws", "power", "times", "without", "layers", "ffn", "from", "rate", "decay", "dropout",
        "tokens", "prior", "unnamed", "swap",
    }
)  # fmt: skip
"""What a recipe may say of teaching."""


def laid_over(plan: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`plan` with what `change` says instead; of a mapping in both, entry by entry. Raises ValueError naming a key that
    nothing would heed."""
    for name in change:
        if name not in TEACH:
            raise ValueError(f"{name} is nothing that teaching knows; there are {', '.join(sorted(TEACH))}")
    return _merged(plan, change)


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(old)
    for name, value in new.items():
        held = old.get(name)
        both = isinstance(held, Mapping) and isinstance(value, Mapping)
        found[name] = _merged(held, value) if both else value
    return found


def left_out(sets: Sequence[str], without: Iterable[str]) -> list[int]:
    """Numbers of the sets that one of the names in `without` means; `*` in it stands for anything, so that `*sanders`
    means `sanders` and `ours:sanders`. Raises ValueError for a name that means none."""
    found: set[int] = set()
    for name in without:
        meant = {number for number, one in enumerate(sets) if fnmatchcase(one, name)}
        if not meant:
            raise ValueError(f"without {name}: no set of the pack is called so; there are {', '.join(sets)}")
        found |= meant
    return sorted(found)
