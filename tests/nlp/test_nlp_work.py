"""The stage's work: content is read, the rest passes, what is no post is refused once and alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from config.aspects import Aspect
from config.brands import Brand
from nlp.language import Languages
from nlp.linear import LinearClassifier
from nlp.reading import Reader
from nlp.severity import Cue, Cues
from nlp.work import UnderstandWork
from stream.guidelines import allowed, queue_of
from stream.merge import content_hash
from stream.ports import Append, InForce, LogRecord, Refused
from stream.records import Author, Post, Scores, Understood, UnknownMajor, decode, encode

ACME = Brand(id="acme", name="Acme", accounts=("x:acmehelp",))
BOLT = Brand(id="bolt", name="Bolt", kind="competitor")
TRIP = Brand(id="trip", name="Madrid Lisboa", kind="category")


class Brands:
    """What is in force, changed by the test."""

    def __init__(self, *brands: Brand) -> None:
        self.now = InForce(1, brands, 1, "")

    def current(self) -> InForce:
        return self.now


@pytest.fixture(scope="module")
def classifier() -> LinearClassifier:
    return LinearClassifier()


@pytest.fixture
def brands() -> Brands:
    return Brands(ACME, BOLT, TRIP)


@pytest.fixture
def work(classifier: LinearClassifier, brands: Brands) -> UnderstandWork:
    return UnderstandWork(classifier, Languages(), brands)


def post(number: int, text: str = "", **fields: object) -> Post:
    return Post(id=f"x:{number}", network="x", text=text, seen_at=1_000, event_time=900, **fields)  # type: ignore[arg-type]


def records(*posts: Post | bytes) -> list[LogRecord]:
    values = [(one.id, encode(one)) if isinstance(one, Post) else ("?", one) for one in posts]
    return [LogRecord("posts", 0, at, key, value, 5_000 + at) for at, (key, value) in enumerate(values)]


def understood(appends: Sequence[Append]) -> list[Understood]:
    assert all(one.topic == "mentions" for one in appends)
    found = [decode(Understood, one.value) for one in appends]
    assert [one.key for one in appends] == [one.post.id for one in found]
    return found


def test_content_is_read_towards_every_brand_it_names(work: UnderstandWork) -> None:
    text = "Acme is the worst, they lost my bag again. I never had this with Bolt"
    [found] = understood(work.run(records(post(1, text)), (), 9_000))
    assert found.mentions is not None
    assert [one.brand for one in found.mentions] == ["acme", "bolt"]
    assert found.mentions[0].sentiment == found.mentions[1].sentiment
    assert found.mentions[0].reputation is not None
    assert found.mentions[0].reputation.label == "negative"
    assert (found.lang, found.generation, found.tier, found.model) == ("en", 1, "linear", LinearClassifier().model)
    assert (found.appended_at, found.understood_at) == (5_000, 9_000)
    assert found.content_hash == content_hash(found.post)
    assert found.fingerprint
    assert found.unnamed is None


@pytest.mark.parametrize("kind", ["deleted", "metrics", "expired", "forgotten", "author_gone", "author_back"])
def test_what_has_no_content_passes_unclassified(work: UnderstandWork, kind: str) -> None:
    [found] = understood(work.run(records(post(1, kind=kind)), (), 9_000))
    assert found.mentions is None
    assert found.unnamed is None
    assert found.content_hash == ""
    assert found.generation == 1


def test_a_pure_repost_passes_unclassified(work: UnderstandWork) -> None:
    [found] = understood(work.run(records(post(1, "RT Acme is great", repost_of="x:9")), (), 9_000))
    assert found.mentions is None


def test_an_edit_that_removes_the_brand_is_about_none(work: UnderstandWork) -> None:
    [found] = understood(work.run(records(post(1, "never mind", kind="edited")), (), 9_000))
    assert found.mentions == ()


def test_a_reply_is_also_read_towards_a_brand_not_named(work: UnderstandWork) -> None:
    silent, named = understood(
        work.run(
            records(post(1, "same here, still waiting!", reply_to="x:0"), post(2, "Acme!", reply_to="x:0")), (), 9_000
        )
    )
    assert silent.mentions == ()
    assert silent.unnamed is not None
    assert (silent.unnamed.brand, silent.unnamed.matched_by) == ("", "parent")
    assert named.mentions is not None
    assert named.unnamed is not None
    assert named.unnamed.sentiment == named.mentions[0].sentiment


def test_spam_is_marked_for_every_brand_and_never_of_the_brand_itself(work: UnderstandWork) -> None:
    own = Author(id="1", handle="acmehelp")
    text = "Acme and Bolt: claim your prize at https://a.example"
    theirs, mine = understood(work.run(records(post(1, text), post(2, text, author=own)), (), 1))
    assert theirs.mentions is not None
    assert mine.mentions is not None
    assert [(one.brand, one.spam) for one in theirs.mentions] == [("acme", ("giveaway",)), ("bolt", ("giveaway",))]
    assert [(one.brand, one.spam) for one in mine.mentions] == [("acme", ()), ("bolt", ("giveaway",))]


def test_a_category_has_no_reputation_and_own_posts_no_risk(work: UnderstandWork) -> None:
    own = Author(id="1", handle="acmehelp")
    category, mine = understood(
        work.run(
            records(post(1, "worst trip ever Madrid Lisboa"), post(2, "We are sorry for the awful day", author=own)),
            (),
            1,
        )
    )
    assert category.mentions is not None
    assert category.mentions[0].reputation is None
    assert category.mentions[0].sentiment.label == "negative", "the text's own sentiment stays"
    assert category.mentions[0].detractor == Scores("0", (1.0, 0.0, 0.0, 0.0))
    assert mine.mentions is not None
    assert (mine.mentions[0].speaker, mine.mentions[0].terms, mine.mentions[0].suggested) == ("own", (), "none")


def test_a_category_has_no_term_that_rests_on_a_reputation_and_a_brand_beside_it_has(work: UnderstandWork) -> None:
    text = "Worst ever, I will sue Acme. Boycott them! Never again on Madrid Lisboa, I am switching"
    [found] = understood(work.run(records(post(1, text)), (), 1))
    assert found.mentions is not None
    brand, category = found.mentions
    assert (brand.brand, category.brand) == ("acme", "trip")
    assert {"severity", "boycott", "legal"} <= {term.name for term in brand.terms}
    assert brand.detractor.label in ("2", "3")
    assert not {"severity", "leaving"} & {term.name for term in category.terms}
    assert sum(term.points for term in category.terms) < sum(term.points for term in brand.terms) / 2
    assert allowed(None, category.intent.label, int(category.detractor.label))
    assert category.suggested in {queue_of(category.intent.label, 0, act) for act in (True, False)}


def test_a_title_is_read_too(work: UnderstandWork) -> None:
    [found] = understood(work.run(records(post(1, "The court decided today.", title="Acme fined")), (), 1))
    assert found.mentions is not None
    assert found.mentions[0].brand == "acme"


def test_other_languages_are_marked_for_review(work: UnderstandWork) -> None:
    french, english = understood(
        work.run(
            records(post(1, "Je déteste Acme, c'est toujours pareil"), post(2, "I love Acme, thanks so much")), (), 1
        )
    )
    assert french.mentions is not None
    assert english.mentions is not None
    assert french.mentions[0].review == ("sentiment", "reputation", "intent", "detractor", "queue")
    assert english.mentions[0].review != french.mentions[0].review


def test_records_that_are_no_posts_are_refused_together_and_first(work: UnderstandWork) -> None:
    batch = records(post(1, "Acme"), b"{}", b"not json", b'{"v":1,"id":3}', post(2, "Acme secret words"))
    with pytest.raises(Refused) as refused:
        work.run(batch, (), 1)
    assert [record.offset for record, _, _ in refused.value.records] == [1, 2, 3]
    assert all("secret" not in reason for _, reason, _ in refused.value.records)
    left = [record for record in batch if record.offset not in {1, 2, 3}]
    assert len(work.run(left, (), 1)) == 2


def test_a_newer_schema_pauses_instead_of_being_misread(work: UnderstandWork) -> None:
    newer = encode(post(1)).replace(b'"v":1', b'"v":2')
    assert b'"v":2' in newer
    with pytest.raises(UnknownMajor):
        work.run(records(newer), (), 1)


def test_new_brands_are_adopted_between_batches_with_their_generation(work: UnderstandWork, brands: Brands) -> None:
    text = "Crumb makes the best bread"
    assert understood(work.run(records(post(1, text)), (), 1))[0].mentions == ()
    brands.now = InForce(2, (Brand(id="crumb", name="Crumb"),), 1, "")
    assert understood(work.run(records(post(1, text)), (), 1))[0].generation == 1
    work.idle(1)
    [found] = understood(work.run(records(post(1, text)), (), 1))
    assert found.generation == 2
    assert found.mentions is not None
    assert [one.brand for one in found.mentions] == ["crumb"]


def test_new_aspects_are_adopted_between_batches_with_their_generation(work: UnderstandWork, brands: Brands) -> None:
    text = "Acme has lost my luggage and my miles"
    [before] = understood(work.run(records(post(1, text)), (), 1))
    brands.now = InForce(2, (ACME,), 1, "", (Aspect(id="miles", en=("=miles",)),))
    work.idle(1)
    [after] = understood(work.run(records(post(1, text)), (), 1))
    assert [before.generation, after.generation] == [1, 2]
    assert before.mentions
    assert after.mentions
    assert [before.mentions[0].aspects, after.mentions[0].aspects] == [("luggage",), ("luggage", "miles")]


def test_a_reading_does_not_depend_on_the_batch(work: UnderstandWork) -> None:
    texts = ["Acme is great", "", "Bolt y Acme, qué desastre", "hello", "x" * 3_000, "Acme 😀"] * 40
    together = understood(work.run(records(*[post(at, text) for at, text in enumerate(texts)]), (), 1))
    for at in range(6):
        [alone] = understood(work.run(records(post(at, texts[at])), (), 1))
        assert (alone.mentions, alone.lang, alone.lang_confidence, alone.fingerprint) == (
            together[at].mentions, together[at].lang, together[at].lang_confidence, together[at].fingerprint
        )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "\x00\x01", "\ud83d", "a" * 1_000_000, "@" * 5_000, "#" * 5_000 + "Acme", "&#x110000;"]
)
def test_any_text_is_understood(work: UnderstandWork, text: str) -> None:
    clean = text.encode("utf-8", "replace").decode()
    assert len(work.run(records(post(1, clean, brands=("acme",))), (), 1)) == 1


def test_risk_words_are_looked_for_once_in_a_post_of_many_brands(
    classifier: LinearClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Sequence[str]] = []
    look = Cues.found

    def found_in(cues: Cues, surfaces: Sequence[str]) -> tuple[Cue, ...]:
        looked.append(surfaces)
        return look(cues, surfaces)

    monkeypatch.setattr(Cues, "found", found_in)
    reader = Reader(classifier, Languages(), [ACME, BOLT, TRIP])
    [found] = reader.read([post(1, "Acme, Bolt and Madrid Lisboa are unsafe, boycott them", reply_to="x:0")])
    assert [[term.name for term in one.terms if term.name in ("safety", "boycott")] for one in found.mentions] == [
        ["safety", "boycott"]
    ] * 3
    assert found.unnamed is not None
    assert len(looked) == 1
