"""`clamor explain` and `clamor correct`: a decision in words, and a person's word against it."""

from __future__ import annotations

import getpass
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
import typer
from msgspec.structs import replace

from clamor import exits
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.decisions import Earlier, earlier, stands
from clamor.opening import Opened, open_home
from clamor.roles import worked_by
from clamor.rules_of_day import RulesOfDay
from config.home import Home
from database.engine import read, rows
from database.migrate import upgrade
from routing import advice as advices
from routing import corrections
from routing.advice import Advice
from routing.changes import changed
from routing.corrections import NoSuchMention
from routing.desk import Desk
from routing.explain import in_words
from routing.rules import RuleSet
from routing.spread import in_words as spread_in_words
from routing.spread import spread_of
from routing.tone import in_words as tone_in_words
from stream.records import DETRACTOR_LEVELS, INTENTS, QUEUES, SENTIMENTS, Correction, Mention, decode

Sentiment = StrEnum("Sentiment", list(SENTIMENTS))  # type: ignore[misc]
Intent = StrEnum("Intent", list(INTENTS))  # type: ignore[misc]
Detractor = StrEnum("Detractor", {f"level{level}": level for level in DETRACTOR_LEVELS})  # type: ignore[misc]
Queue = StrEnum("Queue", list(QUEUES))  # type: ignore[misc]


class Language(StrEnum):
    en = "en"
    es = "es"


class Explained(msgspec.Struct, frozen=True):
    mention: Mention
    words: list[str]
    earlier: list[Earlier]
    changes: list[list[str]] = []
    """Of each earlier decision, what the one that replaced it did otherwise, and what was behind it."""
    policy: Advice | None = None
    """What the policy for detractors advises; None: the mention is of no kind, or that has ended."""


def explain(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="A mention, network:123#brand, or a post, network:123.")],
    language: Annotated[
        Language, typer.Option(help="Of the rule's reason, where the rule has it, and of the policy's advice.")
    ] = Language.en,
    as_json: Annotated[bool, typer.Option("--json", help="One mention a line, as JSON.")] = False,
) -> None:
    """Why a mention is where it is: rule, scores, terms, versions, and the decisions before this one.

    [bold]Examples[/bold]

      clamor explain 'x:1759#aurelia'
      clamor explain x:1759
      clamor explain x:1759 --json | jq .mention.decision.terms
    """
    home: Home = context.obj
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        rules = RulesOfDay(opened.engine)
        found = [explained(opened, rules, n, mention, language.value) for n, mention in mentions_of(opened, id)]
    for one in found:
        if as_json:
            print(msgspec.json.encode(one).decode())
        else:
            _show(one)


def correct(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="The mention, network:123#brand.")],
    sentiment: Annotated[Sentiment | None, typer.Option(help="Of the text.")] = None,
    reputation: Annotated[Sentiment | None, typer.Option(help="Towards the brand.")] = None,
    intent: Annotated[Intent | None, typer.Option(help="What the author wants.")] = None,
    detractor: Annotated[Detractor | None, typer.Option(help="0: none, 3: the worst.")] = None,
    queue: Annotated[Queue | None, typer.Option(help="Where it belongs; none: nowhere.")] = None,
    about: Annotated[
        bool | None,
        typer.Option("--about/--not-about", help="Whether the post means this brand; what does not is set aside."),
    ] = None,
    by: Annotated[str, typer.Option(help="Who says so. Default: the user of this shell.")] = "",
) -> None:
    """Say what a mention really is. It wins over the model and the rules, and is never overwritten by them.

    What an earlier correction said and this one does not mention stays. What nobody stated yields to what was: a
    reputation that is not negative takes the level and the risk's terms along. Labels that contradict one another are
    refused.

    [bold]Examples[/bold]

      clamor correct 'x:1759#aurelia' --intent complaint --queue support
      clamor correct 'x:1759#aurelia' --reputation neutral --by ana
      clamor correct 'x:1759#apple' --not-about
    """
    stated = {
        "sentiment": sentiment,
        "reputation": reputation,
        "intent": intent,
        "detractor": detractor,
        "queue": queue,
    }
    said: dict[str, Any] = {name: value.value for name, value in stated.items() if value is not None}
    if about is not None:
        said["about"] = about
    if not said:
        errors.print(
            "say what is to be corrected: --sentiment, --reputation, --intent, --detractor, --queue, --about or "
            "--not-about"
        )
        raise typer.Exit(exits.USAGE)
    home: Home = context.obj
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        now = opened.clock.now()
        _, held = _mention(opened, id)
        before = held.correction
        base = before if before is not None and not before.stale else Correction(person="", at=0, content_hash="")
        if about is False:
            base = replace(base, queue=None)
        correction = replace(base, person=by or getpass.getuser(), at=now, content_hash=held.content_hash, **said)
        try:
            mention = corrections.correct(
                opened.engine, Desk(opened.registry.current()), id, correction, now
            )  # fmt: skip
        except ValueError as error:
            errors.print(str(error), markup=False)
            raise typer.Exit(exits.FAILED) from None
        waits = "" if worked_by(opened.home) else "; searchable once clamor run works this home again"
    decision = mention.decision
    where = f", queue {decision.queue}, risk {decision.risk}" if decision else ""
    answers.print(f"{mention.id}: revision {mention.revision}{where}{waits}", markup=False, highlight=False)


