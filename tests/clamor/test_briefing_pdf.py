"""A briefing as PDF: Spanish is written as it is, what the fonts do not know so that it can still be read."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("fpdf", reason="fpdf2 is not installed: the extra pdf brings it")

from clamor.briefing_pdf import plain, write_pdf
from routing.incidents.briefing_page import Block, Item, Page


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("¿Qué pasó, señor? «Añó» – “así” €5", "¿Qué pasó, señor? «Añó» – “así” €5"),
        ("burn it \U0001f525\ufe0f now", "burn it [fire] now"),
        ("Łódź", "?ódz"),
        ("e\u0301", "é"),
        ("пожар 火", "????? ?"),
        ("a\u200db\u202e", "ab"),
    ],
)
def test_letters_that_the_fonts_lack(text: str, written: str) -> None:
    assert plain(text) == written


def test_it_is_a_pdf_of_pages_also_with_words_that_never_end(tmp_path: Path) -> None:
    items = tuple(
        Item("“ñu” – 5 € … it’s " * 60 + "x" * 400, "Reddit · \U0001f600", "https://example.org/" + "y" * 300)
        for _ in range(30)
    )
    page = Page("es", "Acme Air: crisis", "Informe 1", (Block("Qué pasa", items), Block("Cifras", (Item("412\n3,2"),))))
    write_pdf(page, tmp_path / "a.pdf")
    held = (tmp_path / "a.pdf").read_bytes()
    assert held.startswith(b"%PDF-1.")
    assert held.count(b"/Type /Page\n") > 3
