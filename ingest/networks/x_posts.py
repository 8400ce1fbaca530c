"""What X answers, as drafts.

X gives an edited post a new id and lists the ids of all its versions; the first of them names the post here, and the
place in the list is the version's number. Fields are read by their names of before and of since the renaming from Tweet
to Post (`note_tweet`, `note_post`), since both stand in X's documents. A post that cannot be read is told as such, and
the others go on; a side field that cannot be read is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from ingest.collector import Draft, Malformed
from ingest.dates import iso_millis
from stream.records import Author, Metrics, Millis

FIELDS: dict[str, str] = {
    "tweet_fields": (
        "attachments,author_id,conversation_id,created_at,edit_controls,entities,geo,in_reply_to_user_id,lang,note_tweet,"
        "public_metrics,referenced_tweets,withheld"
    ),
    "expansions": ("author_id,attachments.media_keys,geo.place_id,referenced_tweets.id,referenced_tweets.id.author_id"),
    "user_fields": "name,public_metrics,username,verified",
    "media_fields": "preview_image_url,type,url",
    "place_fields": "country_code",
}
"""What is asked for with every post, as tweepy names the parameters."""
MOST_URLS = 100
EPOCH: Millis = 1_288_834_974_657
"""Of X's ids since November 2010: their upper bits are milliseconds since then (docs.x.com, "X IDs")."""
_FIRST_TIMED = 1 << 34


class Included(NamedTuple):
    """What came along with the posts of an answer, by id."""

    users: Mapping[str, Mapping[str, Any]]
    posts: Mapping[str, Mapping[str, Any]]
    media: Mapping[str, Mapping[str, Any]]
    places: Mapping[str, Mapping[str, Any]]


class Version(NamedTuple):
    """Which version of which post an id is."""

    first: str
    """Names the post."""
    number: int
    """0: as it was first published."""
    last: str


class Read(NamedTuple):
    drafts: list[Draft]
    malformed: list[Malformed]


def read(answer: Mapping[str, Any], query_ids: tuple[str, ...], place: str) -> Read:
    """The posts of an answer (`data`: one or a list), each repost followed by what it reposts."""
    data = answer.get("data")
    posts = data if isinstance(data, list) else [] if data is None else [data]
    included = includes(answer)
    drafts: list[Draft] = []
    malformed: list[Malformed] = []
    for number, post in enumerate(posts):
        try:
            drafts.extend(_with_original(post, included, query_ids))
        except (ValueError, TypeError, KeyError, OverflowError) as fault:
            malformed.append(Malformed(place, f"a post of X that cannot be read: {fault}", _bytes(post), number=number))
    return Read(drafts, malformed)


def includes(answer: Mapping[str, Any]) -> Included:
    held = _dict(answer.get("includes"))

    def by(key: str, *names: str) -> dict[str, Mapping[str, Any]]:
        lists = [_list(held.get(name)) for name in names]
        return {_id(one[key]): one for some in lists for one in some if isinstance(one, dict) and _is_id(one.get(key))}

    return Included(by("id", "users"), by("id", "tweets", "posts"), by("media_key", "media"), by("id", "places"))


def draft(post: Any, included: Included, query_ids: tuple[str, ...] = ()) -> Draft:
    """One post as it is in this version. Raises ValueError where it has no id."""
    if not isinstance(post, dict) or not _is_id(post.get("id")):
        raise ValueError("it has no id")
    version = versions(post)
    related = {kind: _first(id, included) for kind, id in _related(post)}
    repost_of = related.get("retweeted")
    author = _author(post, included)
    created = iso_millis(post.get("created_at"))
    id = _id(post["id"])
    edited_at = (time_of(id) or created) if version.number else None
    return Draft(
        native_id=version.first,
        kind="edited" if version.number else "created",
        text="" if repost_of else text(post),
        author=author,
        lang=_text(post.get("lang")),
        country=_country(post, included),
        claimed_at=time_of(version.first) or created if version.number else created or time_of(id),
        seen_at=edited_at,
        edited_at=edited_at,
        revision=version.number,
        conversation=_first(_text(post.get("conversation_id")), included),
        reply_to=related.get("replied_to"),
        quote_of=related.get("quoted"),
        repost_of=repost_of,
        link=f"https://x.com/{author.handle if author and author.handle else 'i/web'}/status/{id}",
        media=_media(post, included),
        metrics=_metrics(post),
        query_ids=query_ids,
    )


