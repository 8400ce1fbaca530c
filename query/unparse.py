"""From the tree back to text: the canonical form of a query, and the name of each of its parts in explanations."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from query.fields import FIELDS
from query.text import SYMBOL, WORD, analyse
from query.tree import All, And, Between, Equals, Has, Near, Node, Not, Or, Phrase, Prefix, StartsWith, Word


def unparse(node: Node) -> str:
    """Text that parses to this very tree (times in UTC, to the millisecond)."""
    match node:
        case All():
            return "*"
        case Word(surface):
            return _written(surface)
        case Phrase(surfaces):
            return f'"{" ".join(map(_written, surfaces))}"'
        case Near(left, right, distance):
            return f"{_written(left)} NEAR/{distance} {_written(right)}"
        case Prefix(start):
            return f"{_written(start)}*"
        case Equals(field, value):
            return f"{field}:{_value(value)}"
        case StartsWith(field, start):
            return f"{field}:{start}*" if _BARE.fullmatch(start) else f'{field}:"{_escaped(start)}"*'
        case Between():
            return f"{node.field}:{_bounds(node)}"
        case Has(field):
            return f"has:{field}"
        case Not(part):
            return f"NOT {unparse(part)}" if isinstance(part, Not) else f"-{_grouped(part)}"
        case And(parts):
            return " ".join(map(_grouped, parts))
        case Or(parts):
            return " OR ".join(map(_grouped, parts))


def _grouped(node: Node) -> str:
    return f"({unparse(node)})" if isinstance(node, (And, Or, Near)) else unparse(node)


def _written(surface: str) -> str:
    """A surface as a text that is analysed to it: the domain of an address needs the rest of one."""
    found = analyse(surface)
    if found.surfaces == (surface,) and found.marks[0] in (WORD, SYMBOL):
        return surface
    return f"https://{surface}" if analyse(f"https://{surface}").surfaces == (surface,) else surface


def _value(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value if _BARE.fullmatch(value) else f'"{_escaped(value)}"'
    return _number(value)


def _bounds(node: Between) -> str:
    shown = _moment if FIELDS[node.field].kind == "time" else _number
    if node.low is None:
        return f"<{'=' * node.with_high}{shown(node.high)}" if node.high is not None else "*"
    if node.high is None:
        return f">{'=' * node.with_low}{shown(node.low)}"
    return f"{'' if node.with_low else '>'}{shown(node.low)}..{'' if node.with_high else '<'}{shown(node.high)}"


def _number(value: float) -> str:
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def _moment(value: float) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


_BARE = re.compile(r"[^\s()\"“”«»*<>\\]+")
