"""Changes of a wiki as posts: each that writes a brand's name into a page, and each of a watched page.

The texts of changes are asked for fifty at a time, and what they replaced only where a brand's name stands in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from msgspec.structs import replace

from config.sources.mediawiki import MediawikiSource
from ingest.collector import Draft
from ingest.dates import iso_millis
from ingest.names import Names
from ingest.networks.mediawiki_api import Api, Change, Revision, added
from ingest.wanted import Wanted
from query.text import analyse
from stream.records import Author, Millis

MOST_NUMBER = 10**15
"""No revision has it: a question about one refuses the others with it."""


class Read(NamedTuple):
    drafts: list[Draft]
    """What is about a brand."""
    left_out: int
    """How many are not."""
    pages: Mapping[str, int] = {}
    """Numbers of their pages, by the posts' ids."""
    unseen: frozenset[int] = frozenset()
    """Revisions that the wiki does not know: deleted, or so new that it does not know them everywhere yet."""


class Reading:
    """Of one wiki. For several threads, each with an `Api` of its own."""

    def __init__(self, settings: MediawikiSource, wanted: Callable[[], Sequence[Wanted]]) -> None:
        self.place = urlsplit(settings.url).netloc.lower()
        self._settings, self._wanted = settings, wanted

    def read(self, api: Api, changes: Sequence[Change], wanted: Sequence[Wanted] | None = None) -> Read:
        """Raises what the API's questions do."""
        named = [(one.brand, Names(one)) for one in (self._wanted() if wanted is None else wanted)]
        watched = self._settings.titles
        asked = [one for one in changes if self._settings.words or one.title in watched]
        new, _ = api.revisions([one.revid for one in asked])
        texts = {one.revid: new[one.revid].text for one in asked if one.revid in new}
        candidates = [
            one
            for one in asked
            if (text := texts.get(one.revid)) is not None
            and (one.title in watched or _any_holds((names for _, names in named), _read(one, text)))
        ]
        old, _ = api.revisions([one.old_revid for one in candidates])
        drafts: list[Draft] = []
        for one in candidates:
            before = old[one.old_revid].text if one.old_revid in old else None
            if one.old_revid and before is None:
                # What it replaced is hidden or gone: nobody can say which of its words are new.
                more, less = "", ""
            else:
                more, less = added(texts[one.revid] or "", before or "")
            new_words, old_words = analyse(_read(one, more)).surfaces, analyse(less).surfaces
            brands = tuple(brand for brand, names in named if names.times(new_words) > names.times(old_words))
            if brands or one.title in watched:
                shown = replace(one, user=None) if new[one.revid].userhidden else one
                drafts.append(self._draft(shown, more, brands))
        pages = {draft.native_id: page for draft in drafts if (page := new[self.number(draft.native_id) or 0].pageid)}
        unseen = frozenset(one.revid for one in asked if one.revid not in new)
        return Read(drafts, len(changes) - len(drafts) - len(unseen), pages, unseen)

    def again(self, api: Api, revids: Sequence[int]) -> Read:
        """These revisions as anybody may read them now; `unseen` are those that are not there. Raises what the API's
        questions do."""
        found, _ = api.revisions(revids)
        changes = [
            Change(
                rcid=0, revid=one.revid, old_revid=one.parentid, title=one.title, timestamp=one.timestamp, user=one.user
            )
            for one in found.values()
        ]
        return self.read(api, changes)._replace(unseen=frozenset(revids) - found.keys())

    def without_author(self, revision: Revision, before: Revision | None) -> Draft:
        text, _ = added(revision.text or "", (before.text if before else "") or "")
        return Draft(
            native_id=self.native_id(revision.revid),
            kind="edited",
            text=text,
            title=revision.title,
            claimed_at=millis(revision.timestamp) or None,
            link=self._link(revision.revid),
        )

    def native_id(self, revid: int) -> str:
        return f"{self.place}/{revid}"

    def number(self, native: str) -> int | None:
        number = native.removeprefix(f"{self.place}/")
        found = int(number) if number != native and number.isdecimal() and len(number) < 20 else MOST_NUMBER
        return found if found < MOST_NUMBER else None

    def _draft(self, change: Change, text: str, brands: tuple[str, ...]) -> Draft:
        user = change.user
        return Draft(
            native_id=self.native_id(change.revid),
            text=text or change.comment or "",
            title=change.title,
            author=Author(id=f"{self.place}/{user}", handle=user) if user else None,
            claimed_at=millis(change.timestamp),
            link=self._link(change.revid),
            query_ids=brands,
            brands=self._settings.titles.get(change.title, ()),
        )

    def _link(self, revid: int) -> str:
        return f"{self._settings.url.removesuffix('api.php')}index.php?diff={revid}"


def millis(stamp: str) -> Millis:
    return iso_millis(stamp) or 0


def iso(at: Millis) -> str:
    """To the second, as MediaWiki writes times."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(change: Change, text: str | None) -> str:
    """A new page says its title as well."""
    return (text or "") if change.old_revid or not text else f"{change.title}\n{text}"


def _any_holds(brands: Iterable[Names], text: str) -> bool:
    surfaces = analyse(text).surfaces
    return any(names.hold(surfaces) for names in brands)
