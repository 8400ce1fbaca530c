"""The risk terms that a text alone gives. Routing adds reach, speed, the author's history and the customer's value.

Points add up to at most MOST of the scale's 100: half of a severe risk lies in the text, the rest in who hears it.
"""

from __future__ import annotations

from collections.abc import Sequence

from stream.records import Term

MOST = 60.0
LEAST = 1.0
"""Terms of fewer points are left out."""

_LEVEL_POINTS = (0.0, 8.0, 22.0, 36.0)
_LEVEL_WORDS = (
    "no reproach",
    "mild annoyance",
    "open anger, or a warning to others",
    "a call to act against the brand",
)
_ISSUE_POINTS = 12.0
_CHURN_POINTS = 8.0

_CUES: dict[str, tuple[float, str, tuple[str, ...]]] = {
    "safety": (
        12.0,
        "words about danger or injury",
        (
            "unsafe", "dangerous", "danger", "injured", "injury", "hospital", "poisoned", "poisoning", "allergic", "burned",
            "caught fire", "on fire", "exploded", "explosion", "emergency landing", "choking", "choked", "died", "recall",
            "peligro", "peligroso", "peligrosa", "heridos", "herido", "herida", "intoxicado", "intoxicada", "intoxicados",
            "intoxicacion", "alergia", "alergica", "alergico", "incendio", "incendiado", "explosion", "exploto", "quemadura",
            "quemaduras", "aterrizaje de emergencia", "inseguro", "insegura", "murio", "accidente", "urgencias",
        ),
    ),
    "discrimination": (
        12.0,
        "words about discrimination or harassment",
        (
            "racist", "racism", "sexist", "sexism", "homophobic", "homophobia", "transphobic", "discrimination",
            "discriminated", "discriminating", "ableist", "harassed", "harassment", "wheelchair",
            "racista", "racistas", "racismo", "machista", "machismo", "sexista", "homofobo", "homofobia", "homofobos",
            "transfobia", "discriminacion", "discriminan", "discriminar", "discriminaron", "discriminada", "discriminado",
            "acoso", "acosada", "acosado", "silla de ruedas",
        ),
    ),
    "legal": (
        10.0,
        "words about law, regulators or the police",
        (
            "lawsuit", "lawyer", "lawyers", "attorney", "sue", "suing", "sued", "court", "illegal", "fraud", "scam",
            "police", "class action", "data breach", "small claims", "ombudsman", "trading standards", "regulator",
            "demanda", "demandar", "demandare", "abogado", "abogada", "abogados", "juzgado", "juicio", "ilegal", "fraude",
            "estafa", "estafadores", "estafan", "policia", "denuncia", "denunciar", "denunciare", "profeco", "facua", "ocu",
            "indecopi", "sernac", "consumo", "hoja de reclamaciones", "filtracion de datos", "defensa del consumidor",
        ),
    ),
    "press": (
        8.0,
        "words about press and media",
        (
            "journalist", "reporter", "newspaper", "press", "news channel", "headline", "headlines", "breaking news",
            "periodista", "periodico", "prensa", "noticiero", "noticias", "telediario", "titular", "titulares", "reportaje",
        ),
    ),
    "boycott": (
        10.0,
        "a call to stop buying, or to spread this",
        (
            "boycott", "boycotting", "go viral", "make this viral", "share this", "spread the word", "please share", "retweet",
            "boicot", "boicotear", "boicoteemos", "no compren", "no compreis", "no compres", "difundan", "difundir",
            "difundid", "compartan", "compartid", "que se haga viral", "hagan viral", "maxima difusion",
        ),
    ),
}  # fmt: skip


class Cues:
    """The lexicon, by first token of each phrase."""

    def __init__(self) -> None:
        self._phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for name, (_, _, phrases) in _CUES.items():
            for phrase in phrases:
                words = tuple(phrase.split())
                self._phrases.setdefault(words[0], []).append((words, name))
        self._first = frozenset(self._phrases)

    def found(self, surfaces: Sequence[str]) -> tuple[str, ...]:
        """Names of the cues that stand in the folded tokens of a text, in alphabetical order."""
        if self._first.isdisjoint(surfaces):
            return ()
        found = set()
        for at, surface in enumerate(surfaces):
            for words, name in self._phrases.get(surface, ()):
                if len(words) == 1 or tuple(surfaces[at : at + len(words)]) == words:
                    found.add(name)
        return tuple(sorted(found))


def terms(
    detractor: Sequence[float], intent: Sequence[float], negative: float, cues: Sequence[str] = ()
) -> tuple[Term, ...]:
    """Named terms, largest first, of MOST points together.

    `detractor` and `intent` are the probabilities of the classes, `negative` that of a negative reputation. A cue counts
    by the probability that the text is negative or raises a public issue: praise with such words is no risk.
    """
    issue, churn = intent[0], intent[1]
    found: list[tuple[float, str, str]] = []
    severity = sum(share * points for share, points in zip(detractor, _LEVEL_POINTS, strict=True))
    likeliest = max(range(1, 4), key=lambda level: detractor[level] * _LEVEL_POINTS[level])
    found.append(
        (severity, "severity", f"{_LEVEL_WORDS[likeliest]} (level {likeliest}: {detractor[likeliest]:.0%} likely)")
    )
    found.append(
        (issue * _ISSUE_POINTS, "public issue", f"concerns the public, not one customer alone ({issue:.0%} likely)")
    )
    found.append((churn * _CHURN_POINTS, "leaving", f"says that they leave or have left ({churn:.0%} likely)"))
    weight = max(negative, issue)
    for name in cues:
        points, why, _ = _CUES[name]
        found.append((points * weight, name, why))
    total = sum(points for points, _, _ in found)
    shrink = min(1.0, MOST / total) if total else 1.0
    kept = sorted(((round(points * shrink, 1), name, why) for points, name, why in found), reverse=True)
    return tuple([Term(name, points, why) for points, name, why in kept if points >= LEAST])