def versions(post: Mapping[str, Any]) -> Version:
    id = _id(post["id"])
    listed = _list(post.get("edit_history_tweet_ids") or post.get("edit_history_post_ids"))
    history = [_id(one) for one in listed if _is_id(one)]
    if id not in history:
        return Version(id, 0, id)
    return Version(history[0], history.index(id), history[-1])


def text(post: Mapping[str, Any]) -> str:
    """The whole text, its short addresses written out; the one that X adds for a picture is left out."""
    note = _dict(post.get("note_tweet") or post.get("note_post"))
    long = _text(note.get("text"))
    said = long or _text(post.get("text")) or ""
    said = _signs(said)
    entities = _dict(note.get("entities")) if long else {}
    urls = _list(entities.get("urls")) + _list(_dict(post.get("entities")).get("urls"))
    for url in [_dict(one) for one in urls[:MOST_URLS]]:
        short, whole = _text(url.get("url")), _text(url.get("unwound_url")) or _text(url.get("expanded_url"))
        if short and whole and short.startswith("http") and len(whole) <= 2_000:
            said = said.replace(short, "" if url.get("media_key") else _signs(whole))
    return said.strip()


def _signs(said: str) -> str:
    """The three that X writes out: in an address, `&region=` is no `®`."""
    for escaped, sign in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        said = said.replace(escaped, sign)
    return said


def reply_to(post: Mapping[str, Any]) -> str | None:
    """Id of the post that it answers, as X wrote it."""
    return next((id for kind, id in _related(post) if kind == "replied_to"), None)


def withheld(post: Mapping[str, Any], countries: tuple[str, ...]) -> bool:
    """For a claim of copyright, everywhere (`XX`, `XY`), or in one of these countries."""
    held = _dict(post.get("withheld"))
    codes = _list(held.get("country_codes"))
    return held.get("copyright") is True or any(code in codes for code in ("XX", "XY", *countries))


def time_of(id: str | None) -> Millis | None:
    """When an id was given out; None where it says nothing."""
    number = int(id) if id and id.isascii() and id.isdigit() and len(id) < 20 else 0
    return (number >> 22) + EPOCH if number >= _FIRST_TIMED else None


# --- parts ---


def _with_original(post: Any, included: Included, query_ids: tuple[str, ...]) -> Iterator[Draft]:
    one = draft(post, included, query_ids)
    yield one
    original = next((included.posts.get(id) for kind, id in _related(post) if kind == "retweeted"), None)
    if original is not None:
        yield draft(original, included, query_ids)


def _related(post: Mapping[str, Any]) -> list[tuple[str, str]]:
    listed = _list(post.get("referenced_tweets") or post.get("referenced_posts"))
    held = [_dict(one) for one in listed]
    return [(str(one.get("type")), _id(one["id"])) for one in held if _is_id(one.get("id"))]


def _first(id: str | None, included: Included) -> str | None:
    """The name here of a post that X names by any of its versions."""
    return versions(included.posts[id]).first if id is not None and id in included.posts else id


def _author(post: Mapping[str, Any], included: Included) -> Author | None:
    id = post.get("author_id")
    if not _is_id(id):
        return None
    user = included.users.get(_id(id), {})
    verified = user.get("verified")
    return Author(
        id=_id(id),
        handle=_text(user.get("username")),
        name=_text(user.get("name")),
        followers=_count(_dict(user.get("public_metrics")).get("followers_count")),
        verified=verified if isinstance(verified, bool) else None,
    )


def _metrics(post: Mapping[str, Any]) -> Metrics | None:
    counts = _dict(post.get("public_metrics"))
    if not counts:
        return None
    return Metrics(
        likes=_count(counts.get("like_count")),
        reposts=_count(counts.get("retweet_count", counts.get("repost_count"))),
        replies=_count(counts.get("reply_count")),
        views=_count(counts.get("impression_count")),
    )


def _country(post: Mapping[str, Any], included: Included) -> str | None:
    code = _text(included.places.get(str(_dict(post.get("geo")).get("place_id")), {}).get("country_code"))
    return code.upper() if code and len(code) == 2 else None


def _media(post: Mapping[str, Any], included: Included) -> tuple[str, ...]:
    keys = _list(_dict(post.get("attachments")).get("media_keys"))
    held = [included.media.get(str(key), {}) for key in keys]
    found = [_text(one.get("url")) or _text(one.get("preview_image_url")) for one in held]
    return tuple(one for one in found if one)


def _is_id(value: Any) -> bool:
    return (isinstance(value, str) and 0 < len(value) <= 100) or (type(value) is int and value > 0)


def _id(value: Any) -> str:
    return str(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: Any) -> int | None:
    return value if type(value) is int else None


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _bytes(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        return b""
