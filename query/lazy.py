"""A property that is read once.

`functools.cached_property` takes a lock until Python 3.12, which cost more than most of what it guarded. Here two
threads may both read a value; one of the two is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class lazy(Generic[T]):
    """Decorates a method whose value never changes."""

    def __init__(self, read: Callable[[Any], T]) -> None:
        self._read = read
        self._name = read.__name__
        self.__doc__ = read.__doc__

    def __get__(self, instance: Any, owner: type) -> T:
        found = instance.__dict__[self._name] = self._read(instance)
        return found