def _mention(opened: Opened, id: str) -> tuple[int, Mention]:
    try:
        with read(opened.engine) as connection:
            return corrections.find(connection, id)
    except NoSuchMention as error:
        errors.print(str(error), markup=False)
        raise typer.Exit(exits.FAILED) from None


def mentions_of(opened: Opened, id: str) -> list[tuple[int, Mention]]:
    """The mention of this id, or all of the post of this id."""
    with read(opened.engine) as connection:
        found = rows(connection, _OF_POST, (id,))
        known = rows(connection, "SELECT state FROM post WHERE id = ?", (id,))
    if found:
        return [(n, decode(Mention, body)) for n, body in found]
    if known:
        errors.print(f"{id} is known ({known[0][0]}) and about no brand", markup=False)
        raise typer.Exit(exits.FAILED)
    return [_mention(opened, id)]


def explained(opened: Opened, rules: RulesOfDay, n: int, mention: Mention, language: str) -> Explained:
    """All that is known of why a mention is where it is."""
    chosen: Literal["en", "es"] = "es" if language == "es" else "en"
    with read(opened.engine) as connection:
        before = earlier(connection, n)
        spread = spread_of(connection, mention)
        advice = advices.of_mention(connection, n, mention, chosen, opened.clock.now())
    former = rules.of(mention.decision.rules_revision) if mention.decision is not None else ""
    of_day = former if isinstance(former, RuleSet) else None
    words = in_words(mention, of_day, language) + tone_in_words(mention) + spread_in_words(mention, spread)
    words += advices.in_words(advice, chosen) if advice is not None else []
    held = [one for _, one in stands(mention, before)]
    changes = [changed(old, new) for new, old in pairwise(held)]
    if mention.decision is None and before:
        changes.insert(0, [f"The mention became {mention.state}."])
    return Explained(mention, words, before, changes, advice)


def _show(one: Explained) -> None:
    mention = one.mention
    answers.print(mention.id, style="bold", markup=False, highlight=False)
    if mention.post is not None:
        text = "".join(c if c.isprintable() else " " for c in mention.post.text)
        answers.print(f"  {when(mention.event_time)} UTC: {text}", markup=False, highlight=False, style="dim")
    for line in one.words:
        answers.print(f"  {line}", markup=False, highlight=False)
    case = f", case {mention.case_id}" if mention.case_id is not None else ""
    answers.print(f"  Revision {mention.revision}{case}.", markup=False, highlight=False)
    if one.earlier:
        answers.print("  Before:", style="bold")
    for held, changes in zip(one.earlier, one.changes, strict=True):
        was = held.decision
        until = f"until {when(held.replaced_at)} (revision {held.revision})"
        answers.print(f"    {until}: queue {was.queue} by {was.rule}, risk {was.risk}", markup=False, highlight=False)
        for line in changes:
            answers.print(f"      Then {line}", markup=False, highlight=False)


_OF_POST = "SELECT m.n, m.body FROM post p JOIN mention m ON m.post = p.n WHERE p.id = ? ORDER BY m.n"
