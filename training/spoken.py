"""How often a post's language is found, beside the library that does the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import yaml

from nlp.language import OTHER, Languages
from nlp.normalise import clean, normalise
from training.corpus import data

BATCH = 256
_SPOKEN = Path(__file__).parent / "languages_measured.yaml"


def table() -> str:
    languages = Languages()
    rows = [(one["text"], one["lang"], "xlmt_sentiment") for one in data("xlmt_sentiment", "validation")]
    rows += [(one["text"], one["lang"], "emoevent") for one in data("emoevent", "validation")]
    rows += [(one["text"], "es", "airlines_es") for one in data("airlines_es", "validation")]
    written = yaml.safe_load(_SPOKEN.read_text("utf-8"))
    rows += [(text, lang, "ours") for lang, texts in written.items() for text in texts]
    known = set(languages.labels)
    wanted = [lang if lang in known else OTHER for _, lang, _ in rows]
    plain = [normalise(clean(text)) for text, _, _ in rows]
    batches = [plain[at : at + BATCH] for at in range(0, len(plain), BATCH)]
    mine, mine_micros = _timed(
        lambda: [lang for batch in batches for lang, _ in languages.identify(batch, [None] * len(batch))], len(rows)
    )
    theirs, their_micros = _others(plain, known)
    lines = ["| set | language | posts | ours | py3langid |", "|---|---|---:|---:|---:|"]
    for name, lang in sorted({(name, want) for (_, _, name), want in zip(rows, wanted, strict=True)}):
        at = [number for number, row in enumerate(rows) if row[2] == name and wanted[number] == lang]
        shares = [_share([one[number] == lang for number in at]) if one else "–" for one in (mine, theirs)]
        lines.append(f"| {name} | {lang} | {len(at)} | {shares[0]} | {shares[1]} |")
    lines.append(f"| CPU µs a post | | {len(rows)} | {mine_micros:.0f} | {f'{their_micros:.0f}' if theirs else '–'} |")
    return "### Language: share found right, in per cent\n\n" + "\n".join(lines)


def _others(plain: list[str], known: set[str]) -> tuple[list[str], float]:
    """py3langid's answers, none where it is not installed, and its CPU µs a post."""
    try:
        import py3langid
    except ModuleNotFoundError:
        return [], 0.0
    py3langid.classify("warm")
    readable = ["".join(char for char in text if not "\ue000" <= char <= "\uf8ff") for text in plain]
    found, micros = _timed(lambda: [py3langid.classify(text)[0] for text in readable], len(plain))
    return [lang if lang in known else OTHER for lang in found], micros


def _share(right: list[bool]) -> str:
    return f"{sum(right) / len(right) * 100:.1f}"


def _timed(step: Callable[[], list[str]], rows: int) -> tuple[list[str], float]:
    start = time.process_time()
    found = step()
    return found, (time.process_time() - start) / rows * 1e6
