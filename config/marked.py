"""YAML that remembers where each value stands, built from PyYAML's events.

Scalars follow YAML 1.2's core schema (yaml.org/spec/1.2.2, 10.3): `no`, `on` and `2026-11-24` are text, not
booleans or dates, so that a brand may be called No. Duplicate keys, tags, merge keys and several documents are
refused; size, depth and the number of nodes, aliases unfolded, are bounded. Nothing is made but maps, lists, scalars.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import yaml

from config.problems import Problem, Severity, shown

MAX_BYTES = 4_000_000
MAX_DEPTH = 30
MAX_NODES = 300_000

Scalar: TypeAlias = str | int | float | bool | None
Plain: TypeAlias = "Scalar | list[Plain] | dict[str, Plain]"
Step: TypeAlias = str | int
Path: TypeAlias = tuple[Step, ...]


@dataclass(slots=True, eq=False)
class Node:
    """A value and the place where it begins (line and column from 1)."""

    line: int
    column: int
    scalar: Scalar = None
    items: list[Node] | None = None
    entries: dict[str, tuple[Node, Node]] | None = None
    """For a map, by key: (the key, its value)."""

    def plain(self) -> Plain:
        if self.entries is not None:
            return {key: value.plain() for key, (_, value) in self.entries.items()}
        if self.items is not None:
            return [item.plain() for item in self.items]
        return self.scalar

    def child(self, step: Step) -> Node | None:
        if self.entries is not None and isinstance(step, str):
            found = self.entries.get(step)
            return found[1] if found else None
        if self.items is not None and isinstance(step, int) and 0 <= step < len(self.items):
            return self.items[step]
        return None

    def key(self, name: str) -> Node | None:
        """The node of a map's key itself."""
        found = (self.entries or {}).get(name)
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file's tree, and findings placed on it."""

    file: str
    root: Node

    def problem(
        self,
        path: Path,
        message: str,
        advice: str = "",
        *,
        severity: Severity = "error",
        value: str | None = None,
        at_key: bool = False,
    ) -> Problem:
        """A finding about the value at `path`, or (`at_key`) about the last key of it."""
        node = place(self.root, path)
        if at_key and path and isinstance(path[-1], str):
            node = place(self.root, path[:-1]).key(path[-1]) or node
        return Problem(
            file=self.file,
            line=node.line,
            column=node.column,
            path=written(path),
            value=value,
            message=message,
            advice=advice,
            severity=severity,
        )


