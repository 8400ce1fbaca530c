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
    assert distance(one, two) <= 7
    assert distance(one, other) >= 18


def test_handles_links_numbers_case_accents_and_signs_make_no_difference() -> None:
    one, two = prints(f"@maria {CAMPAIGN} #1 https://b.example/zz", f"{CAMPAIGN.upper()}!!! 24/7 😡")
    assert one == two != 0


def test_posts_full_of_the_same_signs_are_not_alike() -> None:
    signs = "!!! ??? ... ### @a @b @c https://a.example 1 2 3 4 5 😡😡😡 "
    one, other = prints(
        signs + "the bakery at the corner opens at seven on sundays",
        signs + "my suitcase never came out of the plane in Lisbon",
    )
    assert distance(one, other) >= 18


def test_signed_64_bits_and_zero_for_nothing() -> None:
    found = prints(
        CAMPAIGN, "", "a", "muchas gracias por el zapato", "muchas gracias por el zapato rojo", "1 2 3 4 5 6 7"
    )
    assert all(-(2**63) <= one < 2**63 for one in found)
    assert [one != 0 for one in found] == [True, False, False, False, True, False]


def test_what_is_said_of_one_and_of_another_is_told_apart_or_too_short() -> None:
    assert prints("love @acme", "hate @acme") == [0, 0]
    one, other = prints("I love to fly with them every time", "I hate to fly with them every time")
    assert distance(one, other) > 7


def test_the_same_alone_and_in_a_batch() -> None:
    texts = [CAMPAIGN, "", "uno dos tres", "😀", "x"]
    assert prints(*texts) == [prints(text)[0] for text in texts]
    assert prints(*reversed(texts)) == list(reversed(prints(*texts)))


def test_fingerprints_are_settled() -> None:
    """They stand in stored mentions: a change of them must be meant."""
    assert prints("Hola, mundo: qué día más raro hoy", "the quick brown fox jumps over it") == SETTLED


SETTLED = [3946475088003307433, -4974735529424697105]
