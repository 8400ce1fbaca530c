"""What a brand's filter does with a few dozen words of people: `python -m bench.about`, on `sanders` of ../shared/data.

Its annotators said of each post with a brand's name whether it is about the brand (`irrelevant`: not, or not English,
or spam). So many of each kind are drawn as words of people; the filter is measured on all the others. Prints figures,
never texts.
"""

from __future__ import annotations

import gzip
import json
import random

from bench.corpus import SHARED
from config.brands import Brand
from nlp.about import Example, features, learn, measure
from nlp.brands import BrandMatcher
from nlp.shares import Share
from query.text import analyse

COUNTS = (12, 24, 48)
DRAWS = 5


def main() -> None:
    for brand in ("apple", "google", "microsoft", "twitter"):
        given = _examples(brand)
        for count in COUNTS:
            _measured(brand, given, count)


def _measured(brand: str, given: list[Example], count: int) -> None:
    """Sums over DRAWS draws of the words."""
    about = other = kept = stayed = adopted = 0
    for draw in range(DRAWS):
        mixed = random.Random(draw).sample(given, len(given))
        means = [one for one in mixed if one.about]
        others = [one for one in mixed if not one.about]
        words = means[:count] + others[:count]
        adopted += measure(words).worth_it
        learnt = learn(words, 1)
        for one in means[count:] + others[count:]:
            stays = learnt.scores(features(one.text, one.spans, one.network, one.lang)).label == "yes"
            about, other = about + one.about, other + (not one.about)
            kept, stayed = kept + (stays and one.about), stayed + (stays and not one.about)
    print(
        f"{brand}, {count} words of each kind: precision {Share(about, about + other)} -> "
        f"{Share(kept, kept + stayed)}, recall {Share(kept, about)}, adopted in {adopted} of {DRAWS} draws"
    )


def _examples(brand: str) -> list[Example]:
    matcher = BrandMatcher([Brand(id=brand, name=brand.title())])
    found: dict[str, Example] = {}
    for file in sorted((SHARED / "sanders").glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                analysis = analyse(row["text"])
                spans = matcher.find(analysis).get(0)
                if row["brand"] == brand and spans:
                    words = " ".join(analysis.surfaces)
                    found.setdefault(words, Example(row["text"], spans, "x", "", row["label"] != "irrelevant"))
    return list(found.values())


if __name__ == "__main__":
    main()
