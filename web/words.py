"""What pages without a login say, in English and Spanish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

_TEXTS: Mapping[str, tuple[str, str]] = {
    "link_acknowledge": ("Look after the incident?", "¿Ocuparse del incidente?"),
    "link_escalate": ("Tell the next one in the chain?", "¿Avisar a la siguiente persona?"),
    "link_silence": ("Silence the incident for four hours?", "¿Silenciar el incidente cuatro horas?"),
    "link_confirm": ("Did the test come?", "¿Ha llegado la prueba?"),
    "link_about_confirm": (
        "A test of the way from Clamor to you. You answer as {person}.",
        "Una prueba del camino de Clamor hasta usted. Responde como {person}.",
    ),
    "link_did_confirm": ("Thank you: the way to you is in order.", "Gracias: el camino hasta usted está en orden."),
    "link_about": ("{brand}: {state}. You answer as {person}.", "{brand}: {state}. Responde como {person}."),
    "link_do": ("Yes, do it", "Sí, hacerlo"),
    "link_done": ("Done", "Hecho"),
    "link_did_acknowledge": (
        "You look after the incident about {brand}. Nobody further is told.",
        "Usted se ocupa del incidente sobre {brand}. No se avisa a nadie más.",
    ),
    "link_did_escalate": (
        "The next one in the chain is told of the incident about {brand}.",
        "Se avisa a la siguiente persona del incidente sobre {brand}.",
    ),
    "link_did_silence": (
        "Nobody is told of the incident about {brand} for four hours.",
        "Durante cuatro horas no se avisa a nadie del incidente sobre {brand}.",
    ),
    "link_late_acknowledge": (
        "{person} looks after the incident about {brand} already.",
        "{person} ya se ocupa del incidente sobre {brand}.",
    ),
    "link_late_escalate": (
        "The next one in the chain was told already.",
        "Ya se ha avisado a la siguiente persona.",
    ),
    "link_late_over": ("The incident about {brand} is over.", "El incidente sobre {brand} ha terminado."),
    "briefing_expired": (
        "This briefing can no longer be read here. Ask who sent you the link for a new one.",
        "Este informe ya no se puede leer aquí. Pida un enlace nuevo a quien se lo envió.",
    ),
    "link_refused": ("This link does nothing", "Este enlace no hace nada"),
    "link_forged": ("It was not made by this Clamor.", "No lo hizo este Clamor."),
    "link_expired": (
        "It has expired. The next mail brings a new one; clamor incident list shows what is under way.",
        "Ha caducado. El próximo correo trae otro; clamor incident list muestra lo que está en curso.",
    ),
    "link_used": (
        "It was used already: what it does is done once.",
        "Ya se ha usado: lo que hace, lo hace una vez.",
    ),
    "state_watch": ("watch", "vigilancia"),
    "state_warning": ("warning", "aviso"),
    "state_crisis": ("crisis", "crisis"),
    "state_over": ("over", "terminado"),
}


def words(language: Literal["en", "es"]) -> Callable[..., str]:
    place = ("en", "es").index(language)

    def text(key: str, **values: object) -> str:
        return _TEXTS[key][place].format(**values)

    return text
