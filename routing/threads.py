"""Where a post stands: the post it answers, the conversation it is part of, and conversations that turn out to be one.

A conversation is numbered by its root. A post that is only referred to has a row as well, so that a parent that
arrives late finds its children: their conversation is united with the one that the parent is part of. A union only
points from one conversation to the other and is recorded: `part` takes it back.
"""

from __future__ import annotations

from routing.rows import PostRow
from routing.sheet import Sheet
from stream.records import Millis, Post


def attach(sheet: Sheet, row: PostRow, post: Post) -> None:
    """Give the row its parent and conversation, and note which conversations are one."""
    root = _referred(sheet, post.conversation, row)
    parent = _referred(sheet, post.reply_to, row, root)
    if root is None and parent is None:
        return
    if parent is not None:
        row.parent = parent.n
    if root is not None:
        target = root.conversation
        if parent is not None and parent.conversation != target:
            sheet.unions.append((parent.conversation, target))
    else:
        assert parent is not None
        target = parent.conversation
    if row.new and not row.referred:
        row.conversation = target
    elif row.conversation != target:
        sheet.unions.append((row.conversation, target))


def unite(sheet: Sheet) -> list[tuple[int, int]]:
    """Unite what `attach` noted. (loser, winner) of each union that was made."""
    if not sheet.unions:
        return []
    sheet.load_conversations({n for pair in sheet.unions for n in pair})
    made = []
    for one, other in sheet.unions:
        loser, winner = sheet.root(one), sheet.root(other)
        if loser == winner:
            continue
        sheet.joined[loser] = winner
        sheet.merges.append((loser, winner, "a late parent"))
        warm, warm_at = sheet.heat.get(loser, (0.0, 0))
        if warm:
            sheet.heat[winner] = warmed(sheet.heat.get(winner, (0.0, 0)), warm_at, warm)
            sheet.hotter.add(winner)
        made.append((loser, winner))
    sheet.unions.clear()
    return made


HALF_LIFE: Millis = 30 * 60_000


def warmed(heat: tuple[float, Millis], at: Millis, by: float) -> tuple[float, Millis]:
    """Heat after `by` more at time `at`; what is older has cooled by half each 30 minutes."""
    held, held_at = heat
    if at >= held_at:
        return held * 0.5 ** ((at - held_at) / HALF_LIFE) + by, at
    return held + by * 0.5 ** ((held_at - at) / HALF_LIFE), held_at


def _referred(sheet: Sheet, id: str | None, row: PostRow, root: PostRow | None = None) -> PostRow | None:
    if not id or id == row.id:
        return None
    found = sheet.posts.get(id)
    if found is None:
        found = sheet.new_post(id)
        found.seen_at = found.event_time = row.seen_at
        if root is not None:
            found.conversation = root.conversation
    found.referred = True
    return found
