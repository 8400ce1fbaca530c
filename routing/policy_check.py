"""Everything that is wrong in a policy: its form, what it asks of people, names that nobody has, kinds that cannot be,
its examples; and where rules say the contrary of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from config.detractors import Behaviour, Said
from config.known import Known, Paper
from config.marked import Node as Yaml
from config.marked import Path, Sheet, place
from config.problems import Problem, did_you_mean, errors, in_order, shown
from query.document import Document
from query.impossible import Ways, impossible
from query.tree import And, Equals, Node, Not
from query.unparse import unparse
from routing.check import NOTHING_SAID
from routing.examples import tried
from routing.policy import Kind, Policy, default_policy
from routing.policy_file import read_policy, sheet_of
from routing.protected import ADVICE, Refused, in_query, in_words
from routing.rules import Rule, default_rules
from routing.rules_file import read_rules
from routing.sense import names_there_are, unknown
from stream.records import Queue

QUEUES: tuple[str, ...] = tuple(queue for queue in get_args(Queue) if queue != "none")
SHIPPED_RULES, SHIPPED_POLICY = "the shipped rules", "the shipped policy"
_NEVER = (Equals("speaker", "own"), Equals("kind", "competitor"), Equals("kind", "category"))
"""What no kind is asked for."""
SAYABLE = frozenset({"health", "where somebody works", "a judgement on the person"})
"""In approved lines alone: who got ill is told to see a doctor, and employees answer."""
_RANK: Mapping[str, int] = {"none": 0, "sales": 1, "support": 2, "pr": 3}


def check_policy(text: str, file: str = "detractors.yaml", known: Known = NOTHING_SAID) -> list[Problem]:
    """All findings, in the file's order; empty for a policy that can be used and whose examples come true.

    `known`: what the configuration beside it has names for; an unknown person is an error.
    """
    kinds, problems = read_policy(text, file)
    if errors(problems):
        return in_order(problems)
    sheet, names = sheet_of(text, file), names_there_are(known)
    problems += _refused(sheet, kinds)
    problems += _shadowed(kinds, file)
    if errors(problems):
        return in_order(problems)
    if not kinds:
        message, advice = "the list of kinds is empty: no advice is given", "write a kind, or delete the file"
        problems.append(Problem(file=file, line=1, message=message, advice=advice, severity="warning"))
    policy = Policy(kinds, 0)

    def taker(document: Document) -> str:
        found = policy.of(document.mention, document.risk or 0, document.terms)
        return found.kind if found is not None else ""

    for number, kind in enumerate(kinds):
        node = place(sheet.root, ("kinds", number))
        where = node.child("when") or node
        problems += unknown(kind.when, names, kind.name, where, file)
        problems += _impossible(kind, where, file)
        problems += _people(kind, node, known, file)
        problems += tried(kind.name, node, file, taker, "kind")
    return in_order(problems)


def _refused(sheet: Sheet, kinds: Sequence[Kind]) -> Iterator[Problem]:
    """What a person is or believes, in conditions and in words."""
    for number, kind in enumerate(kinds):
        at: Path = ("kinds", number)
        for refused in in_query(kind.when):
            yield _ban(sheet, (*at, "when"), refused, "asks for")
        for refused in in_words(kind.name):
            yield _ban(sheet, (*at, "name"), refused, "names")
        for path, said in _said(kind.behaviour):
            for language in ("en", "es"):
                for refused in in_words(said.within(language)):
                    if "lines" not in path or refused.group not in SAYABLE:
                        yield _ban(sheet, (*at, *path, language), refused, "names")


def _said(behaviour: Behaviour) -> Iterator[tuple[Path, Said]]:
    answer = behaviour.answer
    yield ("why",), behaviour.why
    if answer.tone is not None:
        yield ("answer", "tone"), answer.tone
    for number, line in enumerate(answer.lines):
        yield ("answer", "lines", number), line
    yield ("answer", "not_when"), answer.not_when
    yield ("stop",), behaviour.stop


def _ban(sheet: Sheet, path: Path, refused: Refused, does: str) -> Problem:
    message = f"the kind {does} what a person is or believes: {refused.group}"
    return sheet.problem(path, message, ADVICE, value=shown(refused.found))


def _shadowed(kinds: Sequence[Kind], file: str) -> Iterator[Problem]:
    for number, kind in enumerate(kinds):
        ways = Ways(kind.when)
        if ways.clash is not None:
            continue  # that is another finding
        before = next((one for one in kinds[:number] if ways.imply(one.when)), None)
        if before is not None:
            message = f"the kind is never reached: whatever is of it, {before.name!r} in line {before.line} took before"
            advice = f"put it above {before.name!r}, narrow that one, or delete it"
            yield Problem(file=file, line=kind.line, path=kind.name, message=message, advice=advice)


def _impossible(kind: Kind, where: Yaml, file: str) -> Iterator[Problem]:
    if (clash := impossible(kind.when)) is not None:
        one, other = map(unparse, clash)
        message = f"the kind can never match: `{one}` and `{other}` exclude one another"
        advice = "put OR between them, or delete one"
    elif impossible(_asked(kind)) is not None:
        message = "the kind can never match: none is asked for of the brand's own posts and of brands that are not own"
        advice = "ask for speaker:public, speaker:press or speaker:competitor, or for no speaker and kind at all"
    else:
        return
    yield _found(kind.name, where, file, message, advice)


def _asked(kind: Kind) -> Node:
    """What answers it and is asked for it at all."""
    return And((kind.when, *map(Not, _NEVER)))


def _people(kind: Kind, node: Yaml, known: Known, file: str) -> Iterator[Problem]:
    """Names that point nowhere: whoever is to answer or to be told has to be there."""
    answer, listed = node.child("answer"), node.child("tell")
    held = kind.behaviour.answer
    for what, named, there in (("person", held.person, known.people), ("team", held.team, known.teams)):
        if named is not None and there is not None and named not in there:
            where = (answer.child(what) if answer is not None else None) or node
            yield _nobody(kind.name, what, named, where, sorted(there), file)
    if known.people is None:
        return
    told = {*known.people, *(known.teams or ()), *QUEUES}
    for number, who in enumerate(kind.behaviour.tell):
        if who not in told:
            where = (listed.child(number) if listed is not None else None) or node
            yield _nobody(kind.name, "person", who, where, sorted(told), file)


def _nobody(kind: str, what: str, name: str, where: Yaml, known: Sequence[str], file: str) -> Problem:
    advice = did_you_mean(name, known) or f"write the {what} into clamor.yaml first"
    return _found(kind, where, file, f"there is no {what} of this id", advice, value=repr(name), severity="error")


def contradictions(papers: Mapping[str, Paper]) -> list[Problem]:
    """Rules that say the contrary of the policy, as far as the conditions of the two show it. What is not among the
    papers is as Clamor ships it. Nothing is said where one of them cannot be used: that is told elsewhere."""
    written = papers.get("rules", Paper(default_rules(), SHIPPED_RULES))
    policy = papers.get("policy", Paper(default_policy(), SHIPPED_POLICY))
    rules, wrong = read_rules(*written)
    kinds, unreadable = read_policy(*policy)
    if errors([*wrong, *unreadable, *_shadowed(kinds, policy.file)]) or not papers:
        return []
    kinds = tuple(kind for kind in kinds if impossible(_asked(kind)) is None)
    # A place that the reader can go to: of the two the one that is a file of theirs.
    at_rule = written.file != SHIPPED_RULES
    found = []
    takers = {kind.name: _taker(kind, rules) for kind in kinds}
    for rule in rules:
        if impossible(And((rule.when, *map(Not, _NEVER)))) is not None:
            continue
        kind = _of_rule(rule, kinds, takers)
        message, advice = _against(rule, kind) if kind is not None else ("", "")
        if kind is None or not message:
            continue
        file, line = (written.file, rule.line) if at_rule else (policy.file, kind.line)
        said = f"{message} ({policy.file}, line {kind.line})" if at_rule else f"{message} ({written.file})"
        path = rule.name if at_rule else kind.name
        found.append(Problem(file=file, line=line, path=path, message=said, advice=advice, severity="warning"))
    return in_order(found)


def _taker(kind: Kind, rules: Sequence[Rule]) -> Rule | None:
    ways = Ways(kind.when)
    return next((rule for rule in rules if ways.imply(rule.when)), None)


def _of_rule(rule: Rule, kinds: Sequence[Kind], takers: Mapping[str, Rule | None]) -> Kind | None:
    """The kind that everything the rule takes is of; or whose mentions this rule takes, all that no rule above did."""
    ways = Ways(rule.when)
    for kind in kinds:
        if ways.imply(kind.when):
            return kind
    return next((kind for kind in kinds if takers[kind.name] is rule), None)


def _against(rule: Rule, kind: Kind) -> tuple[str, str]:
    """(what the rule says against the kind, the way out); empty where nothing."""
    wanted, name = kind.behaviour.answer.queue, kind.name
    if _RANK[rule.queue] < _RANK[wanted]:
        message = f"the rule sends to {rule.queue} what is of kind {name!r}, which {wanted} answers by the policy"
        return message, f"send it to {wanted}, or change `answer: queue` of {name!r}"
    if rule.alert and not kind.behaviour.tell:
        message = f"the rule wakes people for what is of kind {name!r}, of which nobody need be told by the policy"
        return message, f"delete `alert` of the rule, or name those people under `tell` of {name!r}"
    return "", ""


def _found(
    kind: str, where: Yaml, file: str, message: str, advice: str, *, value: str | None = None, severity: str = "warning"
) -> Problem:
    return Problem(
        file=file, line=where.line, column=where.column, path=kind, value=value, message=message, advice=advice,
        severity="error" if severity == "error" else "warning",
    )  # fmt: skip
