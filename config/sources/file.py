"""Files that are given to `clamor replay`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from config.brands import Slug
from config.section import Text, TimeZone
from config.sources.common import AnySource


class FileSource(AnySource):
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
    zone: TimeZone = "UTC"
    """Time zone of times that name none."""
    day_order: Literal["dmy", "mdy"] | None = None
    """Whether 03/04 is in April (`dmy`) or in March (`mdy`). Empty: as the first rows show."""
