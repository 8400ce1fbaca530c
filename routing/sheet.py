"""Everything that a batch works on, in memory: loaded by sets, changed, saved by sets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection

from database.engine import rows, rows_in
from routing import parts
from routing.contribution import Tally
from routing.desk import Desk
from routing.parts import Parts
from routing.policy import Found
from routing.rows import CaseRow, MentionRow, PostRow
from stream.records import Mention, Millis, Post, Understood, decode

SHORT_THREAD = 200
"""Posts of a conversation that is read whole when a case opens in it."""


class ClusterPost(NamedTuple):
    """A row of `cluster_post` to be written."""

    post: int
    cluster: int
    fingerprint: int
    author: int | None
    event_time: Millis
    entry: bool


class ClusterChanges:
    """What a batch changes in the tables of clusters."""

    def __init__(self) -> None:
        self.joined: list[ClusterPost] = []
        self.left: list[int] = []
        """Numbers of rows that go."""
        self.sizes: dict[int, int] = {}
        """By cluster: its posts, where that changed."""


class CaseEvent(NamedTuple):
    case: CaseRow
    change: str
    mention: MentionRow | None
    """That moved it."""
    detail: str = ""
    person: str = ""
    """Who did it; empty: Clamor."""
    face: MentionRow | None = None
    """That goes with the news to other programs, where no mention moved it."""
    told: tuple[str, ...] = ()
    """People who are told of it beside those who follow the case."""
    reason: str = ""
    """Why, in the words of the person who did it; emptied like a note."""


class Load(NamedTuple):
    """What somebody has to do."""

    cases: int
    """In work: those that wait or are snoozed are not counted."""
    newest: int
    """Number of the newest case that they have; 0: none."""


class Sheet:
    """The batch's view of SQL. What is looked at must have been loaded."""

    def __init__(self, connection: Connection, desk: Desk, now: Millis) -> None:
        self.connection, self.desk, self.now = connection, desk, now
        self.posts: dict[str, PostRow] = {}
        self.by_n: dict[int, PostRow] = {}
        self.mentions: dict[int, dict[int, MentionRow]] = {}
        """By post and brand."""
        self.waiting: dict[int, Understood | None] = {}
        """By post: the reply to keep for later, None: to be dropped."""
        self.moved_waiting: set[int] = set()
        self.contents: dict[int, Post] = {}
        """By post: its newest content, where this batch brought it, be it new or not."""
        self.swept: list[tuple[str, int]] = []
        """(source, post) of those to be looked up again on their network from now on."""
        self.absences: dict[int, tuple[Millis, Millis]] = {}
        """By author: when the account went away, when it came back."""
        self.new_absences: set[int] = set()
        self.new_sweeps: dict[int, Millis] = {}
        """By author whose posts are to be taken along: when the log took the word of it."""
        self.joined: dict[int, int | None] = {}
        """By conversation: what it was united with."""
        self.heat: dict[int, tuple[float, Millis]] = {}
        self.hotter: set[int] = set()
        self.unions: list[tuple[int, int]] = []
        self.merges: list[tuple[int, int, str]] = []
        self.cases: dict[int, CaseRow] = {}
        self.pr_cases: dict[tuple[int, int], CaseRow] = {}
        self.author_cases: dict[tuple[int, int, int], CaseRow] = {}
        self.past_cases: dict[tuple[int, int, int], CaseRow] = {}
        self.handed_over: dict[tuple[int, int, int], CaseRow] = {}
        """Merged ones: what comes in their place goes to whom they were merged into."""
        self.known_cases: set[int] = set()
        """Conversations whose cases are loaded."""
        self.reckoned: set[int] = set()
        """Cases of which a deadline was stored or dropped."""
        self.opened: list[CaseRow] = []
        self.joined_by: list[CaseRow] = []
        """Cases that were reopened or took an author's matter over."""
        self.others: dict[int, MentionRow] = {}
        """Mentions that changed without being in the batch, by number."""
        self.loads: dict[str, Load] = {}
        """By person, of those whom a case may be given to: as it was when this batch first asked, and what it gave."""
        self.new_parties: list[tuple[int, int]] = []
        self.lost_parties: list[tuple[int, int]] = []
        self.events: list[CaseEvent] = []
        self.new_tags: list[tuple[int, str]] = []
        self.lost_tags: list[tuple[int, str]] = []
        self.tally = Tally()
        self.kinds: list[tuple[MentionRow, Found | None]] = []
        """Of mentions that were decided, or that ended: the kind by the policy; None: it has none."""
        self.tell_of: list[tuple[MentionRow, Found]] = []
        """Of those, kinds of which the policy lets persons be told by name, and whose posts may wake people."""
        self.said: list[tuple[PostRow, int, bool]] = []
        """In the records' order: a post, the fingerprint of its text from there on (0: it went), whether the text
        itself names a brand."""
        self.clusters = ClusterChanges()
        self.authors: dict[tuple[int, int], list[int]] = {}
        """By author and brand: mentions, negatives, latest event time, as known."""
        self.author_changes: dict[tuple[int, int], list[int]] = {}

    # --- posts ---------------------------------------------------------------------------------------------------

    def load_posts(self, ids: Iterable[str]) -> None:
        wanted = [id for id in ids if id not in self.posts]
        sql = f"SELECT {_POST} FROM post WHERE id IN (??)"
        self._keep_posts(rows_in(self.connection, sql, wanted))

    def load_numbered(self, numbers: Iterable[int]) -> None:
        wanted = [n for n in numbers if n not in self.by_n]
        sql = f"SELECT {_POST} FROM post WHERE n IN (??)"
        self._keep_posts(rows_in(self.connection, sql, wanted))

    def load_thread(self, conversations: Iterable[int]) -> list[PostRow]:
        """Every post of these conversations (as they were before merges)."""
        wanted = list(conversations)
        self.load_numbered(wanted)
        sql = f"SELECT {_POST} FROM post WHERE conversation IN (??) AND conversation != n"
        self._keep_posts(rows_in(self.connection, sql, wanted))
        among = set(wanted)
        return [row for row in self.by_n.values() if row.conversation in among]

    def new_post(self, id: str) -> PostRow:
        n = self.desk.posts.take(self.connection)
        row = PostRow(n, id, conversation=n, parts=Parts(), new=True)
        self.posts[id] = row
        self.by_n[n] = row
        return row

    def _keep_posts(self, found: Iterable[Any]) -> None:
        for (
            n, id, author, parent, conversation, state, seen_at, arrived_at, event_time, generation, tier, provisional,
            raw,
        ) in found:  # fmt: skip
            if n in self.by_n:
                continue
            row = PostRow(
                n, id, author=author, parent=parent, conversation=conversation, state=state, seen_at=seen_at,
                arrived_at=arrived_at, event_time=event_time, generation=generation, tier=tier,
                provisional=provisional == 1, parts=parts.held(raw), new=False,
            )  # fmt: skip
            self.posts[row.id] = row
            self.by_n[row.n] = row

    # --- mentions ------------------------------------------------------------------------------------------------

    def load_mentions(self, posts: Iterable[int]) -> None:
        """The mentions of these posts, without their bodies."""
        wanted = [n for n in posts if n not in self.mentions]
        for n in wanted:
            self.mentions[n] = {}
        self._keep_mentions(rows_in(self.connection, f"SELECT {_MENTION} FROM mention WHERE post IN (??)", wanted))

    def load_members(self, cases: Iterable[int]) -> list[MentionRow]:
        """Every mention of these cases, with the others of its post."""
        wanted = list(cases)
        found = rows_in(self.connection, "SELECT post FROM mention WHERE case_id IN (??)", wanted)
        numbers = [n for (n,) in found]
        self.load_numbered(numbers)
        self.load_mentions(numbers)
        among = set(wanted)
        return [m for held in self.mentions.values() for m in held.values() if m.case_id in among]

    def load_quiet(self, conversations: Iterable[int]) -> list[MentionRow]:
        """Live mentions of these conversations that ask for no work and are in no live case."""
        wanted = list(conversations)
        quiet = (
            "m.state = 'live' AND m.queue = 'none' "
            "AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.id = m.case_id AND c.live = 1)"
        )
        sql = f"SELECT m.post FROM post p JOIN mention m ON m.post = p.n WHERE p.conversation IN (??) AND {quiet}"
        found = rows_in(self.connection, f"{sql} AND p.conversation != p.n", wanted)
        found += rows_in(self.connection, f"SELECT post FROM mention m WHERE post IN (??) AND {quiet}", wanted)
        closing = [case.id for case in self.cases.values() if case.dirty and not case.live and not case.new]
        if closing:
            sql = "SELECT post FROM mention WHERE case_id IN (??) AND state = 'live' AND queue = 'none'"
            found += rows_in(self.connection, sql, closing)
        posts = list({post for (post,) in found})
        self.load_numbered(posts)
        self.load_mentions(posts)
        held = [m for n in posts for m in self.mention_rows(n).values()]
        return [m for m in held if m.state == "live" and m.queue == "none"]

    def load_bodies(self, mentions: Iterable[MentionRow]) -> None:
        wanted = {m.n: m for m in mentions if m.value is None and not m.new}
        for n, body in rows_in(self.connection, "SELECT n, body FROM mention WHERE n IN (??)", list(wanted)):
            row = wanted[n]
            row.value = row.was = decode(Mention, body)
            row.brand = row.value.brand

    def mention_rows(self, post: int) -> dict[int, MentionRow]:
        found = self.mentions.get(post)
        if found is None:
            found = self.mentions[post] = {}
        return found

    def new_mention(self, post: PostRow, brand_n: int, brand: str) -> MentionRow:
        row = MentionRow(self.desk.mentions.take(self.connection), post, brand_n, new=True)
        row.brand = brand
        self.mention_rows(post.n)[brand_n] = row
        return row

    def _keep_mentions(self, found: Iterable[Any]) -> None:
        for n, post, brand, revision, state, queue, risk, case_id, month, contribution in found:
            held = self.mentions[post]
            if brand in held:
                continue
            held[brand] = MentionRow(
                n, self.by_n[post], brand, revision=revision, state=state, queue=queue, risk=risk,
                case_id=case_id, month=month, written=contribution, new=False,
            )  # fmt: skip

    def load_waiting(self, posts: Iterable[int]) -> None:
        wanted = [n for n in posts if n not in self.waiting]
        for n, body in rows_in(self.connection, "SELECT post, body FROM waiting WHERE post IN (??)", wanted):
            self.waiting[n] = decode(Understood, body)

    # --- conversations -------------------------------------------------------------------------------------------

    def load_conversations(self, numbers: Iterable[int]) -> None:
        """These conversations and all that they were united with."""
        wanted = {n for n in numbers if n not in self.joined}
        while wanted:
            sql = "SELECT n, joined, heat, heat_at FROM conversation WHERE n IN (??)"
            self.joined.update(dict.fromkeys(wanted))
            for n, joined, heat, heat_at in rows_in(self.connection, sql, list(wanted)):
                self.joined[n] = joined
                self.heat[n] = (heat, heat_at)
            wanted = {into for n in wanted if (into := self.joined[n]) is not None and into not in self.joined}

    def root(self, conversation: int) -> int:
        """The conversation that this one is part of."""
        while True:
            into = self.joined.get(conversation)
            if into is None:
                return conversation
            conversation = into

    def made_now(self) -> set[int]:
        """Conversations that this batch began."""
        return {row.n for row in self.by_n.values() if row.new and row.conversation == row.n}

    def parts_of(self, conversations: Iterable[int]) -> list[int]:
        """These conversations and all that were united with them."""
        wanted = list(conversations)
        fresh = wanted
        while fresh:
            stored = rows_in(self.connection, "SELECT n, joined FROM conversation WHERE joined IN (??)", fresh)
            for n, into in stored:
                self.joined.setdefault(n, into)
            among = set(fresh)
            fresh = list({n for n, into in self.joined.items() if into in among} - set(wanted))
            wanted = wanted + fresh
        return wanted

    def short_threads(self, conversations: Iterable[int]) -> list[int]:
        """Of these conversations and all that were united with them, those that are quickly read."""
        wanted = self.parts_of(conversations)
        sql = (
            "SELECT conversation, count(*) FROM post WHERE conversation IN (??) AND conversation != n "
            "GROUP BY conversation"
        )
        long = {n for n, posts in rows_in(self.connection, sql, wanted) if posts > SHORT_THREAD}
        return [n for n in wanted if n not in long]

    # --- cases ---------------------------------------------------------------------------------------------------

    def load_cases(self, conversations: Iterable[int]) -> None:
        """The live and the closed cases of these conversations."""
        wanted = [n for n in conversations if n not in self.known_cases]
        self.known_cases.update(wanted)
        for which in ("live = 1 AND queue = 'pr'", "live = 1 AND queue != 'pr'", "live = 0"):
            sql = f"SELECT {_CASE} FROM cases WHERE {which} AND conversation IN (??)"
            self._keep_cases(rows_in(self.connection, sql, wanted))
        self.load_parties(case for case in self.cases.values() if case.queue == "pr" and case.live)

    def load_cases_by_id(self, ids: Iterable[int]) -> None:
        wanted = [id for id in ids if id not in self.cases]
        self._keep_cases(rows_in(self.connection, f"SELECT {_CASE} FROM cases WHERE id IN (??)", wanted))

    def enter_case(self, case: CaseRow) -> None:
        """Let a live case be found by its conversation."""
        self.cases[case.id] = case
        if case.strand:
            return
        if case.queue == "pr":
            self.pr_cases[(case.conversation, case.brand_n)] = case
        else:
            self.author_cases[(case.conversation, case.brand_n, case.author)] = case

    def parties(self, case: CaseRow) -> set[int]:
        """Authors whose matter is in this pr case."""
        if case.parties is None:
            self.load_parties([case])
        assert case.parties is not None
        return case.parties

    def load_parties(self, cases: Iterable[CaseRow]) -> None:
        wanted = {case.id: case for case in cases if case.parties is None}
        for case in wanted.values():
            case.parties = set()
        stored = [id for id, case in wanted.items() if not case.new]
        sql = "SELECT case_id, author FROM case_party WHERE case_id IN (??)"
        for id, author in rows_in(self.connection, sql, stored):
            parties = wanted[id].parties
            assert parties is not None
            parties.add(author)

    def also(self, m: MentionRow) -> None:
        """A mention changed that was not among those of the batch."""
        self.others[m.n] = m

    def end_of_merges(self, id: int) -> CaseRow:
        """The case that has the mentions now; of a ring, which no merge makes, any of it."""
        been = set[int]()
        while True:
            self.load_cases_by_id([id])
            case = self.cases[id]
            if case.merged_into is None or id in been:
                return case
            been.add(id)
            id = case.merged_into

    def face(self, case: CaseRow) -> MentionRow | None:
        """The mention that stands for a case: its oldest live one, those that ask for work first."""
        found = rows(self.connection, _FACE, (case.id,))
        if not found:
            return None
        post, brand = found[0]
        self.load_numbered([post])
        self.load_mentions([post])
        return self.mention_rows(post).get(brand)

    def _keep_cases(self, found: Iterable[Any]) -> None:
        for id, brand, conversation, author, queue, live, *rest in found:
            if id in self.cases:
                continue
            case = CaseRow(
                id, brand, conversation, author, queue, live=live, new=False,
                **dict(zip(_CASE_FIELDS, rest, strict=True)),
            )  # fmt: skip
            self.cases[case.id] = case
            if case.live:
                self.enter_case(case)
            elif not case.strand:
                held = self.handed_over if case.state == "merged" else self.past_cases
                key = (case.conversation, case.brand_n, case.author)
                if key not in held or (held[key].closed_at or 0) < (case.closed_at or 0):
                    held[key] = case


_POST = (
    "n, id, author, parent, conversation, state, seen_at, arrived_at, event_time, generation, tier, provisional, parts"
)
_MENTION = "n, post, brand, revision, state, queue, risk, case_id, indexed_month, contribution"
_CASE_FIELDS = (
    "state", "priority", "risk", "mentions", "opened_at", "updated_at", "closed_at", "closed_why", "merged_into",
    "assignee", "revision", "strand", "set_aside_at", "snoozed_until", "first_response_at", "tracking", "deadline",
)  # fmt: skip
_CASE = ", ".join(("id", "brand", "conversation", "author", "queue", "live", *_CASE_FIELDS))
_FACE = (
    "SELECT post, brand FROM mention WHERE case_id = ? AND state = 'live' "
    "ORDER BY CASE queue WHEN 'none' THEN 1 ELSE 0 END, n LIMIT 1"
)
