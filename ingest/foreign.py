"""One file of somebody's posts: how it is read, what its rows become, what was counted of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from ingest.collector import Malformed, Source
from ingest.dates import Order
from ingest.intake import NETWORK, Unacceptable, dead_letter, stamped
from ingest.mapping import RowMapping, Unmapped, mapping_for
from ingest.reading import STDIN, Format, Reading, Row, Unreadable
from ingest.ready import Ready, UnknownMapping, ready
from stream.clock import MINUTE
from stream.ports import POSTS, Append
from stream.records import Millis, Origin, encode

BATCH = 500

_NETWORKS = frozenset(
    {
        "x", "twitter", "reddit", "bluesky", "mastodon", "youtube", "facebook", "instagram", "linkedin", "tiktok",
        "telegram", "trustpilot", "hackernews",
    }
)  # fmt: skip
_VAGUE = frozenset({"stream", "train", "validation", "test", "data", "posts", "export", "unlabelled", "all", "sample"})


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How files are read and their posts stamped."""

    paced: bool = False
    """False: origin `import`, as fast as possible. True: origin `live`, in order, each at its time by the clock."""
    network: str = ""
    """For rows that name none; empty: from the file's name."""
    source_id: str = "file"
    mapping: Mapping[str, str] = {}
    """Field of a post → column, or a constant in quotes (see `ingest.mapping.parse_map`)."""
    format: Format | None = None
    delimiter: str | None = None
    zone: str = "UTC"
    """For times that name none."""
    day_order: Order | None = None
    """Whether 03/04 is in April (`dmy`) or in March (`mdy`); None: as the file's first rows show, else `dmy`."""
    ready: str = ""
    """Name of a ready mapping (see `ingest.ready`)."""
    sheet: str = ""
    """Of a workbook; empty: the first that is shown and holds a row."""
    brands: tuple[str, ...] = ()
    access: str = "public"
    max_lateness: Millis = 15 * MINUTE
    batch: int = BATCH
    resume: bool = True
    """Go on where an interrupted replay of the same files with the same options stopped."""


class FileReport(NamedTuple):
    name: str
    format: str
    network: str
    columns: Mapping[str, str]
    """Field → column, as it was read."""
    read: int
    appended: int
    dead: int
    skipped: int
    first: Millis | None
    last: Millis | None
    notes: tuple[str, ...]
    """What a person should know: another encoding, ambiguous dates, where it went on."""
    blank: bool = False
    """It holds nothing at all, not even a header."""


class Entry(NamedTuple):
    record: Append
    due: Millis | None
    """When the post comes to be seen; None: a dead letter."""
    time: Millis
    notes: tuple[str, ...] = ()
    """What was set right in it."""


class ForeignFile:
    """One file and what was counted of it."""

    def __init__(self, path: Path, options: Options) -> None:
        self.path, self.options = path, options
        self.ready = _ready(options.ready)
        self.network = options.network or network_of(path)
        if not NETWORK.match(self.network):
            raise Unmapped(f"network {self.network[:40]!r} is no short lower-case name; say one such as mastodon")
        self.source = Source(
            id=options.source_id,
            network=self.network,
            brands=options.brands,
            access=options.access,
            max_lateness=options.max_lateness,
        )
        self.place = "-" if path == STDIN else str(path)
        self.read = self.appended = self.dead = self.skipped = 0
        self.first: Millis | None = None
        self.last: Millis | None = None
        self.form = ""
        self.blank = False
        self.columns: Mapping[str, str] = {}
        self.notes: list[str] = []
        self.mended: Counter[str] = Counter()
        """In how many posts something was set right."""

    def opened(self) -> Opened:
        return Opened(self)

    def entry(self, row: Row, mapping: RowMapping, now: Millis) -> Entry:
        """The record that a row becomes, a post or a dead letter that says why not; `now` bounds its times."""
        if row.values is None:
            return self._refused(row, row.problem, row.error, now)
        origin: Origin = "live" if self.options.paced else "import"
        try:
            post, notes = stamped(mapping.draft(row.values), self.source, now, origin)
            if self.options.paced and post.seen_at >= now:
                raise Unacceptable("it has no time, or one more than a year ahead, so that it cannot be played")
        except Unacceptable as refusal:
            return self._refused(row, str(refusal), "Unacceptable", now)
        return Entry(Append(POSTS, post.id, encode(post)), post.seen_at, post.event_time, notes)

    def _refused(self, row: Row, why: str, error: str, now: Millis) -> Entry:
        payload = row.raw or json.dumps(row.values).encode("ascii")
        one = Malformed(f"{self.place}:{row.line}", why, payload, error, row.line)
        return Entry(dead_letter(one, now), None, 0)

    def count(self, entry: Entry) -> None:
        self.mended.update(entry.notes)
        if entry.due is None:
            self.dead += 1
            return
        self.appended += 1
        time = entry.time
        if self.first is None or time < self.first:
            self.first = time
        if self.last is None or time > self.last:
            self.last = time

    def identity(self) -> str:
        """Of path, size, beginning and how it is read: the same until one of them changes."""
        parts = hashlib.blake2b(digest_size=12)
        parts.update(str(self.path.resolve()).encode("utf-8", "surrogateescape"))
        with self.path.open("rb") as stream:
            parts.update(str(self.path.stat().st_size).encode())
            parts.update(stream.read(65_536))
        told = self.options
        chosen = (sorted(told.mapping.items()), self.network, told.paced, told.format, told.delimiter, told.zone)
        parts.update(repr((*chosen, told.day_order)).encode())
        if told.ready or told.sheet:
            parts.update(repr((told.ready, told.sheet)).encode())
        return parts.hexdigest()

    def report(self) -> FileReport:
        return FileReport(
            self.place, self.form, self.network, self.columns, self.read, self.appended, self.dead, self.skipped,
            self.first, self.last, (*self.notes, *(f"in {n:,} posts {note}" for note, n in self.mended.items())),
            self.blank,
        )  # fmt: skip


