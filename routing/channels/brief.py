"""A letter in a few lines, for a chat, a phone or a pager.

It goes to services of others, who keep it for as long as they like: so it holds numbers, names of networks and links,
and no post, no author, and none of the words that strangers chose.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from msgspec.structs import replace

from routing.mail.letter import AlertLetter, IncidentLetter, Letter
from routing.mail.render import worded
from routing.mail.words import Words

OF_OURS = ("network", "intent")
"""Parts of a cause whose names Clamor has chosen."""
OF_STRANGERS = ("impersonation",)
"""Troubles whose sentence holds names that strangers chose: that there is one is told, the mail says which."""


class Brief(NamedTuple):
    title: str
    body: str
    """Lines, in plain text."""


def brief(letter: Letter, reader: Words) -> Brief:
    if isinstance(letter, AlertLetter):
        letter = replace(letter, post=replace(letter.post, author="", handle="", text=None, title=""))
        _, said = worded(letter, reader)
        lines = [said["reason"], said["post"]["link"], _command(reader, said["case_command"])]
    elif isinstance(letter, IncidentLetter):
        letter = replace(letter, parts=tuple(part for part in letter.parts if part.kind in OF_OURS), top=())
        _, said = worded(letter, reader)
        lines = [
            said["happened"],
            f"{said['numbers']} {said['sure']}",
            reader("incident_escalated") if said["escalated"] else "",
            said["acknowledged"],
            *(f"{part['kind']}: {part['told']}" for part in said["parts"]),
            f"{reader('incomplete')}. {reader('incomplete_meaning')}" if said["missing"] else "",
            *(f"{link['text']}: {link['address']}" for link in said["links"]),
            _command(reader, said["command"]),
        ]
    else:
        _, said = worded(letter, reader)
        links = [f"{link['text']}: {link['address']}" for link in said.get("links", ())]
        why = "" if said.get("about") in OF_STRANGERS else said.get("why", "")
        lines = [said["happened"], why, *links, _command(reader, said["command"])]
    return Brief(_plain(said["subject"]), _plain("\n".join(line.strip() for line in lines if line and line.strip())))


def _command(reader: Words, command: str) -> str:
    return f"{reader('in_terminal')}: {command}" if command else ""


def _plain(text: str) -> str:
    """Nobody is called by a sign that a chat takes for a call, such as @everyone or <!channel>; links stay, and where
    somebody's name in one is such a call, its @ is written as addresses may write it."""
    return _ALL.sub("%40", _CALLS.sub("@\u200b", text)).replace("<!", "<\u200b!")


_CALLS = re.compile(r"(?<![\w/.:=?&-])@")
"""Not within an address: https://social.example/@ana/1."""
_ALL = re.compile(r"@(?=(?:everyone|here|channel|all)\b)", re.IGNORECASE)
