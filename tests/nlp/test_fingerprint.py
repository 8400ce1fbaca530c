"""Near copies have near fingerprints; a fingerprint depends on the text alone."""

from __future__ import annotations

from nlp.fingerprint import fingerprints
from nlp.normalise import clean, normalise

CAMPAIGN = (
    "Neighbours of the harbour: tomorrow the council votes on the night flights of Acme Air. Write to them today, "
    "they count every letter, and pass this on to three friends"
)


def distance(one: int, two: int) -> int:
    return ((one ^ two) & (2**64 - 1)).bit_count()


def prints(*texts: str) -> list[int]:
    return fingerprints([normalise(clean(text)) for text in texts])


def test_copies_with_other_handles_links_and_one_word_are_near() -> None:
    one, two, other = prints(
        CAMPAIGN + " https://a.example/1",
        "@maria " + CAMPAIGN.replace("three", "five") + " https://b.example/zz",
        "The bakery at the corner opens at seven, and on Sundays there is a queue for the almond cake around the block",
    )
    assert distance(one, two) <= 10
    assert distance(one, other) >= 18


def test_signed_64_bits_and_zero_for_nothing() -> None:
    found = prints(CAMPAIGN, "", "a", "b", "zapato rojo")
    assert all(-(2**63) <= one < 2**63 for one in found)
    assert found[1] == 0


def test_the_same_alone_and_in_a_batch() -> None:
    texts = [CAMPAIGN, "", "uno dos tres", "😀", "x"]
    assert prints(*texts) == [prints(text)[0] for text in texts]
    assert prints(*reversed(texts)) == list(reversed(prints(*texts)))


def test_fingerprints_are_settled() -> None:
    """They stand in stored mentions: a change of them must be meant."""
    assert prints("Hola, mundo", "the quick brown fox") == SETTLED


SETTLED = [-322351821770351218, -5578112498224332693]
