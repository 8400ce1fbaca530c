"""What is wrong with channels that no single setting shows: names that point nowhere, secrets that are not there, a
crisis that a brand's people would hear of by mail alone."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping
from importlib.util import find_spec
from typing import Any, TypeAlias

from config.marked import Path, Sheet
from config.problems import Problem, Severity, did_you_mean, shown

Items: TypeAlias = list[tuple[int, Mapping[str, Any]]]
TELLS = ("crisis", "warning")
WATCHED = ("own", "category")


def check_channels(
    sheet: Sheet, channels: Items, ids: Collection[str] | None, brands: Items, people: Items, teams: Items
) -> Iterator[Problem]:
    """Of people and teams of the file beside its channels. `ids`: of these, or of the home's where the file has none;
    None: nobody knows them."""
    yield from _one_channel(sheet, channels, brands, people, teams)
    if ids is None:
        return
    for section, items in (("people", people), ("teams", teams)):
        for n, item in items:
            for at, name in enumerate(_words(item.get("channels"))):
                if name not in ids:
                    where: Path = (section, n, "channels", at)
                    advice = did_you_mean(name, ids) or "write it under `channels:` first"
                    yield sheet.problem(where, "no channel has this id", advice, value=shown(name))


def _one_channel(sheet: Sheet, channels: Items, brands: Items, people: Items, teams: Items) -> Iterator[Problem]:
    """Brands of a file with channels of whose crisis nobody would be told but by mail."""
    if not channels:
        return
    tell = {str(one.get("id")) for _, one in channels if "crisis" in (_words(one.get("tells")) or TELLS)}
    beside = {
        str(person.get("id"))
        for _, person in people
        if tell.intersection(_words(person.get("channels")))
        or any(
            tell.intersection(_words(team.get("channels"))) and str(person.get("id")) in _words(team.get("members"))
            for _, team in teams
        )
    }
    for n, brand in brands:
        if brand.get("kind", "own") not in WATCHED:
            continue
        hears = [str(person.get("id")) for _, person in people if _hears(person, brand.get("id"))]
        if hears and not beside.intersection(hears):
            place: Path = ("brands", n, "id")
            message = "a crisis of this brand is told by mail alone"
            advice = f"give one of {', '.join(hears[:5])}, or a team of theirs, a channel that tells a crisis"
            yield sheet.problem(place, message, advice, severity="warning", value=shown(brand.get("id")))


def _hears(person: Mapping[str, Any], brand: object) -> bool:
    """Of the brand's incidents, which are queue pr's."""
    brands, queues = _words(person.get("brands")), _words(person.get("queues"))
    return (not brands or brand in brands) and (not queues or "pr" in queues)


def check_ways(sheet: Sheet, channels: Items, secrets: Container[str], severity: Severity) -> Iterator[Problem]:
    """Addresses and keys that are not there, and what is not installed."""
    for n, channel in channels:
        for key in ("url_env", "secret_env", "former_secret_env"):
            name = channel.get(key)
            if isinstance(name, str) and name not in secrets:
                yield sheet.problem(
                    ("channels", n, key),
                    f"{shown(name)} is neither in the environment nor in secrets.env",
                    "write it into secrets.env as NAME=value, or set it where Clamor is started",
                    severity=severity,
                )
        if channel.get("kind") == "apprise" and find_spec("apprise") is None:
            yield sheet.problem(
                ("channels", n, "kind"),
                "apprise is not installed: what is told by this channel fails",
                "pip install 'clamor[apprise]'",
                severity="warning",
            )


def _words(value: object) -> list[str]:
    return [str(text) for text in value] if isinstance(value, list) else []
