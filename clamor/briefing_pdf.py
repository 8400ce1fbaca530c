"""A briefing as PDF, by fpdf2 (extra `pdf`) with the fonts that every reader of PDF has.

Those know the letters of western Europe. What they do not know is written so that it can still be read: a picture by
its name in brackets, a letter with a mark by the letter, any other sign as a question mark.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

from routing.incidents.briefing_page import Block, Page

LETTERS = "cp1252"
_SOFT, _INK = (86, 97, 107), (28, 33, 38)


class NoPdf(RuntimeError):
    """The library is not installed."""


def write_pdf(page: Page, path: Path) -> None:
    """Raises NoPdf with the way out, OSError."""
    try:
        from fpdf import FPDF
    except ImportError:
        raise NoPdf("PDFs need fpdf2: pip install 'clamor[pdf]'") from None
    pdf = FPDF(format="A4")
    # The fonts are written down as WinAnsi; the library would refuse what Latin-1 lacks, dashes and curly quotes.
    pdf.core_fonts_encoding = LETTERS
    pdf.set_title(plain(page.title))
    pdf.set_lang(page.language)
    pdf.set_auto_page_break(True, margin=15)
    pdf.set_margins(18, 16)
    pdf.add_page()

    def line(text: str, size: int, style: str = "", color: tuple[int, int, int] = _INK, link: str = "") -> None:
        pdf.set_font("Helvetica", style, size)
        pdf.set_text_color(*color)
        # A word without an end is broken by letters, else none of it would fit.
        pdf.multi_cell(0, size * 0.5, plain(text), new_x="LMARGIN", new_y="NEXT", align="L", link=link)

    def written(block: Block) -> None:
        pdf.ln(3)
        line(block.title, 12, "B")
        for item in block.items:
            pdf.ln(1)
            if item.above:
                line(item.above, 8, "", _SOFT)
            line(item.text, 10)
            if item.link:
                line(item.link, 8, "", _SOFT, item.link)

    line(page.title, 17, "B")
    line(page.frozen, 9, "", _SOFT)
    for block in page.blocks:
        written(block)
    pdf.output(str(path))


def plain(text: str) -> str:
    """In letters that the fonts have."""
    return "".join(_plain(sign) for sign in unicodedata.normalize("NFC", text))


def _plain(sign: str) -> str:
    if _known(sign):
        return sign
    kind = unicodedata.category(sign)
    if kind in ("Cf", "Mn", "Me", "Sk") or "VARIATION SELECTOR" in unicodedata.name(sign, ""):
        return ""
    if kind == "So":
        return f"[{unicodedata.name(sign, 'sign').lower()}]"
    simple = "".join(one for one in unicodedata.normalize("NFKD", sign) if _known(one))
    return simple or "?"


def _known(sign: str) -> bool:
    try:
        sign.encode(LETTERS)
    except UnicodeEncodeError:
        return False
    return True