class Opened:
    """A file opened for one pass: (reading, mapping); on the way out it tells the file what it noticed."""

    def __init__(self, file: ForeignFile) -> None:
        self.file = file

    def __enter__(self) -> tuple[Reading, RowMapping]:
        file, options = self.file, self.file.options
        known = file.ready
        self.reading = Reading(
            file.path,
            options.format,
            options.delimiter,
            sheet=options.sheet,
            header=known.is_header if known is not None and known.header else None,
            inner=known.rows if known is not None else "",
        )
        try:
            rows = [row.values for row in self.reading.sample if row.values is not None]
            if not rows and self.reading.sample:
                worst = self.reading.sample[0]
                raise Unreadable(
                    f"{self.reading.name}: none of its first {len(self.reading.sample)} lines could be read as "
                    f"{self.reading.format}; line {worst.line}: {worst.problem}. "
                    "Give JSON Lines or a table with a header, or name the format"
                )
            self.mapping = (
                mapping_for(
                    rows,
                    options.mapping,
                    where=self.reading.place,
                    zone=_zone(options.zone),
                    order=options.day_order,
                    ready=known,
                )
                if rows
                else RowMapping({})
            )
        except BaseException:
            self.reading.close()
            raise
        file.form, file.columns, file.blank = self.reading.format, self.mapping.fields, self.reading.blank
        return self.reading, self.mapping

    def __exit__(self, *_: object) -> None:
        reading, notes = self.reading, self.file.notes
        reading.close()
        if reading.encoding != "UTF-8":
            notes.append(f"read as {reading.encoding}")
        if reading.other_encoding:
            notes.append(f"{reading.other_encoding:,} lines are not UTF-8 and were read as Windows-1252 (Latin-1)")
        if reading.sheet is not None and len(reading.sheet.sheets) > 1:
            others = ", ".join(repr(name[:40]) for name in reading.sheet.sheets if name != reading.sheet.name)[:400]
            notes.append(f"sheet {reading.sheet.name[:40]!r} was read, not {others} (--sheet names another)")
        if not self.mapping.order_settled:
            notes.append(
                "dates could be day/month or month/day: read as day/month (day_order mdy reads them otherwise)"
            )
        self.file.notes = list(dict.fromkeys(notes))


def network_of(path: Path) -> str:
    """The network that a file's posts are taken to be from, by its name: a known network's, else the name itself.

    A name that says nothing (`stream.jsonl.gz`) gives way to its folder's; standard input is `stdin`.
    """
    if path == STDIN:
        return "stdin"
    stem = path.name.split(".", 1)[0]
    for name in (stem, path.resolve().parent.name):
        slug = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:32]
        known = next((word for word in re.split(r"[-_]", slug) if word in _NETWORKS), None)
        if known is not None:
            return "x" if known == "twitter" else known
        if slug and slug not in _VAGUE:
            return slug
    return "file"


def _ready(name: str) -> Ready | None:
    try:
        return ready(name) if name else None
    except UnknownMapping as unknown:
        raise Unmapped(f"--as {name[:40]}: {unknown}") from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Unmapped(f"time zone {name[:60]!r} is not known; name one like Europe/Madrid or UTC") from None
