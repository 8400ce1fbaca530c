"""From what a person types to the tree, and errors that point at the place.

    brand:acme intent:churn_threat risk:>=70 "no me dejan" -lang:pt

NOT (and `-`) binds closer than AND, AND closer than OR; words side by side are joined by AND. The operators are
written in capitals: `and`, `or`, `not` and `near` are words.
"""

from __future__ import annotations

import re
from functools import cache

from lark import Lark, Token, Tree, UnexpectedInput, UnexpectedToken

from query.comparison import MIN_PREFIX, Place, comparison, since
from query.error import QueryError, did_you_mean, in_quotes, short
from query.fields import CONTEXTS, FIELDS, NO_FIELDS, Field, find, names, readable
from query.text import HANDLE, TAG, analyse, fold
from query.tree import All, And, Equals, Has, Near, Node, Not, Or, Phrase, Prefix, StartsWith, Word
from query.unparse import unparse
from stream.records import Millis

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "MAX_TERMS", "QueryError", "parse", "unparse"]

MAX_LENGTH = 8_000
"""Characters of a query."""
MAX_DEPTH = 20
"""Parentheses and NOTs inside one another."""
MAX_TERMS = 400
"""Words, phrases and comparisons of a query."""
MAX_PHRASE = 30
"""Words of a phrase."""
MAX_DISTANCE = 50
"""Of NEAR."""


def parse(text: str, *, now: Millis, context: str = "search") -> Node:
    """The tree of a query; `All()` for an empty one.

    `now` is what `-7d` counts from, `context` (rule, watch, search, export) says which fields may be used.
    Raises QueryError, and nothing else, for a text that is not a query.
    """
    if context not in CONTEXTS:
        raise ValueError(f"no context is called {context!r}: {', '.join(CONTEXTS)}")
    if len(text) > MAX_LENGTH:
        message = f"A query may have {MAX_LENGTH} characters; this one has {len(text)}."
        raise QueryError(message, text, MAX_LENGTH, len(text), "Make two of it.")
    try:
        tree = _grammar().parse(text)
    except UnexpectedInput as error:
        raise _explained(text, error) from None
    return _Reader(text, now, context).query(tree)


