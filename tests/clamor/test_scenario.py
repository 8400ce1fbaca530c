"""The built-in week holds what the demo is to show, and each part refers to what is there."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from clamor.scenario import CONFIGURATION, WEEK
from config.brands import Brand
from config.home import Home
from config.load import check, load_content
from ingest.intake import stamped
from ingest.scenario import Scenario, load
from nlp.brands import BrandMatcher
from nlp.fingerprint import fingerprints
from nlp.language import Languages
from nlp.normalise import clean, normalise
from nlp.reading import readable
from query.text import analyse
from routing.checkers import CHECKERS
from stream.clock import DAY, HOUR, MINUTE
from stream.records import Post


class Said(NamedTuple):
    """One text of the week with the brands that it names or whose own account wrote it."""

    post: Post
    day: int
    brands: dict[str, str]
    """Brand → speaker."""

    @property
    def text(self) -> str:
        return readable(self.post)


def test_the_configuration_has_no_finding(tmp_path: Path) -> None:
    shutil.copy(CONFIGURATION, tmp_path / "clamor.yaml")
    assert check(Home.at(tmp_path), CHECKERS) == []


def test_every_alert_of_the_brands_reaches_an_invented_person() -> None:
    content, _ = load_content(CONFIGURATION.parent)
    people = content.stated.people or ()
    assert {person.language for person in people} == {"en", "es"}
    assert all(person.email.endswith("@example.org") for person in people)


def test_the_week_is_large_enough_and_small_enough() -> None:
    assert len(said()) >= 640
    assert 300 <= len({one.post.author.id for one in said() if one.post.author}) <= 420
    assert WEEK.stat().st_size < 400_000
    assert week().end <= week().start + 7 * DAY


def test_lines_stand_in_order_of_time() -> None:
    times = [row["at"] for row in lines() if "at" in row]
    assert times == sorted(times)


def test_ids_are_unique() -> None:
    created = Counter(one.post.id for one in said())
    assert created.most_common(1)[0][1] == 1


def test_whatever_refers_to_a_post_comes_after_it() -> None:
    created = {post.id: post.seen_at for post in observed() if post.kind == "created"}
    for post in observed():
        named = [post.id] if post.kind != "created" else []
        named += [other for other in (post.conversation, post.reply_to, post.quote_of, post.repost_of) if other]
        for other in named:
            assert created[other] < post.seen_at, post.id


def test_both_languages_and_six_countries() -> None:
    texts = [normalise(clean(one.text)) for one in said()]
    found = Counter(lang for lang, _ in Languages().identify(texts, [None] * len(texts)))
    assert found["es"] > 400
    assert found["en"] > 150
    assert {"ES", "MX", "AR", "CO", "GB", "US"} <= {one.post.country for one in said()}


def test_all_seven_networks_speak() -> None:
    assert {one.post.network for one in said()} == {
        "x", "reddit", "mastodon", "bluesky", "instagram", "news", "youtube"
    }  # fmt: skip


def test_nights_are_quiet_and_evenings_are_not() -> None:
    here = [one.post for one in said() if one.post.country in ("ES", "GB")]
    hours = Counter((post.seen_at - week().start) % DAY // HOUR for post in here)
    night = sum(hours[hour] for hour in range(1, 6)) / 5
    for peak in (range(8, 10), range(12, 14), range(19, 21)):
        assert sum(hours[hour] for hour in peak) / 2 > 5 * night


@pytest.mark.parametrize("day", range(7))
def test_every_day_has_posts(day: int) -> None:
    assert sum(one.day == day for one in said()) >= 50


# (what, brand or none, days (the first is 0), what stands in the text, at least)
INGREDIENTS: tuple[tuple[str, str, range, str, int], ...] = (
    ("everyday questions", "aurelia", range(7), r"\?", 30),
    ("everyday questions", "nimbus", range(7), r"\?", 30),
    ("everyday questions", "espiga", range(7), r"\?", 20),
    ("complaints", "aurelia", range(7), r"maleta|bag|retraso|cancel|refund|reembolso", 15),
    ("complaints", "nimbus", range(7), r"factura|bill|técnico|engineer|charged|cobr", 12),
    ("leads", "aurelia", range(7), r"presupuesto|group rates|comprar|quote|one invoice|grupo", 4),
    ("fibre plans at the weekend", "nimbus", range(5, 7), r"fibra|tarifa|plan", 4),
    ("cakes at the weekend", "espiga", range(5, 7), r"tarta|cake|roscones", 5),
    ("recipes at the weekend", "espiga", range(5, 7), r"receta|hidratación|masa madre|recreate|congelar", 4),
    ("irony", "aurelia", range(7), r"Gracias @AureliaAir por regalarme|Enhorabuena|Five stars", 3),
    ("suggestions", "nimbus", range(7), r"idea|Ojalá|should|propuesta|Sugerencia", 4),
    ("threats to leave", "nimbus", range(7), r"me voy|me largo|baja|porto|[Pp]orting|Done|switching|moving out", 7),
    ("spam", "aurelia", range(7), r"billetes-gratis|encuesta-premio|seguidores", 3),
    ("jobs", "", range(7), r"[Bb]usca 6 panaderos|recruiting|Empleo:", 3),
    ("the strike rumour", "aurelia", range(4, 5), r"huelga|strike|[Vv]otamos", 7),
    ("the boycott call", "aurelia", range(2, 3), r"#BoicotAurelia", 20),
    ("the allergen warning", "espiga", range(4, 5), r"avellana|hazelnut|frutos secos", 10),
    ("a foreign body", "espiga", range(1, 2), r"METAL", 1),
    ("a data leak", "nimbus", range(4, 5), r"filtración de datos", 1),
)  # fmt: skip


@pytest.mark.parametrize(("what", "brand", "days", "words", "least"), INGREDIENTS)
def test_ingredients(what: str, brand: str, days: range, words: str, least: int) -> None:
    found = [
        one for one in said()
        if one.day in days and (not brand or brand in one.brands) and re.search(words, one.text)
    ]  # fmt: skip
    assert len(found) >= least, what


def test_news_and_the_press_speak_of_every_own_brand() -> None:
    pressed = {brand for one in said() if one.post.network == "news" for brand in one.brands}
    assert {"aurelia", "nimbus", "espiga"} <= pressed


def test_the_network_outage_of_tuesday_evening() -> None:
    first = min(one.post.seen_at for one in said() if "caído en Benimaclet" in one.text)
    assert first - week().start > DAY + 18 * HOUR
    complaints = [
        one for one in said()
        if one.brands.get("nimbus") == "public" and 0 <= one.post.seen_at - first <= 90 * MINUTE
    ]  # fmt: skip
    assert len(complaints) >= 40
    assert any(one.brands.get("nimbus") == "own" and one.day == 1 for one in said())


def test_the_broken_wheelchair_goes_viral_and_from_network_to_network() -> None:
    root = wheelchair()
    views = [
        post.metrics.views or 0 for post in observed()
        if post.id == root.id and post.kind == "metrics" and post.metrics
    ]  # fmt: skip
    assert views == sorted(views)
    assert (views[0], views[-1]) == (12, 40_000)
    assert sum(post.repost_of == root.id for post in observed()) >= 20
    assert sum(post.conversation == root.id for post in observed()) >= 30
    first: dict[str, int] = {}
    for one in said():
        if one.post.seen_at >= root.seen_at and re.search(r"silla|wheelchair", one.text, re.IGNORECASE):
            first.setdefault(one.post.network, one.post.seen_at)
    order = [first[network] for network in ("x", "reddit", "mastodon", "youtube", "news")]
    assert order == sorted(order)


def test_its_author_adds_details_in_an_edit() -> None:
    root = wheelchair()
    (edit,) = [post for post in observed() if post.kind == "edited"]
    assert (edit.id, edit.author) == (root.id, root.author)
    assert edit.text.startswith(root.text)
    assert len(edit.text) > len(root.text) + 80


def test_the_boycott_is_copied_nearly_word_for_word_by_many() -> None:
    calls = [one for one in said() if re.search("#boicotaurelia", one.text, re.IGNORECASE)]
    marks = fingerprints([normalise(clean(one.text)) for one in calls])
    authors = [one.post.author.id for one in calls if one.post.author]
    pairs = list(zip((mark % 2**64 for mark in marks), authors, strict=True))
    alike = [{author for other, author in pairs if (mark ^ other).bit_count() <= 6} for mark, _ in pairs]
    assert max(map(len, alike)) >= 15


def test_a_journalist_asks_on_thursday_morning() -> None:
    asked = [
        one for one in said()
        if one.day == 3 and one.brands.get("aurelia") == "press" and one.post.network == "x" and "?" in one.text
    ]  # fmt: skip
    assert any((one.post.seen_at - week().start) % DAY < 12 * HOUR for one in asked)


def test_the_brands_answer_with_accounts_of_their_own() -> None:
    for brand in ("aurelia", "nimbus", "espiga"):
        assert sum(one.brands.get(brand) == "own" and one.post.reply_to is not None for one in said()) >= 8, brand


def test_two_authors_take_back_what_they_said() -> None:
    gone = [post for post in observed() if post.kind == "deleted"]
    texts = {one.post.id: one.text for one in said()}
    assert len(gone) == 2
    assert any("filtración de datos gravísima" in texts[post.id] for post in gone)


def test_the_mastodon_collector_is_down_while_a_severe_post_waits() -> None:
    (part,) = [part for part in week().parts if part.source.id == "mastodon"]
    (outage,) = part.outages
    start = week().start + 3 * DAY
    assert outage.span == (start + 2 * HOUR, start + 8 * HOUR + 30 * MINUTE)
    hidden = [one for one in said() if one.post.network == "mastodon" and _within(outage.span, one.post.seen_at)]
    assert len(hidden) >= 5
    severe = next(one for one in hidden if "ambulancia" in one.text)
    assert "aurelia" in severe.brands
    assert outage.span.until - severe.post.seen_at > severe.post.max_lateness
    assert any("press" in one.brands.values() for one in hidden)


@pytest.mark.parametrize(
    ("words", "least"),
    [
        (r"Aurelia Duarte|[Vv]ía Aurelia|[Aa]unt Aurelia|tía Aurelia|abuela Aurelia|Aurelia aurita", 9),
        (r"Nimbus 2000|nimbus 2000|[Nn]imbus clouds|se llama Nimbus", 6),
        (r"espiga de (trigo|cebada|maíz)|espiga dorada|punto espiga|fuera la espiga", 5),
    ],
)
def test_what_only_sounds_like_a_brand_is_not_taken_for_it(words: str, least: int) -> None:
    alike = [one for one in said() if re.search(words, one.text)]
    assert len(alike) >= least
    assert [one.text for one in alike if one.brands] == []


def test_the_competitor_is_spoken_of_and_speaks() -> None:
    speakers = Counter(one.brands.get("vuelalto") for one in said())
    assert speakers["public"] >= 8
    assert speakers["own"] >= 2


@cache
def week() -> Scenario:
    return load(WEEK)


@cache
def lines() -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(line) for line in WEEK.read_text("utf-8").splitlines())


@cache
def observed() -> tuple[Post, ...]:
    """Every record of the week as ingest stamps it, in order of time."""
    posts = [stamped(one.draft, part.source, one.time, "live").post for part in week().parts for one in part.posts]
    return tuple(sorted(posts, key=lambda post: post.seen_at))


@cache
def said() -> tuple[Said, ...]:
    matcher, start = BrandMatcher(_brands()), week().start
    texts = [post for post in observed() if post.kind == "created" and post.repost_of is None]
    return tuple(
        Said(
            post,
            (post.seen_at - start) // DAY,
            {match.brand.id: match.speaker for match in matcher.match(post, analyse(readable(post)))},
        )
        for post in texts
    )


def wheelchair() -> Post:
    return next(one.post for one in said() if "silla de ruedas PARTIDA" in one.text)


def _brands() -> tuple[Brand, ...]:
    content, _ = load_content(CONFIGURATION.parent)
    return content.stated.brands or ()


def _within(span: tuple[int, int], time: int) -> bool:
    return span[0] <= time < span[1]
