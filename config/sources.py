"""Where posts come from. A kind of source is one class here; `kind:` chooses it."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints

from config.brands import Slug
from config.section import EnvName, Section, Text
from config.units import Duration, Size


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not a time zone: write a name such as Europe/Madrid or UTC") from None
    return name


class _Source(Section):
    id: Slug
    """Stands in posts and in the coverage ledger: never change it."""
    brands: tuple[Slug, ...] = ()
    """Brands that every post of this source belongs to, whatever its text says (an own page, a review page)."""
    access: Slug = "public"
    """Who may read its posts: `public`, or a name of your own for a private source."""
    max_lateness: Annotated[Duration, Field(ge=0)] = 900_000
    """Posts older than this when they arrive change numbers and cases but wake nobody."""


class FileSource(_Source):
    """How other people's files are read: `clamor replay --source ID FILE…`."""

    kind: Literal["file"]
    """`file`: files that are given to `clamor replay`."""
    network: Slug | None = None
    """Network of posts that name none. Empty: from the file's name."""
    format: Literal["auto", "jsonl", "csv", "json"] = "auto"
    """`auto`: by what the file holds; .gz is unpacked."""
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = None
    """Between the columns of a CSV file. Empty: found out."""
    map: dict[Text, Text] = Field(default_factory=dict)
    """Field of a post: the column that holds it, or a constant in inner quotes."""
    zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    """Time zone of times that name none."""
    day_order: Literal["dmy", "mdy"] | None = None
    """Whether 03/04 is in April (`dmy`) or in March (`mdy`). Empty: as the first rows show."""


class WebhookSource(_Source):
    """Programs that send posts to `/api/webhooks/ID`, each body signed with HMAC-SHA256."""

    kind: Literal["webhook"]
    """`webhook`: other programs send posts."""
    network: Slug = "webhook"
    """Network of posts that name none."""
    secret_env: EnvName
    """NAME of the environment variable (or of the line in secrets.env) that holds the signing key, at least 16
    characters, as it stands."""
    former_secret_env: EnvName | None = None
    """NAME of the variable with the former signing key, which is taken as well while one replaces the other."""
    max_body: Annotated[Size, Field(ge=1_000, le=50_000_000)] = 1_000_000
    """Bodies above this, from 1kB to 50MB, are refused."""
    max_posts: int = Field(default=1_000, ge=1, le=10_000)
    """Bodies with more posts are refused."""
    posts_per_minute: int = Field(default=60_000, ge=1, le=1_000_000)
    """What exceeds it is asked to come again later."""
    silent_after: Annotated[Duration, Field(ge=60_000)] | None = None
    """People are told when a source that has brought posts before brings none for so long while it is listened to.
    Empty: never, since only you know how often its posts come."""


Source: TypeAlias = Annotated[FileSource | WebhookSource, Field(discriminator="kind")]