def read(raw: bytes, file: str) -> tuple[Node | None, list[Problem]]:
    """(the tree, what is wrong). No tree where nothing can be made of it; an empty file is an empty map."""
    text, problems = decode(raw, file)
    if text is None:
        return None, problems
    composer = _Composer(file)
    try:
        composer.feed(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        composer.problems.append(_syntax(error, file))
        return None, composer.problems
    except _Bound as bound:
        composer.problems.append(bound.problem)
        return None, composer.problems
    return composer.root or Node(1, 1, entries={}), composer.problems


def decode(raw: bytes, file: str) -> tuple[str | None, list[Problem]]:
    """UTF-8 text without a byte order mark, or why there is none."""
    if len(raw) > MAX_BYTES:
        message = f"the file has {len(raw):,} bytes, at most {MAX_BYTES:,} are read"
        return None, [Problem(file=file, message=message, advice="is this the right file?")]
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return None, [Problem(file=file, message="the file is UTF-16", advice="save it as UTF-8")]
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        column = error.start - before.rfind(b"\n")
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        line = before.count(b"\n") + 1
        return None, [Problem(file=file, line=line, column=column, message=message, advice="save the file as UTF-8")]
    bad = _UNPRINTABLE.search(text)
    if bad:
        before_text = text[: bad.start()]
        line, column = before_text.count("\n") + 1, bad.start() - before_text.rfind("\n")
        message = f"control character U+{ord(bad[0]):04X}"
        return None, [Problem(file=file, line=line, column=column, message=message, advice="delete it")]
    return text, []


def place(root: Node, path: Path) -> Node:
    """The node at `path`, or the nearest one above it that exists."""
    node = root
    for step in path:
        found = node.child(step)
        if found is None:
            break
        node = found
    return node


def written(path: Path) -> str:
    """`brands[2].aliases[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")

_WORDS: Mapping[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?")


def _resolve(text: str) -> Scalar:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if len(text) < 40 and _FLOAT.fullmatch(text):
        return float(text)
    return text


class _Bound(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been seen; `key` waits for its value."""

    node: Node
    anchor: str | None
    count: int = 1
    key: Node | None = None
    skip: bool = False


@dataclass(slots=True)
class _Composer:
    file: str
    problems: list[Problem] = field(default_factory=list)
    root: Node | None = None
    _stack: list[_Open] = field(default_factory=list)
    _anchors: dict[str, tuple[Node, int]] = field(default_factory=dict)
    """By name: (node, how many nodes it unfolds to)."""
    _total: int = 0

    def feed(self, events: Iterator[yaml.Event]) -> None:
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop(event, "a second document begins here", "keep one document in a file, delete the ---")
            elif isinstance(event, yaml.NodeEvent):
                self._node(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                done = self._stack.pop()
                self._put(done.node, done.anchor, done.count)

    def _node(self, event: yaml.NodeEvent) -> None:
        line, column = _place(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            known = self._anchors.get(str(event.anchor))
            if known is None:
                self._stop(event, f"*{event.anchor} names nothing that is complete here", "put &name on it before")
            self._put(known[0], None, known[1])
            return
        self._tag(event)
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0] and event.style in (None, "")
            self._put(Node(line, column, _resolve(event.value) if plain else event.value), event.anchor, 1)
            return
        if len(self._stack) >= MAX_DEPTH:
            self._stop(event, f"nested more than {MAX_DEPTH} levels deep", "no setting needs that")
        mapping = isinstance(event, yaml.MappingStartEvent)
        node = Node(line, column, entries={} if mapping else None, items=None if mapping else [])
        self._stack.append(_Open(node, event.anchor))

    def _put(self, node: Node, anchor: str | None, count: int) -> None:
        self._total += 1
        if anchor is not None:
            self._anchors[anchor] = (node, count)
        if not self._stack:
            self.root = node
            return
        top = self._stack[-1]
        top.count += count
        if max(top.count, self._total) > MAX_NODES:
            message = f"more than {MAX_NODES:,} values, aliases unfolded"
            raise _Bound(self._problem(node, message, "is this the right file?"))
        if top.node.items is not None:
            top.node.items.append(node)
        elif top.key is None:
            top.key, top.skip = node, not self._usable(top.node, node)
        else:
            if not top.skip:
                assert top.node.entries is not None
                top.node.entries[str(top.key.scalar)] = (top.key, node)
            top.key = None

    def _usable(self, mapping: Node, key: Node) -> bool:
        assert mapping.entries is not None
        if key.items is not None or key.entries is not None or key.scalar is None:
            self.problems.append(self._problem(key, "a key must be text", "write it in quotes"))
            return False
        name = str(key.scalar)
        if name == "<<":
            self.problems.append(self._problem(key, "merge keys (<<) are not read", "write the keys out"))
            return False
        before = mapping.entries.get(name)
        if before is not None:
            message = f"the key {shown(name)} stands here already, in line {before[0].line}"
            self.problems.append(self._problem(key, message, "keep one of the two"))
            return False
        return True

    def _tag(self, event: yaml.NodeEvent) -> None:
        tag = getattr(event, "tag", None)
        if tag not in (None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            self._stop(event, f"the tag {shown(tag)} is not read here", "delete it")

    def _stop(self, event: yaml.Event, message: str, advice: str) -> NoReturn:
        line, column = _place(event.start_mark)
        raise _Bound(Problem(file=self.file, line=line, column=column, message=message, advice=advice))

    def _problem(self, node: Node, message: str, advice: str) -> Problem:
        return Problem(file=self.file, line=node.line, column=node.column, message=message, advice=advice)


def _place(mark: Any) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _syntax(error: yaml.MarkedYAMLError, file: str) -> Problem:
    line, column = _place(error.problem_mark or error.context_mark)
    words = " ".join(part for part in (error.context, error.problem) if part)
    return Problem(
        file=file,
        line=line,
        column=column,
        message=f"this is not YAML: {words}",
        advice=_way_out(words),
    )


def _way_out(words: str) -> str:
    if "'@'" in words or "'`'" in words or "cannot start any token" in words:
        return "text that begins with @ or a backquote, or with % or a tab, needs quotes: '@acme'"
    if "mapping values are not allowed" in words:
        return "text that contains a colon and a space needs quotes; or the indentation is off"
    if "'\\t'" in words:
        return "indent with spaces, not with tabs"
    return "look at the indentation, the quotes and the brackets above this place"
