"""What no single setting shows: names that point nowhere, doubles, accounts of a wrong form, secrets not there.

Everything here reads the file's plain values, so that it also finds what it can in a file that has other errors.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import SecretStr

from config.aspects import SHIPPED, forms
from config.channel_findings import check_channels, check_ways
from config.everyday import everyday
from config.marked import Path, Sheet, written
from config.playbook_findings import check_playbook
from config.problems import Problem, did_you_mean, shown
from config.schema import Settings, StoreEngine
from config.secrets import SHORTEST_KEY, Secrets
from config.sources.kinds import costs_of
from config.team_findings import check_teams

Use: TypeAlias = Literal["check", "run"]
"""`run`: what would keep the program from doing its work is an error. `check`: a file may be looked at elsewhere."""

QUEUES = ("sales", "support", "pr")


def check_content(
    sheet: Sheet,
    secrets: Secrets,
    known_brands: Iterable[str] = (),
    known_people: Collection[str] | None = None,
    known_teams: Collection[str] = (),
    known_channels: Collection[str] | None = None,
) -> Iterator[Problem]:
    """Findings in brands, aspects, sources, people, replies, teams, deadlines and playbook.

    What is in force, for a file that has none of its own: `known_brands`, `known_people` (None: nobody knows),
    `known_teams`, `known_channels` (None: nobody knows).
    """
    plain = sheet.root.plain()
    parts = plain if isinstance(plain, dict) else {}
    brands, sources, people = (_items(parts.get(name)) for name in ("brands", "sources", "people"))
    aspects, replies, teams, deadlines, playbook = (
        _items(parts.get(name)) for name in ("aspects", "replies", "teams", "deadlines", "playbook")
    )
    for name, items in (
        ("brands", brands), ("aspects", aspects), ("sources", sources), ("people", people), ("replies", replies),
        ("teams", teams), ("deadlines", deadlines), ("playbook", playbook),
    ):  # fmt: skip
        yield from _double_ids(sheet, (name,), items)
    own = {str(aspect.get("id")) for _, aspect in aspects}
    yield from _aspects(sheet, ("aspects",), aspects, set(SHIPPED))
    ids = {str(brand.get("id")) for _, brand in brands} if "brands" in parts else set(known_brands)
    for name, items in (
        ("sources", sources), ("people", people), ("replies", replies), ("teams", teams), ("deadlines", deadlines),
        ("playbook", playbook),
    ):  # fmt: skip
        yield from _unknown_brands(sheet, name, items, ids)
    yield from _budgets(sheet, sources, ids)
    for n, brand in brands:
        yield from _accounts(sheet, n, brand)
        yield from _excludes_itself(sheet, n, brand)
        yield from _everyday_names(sheet, n, brand)
        yield from _prior_of_nothing(sheet, n, brand)
        theirs = _items(brand.get("aspects"))
        yield from _double_ids(sheet, ("brands", n, "aspects"), theirs)
        yield from _aspects(sheet, ("brands", n, "aspects"), theirs, own.union(SHIPPED))
    yield from _shared_phrases(sheet, brands)
    yield from _access_labels(sheet, sources, people)
    yield from _webhook_secrets(sheet, sources, secrets)
    yield from _private_readers(sheet, sources)
    people_ids = {str(person.get("id")) for _, person in people} if "people" in parts else known_people
    yield from check_teams(sheet, teams, deadlines, people_ids, () if "teams" in parts else known_teams)
    yield from _double_ids(sheet, ("channels",), _items(parts.get("channels")))
    channels = _items(parts.get("channels"))
    channel_ids = [str(channel.get("id")) for _, channel in channels] if "channels" in parts else known_channels
    yield from check_channels(sheet, channels, channel_ids, brands, people, teams)
    team_ids = {str(team.get("id")) for _, team in teams} if "teams" in parts else known_teams
    yield from check_playbook(sheet, playbook, people if "people" in parts else None, known_people, team_ids)
    if "people" in parts:
        yield from _nobody_told(sheet, brands, people)
        yield from _unknown_people(sheet, parts, people)


def _unknown_people(sheet: Sheet, parts: Mapping[str, Any], people: _Items) -> Iterator[Problem]:
    """In the chain of those who are told of a crisis."""
    incidents = parts.get("incidents")
    chain = incidents.get("escalate_to") if isinstance(incidents, dict) else None
    known = [str(person.get("id")) for _, person in people]
    for place, name in enumerate(chain if isinstance(chain, list) else ()):
        if str(name) not in known:
            advice = did_you_mean(str(name), known) or "write the person under `people`, or take the name away"
            path = ("incidents", "escalate_to", place)
            yield sheet.problem(path, "nobody among the people has this id", advice, value=shown(name))


def check_engine(sheet: Sheet, settings: Settings, secrets: Container[str], use: Use) -> Iterator[Problem]:
    """Findings in the engine part, the environment already laid over it."""
    mail, workers, database = settings.mail, settings.processes.nlp_workers, settings.engines.database
    if mail.password_env is not None and mail.password_env not in secrets:
        yield sheet.problem(
            ("mail", "password_env"),
            f"{mail.password_env} is neither in the environment nor in secrets.env",
            f"write {mail.password_env}=… into secrets.env, or set it where Clamor is started",
            severity="error" if use == "run" else "warning",
        )
    name = database.password_env
    if database.kind == "postgres" and name is not None and name not in secrets:
        yield sheet.problem(
            ("engines", "database", "password_env"),
            f"{name} is neither in the environment nor in secrets.env",
            f"write {name}=… into secrets.env, or set it where Clamor is started",
            severity="error" if use == "run" else "warning",
        )
    if database.kind == "postgres" and database.security == "none" and not _within(database.host or ""):
        message = "posts, cases and the password go over the network unencrypted"
        advice = "use tls, unless the network is trusted"
        yield sheet.problem(("engines", "database", "security"), message, advice, severity="warning")
    if mail.host is not None and mail.security == "none" and not _loopback(mail.host):
        message = "mails and the password go over the network unencrypted"
        advice = "use starttls or tls, unless the network is trusted"
        yield sheet.problem(("mail", "security"), message, advice, severity="warning")
    if workers is not None and workers > settings.engines.log.partitions:
        count = settings.engines.log.partitions
        message = f"only {count} of the workers get work: the log has {count} partitions"
        advice = "lower nlp_workers, or raise `engines: log: partitions` before the first start"
        yield sheet.problem(("processes", "nlp_workers"), message, advice, severity="warning", value=str(workers))
    plain = sheet.root.plain()
    channels = _items(plain.get("channels")) if isinstance(plain, dict) else []
    yield from check_ways(sheet, channels, secrets, "error" if use == "run" else "warning")
    yield from _kafka(sheet, settings, secrets, use)
    yield from _cluster(sheet, settings.engines.store, secrets, use)
    if not _loopback(settings.api.host) and not settings.api.url.startswith("https://"):
        message = "pages and API are reached from other machines, and without TLS"
        advice = "put a proxy with TLS before it and its https address into public_url"
        yield sheet.problem(("api", "host"), message, advice, severity="warning", value=shown(settings.api.host))


def _kafka(sheet: Sheet, settings: Settings, secrets: Container[str], use: Use) -> Iterator[Problem]:
    kafka, where = settings.engines.log.kafka, ("engines", "log", "kafka")
    if settings.engines.log.kind != "kafka":
        return
    for key, name in (("password_env", kafka.password_env), ("client_key_password_env", kafka.client_key_password_env)):
        if name is not None and name not in secrets:
            yield sheet.problem(
                (*where, key),
                f"{name} is neither in the environment nor in secrets.env",
                f"write {name}=… into secrets.env, or set it where Clamor is started",
                severity="error" if use == "run" else "warning",
            )
    far = [server for server in kafka.servers if not _loopback(server.rpartition(":")[0].strip("[]"))]
    if kafka.security == "none" and far:
        if kafka.user and kafka.mechanism == "PLAIN":
            message = "the password would go over the network as it is"
            yield sheet.problem((*where, "security"), message, "use tls, or one of the SCRAM mechanisms")
        message, advice = "posts go over the network unencrypted", "use tls, unless the network is trusted"
        yield sheet.problem((*where, "security"), message, advice, severity="warning")


def _cluster(sheet: Sheet, store: StoreEngine, secrets: Container[str], use: Use) -> Iterator[Problem]:
    if store.kind != "elasticsearch":
        return
    for setting, name in (("api_key_env", store.api_key_env), ("password_env", store.password_env)):
        if name is not None and name not in secrets:
            yield sheet.problem(
                ("engines", "store", setting),
                f"{name} is neither in the environment nor in secrets.env",
                f"write {name}=… into secrets.env, or set it where Clamor is started",
                severity="error" if use == "run" else "warning",
            )
    for n, host in enumerate(store.hosts):
        if host.startswith("http://") and not _loopback(urlsplit(host).hostname or ""):
            message = "posts, and a login if there is one, go over the network unencrypted"
            advice = "write https://, unless the network is trusted"
            place: Path = ("engines", "store", "hosts", n)
            yield sheet.problem(place, message, advice, severity="warning", value=shown(host))


_Items: TypeAlias = list[tuple[int, Mapping[str, Any]]]
"""(number in the list, item)"""


def _items(plain: object) -> _Items:
    return [(n, item) for n, item in enumerate(plain) if isinstance(item, dict)] if isinstance(plain, list) else []


def _texts(value: object) -> list[tuple[int, str]]:
    return [(n, text) for n, text in enumerate(value) if isinstance(text, str)] if isinstance(value, list) else []


def _named(item: Mapping[str, Any], key: str) -> list[str]:
    return [text for _, text in _texts(item.get(key))]


def _double_ids(sheet: Sheet, where: Path, items: _Items) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for n, item in items:
        found = item.get("id")
        if not isinstance(found, str):
            continue
        if found in first:
            message = f"the id stands in {written((*where, first[found]))} already"
            yield sheet.problem((*where, n, "id"), message, "give each its own", value=shown(found))
        first.setdefault(found, n)


def _aspects(sheet: Sheet, where: Path, aspects: _Items, there: set[str]) -> Iterator[Problem]:
    """`there`: ids of the aspects that these are laid over."""
    for n, aspect in aspects:
        mode = aspect.get("mode", "extend")
        phrases = [(key, at, text) for key in ("en", "es") for at, text in _texts(aspect.get(key))]
        yield from _new_aspect(sheet, (*where, n, "id"), aspect.get("id"), mode, there)
        if mode == "off" and phrases:
            message, advice = "`off` means that no phrase counts", "delete the phrases, or the line with `mode`"
            yield sheet.problem((*where, n, "mode"), message, advice, severity="warning")
        if mode == "replace" and not phrases:
            message, advice = "`replace` without a phrase: it is never found", "write phrases, or `mode: off`"
            yield sheet.problem((*where, n, "mode"), message, advice, severity="warning")
        for key, at, text in phrases:
            if any(everyday(form.lstrip("=")) for form in forms(text)):
                message = "is an everyday word: nearly every post would speak of this aspect"
                place: Path = (*where, n, key, at)
                yield sheet.problem(place, message, "write a longer phrase", severity="warning", value=shown(text))


def _new_aspect(sheet: Sheet, where: Path, id: object, mode: str, there: set[str]) -> Iterator[Problem]:
    if not isinstance(id, str) or id in there:
        return
    if mode != "extend":
        message = f"there is no such aspect to {'replace' if mode == 'replace' else 'turn off'}"
        yield sheet.problem(where, message, did_you_mean(id, there), severity="warning", value=shown(id))
    elif difflib.get_close_matches(id, there, 1, 0.8):
        message = "is a new aspect, none has this id"
        yield sheet.problem(where, message, did_you_mean(id, there), severity="warning", value=shown(id))


def _unknown_brands(sheet: Sheet, name: str, items: _Items, ids: set[str]) -> Iterator[Problem]:
    for n, item in items:
        for at, brand in _texts(item.get("brands")):
            if brand not in ids:
                message, advice = "no brand has this id", did_you_mean(brand, ids) or "write the brand first"
                yield sheet.problem((name, n, "brands", at), message, advice, value=shown(brand))


def _budgets(sheet: Sheet, sources: _Items, ids: set[str]) -> Iterator[Problem]:
    for n, source in sources:
        budget = source.get("budget")
        if costs_of(str(source.get("kind"))).price is not None and not (
            isinstance(budget, dict) and budget.get("money")
        ):
            message = "this network bills what is read, and there is no cap of money"
            advice = "write `budget: {money: 100}`; clamor sources estimate says what it will cost"
            yield sheet.problem(
                ("sources", n, "id"), message, advice, severity="warning", value=shown(source.get("id"))
            )
        parts = budget.get("brands") if isinstance(budget, dict) else None
        for brand in parts if isinstance(parts, dict) else ():
            if brand not in ids:
                message, advice = "no brand has this id", did_you_mean(str(brand), ids) or "write the brand first"
                path: Path = ("sources", n, "budget", "brands", str(brand))
                yield sheet.problem(path, message, advice, value=shown(brand), at_key=True)


_HANDLE = r"@[\w][\w.\-]*(?:@[\w.\-]+)?"
_FORMS: Mapping[str, tuple[re.Pattern[str], str, str]] = {
    "handles": (re.compile(_HANDLE), "not a handle", "write it as it is addressed, '@acme'"),
    "hashtags": (re.compile(r"#\w+"), "not a hashtag", "write '#acme', without spaces"),
} | {
    key: (
        re.compile(rf"{_HANDLE}|[a-z][a-z0-9_]*:\S+"),
        "not an account",
        "write network:handle, such as bluesky:acme.example, or '@acme' for every network",
    )
    for key in ("accounts", "press", "rivals")
}  # fmt: skip


def _accounts(sheet: Sheet, n: int, brand: Mapping[str, Any]) -> Iterator[Problem]:
    for key, (form, message, advice) in _FORMS.items():
        for at, text in _texts(brand.get(key)):
            if text.strip() and not form.fullmatch(text.strip()):
                yield sheet.problem(("brands", n, key, at), message, advice, value=shown(text))


def _excludes_itself(sheet: Sheet, n: int, brand: Mapping[str, Any]) -> Iterator[Problem]:
    name = brand.get("name")
    for at, text in _texts(brand.get("exclude")):
        phrase = f" {text.strip().casefold()} "
        if isinstance(name, str) and phrase.strip() and phrase in f" {name.casefold()} ":
            message, advice = "is part of the brand's own name, so the name never counts", "exclude longer phrases"
            yield sheet.problem(("brands", n, "exclude", at), message, advice, severity="warning", value=shown(text))


def _prior_of_nothing(sheet: Sheet, n: int, brand: Mapping[str, Any]) -> Iterator[Problem]:
    prior = brand.get("prior")
    if brand.get("kind") == "category" and isinstance(prior, dict) and prior.get("reputation"):
        message, advice = "a category has no reputation, so this changes nothing", "delete it, or change the kind"
        yield sheet.problem(("brands", n, "prior", "reputation"), message, advice, severity="warning")


def _everyday_names(sheet: Sheet, n: int, brand: Mapping[str, Any]) -> Iterator[Problem]:
    if brand.get("require"):
        return
    places: list[tuple[Path, str]] = [(("name",), brand["name"])] if isinstance(brand.get("name"), str) else []
    places += [(("aliases", at), text) for at, text in _texts(brand.get("aliases"))]
    for path, text in places:
        if everyday(text):
            message = "is an everyday word: nearly every post would be a mention of this brand"
            advice = "name what must stand beside it in `require`, or write a longer name"
            yield sheet.problem(("brands", n, *path), message, advice, severity="warning", value=shown(text))


def _shared_phrases(sheet: Sheet, brands: _Items) -> Iterator[Problem]:
    first: dict[str, tuple[int, str]] = {}
    for n, brand in brands:
        places: list[tuple[Path, str]] = [(("name",), brand["name"])] if isinstance(brand.get("name"), str) else []
        for key in ("aliases", "handles", "hashtags"):
            places += [((key, at), text) for at, text in _texts(brand.get(key))]
        for path, text in places:
            before = first.setdefault(text.strip().casefold(), (n, str(brand.get("id"))))
            if before[0] != n and not brand.get("require"):
                message = f"stands for brand {before[1]} as well: a post with it is a mention of both"
                advice = "keep it in one of them, or tell them apart with require"
                where: Path = ("brands", n, *path)
                yield sheet.problem(where, message, advice, severity="warning", value=shown(text))


def _access_labels(sheet: Sheet, sources: _Items, people: _Items) -> Iterator[Problem]:
    labels = {"public"} | {str(source["access"]) for _, source in sources if "access" in source}
    labels |= {
        str(label)
        for _, source in sources
        if isinstance(source.get("private"), dict)
        for label in source["private"].values()
    }
    for n, person in people:
        for at, label in _texts(person.get("access")):
            if label not in labels:
                message, advice = "no source has this access label", did_you_mean(label, labels)
                path: Path = ("people", n, "access", at)
                yield sheet.problem(path, message, advice, severity="warning", value=shown(label))


def _private_readers(sheet: Sheet, sources: _Items) -> Iterator[Problem]:
    """A source that reads as a person sees what not everybody may, and says of no post so."""
    for n, source in sources:
        if source.get("kind") == "reddit" and source.get("password_env") and source.get("access", "public") == "public":
            message = (
                f"reads as {shown(source.get('username'))}, and its posts are for everybody: "
                "what stands in private, restricted and employees' subreddits is left out"
            )
            advice = (
                "nothing is to be done, or list them in a source of their own whose `access` names who may read them "
                "here; without password_env the app sees public ones alone"
            )
            yield sheet.problem(("sources", n, "password_env"), message, advice, severity="warning")


def _webhook_secrets(sheet: Sheet, sources: _Items, secrets: Secrets) -> Iterator[Problem]:
    for n, source in sources:
        for setting in ("secret_env", "former_secret_env"):
            name = source.get(setting)
            if isinstance(name, str) and re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):
                found = _signing_key(name, secrets.get(name))
                if found is not None:
                    yield sheet.problem(("sources", n, setting), *found, severity="warning")


def _signing_key(name: str, key: SecretStr | None) -> tuple[str, str] | None:
    """(what is wrong with the key of that name, the way out)."""
    if key is None:
        message = f"{name} is neither in the environment nor in secrets.env: what is signed with it will be refused"
        return message, f"write {name}=… into secrets.env, or set it where Clamor is started"
    if len(key.get_secret_value()) < SHORTEST_KEY:
        message = f"{name} holds fewer than {SHORTEST_KEY} characters: what is signed with it will be refused"
        return message, "take a long random one, such as `openssl rand -hex 32` prints"
    return None


def _nobody_told(sheet: Sheet, brands: _Items, people: _Items) -> Iterator[Problem]:
    for n, brand in brands:
        if brand.get("kind", "own") != "own":
            continue
        hears = [(person, _named(person, "brands")) for _, person in people]
        told = [person for person, brands_heard in hears if not brands_heard or brand.get("id") in brands_heard]
        queues = {queue for person in told for queue in _named(person, "queues") or QUEUES}
        silent = [queue for queue in QUEUES if queue not in queues]
        if silent:
            message = f"alerts in {', '.join(silent)} about this brand reach nobody"
            advice = "let somebody in people have its id in brands and the queue in queues (or leave them empty: all)"
            yield sheet.problem(("brands", n, "id"), message, advice, severity="warning", value=shown(brand.get("id")))


def _within(host: str) -> bool:
    """Whether what is sent there stays on this machine: a socket's folder, or its own address."""
    return host.startswith("/") or _loopback(host)


def _loopback(host: str) -> bool:
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
