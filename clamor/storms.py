"""Storms for drills, made up: what people would write about a brand, on which networks, when.

Pure: the same scenario, brand and seed give the same posts. All texts are invented for this purpose.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

MINUTE = 60
"""Seconds."""


class Storm(NamedTuple):
    title: str
    posts: int
    minutes: int
    """From the first post to the last."""
    networks: Mapping[str, float]
    """When it reaches each network, as a part of its time."""
    texts: tuple[str, ...]
    copied: float
    """Share of posts that repeat one text word for word, by other accounts."""
    gone: float
    """Share that is deleted again within minutes."""
    steep: float
    """1: evenly; 3: most of it comes at the end."""
    hurts: bool


STORMS: Mapping[str, Storm] = {
    "attack": Storm(
        "An orchestrated attack over a supplier", 420, 90, {"x": 0.0, "reddit": 0.2, "mastodon": 0.4},
        (
            "{brand} buys from those who burn the forest and lies about it. Shame on them, never buy there again",
            "I am disgusted. {brand} knew for years what its supplier does and hid it. Boycott them",
            "Never again {brand}. They destroy forests for profit and delete every comment that says so",
            "{brand} miente: compra a quien quema el bosque y borra los comentarios. Qué vergüenza, no compren más",
            "Es indignante lo de {brand}, lo sabían desde hace años y lo ocultaron. Boicot ya",
            "The answer of {brand} is an insult. Horrible company, I have sent back everything I had of them",
        ),
        0.4, 0.04, 2.5, True,
    ),
    "outage-rumour": Storm(
        "A rumour that customers' data are gone", 260, 75, {"x": 0.0, "reddit": 0.3},
        (
            "Is it true that {brand} lost all customer data last night? Nothing works, nobody answers, terrible",
            "{brand} is down again and they say our data were stolen. I am furious, I want my money back",
            "A friend who works there says {brand} hides a huge leak. Awful, I am cancelling today",
            "¿Es verdad que {brand} ha perdido los datos de todos? No funciona nada y nadie responde, un desastre",
            "{brand} lleva horas caída y dicen que han robado los datos. Estoy harto, me doy de baja",
        ),
        0.25, 0.02, 1.5, True,
    ),
    "praise": Storm(
        "A campaign that everybody likes: nobody is to be woken", 500, 90, {"x": 0.0, "mastodon": 0.1, "reddit": 0.3},
        (
            "What {brand} did for the shelter is wonderful, thank you! Best thing I have seen all week",
            "I love the new spot of {brand}, it made me cry. Great work, thank you",
            "{brand} me ha alegrado el día, qué campaña tan bonita. ¡Gracias!",
            "Thank you {brand}, this is how it is done. Fantastic people, I am so happy with them",
        ),
        0.2, 0.01, 1.2, False,
    ),
}  # fmt: skip


def lines(storm: Storm, brand: str, *, posts: int, seed: int = 1) -> Iterator[str]:
    """A scenario file (see ingest.scenario) of `posts` posts about a brand as people call it; its times count from the
    beginning of the storm."""
    dice = random.Random(seed)
    sources = [{"id": f"drill-{network}", "network": network} for network in storm.networks]
    yield json.dumps({"scenario": storm.title, "start": "2026-01-01T00:00:00Z", "sources": sources})
    for n in range(posts):
        part = dice.random() ** (1 / storm.steep)
        network = dice.choice([name for name, begins in storm.networks.items() if begins <= part])
        at = part * storm.minutes * MINUTE
        yield json.dumps(_post(storm, brand, n, network, at, dice), ensure_ascii=False)
        if dice.random() < storm.gone:
            later = at + dice.uniform(60, 600)
            gone = {"at": round(later, 1), "source": f"drill-{network}", "id": f"drill-{n}", "kind": "deleted"}
            yield json.dumps(gone)


def _post(storm: Storm, brand: str, n: int, network: str, at: float, dice: random.Random) -> dict[str, Any]:
    copied = dice.random() < storm.copied
    text = storm.texts[0] if copied else dice.choice(storm.texts[1:])
    ending = "" if copied else dice.choice(("", " …", "!", f" #{n % 7}", " Please share.", " Really."))
    return {
        "at": round(at, 1), "source": f"drill-{network}", "id": f"drill-{n}",
        "author": {"id": f"drill-a{n}", "handle": f"drill_{n}", "followers": dice.randrange(20, 4_000)},
        "text": text.format(brand=brand) + ending,
    }  # fmt: skip