class _Reader:
    """Makes nodes of the grammar's tree for one query."""

    def __init__(self, text: str, now: Millis, context: str) -> None:
        self.text, self.now, self.context = text, now, context
        self.terms = 0

    def query(self, tree: Tree[Token]) -> Node:
        return self._node(tree.children[0], 0, None) if tree.children else All()

    def _node(self, tree: Tree[Token] | Token, depth: int, field: Token | None) -> Node:
        """`field` is the name before a group of values."""
        assert isinstance(tree, Tree)
        if depth > MAX_DEPTH:
            raise self._place(_first(tree)).error(f"More than {MAX_DEPTH} parentheses and NOTs inside one another.")
        if tree.data in ("any", "some"):
            return Or(tuple([self._node(part, depth + 1, field) for part in tree.children]))
        if tree.data in ("all", "each"):
            return And(tuple([self._node(part, depth + 1, field) for part in tree.children]))
        if tree.data == "negation":
            return Not(self._node(tree.children[0], depth + 1, field))
        if tree.data == "compare_some":
            name, values = tree.children
            assert isinstance(name, Token)
            return self._node(values, depth + 1, name)
        return self._leaf([token for token in tree.children if isinstance(token, Token)], field)

    def _leaf(self, tokens: list[Token], field: Token | None) -> Node:
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise self._place(tokens[0]).error(
                f"A query may have {MAX_TERMS} terms; this one goes on.", "Make two of it."
            )
        if field is not None:
            return self._compare(field, tokens[0])
        if len(tokens) == 3:
            return self._near(*tokens)
        if len(tokens) == 2:
            return self._compare(*tokens)
        if tokens[0].type == "PHRASE":
            return Phrase(self._surfaces(tokens[0], _unquoted(tokens[0])))
        return self._word(tokens[0])

    def _word(self, word: Token) -> Node:
        if word.strip("*") == "":
            if self.text[: word.start_pos].endswith(tuple(_QUOTES)):
                raise self._place(word).error(
                    "A phrase takes no *.", "Write it without, or a single word with: reclam*"
                )
            return All()
        if "*" in word:
            return self._prefix(word)
        surfaces = self._surfaces(word, word)
        mark = analyse(word).marks[0]
        if len(surfaces) > 1:
            return Phrase(surfaces)
        if mark == TAG:
            return Equals("hashtag", surfaces[0])
        if mark == HANDLE:
            return Equals("addressed", surfaces[0])
        return Word(surfaces[0])

    def _prefix(self, token: Token) -> Node:
        found = analyse(token[:-1])
        if len(found.surfaces) != 1 or token.find("*") != len(token) - 1:
            raise self._place(token).error(
                "* ends one word that has begun.",
                "Write reclam* for everything that begins so; quote a * that is meant.",
            )
        start, mark = found.surfaces[0], found.marks[0]
        if len(start) < MIN_PREFIX:
            message = f"A prefix needs {MIN_PREFIX} characters before its *."
            raise self._place(token).error(message, f"Write {start}a* or more.")
        if mark in (TAG, HANDLE):
            return StartsWith("hashtag" if mark == TAG else "addressed", start)
        return Prefix(start)

    def _near(self, left: Token, operator: Token, right: Token) -> Node:
        distance = int(operator.partition("/")[2])
        if distance > MAX_DISTANCE:
            raise self._place(operator).error(
                f"NEAR reaches {MAX_DISTANCE} words at most.", f"Write NEAR/{MAX_DISTANCE}"
            )
        words: list[str] = []
        for token in (left, right):
            surfaces = self._surfaces(token, _unquoted(token) if token.type == "PHRASE" else token)
            if len(surfaces) > 1 or (token.type == "WORD" and "*" in token):
                hint = f"Write {surfaces[0]} {operator} other AND {unparse(Phrase(surfaces))}"
                raise self._place(token).error("NEAR joins two single words.", hint)
            words += surfaces
        if words[0] == words[1]:
            raise self._place(right).error(
                "NEAR joins two different words.", f'Write "{words[0]} {words[0]}" or two words.'
            )
        return Near(words[0], words[1], distance)

    def _surfaces(self, token: Token, written: str) -> tuple[str, ...]:
        surfaces = analyse(written).surfaces
        if not surfaces:
            raise self._place(token).error(
                f"There is no word in {in_quotes(token)}.", "Write a word, a number or an emoji."
            )
        if len(surfaces) > MAX_PHRASE:
            raise self._place(token).error(f"A phrase may have {MAX_PHRASE} words; this one has {len(surfaces)}.")
        return surfaces

    def _compare(self, name: Token, value: Token) -> Node:
        quoted = value.type != "VALUE"
        written = _unquoted(value) if quoted else str(value)
        asked = fold(name[:-1])
        if asked == "has":
            return Has(self._field(written, value).name)
        if asked == "is":
            return self._is(written, value)
        if asked in _BOUNDS:
            return since(FIELDS["created"], written, self._place(value), _BOUNDS[asked])
        beginning = value.type == "BEGINNING"
        return comparison(self._field(asked, name), written, self._place(value), quoted=quoted, beginning=beginning)

    def _is(self, written: str, token: Token) -> Node:
        field = find(written)
        if field is not None and field.name in ("reply_to", "quote_of"):
            return Has(field.name)
        if field is None or field.kind != "flag":
            known = [*(found.name for found in readable(self.context) if found.kind == "flag"), "reply", "quote"]
            hint = f"{did_you_mean(fold(written), known)} It may be {', '.join(known)}.".lstrip()
            raise self._place(token).error(f"is: takes no {in_quotes(written)}.", hint)
        return Equals(self._field(written, token).name, True)

    def _field(self, name: str, token: Token) -> Field:
        field, place = find(name), self._place(token)
        if field is None:
            meant = NO_FIELDS.get(fold(name))
            hint = meant or did_you_mean(fold(name), [*names(self.context), *_BOUNDS, "has", "is"])
            if token.type == "FIELD" and meant is None:
                hint = f'{hint} To look for the words, quote them: "{short(name)}: …"'.lstrip()
            raise place.error(
                f"There is no field {in_quotes(name)}.", hint or "docs/query-language.md lists all fields."
            )
        if self.context not in field.contexts:
            raise place.error(
                f"{field.name} may not be used in a {self.context}.",
                f"It may use {', '.join(found.name for found in readable(self.context))}.",
            )
        return field

    def _place(self, token: Token) -> Place:
        start = token.start_pos or 0
        end = start + len(token)
        return Place(self.text, start, end, self.now, self.context)


def _first(tree: Tree[Token]) -> Token:
    found: Tree[Token] | Token = tree
    while isinstance(found, Tree):
        found = found.children[0]
    return found


_BOUNDS = {"since": ">=", "desde": ">=", "until": "<=", "hasta": "<="}


def _unquoted(token: Token) -> str:
    inner = token.rstrip("*")[1:-1] if token.type == "BEGINNING" else token[1:-1]
    return _ESCAPED.sub(r"\1", inner) if token[0] == '"' else inner


