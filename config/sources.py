"""Where posts come from. A kind of source is one class here; `kind:` chooses it."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from config.brands import Slug
from config.schema import EnvName, Section, Text
from config.units import Duration, Size


class _Source(Section):
    id: Slug
    """Stands in posts and in the coverage ledger: never change it."""
    brands: tuple[Slug, ...] = ()
    """Brands that every post of this source belongs to, whatever its text says (an own page, a review page)."""
    access: Slug = "public"
    """Who may read its posts: `public`, or a name of your own for a private source."""
    max_lateness: Annotated[Duration, Field(ge=0)] = Field(default=900_000)
    """Posts older than this when they arrive change numbers and cases but wake nobody."""


class FileSource(_Source):
    """Files in a folder, read once each and again when they grow."""

    kind: Literal["file"]
    """`file`: files in a folder."""
    network: Slug = "file"
    """Network of posts that name none."""
    path: Text
    """File, or pattern with * and ?, in the home unless absolute."""
    format: Literal["auto", "jsonl", "csv"] = "auto"
    """`auto` goes by the name; .gz is unpacked."""
    map: dict[Text, Text] = Field(default_factory=dict)
    """For foreign files: our field and the column that holds it."""


class WebhookSource(_Source):
    """Programs that send posts to `/hooks/ID`, each body signed with HMAC-SHA256."""

    kind: Literal["webhook"]
    """`webhook`: other programs send posts."""
    network: Slug = "webhook"
    """Network of posts that name none."""
    secret_env: EnvName
    """NAME of the environment variable (or of the line in secrets.env) that holds the signing key."""
    max_body: Annotated[Size, Field(ge=1_000, le=50_000_000)] = Field(default=1_000_000)
    """Bodies above this are refused."""


Source: TypeAlias = Annotated[FileSource | WebhookSource, Field(discriminator="kind")]
SOURCE_KINDS: dict[str, type[_Source]] = {"file": FileSource, "webhook": WebhookSource}
