"""What one record does to its post: the merge by parts, and which reading of which content is to be adopted."""

from __future__ import annotations

from routing.keys import author_key
from routing.rows import PostRow
from routing.sheet import Sheet
from routing.threads import attach
from stream.merge import is_bare_restore
from stream.records import AWAY_KINDS, CONTENT_KINDS, TIERS, Understood

_TIER = {tier: place for place, tier in enumerate(TIERS)}


def observe(sheet: Sheet, record: Understood) -> PostRow | None:
    """The post's row, changed; None for a record about an author as a whole (see `note_absences`)."""
    post = record.post
    if post.repost_of:
        return _repost(sheet, record)
    row = sheet.posts.get(post.id) or sheet.new_post(post.id)
    row.dirty = True
    _heard_of(row, record)
    if post.kind in CONTENT_KINDS and not is_bare_restore(post):
        _content(sheet, row, record)
    elif post.kind == "metrics":
        if post.metrics is not None:
            row.parts.take_metrics(post.metrics, post.seen_at)
            row.cause = row.cause or record
    else:
        row.parts.take_existence(post.kind, post.seen_at)
        _learnt(row, record)
        if not row.parts.content_hash:
            row.event_time = post.event_time
    return row


def note_absences(sheet: Sheet, records: list[Understood]) -> None:
    """When accounts went away or came back. What came of those that went is swept (`routing.absence`)."""
    for record in records:
        post = record.post
        if post.author is None:
            continue
        author = author_key(post.network, post.author.id)
        gone, back = sheet.absences.get(author, (0, 0))
        if post.kind == "author_back":
            back = max(back, post.seen_at)
        elif post.seen_at > gone:
            gone = post.seen_at
            sheet.new_sweeps[author] = record.appended_at
        sheet.absences[author] = (gone, back)
        sheet.new_absences.add(author)


def hold_against_absence(sheet: Sheet, row: PostRow) -> None:
    """Let a post know when its author's account went away."""
    absence = sheet.absences.get(row.author or 0)
    if absence is not None and absence[0] > row.parts.away_at:
        row.parts.take_absence(absence[0])
        row.dirty = True


def _learnt(row: PostRow, record: Understood) -> None:
    if record.post.kind in AWAY_KINDS and not row.learnt:
        row.learnt = record.appended_at


def _heard_of(row: PostRow, record: Understood) -> None:
    """To read anew what came long ago is no word of it from outside."""
    if record.post.origin != "reprocess" or row.new:
        row.seen_at = max(row.seen_at, record.appended_at)


def _content(sheet: Sheet, row: PostRow, record: Understood) -> None:
    post = record.post
    first = not row.parts.content_hash
    row.arrived_at = min(row.arrived_at or record.appended_at, record.appended_at)
    if first or post.event_time < row.event_time:
        row.event_time = post.event_time
    if row.author is None and post.author is not None:
        # Of what expired the author was forgotten; back again, it has to be found when its account goes away.
        row.author = author_key(post.network, post.author.id)
    if first:
        attach(sheet, row, post)
    hold_against_absence(sheet, row)
    if post.kind == "restored":
        row.parts.take_existence("restored", post.seen_at)
    held = row.parts.content_hash
    newest = row.parts.take_content(post, record.content_hash)
    if row.parts.content_hash == record.content_hash:
        sheet.contents[row.n] = post
    if row.was == "expired" and row.parts.state == "live":
        row.arrived_at = record.appended_at
    if post.metrics is not None:
        row.parts.take_metrics(post.metrics, post.seen_at)
    if not newest or record.mentions is None:
        return
    rank = (record.generation, _TIER[record.tier])
    no_text = row.was != "live" and row.read is None
    if held != record.content_hash:
        row.content, row.read, row.cause = post, record, record
        row.provisional = record.provisional
        row.generation, row.tier = rank
        return
    if rank >= (row.generation, row.tier) or no_text:
        row.read, row.cause = record, record
        row.provisional = record.provisional
        if post.kind == "restored" or row.was != "live":
            row.content = post
    row.generation, row.tier = max((row.generation, row.tier), rank)


def _repost(sheet: Sheet, record: Understood) -> PostRow | None:
    """A pure repost says how far the original went; it is never a mention of its own."""
    post = record.post
    assert post.repost_of is not None
    if post.kind not in CONTENT_KINDS and post.kind != "metrics":
        return None
    row = sheet.posts.get(post.repost_of) or sheet.new_post(post.repost_of)
    row.dirty = True
    if row.state == "awaited":
        _heard_of(row, record)
    if post.metrics is not None:
        row.parts.take_metrics(post.metrics, post.seen_at)
        row.cause = row.cause or record
    return row