_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def _explained(text: str, error: UnexpectedInput) -> QueryError:
    """What the grammar stumbled over, in words."""
    at = error.pos_in_stream if error.pos_in_stream is not None else len(text)
    token = error.token if isinstance(error, UnexpectedToken) else None
    if token is not None and token.type == "$END":
        return _ended(text)
    rest = text[at:]
    width = len(token) if token is not None else 1
    left, _ = _last_piece(text[:at])
    if rest[:1] in _QUOTES:
        return QueryError("This quote is not closed.", text, at, len(text), f"End it with {_QUOTES[rest[0]]}")
    if rest.startswith(")") and not _open_parentheses(text[:at]):
        return QueryError("This ) closes nothing.", text, at, at + 1, "Take it out, or open a ( before it.")
    if rest.startswith(")") and left == "(":
        return QueryError("There is nothing in these parentheses.", text, at - 1, at + 1, "Put words between them.")
    if left in _OPERATORS or left.startswith("NEAR/"):
        return QueryError(f"{left} has nothing on its right.", text, at, at + width, _OPERATORS.get(left, _NEAR))
    if left.endswith(":"):
        return QueryError(f"{left} needs a value.", text, at, at + width, f"Write {left}value")
    if token is not None and token.type == "NEAR":
        message = "NEAR joins two single words, no group and no third."
        return QueryError(message, text, at, at + width, "Write reclamar NEAR/5 abogado AND abogado NEAR/5 ya")
    if rest.startswith("NEAR"):
        return QueryError("NEAR stands between two words and says how far.", text, at, at + len(rest.split()[0]), _NEAR)
    operator = next((name for name in _OPERATORS if rest.startswith(name)), None)
    if operator == "-":
        message = "- must touch what it takes out."
        return QueryError(message, text, at, at + 1, 'Write -word; a dash between words can go, or be quoted: "a - b"')
    if operator is not None:
        return QueryError(f"{operator} has nothing on its left.", text, at, at + len(operator), _OPERATORS[operator])
    return QueryError("This cannot stand here.", text, at, at + width, "Quote it to look for it as words.")


def _ended(text: str) -> QueryError:
    """The query stops in the middle of something."""
    left, at = _last_piece(text)
    if left in _OPERATORS or left.startswith("NEAR/"):
        return QueryError(f"{left} has nothing on its right.", text, at, len(text), _OPERATORS.get(left, _NEAR))
    if left.endswith(":") and left != ":":
        return QueryError(f"{left} needs a value.", text, at, len(text), f"Write {left}value")
    opened = _open_parentheses(text)
    if opened:
        return QueryError("This ( is not closed.", text, opened[-1], opened[-1] + 1, "Close it with )")
    return QueryError("The query stops too early.", text, at, len(text))


def _last_piece(text: str) -> tuple[str, int]:
    """The last word or opening parenthesis of a text, and where it begins."""
    text = text.rstrip()
    start = len(text)
    while start and not text[start - 1].isspace() and text[start - 1] not in "()":
        start -= 1
    return (text[start:], start) if start < len(text) or not text else (text[-1], start - 1)


def _open_parentheses(text: str) -> list[int]:
    opened: list[int] = []
    for found in _BRACKETS.finditer(text):
        if found.group() == "(":
            opened.append(found.start())
        elif found.group() == ")" and opened:
            opened.pop()
    return opened


_NEAR = "Write reclamar NEAR/5 abogado"
_OPERATORS = {"AND": "Write a AND b", "OR": "Write a OR b", "NOT": "Write NOT a", "-": "Write -word"}
_QUOTES = {'"': '"', "“": "”", "”": "“", "«": "»", "»": "«"}
_BRACKETS = re.compile(r"\"(?:[^\"\\]|\\.)*\"|“[^“”]*”|«[^«»]*»|[()]", re.DOTALL)

_GRAMMAR = r"""
    start: [any]
    ?any: all (_OR all)*
    ?all: part (_AND? part)*
    ?part: _NOT part -> negation
         | _MINUS part -> negation
         | _OPEN any _CLOSE
         | WORD -> word
         | PHRASE -> phrase
         | (WORD | PHRASE) NEAR (WORD | PHRASE) -> near
         | FIELD (VALUE | PHRASE | BEGINNING) -> compare
         | FIELD _OPEN some _CLOSE -> compare_some
    ?some: each (_OR each)*
    ?each: one (_AND? one)*
    ?one: _NOT one -> negation
        | _OPEN some _CLOSE
        | (VALUE | PHRASE | BEGINNING) -> value

    _OPEN.9: "("
    _CLOSE.9: ")"
    _AND.5: /AND(?![^\s()"“«-])/
    _OR.5: /OR(?![^\s()"“«-])/
    _NOT.5: /NOT(?![^\s()"“«-])/
    NEAR.5: /NEAR\/[0-9]{1,6}(?![^\s()"“«])/
    _MINUS.4: /-(?=[^\s)-])/
    FIELD.4: /[^\W\d]\w*:(?!\/\/)/
    BEGINNING.5: /"(?:[^"\\]|\\.)*"\*/s
    PHRASE.4: /"(?:[^"\\]|\\.)*"|“[^“”]*”|«[^«»]*»/s
    WORD.1: /(?!-|(?:AND|OR|NOT|NEAR(?:\/[^\s()"“”«»]*)?)(?![^\s()"“«-]))[^\s()"“”«»]+/
    VALUE.1: /(?!(?:AND|OR|NOT|NEAR)(?![^\s()"“«-]))(?:[<>]=?\s*)?[^\s()"“”«»]+/
    %ignore /\s+/
"""


@cache
def _grammar() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer="contextual", maybe_placeholders=False)
