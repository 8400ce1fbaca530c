"""The rules of a source on the stream: kept as the brands and the budget are, while the stream runs.

New ones are added before old ones are taken away, so that no post falls between. Rules of other programs on the same
token are left alone. What is not asked for, and why, is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import structlog

from config.sources.x import XSource
from ingest.collector import Delivery, Interrupted, Span
from ingest.networks.x_api import Access, Rejected, Rules, whole
from ingest.networks.x_rules import Asked, Rule, Shape, asked, change
from ingest.setting import Setting
from stream.clock import MINUTE
from stream.records import Millis

READ_EVERY: Millis = 15 * MINUTE
"""How often the rules that stand at X are read again, in case another program changed them."""
AT_ONCE = 100
SPEND_CAP = "spend cap"
REFUSED = "X refused the rule"
UNCHANGED = "the rules at X could not be changed"

_log = structlog.get_logger(__name__)


def shape(settings: XSource, length: int, accents: bool) -> Shape:
    return Shape(length, accents, settings.reposts, settings.own_posts, settings.exclude, settings.languages)


class Standing:
    """For one thread: the one that reads the stream."""

    def __init__(self, settings: XSource, setting: Setting, access: Access) -> None:
        self.settings, self.setting, self.access = settings, setting, access
        self.tag = f"{settings.rule_tag}/{settings.id}/"
        self._wants: list[tuple[str, Asked]] = []
        self._standing: list[Rule] = []
        self._brands: dict[str, tuple[str, ...]] = {}
        """Of each rule that stands, by its id."""
        self._read_at: Millis | None = None
        self._left_out: dict[str, tuple[Millis, str]] = {}
        """Brand → since when and why not all of it is asked for."""

    @property
    def any(self) -> bool:
        return bool(self._brands)

    def keep(self, first: bool = False) -> Delivery:
        """Rules as the brands and the budget want them. At first a fault is raised; later the stream goes on with the
        rules that stand, and what is not asked for is known."""
        left_out: dict[str, str] = {}
        wants = []
        for one in self.setting.wanted():
            if self.setting.allowed(one.brand):
                wants.append((one.brand, asked(one, shape(self.settings, self.settings.rule_length, accents=True))))
            else:
                left_out[one.brand] = SPEND_CAP
        steady, requests = self.setting.clock.steady(), 0
        fresh = self._read_at is not None and steady - self._read_at < READ_EVERY
        if first or wants != self._wants or not fresh:
            try:
                with self.access.web() as web:
                    left_out |= self._changed(Rules(self.access, web), wants)
                    requests = web.asked
                self._wants, self._read_at = wants, steady
            except (Interrupted, Rejected) as fault:
                if first:
                    raise Interrupted(str(fault), getattr(fault, "retry_after", None)) from None
                _log.warning("ingest.rules_wait", source=self.settings.id, fault=type(fault).__name__)
                known = {rule.value for rule in self._standing}
                left_out |= {brand: UNCHANGED for brand, want in wants if not known.issuperset(want.values)}
        else:
            left_out |= {brand: why for brand, (_, why) in self._left_out.items() if why != SPEND_CAP}
        now = self.setting.clock.now()
        self._left_out = {
            brand: (self._left_out[brand][0] if brand in self._left_out else now, why)
            for brand, why in left_out.items()
        }
        return Delivery(asked=requests)

    def left_out(self) -> Iterator[Delivery]:
        """What is not asked for, in the ledger from when it began; the row grows."""
        now = self.setting.clock.now()
        for brand, (since, why) in self._left_out.items():
            if since < now:
                yield Delivery(
                    query=brand, span=Span(since, now), page=f"{why}:{since}", asked=0, missed=None, reason=why
                )

    def _changed(self, api: Rules, wants: Sequence[tuple[str, Asked]]) -> dict[str, str]:
        """New rules first, so that no post falls between; brands of which not all is asked for, and why."""
        self._standing = there = standing(api)
        wanted = change(wants, tuple(there), self.tag, self.settings.rules)
        refused: dict[str, str] = {}
        if len(there) + len(wanted.add) > self.settings.rules:
            self._delete(api, wanted.delete)
            refused = self._add(api, wanted.add)
        else:
            refused = self._add(api, wanted.add)
            self._delete(api, wanted.delete)
        self._brands = {rule.id: wanted.values[rule.value] for rule in self._standing if rule.value in wanted.values}
        return dict(wanted.left_out) | {
            brand: why for value, why in refused.items() for brand in wanted.values.get(value, ())
        }

    def _add(self, api: Rules, rules: Sequence[tuple[str, str]]) -> dict[str, str]:
        """Value → why it was not taken."""
        refused: dict[str, str] = {}
        for begin in range(0, len(rules), AT_ONCE):
            some = list(rules[begin : begin + AT_ONCE])
            while some:
                try:
                    answer: Mapping[str, Any] = whole(
                        api.request(
                            "POST",
                            "/2/tweets/search/stream/rules",
                            json={"add": [{"value": value, "tag": tag} for value, tag in some]},
                        ).json()
                    )
                except Rejected as fault:
                    answer = fault.body
                    told = {str(one["value"]) for one in _about_rules(answer)}
                    left = [rule for rule in some if rule[0] not in told]
                    if len(left) == len(some):
                        raise
                    some = left
                else:
                    some = []
                self._standing += [*_rules(answer), *_doubled(answer)]
                refused |= _refused(answer)
        for value in refused:
            _log.warning("ingest.rule_refused", source=self.settings.id, characters=len(value))
        return refused

    def _delete(self, api: Rules, ids: Sequence[str]) -> None:
        for begin in range(0, len(ids), AT_ONCE):
            some = ids[begin : begin + AT_ONCE]
            api.delete_rules(list(some))
            self._standing = [rule for rule in self._standing if rule.id not in some]

    def asked_for(self, held: Mapping[str, Any]) -> tuple[str, ...]:
        """The brands whose rules a post matches; none where only another program's rules match it."""
        brands: dict[str, None] = {}
        rules = held.get("matching_rules")
        for rule in rules if isinstance(rules, list) else []:
            if isinstance(rule, dict):
                tag = str(rule.get("tag") or "")
                known = self._brands.get(str(rule.get("id")))
                brands.update(dict.fromkeys(known or ((tag[len(self.tag) :],) if tag.startswith(self.tag) else ())))
        return tuple(brands)


