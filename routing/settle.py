"""Which mentions a post has, after a batch: by its text, by its source, or by the post that it answers.

A mention keeps its row for good; what vanishes is a state (`retracted`, `deleted`, …), so that consumers hear of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from routing.desk import Desk
from routing.risk import reach_bucket
from routing.rows import MentionRow, PostRow
from routing.sheet import Sheet
from stream.guidelines import of_category
from stream.records import Mention, MentionState, Post, Understanding, Understood, mention_id


def settle(sheet: Sheet, rows: Iterable[PostRow]) -> list[MentionRow]:
    """Bring the mentions of these posts in line with their parts; the mentions that changed. Parents go first; children
    elsewhere follow when the brands of a parent changed."""
    changed: list[MentionRow] = []
    level = list(rows)
    while level:
        moved: list[PostRow] = []
        for row in level:
            _settle(sheet, row, changed, moved)
        level = _children(sheet, moved)
    return changed


def _settle(sheet: Sheet, row: PostRow, changed: list[MentionRow], moved: list[PostRow]) -> None:
    if row.settled:
        return
    row.settled = True
    parent = sheet.by_n.get(row.parent) if row.parent is not None else None
    if parent is not None and parent.cause is not None and not parent.settled:
        _settle(sheet, parent, changed, moved)
    held = sheet.mention_rows(row.n)
    before = {n for n, m in held.items() if m.state != "retracted"} if held else set()
    if row.parts.content_hash:
        state = row.parts.state
        text_is_gone = row.read is None and row.was not in ("live", "awaited")
        if state == "live" and text_is_gone:
            return
        row.state = state
        if state == "live":
            _live(sheet, row, held, changed)
        else:
            _gone(sheet, row, held, state, changed)
    elif row.parts.state != "live":
        row.state = row.parts.state
    if not row.new or row.was != "awaited":
        after = {n for n, m in held.items() if m.state != "retracted"}
        if after != before:
            moved.append(row)


def _live(sheet: Sheet, row: PostRow, held: dict[int, MentionRow], changed: list[MentionRow]) -> None:
    if row.read is None and row.was == "live" and not row.answers_moved:
        _reach(row, held, changed)
        return
    wanted, generation = _wanted(sheet, row, held)
    for brand_n, (brand, reading) in wanted.items():
        m = held.get(brand_n)
        if m is None:
            m = sheet.new_mention(row, brand_n, brand)
        if _draft(sheet, row, m, reading):
            changed.append(m)
    for brand_n, m in held.items():
        if brand_n not in wanted and m.state != "retracted" and _may_retract(row, m, generation):
            _drop(m, "retracted")
            changed.append(m)


def _wanted(
    sheet: Sheet, row: PostRow, held: dict[int, MentionRow]
) -> tuple[dict[int, tuple[str, Understanding]], int]:
    """({brand's number: (brand, reading)}, generation that says so)."""
    desk, connection = sheet.desk, sheet.connection
    read = row.read
    if read is None and row.n in sheet.waiting:
        read = row.read = sheet.waiting[row.n]
        if read is not None and row.content is None:
            row.content, row.cause = read.post, read
    if read is not None:
        explicit = {desk.brands.number(connection, u.brand): (u.brand, u) for u in read.mentions or ()}
        unnamed = read.unnamed
    else:
        explicit, unnamed = _held_readings(held)
    may_retract = read.generation if read is not None else _ANY
    if explicit or unnamed is None or row.parent is None:
        _wait(sheet, row, None)
        return explicit, may_retract
    wanted = {
        n: (brand, _towards(desk, brand, unnamed))
        for n, m in sheet.mention_rows(row.parent).items()
        if m.state != "retracted"
        for brand in (m.brand or desk.brands.word(connection, n),)
    }
    if read is None and any(n not in held or held[n].state != "live" for n in wanted):
        # A brand that the reply was not about before: its mention is made from what another mention of it holds.
        row.read = _as_read(row, held, unnamed)
        row.content = row.content or (row.read.post if row.read is not None else None)
    _wait(sheet, row, None if wanted else read or _as_read(row, held, unnamed))
    return wanted, may_retract


def _towards(desk: Desk, brand: str, unnamed: Understanding) -> Understanding:
    """The reading of a reply, towards the brand of the post that it answers."""
    read = replace(unnamed, brand=brand, matched_by="parent")
    return of_category(read) if desk.kinds.get(brand) == "category" else read


_ANY = 1 << 30


def _wait(sheet: Sheet, row: PostRow, read: Understood | None) -> None:
    """Keep a reply about no brand until the post that it answers is known, or drop it where it is a mention now."""
    if read is not None:
        sheet.waiting[row.n] = replace(read, post=row.content or read.post)
        sheet.moved_waiting.add(row.n)
    elif sheet.waiting.get(row.n) is not None:
        sheet.waiting[row.n] = None
        sheet.moved_waiting.add(row.n)


def _held_readings(
    held: dict[int, MentionRow],
) -> tuple[dict[int, tuple[str, Understanding]], Understanding | None]:
    explicit: dict[int, tuple[str, Understanding]] = {}
    unnamed = None
    for n, m in held.items():
        reading = m.value.understanding if m.value is not None else None
        if reading is None or m.state == "retracted":
            continue
        if reading.matched_by == "parent":
            if unnamed is None or unnamed.reputation is None:  # that of a category says less
                unnamed = reading
        else:
            explicit[n] = (m.brand, reading)
    return explicit, unnamed


def _as_read(row: PostRow, held: dict[int, MentionRow], unnamed: Understanding) -> Understood | None:
    """The reading of a reply as it was, from a mention that it still has."""
    for m in held.values():
        value = m.value
        if value is not None and value.post is not None and value.decision is not None:
            return Understood(
                post=value.post, appended_at=value.appended_at, understood_at=value.understood_at,
                content_hash=row.parts.content_hash, lang=value.lang, lang_confidence=value.lang_confidence,
                fingerprint=value.fingerprint, generation=value.decision.generation, tier=value.decision.tier,
                model=value.decision.model, provisional=value.decision.provisional, mentions=(), unnamed=unnamed,
            )  # fmt: skip
    return None


def _draft(sheet: Sheet, row: PostRow, m: MentionRow, reading: Understanding) -> bool:
    """Set what the mention is to become, decision aside; whether there is anything to decide anew."""
    old = m.value
    post = row.content or (old.post if old is not None else None) or (row.read.post if row.read is not None else None)
    if post is None:
        return False
    post = _as_merged(post, row)
    if old is not None and old.post is not None and row.content is None and _same_reach(old.post, post):
        post = replace(post, metrics=old.post.metrics)
    read = row.read
    if old is None or read is not None or old.understanding is None:
        value = _fresh(sheet, row, m, post, reading, read, old)
    else:
        value = replace(old, state="live", post=post, understanding=reading, event_time=row.event_time)
    if old is not None and m.state == "live" and value == old:
        return False
    m.value, m.state, m.touched = value, "live", True
    return True


def _fresh(
    sheet: Sheet,
    row: PostRow,
    m: MentionRow,
    post: Post,
    reading: Understanding,
    read: Understood | None,
    old: Mention | None,
) -> Mention:
    correction = old.correction if old is not None else None
    content_hash = row.parts.content_hash
    fingerprint = read.fingerprint if read else old.fingerprint if old else 0
    same = old if old is not None and old.fingerprint == fingerprint else None
    if correction is not None and correction.stale != (correction.content_hash != content_hash):
        correction = replace(correction, stale=not correction.stale)
    return Mention(
        id=mention_id(row.id, m.brand),
        revision=m.revision,
        state="live",
        post=post,
        post_id=row.id,
        brand=m.brand,
        brand_kind=sheet.desk.kind(m.brand),
        network=post.network,
        event_time=row.event_time,
        source_id=post.source_id,
        access=post.access,
        conversation=old.conversation if old is not None else "",
        lang=read.lang if read else old.lang if old else "",
        lang_confidence=read.lang_confidence if read else old.lang_confidence if old else 0.0,
        fingerprint=fingerprint,
        cluster=same.cluster if same else None,
        copies=same.copies if same else 0,
        spam=same.spam if same else (),
        content_hash=content_hash,
        understanding=reading,
        correction=correction,
        decision=old.decision if old is not None else None,
        case_id=m.case_id,
        appended_at=old.appended_at if old is not None and old.appended_at else read.appended_at if read else 0,
        understood_at=read.understood_at if read else old.understood_at if old else 0,
        decided_at=old.decided_at if old is not None else 0,
    )


def _as_merged(post: Post, row: PostRow) -> Post:
    metrics = row.parts.metrics()
    if post.event_time != row.event_time:
        return replace(post, metrics=metrics, event_time=row.event_time)
    return post if post.metrics == metrics else replace(post, metrics=metrics)


def _same_reach(one: Post, other: Post) -> bool:
    followers = one.author.followers if one.author else None
    return reach_bucket(followers, one.metrics) == reach_bucket(followers, other.metrics)


def _reach(row: PostRow, held: dict[int, MentionRow], changed: list[MentionRow]) -> None:
    """New metrics: a new revision only where they reach another bucket, or where its time moved."""
    for m in held.values():
        if m.state != "live" or m.value is None or m.value.post is None:
            continue
        post = _as_merged(m.value.post, row)
        if not _same_reach(m.value.post, post) or m.value.event_time != row.event_time:
            m.value = replace(m.value, post=post, event_time=row.event_time)
            m.touched = True
            changed.append(m)


def _gone(
    sheet: Sheet, row: PostRow, held: dict[int, MentionRow], state: MentionState, changed: list[MentionRow]
) -> None:
    """Take the text away everywhere. Content that comes after the delete is remembered as deleted, without its text."""
    if row.n in sheet.waiting or row.was in ("live", "awaited"):
        sheet.waiting[row.n] = None
        sheet.moved_waiting.add(row.n)
    if row.read is not None:
        _remember_all(sheet, row, held, row.read, state, changed)
    for m in held.values():
        if m.state not in (state, "retracted") and _may_become(m.state, state):
            _drop(m, state)
            changed.append(m)


def _remember_all(
    sheet: Sheet,
    row: PostRow,
    held: dict[int, MentionRow],
    read: Understood,
    state: MentionState,
    changed: list[MentionRow],
) -> None:
    """Which brands the post is about counts for the replies to it, also when its text may not be kept."""
    brands = {sheet.desk.brands.number(sheet.connection, u.brand): u.brand for u in read.mentions or ()}
    if not brands and read.unnamed is not None and row.parent is not None:
        answered = sheet.mention_rows(row.parent)
        brands = {
            n: m.brand or sheet.desk.brands.word(sheet.connection, n)
            for n, m in answered.items()
            if m.state != "retracted"
        }
    for n, brand in brands.items():
        m = held.get(n)
        if m is None:
            changed.append(_remember(sheet, row, sheet.new_mention(row, n, brand), read, state))
        elif m.state == "retracted":
            m.value = replace(m.value, state=state) if m.value is not None else None
            m.state, m.touched, m.silent = state, True, True
            changed.append(m)
    for n, m in held.items():
        if n not in brands and m.state != "retracted" and _may_retract(row, m, read.generation):
            _drop(m, "retracted")
            changed.append(m)


def _may_become(held: str, state: str) -> bool:
    return held == "live" or held == "expired" or state == "forgotten"


def _remember(sheet: Sheet, row: PostRow, m: MentionRow, read: Understood, state: MentionState) -> MentionRow:
    """A mention of a post that was deleted before it came: nobody saw it, nobody is told."""
    m.value = Mention(
        id=mention_id(row.id, m.brand), revision=0, state=state, post_id=row.id, brand=m.brand,
        brand_kind=sheet.desk.kind(m.brand), network=read.post.network, event_time=row.event_time,
        source_id=read.post.source_id, access=read.post.access, appended_at=read.appended_at,
        understood_at=read.understood_at,
    )  # fmt: skip
    m.state = state
    m.touched = m.silent = True
    return m


def _drop(m: MentionRow, state: MentionState) -> None:
    """`expired` keeps reading, decision, case and counts; the others keep who decided and nothing of the text."""
    value = m.value
    assert value is not None
    m.state, m.touched = state, True
    if state == "expired":
        m.value = replace(
            value, state=state, post=None, content_hash="", fingerprint=0, cluster=None, copies=0, spam=()
        )
        return
    m.earlier = value.decision
    m.value = replace(
        value, state=state, post=None, content_hash="", fingerprint=0, cluster=None, copies=0, spam=(), lang="",
        lang_confidence=0.0, understanding=None, decision=None, case_id=None,
        gone_since=m.post.learnt if state in ("deleted", "forgotten") else 0,
    )  # fmt: skip
    m.queue, m.risk, m.case_id = "none", 0, None


def _may_retract(row: PostRow, m: MentionRow, generation: int) -> bool:
    """Whether a reading of this generation says that the post is not about the brand. Generations are compared among
    readings of one content only; a mention whose text expired was made from the one that the post had."""
    value = m.value
    if value is None or value.decision is None or (value.content_hash or row.had) != row.parts.content_hash:
        return True
    return generation >= value.decision.generation


def _children(sheet: Sheet, moved: list[PostRow]) -> list[PostRow]:
    """Replies to posts whose brands changed, loaded, to be settled again."""
    if not moved:
        return []
    parents = {row.n for row in moved}
    sheet.load_conversations({row.conversation for row in moved})
    threads = sheet.parts_of({sheet.root(row.conversation) for row in moved})
    found = [
        row for row in sheet.load_thread(threads)
        if row.parent in parents and row.parts.content_hash and row.parts.state == "live"
    ]  # fmt: skip
    numbers = [row.n for row in found]
    sheet.load_mentions(numbers)
    sheet.load_bodies(m for n in numbers for m in sheet.mention_rows(n).values())
    sheet.load_waiting(numbers)
    for row in found:
        row.settled, row.answers_moved = False, True
    return found
