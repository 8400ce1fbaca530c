"""How often each label is true of a brand's mentions, where a team has counted it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from stream.records import INTENTS, SENTIMENTS

ROUNDING = 0.005
"""By so much shares may miss 1 in sum."""

Share = Annotated[float, Field(gt=0, lt=1)]


def _of(classes: tuple[str, ...]) -> AfterValidator:
    def check(shares: Mapping[str, float]) -> Mapping[str, float]:
        unknown = [name for name in shares if name not in classes]
        if unknown:
            raise ValueError(f"there is no label {unknown[0]!r}: the labels are {', '.join(classes)}")
        missing = [name for name in classes if name not in shares]
        if shares and missing:
            raise ValueError(f"{', '.join(missing)} missing: name every label, also the rare ones")
        if shares and not math.isclose(sum(shares.values()), 1, abs_tol=ROUNDING):
            raise ValueError(f"the shares sum to {sum(shares.values()):g}: they must sum to 1")
        return shares

    return AfterValidator(check)


class Priors(BaseModel):
    """Shares of the labels; a head without shares is read as the model was taught."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    sentiment: Annotated[dict[str, Share], _of(SENTIMENTS)] = Field(default_factory=dict)
    """Share of each sentiment among the texts that name the brand; they sum to 1. Of several brands the mean counts.
    Empty: as the model was taught."""
    reputation: Annotated[dict[str, Share], _of(SENTIMENTS)] = Field(default_factory=dict)
    """Share of each reputation among the brand's mentions; they sum to 1. Empty: as the model was taught."""
    intent: Annotated[dict[str, Share], _of(INTENTS)] = Field(default_factory=dict)
    """Share of each intent among the brand's mentions; they sum to 1. Empty: as the model was taught."""