def standing(api: Rules) -> list[Rule]:
    answer = whole(api.get_rules())
    rules, seen = _rules(answer), set[str]()
    while (token := str((answer.get("meta") or {}).get("next_token") or "")) and token not in seen:
        seen.add(token)
        answer = whole(api.request("GET", "/2/tweets/search/stream/rules", params={"pagination_token": token}).json())
        rules += _rules(answer)
    return rules


def _rules(answer: Mapping[str, Any]) -> list[Rule]:
    held = answer.get("data")
    return [
        Rule(str(one["id"]), str(one["value"]), str(one.get("tag") or ""))
        for one in (held if isinstance(held, list) else [])
        if isinstance(one, dict) and "id" in one and "value" in one
    ]


def _refused(answer: Mapping[str, Any]) -> dict[str, str]:
    """Rules that X did not take."""
    return {str(one["value"]): REFUSED for one in _about_rules(answer) if not _is_double(one)}


def _doubled(answer: Mapping[str, Any]) -> list[Rule]:
    """Rules that X did not take because it has them."""
    return [Rule(str(one["id"]), str(one["value"])) for one in _about_rules(answer) if _is_double(one) and "id" in one]


def _is_double(told: Mapping[str, Any]) -> bool:
    return "duplicate" in f"{told.get('title', '')} {told.get('type', '')}".lower()


def _about_rules(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    errors = answer.get("errors")
    return [one for one in (errors if isinstance(errors, list) else []) if isinstance(one, dict) and "value" in one]
