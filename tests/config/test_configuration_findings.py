from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from config.home import Home, write_example
from config.known import Checkers, Known, Paper, Standing
from config.load import check, load, load_content
from config.problems import ConfigurationError, Problem, errors
from config.reference import full_example
from config.schema import json_schema

MakeHome = Callable[..., Home]

BROKEN = """\
brandz: 3
brands:
  - id: Acme
    nam: Acme
    aliases: [No, 1984, x]
    handles: [acme]
    hashtags:
      - #acme
  - id: glob
    name: Glob
    aliases: Acme
    kind: rival
  - id: glob
    name: Glob2
  - text
sources:
  - id: a
    kind: fil
  - id: b
    kind: webhook
    secret_env: hunter2!
    max_body: 900MB
  - id: c
    kind: webhook
    secret: hunter2
    secret_env: NOT_THERE
  - id: d
    kind: file
    zone: Mars/Olympus
people:
  - id: p
    name: P
    email: foo
    brands: [globe]
    queues: [supprot]
    access: [insiders]
    max_mails_per_hour: 0
engines:
  log: {kind: 'kafka://user:hunter2@kafka:9092', retention: 9d, retention_bytes: 500}
  database: postgresql://user:hunter2@db/x
  store:
api:
  port: 99999
  hots: x
mail:
  host: smtp.example.org
  password: hunter2
  from: a b
  port: '587'
alerts: []
retention:
  posts: 6 days
logging: {level: loud}
api:
  port: 1
"""

FOUND = {
    (1, "brandz", "did you mean 'brands'"),
    (3, "brands[0].name", "is missing"),
    (3, "brands[0].id", "small letters"),
    (4, "brands[0].nam", "did you mean 'name'"),
    (5, "brands[0].aliases[1]", "in quotes: '1984'"),
    (6, "brands[0].handles[0]", "not a handle"),
    (8, "brands[0].hashtags[0]", "a # begins a comment"),
    (11, "brands[1].aliases", "write [Acme]"),
    (12, "brands[1].kind", "own, competitor, category"),
    (13, "brands[2].id", "brands[1] already"),
    (15, "brands[3]", "must be a section"),
    (18, "sources[0].kind", "did you mean 'file'"),
    (21, "sources[1].secret_env", "its NAME"),
    (22, "sources[1].max_body", "at most 50MB"),
    (25, "sources[2].secret", "its NAME into secret_env"),
    (26, "sources[2].secret_env", "NOT_THERE is neither"),
    (29, "sources[3].zone", "Europe/Madrid"),
    (33, "people[0].email", "ana@example.org"),
    (34, "people[0].brands[0]", "did you mean 'glob'"),
    (35, "people[0].queues[0]", "did you mean 'support'"),
    (36, "people[0].access[0]", "no source has"),
    (37, "people[0].max_mails_per_hour", "at least 1"),
    (39, "engines.log.kind", "into `kafka: servers`"),
    (39, "engines.log.retention", "at most 7d"),
    (39, "engines.log.retention_bytes", "needs its unit"),
    (40, "engines.database", "not written as an address"),
    (43, "api.port", "at most 65535"),
    (44, "api.hots", "did you mean 'host'"),
    (47, "mail.password", "its NAME into password_env"),
    (48, "mail.from", "not an e-mail address"),
    (50, "alerts", "must be a section"),
    (52, "retention.posts", "not a span of time"),
    (53, "logging.level", "debug, info, warning, error"),
    (54, "", "in line 42"),
}


def test_everything_that_is_wrong_is_found_at_once_at_its_line_with_the_way_out(make_home: MakeHome) -> None:
    problems = check(make_home(BROKEN))
    for line, path, words in FOUND:
        there = [str(problem) for problem in problems if (problem.line, problem.path) == (line, path)]
        assert any(words in text for text in there), (line, path, words, there)
    places = {(problem.line, problem.path) for problem in errors(problems)}
    assert places <= {(line, path) for line, path, _ in FOUND}


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ("{reputation: {negative: 0.5, neutral: 0.3, positive: 0.1}}", "the shares sum to 0.9"),
        ("{reputation: {negative: 0.5, neutral: 0.5}}", "positive missing"),
        ("{reputation: {negative: 0.5, neutral: 0.4, good: 0.1}}", "there is no label 'good'"),
        ("{reputation: {negative: 0.5, neutral: 0.5, positive: 0}}", "must be more than 0"),
        ("{reputation: {negative: half, neutral: 0.4, positive: 0.1}}", "must be a number"),
        ("{sentiment: {negative: 0.5, neutral: 0.3, positive: 0.1}}", "the shares sum to 0.9"),
        ("{sentiment: {negative: 0.5, neutral: 0.4, mixed: 0.1}}", "there is no label 'mixed'"),
        ("{queue: {support: 0.5, none: 0.5}}", "'queue' is not known here"),
        ("0.5", "must be a section"),
    ],
)
def test_shares_of_labels_are_those_of_all_labels_and_sum_to_one(make_home: MakeHome, prior: str, words: str) -> None:
    problems = errors(check(make_home(f"brands:\n  - id: acme\n    name: Acme\n    prior: {prior}\n")))
    assert any(words in str(problem) and problem.line == 4 for problem in problems), problems


def test_a_category_has_no_shares_of_reputation(make_home: MakeHome) -> None:
    prior = "{reputation: {negative: 0.5, neutral: 0.4, positive: 0.1}}"
    (problem,) = check(make_home(f"brands:\n  - {{id: trip, name: Madrid Lisboa, kind: category, prior: {prior}}}\n"))
    assert (problem.severity, problem.path) == ("warning", "brands[0].prior.reputation")


def test_no_secret_is_ever_repeated(make_home: MakeHome) -> None:
    home = make_home(BROKEN, secrets="SMTP=hunter2\nbroken hunter2\n")
    with pytest.raises(ConfigurationError) as caught:
        load(home)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.problems)


def test_the_example_is_without_problems(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "new")
    write_example(home, json_schema())
    assert check(home, use="run") == []
    loaded = load(home)
    assert loaded.content.stated.brands is not None
    assert loaded.content.rules_text is None


def test_the_example_with_every_setting_set_is_without_problems(make_home: MakeHome, signing: dict[str, str]) -> None:
    channels = ("CLAMOR_DESK_CHAT", "CLAMOR_CRM_URL", "CLAMOR_CRM_KEY", "CLAMOR_CRM_OLD_KEY")
    secrets = "CLAMOR_SMTP_PASSWORD=x y\n" + "".join(f"{name}=https://example.org/hook\n" for name in channels)
    secrets += "".join(f"{name}={secret}\n" for name, secret in signing.items())
    home = make_home(full_example(), secrets=secrets)
    assert check(home, use="run") == []
    loaded = load(home)
    assert loaded.settings.mail.from_address == "clamor@localhost"
    assert loaded.content.shipped("rules")
    assert loaded.content.shipped("policy")
    secret = loaded.secrets.get("CLAMOR_SMTP_PASSWORD")
    assert secret is not None
    assert secret.get_secret_value() == "x y"
    assert "x y" not in repr(loaded)


def test_a_password_in_the_address_of_a_broker_is_not_repeated(make_home: MakeHome) -> None:
    text = "engines: {log: {kind: kafka, kafka: {servers: ['user:hunter2@kafka:9093', 'sasl://u:hunter2@kafka:1']}}}\n"
    problems = check(make_home(text))
    assert len(errors(problems)) == 2
    assert "hunter2" not in str(problems)


def test_kafka_needs_its_password_to_run_and_tls_beyond_this_machine(make_home: MakeHome) -> None:
    settings = "servers: ['kafka:9092'], user: u, password_env: P, security: none"
    home = make_home(f"engines: {{log: {{kind: kafka, kafka: {{{settings}}}}}}}\n")
    assert [severity for severity, _ in severities(home, "engines.log.kafka.password_env")] == ["warning"]
    assert [severity for severity, _ in severities(home, "engines.log.kafka.password_env", "run")] == ["error"]
    ((severity, message),) = severities(home, "engines.log.kafka.security")
    assert (severity, "unencrypted" in message) == ("warning", True)
    plain = make_home(f"engines: {{log: {{kind: kafka, kafka: {{{settings}, mechanism: PLAIN}}}}}}\n")
    (severity, message), _ = severities(plain, "engines.log.kafka.security")
    assert (severity, "password" in message) == ("error", True)
    here = "servers: ['localhost:9092', '[::1]:9092'], security: none"
    assert check(make_home(f"engines: {{log: {{kind: kafka, kafka: {{{here}}}}}}}\n"), use="run") == []


def test_a_home_without_a_file_says_how_to_make_one(tmp_path: Path) -> None:
    (problem,) = check(Home.at(tmp_path / "nowhere"))
    assert f"clamor init --home {tmp_path / 'nowhere'}" in problem.advice


@pytest.mark.parametrize("text", ["- a list\n", "just words\n", "42\n"])
def test_a_file_that_holds_no_sections_says_so(make_home: MakeHome, text: str) -> None:
    (problem,) = check(make_home(text))
    assert "sections" in problem.message


def test_an_empty_file_means_every_default(make_home: MakeHome) -> None:
    loaded = load(make_home(""))
    assert loaded.settings.engines.log.retention == 6 * 86_400_000
    assert loaded.settings.api.host == "127.0.0.1"
    assert loaded.home.app_db == loaded.home.root / "data" / "app.db"
    assert loaded.content.stated.brands is None


def test_a_section_whose_lines_are_all_comments_means_its_defaults(make_home: MakeHome) -> None:
    assert load(make_home("mail:\n  #host: x\nengines:\n  log:\n")).settings.mail.host is None


# --- the environment ----------------------------------------------------------------------------------------------


def test_the_environment_goes_before_the_file(
    make_home: MakeHome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLAMOR_API__PORT", "9000")
    monkeypatch.setenv("CLAMOR_ENGINES__LOG__RETENTION", "3d")
    monkeypatch.setenv("CLAMOR_DATA", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("CLAMOR_ALERTS__WORSE_AT", "[50, 80]")
    loaded = load(make_home("api: {port: 8000, host: localhost}\nengines:\n  log:\n    partitions: 2\n"))
    assert (loaded.settings.api.port, loaded.settings.api.host) == (9000, "localhost")
    assert (loaded.settings.engines.log.retention, loaded.settings.engines.log.partitions) == (3 * 86_400_000, 2)
    assert loaded.home.data == tmp_path / "elsewhere"
    assert loaded.settings.alerts.worse_at == (50, 80)


def test_what_is_wrong_in_the_environment_names_the_variable(
    make_home: MakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAMOR_API__PORT", "none")
    monkeypatch.setenv("CLAMOR_API__PROT", "80")
    monkeypatch.setenv("CLAMOR_MIAL__HOST", "x")
    monkeypatch.setenv("CLAMOR_MAIL__PASSWORD", "hunter2")
    problems = {problem.path: problem for problem in check(make_home("api: {port: 80}\n"))}
    assert set(problems) == {"CLAMOR_API__PORT", "CLAMOR_API__PROT", "CLAMOR_MIAL__HOST", "CLAMOR_MAIL__PASSWORD"}
    assert {problem.file for problem in problems.values()} == {"environment"}
    assert "did you mean 'port'" in problems["CLAMOR_API__PROT"].advice
    assert problems["CLAMOR_MIAL__HOST"].severity == "warning"
    assert "hunter2" not in str(problems)


def test_a_section_in_the_environment_that_is_no_section_is_named(
    make_home: MakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAMOR_API", "{broken")
    (problem,) = check(make_home(""))
    assert (problem.file, problem.path) == ("environment", "CLAMOR_API")


# --- what only several settings together show ---------------------------------------------------------------------


def severities(home: Home, path: str, use: str = "check") -> list[tuple[str, str]]:
    found = check(home, use="run" if use == "run" else "check")
    return [(problem.severity, problem.message) for problem in found if problem.path == path]


def test_a_missing_password_is_a_warning_to_check_and_an_error_to_run(make_home: MakeHome) -> None:
    home = make_home("mail: {host: smtp.example.org, user: u, password_env: SMTP_PASSWORD}\n")
    assert [severity for severity, _ in severities(home, "mail.password_env")] == ["warning"]
    assert [severity for severity, _ in severities(home, "mail.password_env", "run")] == ["error"]
    home = make_home(home.settings_file.read_bytes(), secrets="SMTP_PASSWORD=x\n")
    assert check(home, use="run") == []


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("mail: {host: h, user: u}\n", "mail", "belong together"),
        ("mail: {user: u, password_env: P}\n", "mail", "host is not"),
        ("alerts: {worse_at: [50, 40]}\n", "alerts.worse_at", "rising"),
        ("rules: nowhere.yaml\n", "rules", "does not exist"),
        ("engines: {log: {kind: kafka}}\n", "engines.log", "no broker is named"),
        ("engines: {log: {kafka: {user: u}}}\n", "engines.log.kafka", "belong together"),
        ("engines: {log: {kafka: {client_key: k}}}\n", "engines.log.kafka", "belong together"),
        ("engines: {log: {kafka: {servers: [kafka]}}}\n", "engines.log.kafka.servers[0]", "not a broker's address"),
    ],
)
def test_settings_that_need_one_another_say_so(make_home: MakeHome, text: str, path: str, words: str) -> None:
    ((severity, message),) = severities(make_home(text), path)
    assert (severity, words in message) == ("error", True)


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("api: {host: 0.0.0.0}\n", "api.host", "without TLS"),
        ("mail: {host: smtp.example.org, security: none}\n", "mail.security", "unencrypted"),
        ("brands: [{id: a, name: Acme, exclude: [acme]}]\n", "brands[0].exclude[0]", "own name"),
        ("processes: {nlp_workers: 9}\n", "processes.nlp_workers", "4 partitions"),
        ("brands: [{id: a, name: A}]\npeople: []\n", "brands[0].id", "reach nobody"),
        (
            "brands: [{id: a, name: A}]\npeople: [{id: p, name: P, email: p@x.org, queues: [pr, sales]}]\n",
            "brands[0].id",
            "alerts in support about this brand reach nobody",
        ),
        (
            "brands: [{id: a, name: Same}, {id: b, name: B, aliases: [same]}]\n",
            "brands[1].aliases[0]",
            "stands for brand a as well",
        ),
    ],
)
def test_what_is_allowed_but_risky_is_a_warning(make_home: MakeHome, text: str, path: str, words: str) -> None:
    ((severity, message),) = severities(make_home(text), path)
    assert (severity, words in message) == ("warning", True)


def test_a_brand_or_a_proxy_that_settles_the_risk_settles_the_warning(make_home: MakeHome) -> None:
    home = make_home(
        "brands: [{id: a, name: Same}, {id: b, name: Same, require: [flight]}]\n"
        "people: [{id: p, name: P, email: p@x.org}]\n"
        "api: {host: 0.0.0.0, public_url: https://clamor.example.org}\n"
    )
    assert check(home) == []


@pytest.mark.parametrize("account", ["@acme", "@acme@mastodon.example", "bluesky:acme.example", "@acme.example"])
def test_accounts_of_every_network_are_taken(make_home: MakeHome, account: str) -> None:
    home = make_home(f"brands: [{{id: a, name: Acme, accounts: ['{account}'], press: ['{account}']}}]\n")
    assert check(home) == []


def test_a_data_folder_that_cannot_be_written_is_an_error(make_home: MakeHome) -> None:
    home = make_home("data: clamor.yaml/data\n")
    ((severity, message),) = severities(home, "data")
    assert (severity, str(home.settings_file / "data") in message) == ("error", True)


@pytest.mark.parametrize("name", ["The", "de", "Más", " It ", "A"])
def test_a_brand_named_like_an_everyday_word_is_a_warning(make_home: MakeHome, name: str) -> None:
    home = make_home(f"brands:\n  - {{id: b, name: Acme Air, aliases: ['{name}']}}\n")
    ((severity, message),) = severities(home, "brands[0].aliases[0]")
    assert (severity, "nearly every post would be a mention" in message) == ("warning", True)
    home = make_home(f"brands:\n  - {{id: b, name: '{name}'}}\n")
    assert "nearly every post" in severities(home, "brands[0].name")[0][1]
    home = make_home(f"brands:\n  - {{id: b, name: '{name}', require: [airline]}}\n")
    assert severities(home, "brands[0].name") == []


# --- rules and folders to apply -----------------------------------------------------------------------------------


def test_the_checkers_handed_in_read_the_files_of_rules_and_policy(make_home: MakeHome) -> None:
    def refuse(text: str, file: str, known: Known) -> list[Problem]:
        return [Problem(file=file, line=text.count("\n"), message="no")]

    def together(papers: Mapping[str, Paper]) -> list[Problem]:
        return [Problem(file=papers["policy"].file, line=1, message=f"{sorted(papers)}", severity="warning")]

    checkers = Checkers(refuse, refuse, together)
    home = make_home("", rules="rules:\n  - x\n")
    home.policy_file.write_text("kinds:\n  - y\n  - z\n")
    found = [(Path(p.file).name, p.line) for p in check(home, checkers)]
    assert found == [("detractors.yaml", 1), ("detractors.yaml", 3), ("rules.yaml", 2)]
    assert load(home).content.rules_text == "rules:\n  - x\n"
    assert load(home).content.policy_text == "kinds:\n  - y\n  - z\n"
    with pytest.raises(ConfigurationError, match="no"):
        load(home, checkers)


def test_a_policy_in_force_is_read_again_when_files_take_away_what_it_names(tmp_path: Path) -> None:
    def nobody(text: str, file: str, known: Known) -> list[Problem]:
        assert known.people is not None
        return [] if text in known.people else [Problem(file=file, line=1, message=f"no {text}")]

    def nothing(*_: object) -> list[Problem]:
        return []

    (tmp_path / "clamor.yaml").write_text("people: [{id: eva, name: Eva, email: e@x.org}]\n")
    checkers = Checkers(nothing, nobody, nothing)
    standing = Standing(papers={"policy": Paper("ana", "revision 3 of policy")})
    with pytest.raises(ConfigurationError, match="revision 3 of policy:1: error: no ana"):
        load_content(tmp_path, checkers, standing)
    assert load_content(tmp_path, checkers, Standing(papers={"policy": Paper("eva", "")}))


def test_rules_in_a_wrong_encoding_are_named_and_never_guessed(make_home: MakeHome) -> None:
    home = make_home("")
    home.rules_file.write_bytes(b"rules:\n  - caf\xe9\n")
    (problem,) = check(home)
    assert (Path(problem.file).name, problem.line) == ("rules.yaml", 2)


def test_shipped_rules_asked_for_beside_a_rules_file_are_a_warning(make_home: MakeHome) -> None:
    home = make_home("rules: default\n", rules="rules: []\n")
    assert [problem.severity for problem in check(home)] == ["warning"]
    assert load(home).content.rules_text is None


def test_a_folder_with_people_only_may_name_brands_in_force(tmp_path: Path) -> None:
    (tmp_path / "clamor.yaml").write_text("people: [{id: p, name: P, email: p@x.org, brands: [acme]}]\n")
    with pytest.raises(ConfigurationError, match="no brand has this id"):
        load_content(tmp_path)
    content, warnings = load_content(tmp_path, standing=Standing(("acme",)))
    assert warnings == ()
    assert content.stated.brands is None


def test_a_folder_to_apply_is_not_bent_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAMOR_API__PORT", "none")
    (tmp_path / "clamor.yaml").write_text("brands: []\n")
    assert load_content(tmp_path)[0].stated.brands == ()
    (tmp_path / "clamor.yaml").write_text("brands: []\napi: {port: none}\n")
    with pytest.raises(ConfigurationError, match="whole number"):
        load_content(tmp_path)


# --- whatever stands there ----------------------------------------------------------------------------------------

JUNK: tuple[object, ...] = (
    None, True, -1, 1.5, 10**17, "", "#", "@", "junk", "a" * 600, "\u00e9\u0301", [], [[]], [None], ["x", 3], [{}], {},
    {"id": 3}, {"id": ["x"]}, {"": {}}, {"kind": ["file"]},
)  # fmt: skip


def places(tree: object) -> list[tuple[str | int, ...]]:
    """Every place in the tree, the tree itself left out."""
    if isinstance(tree, dict | list):
        items = list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree))
        return [(step, *rest) for step, inner in items for rest in [(), *places(inner)]]
    return []


def test_no_value_anywhere_stops_the_check(make_home: MakeHome) -> None:
    example = yaml.safe_load(full_example())
    for number, path in enumerate(places(example)):
        for junk in JUNK[number % 4 :: 4]:
            tree = copy.deepcopy(example)
            inner = tree
            for step in path[:-1]:
                inner = inner[step]
            inner[path[-1]] = junk
            check(make_home(json.dumps(tree)))


def test_a_signing_key_that_can_be_guessed_is_told(make_home: MakeHome) -> None:
    source = "  - {id: a, kind: webhook, secret_env: NEW, former_secret_env: OLD}\n"
    home = make_home(f"sources:\n{source}", secrets="NEW=" + "n" * 16 + "\nOLD=one two,three\n")
    (problem,) = [one for one in check(home) if one.path.startswith("sources")]
    assert (problem.severity, problem.path) == ("warning", "sources[0].former_secret_env")
    assert "fewer than 16 characters" in problem.message
    assert "one two" not in str(problem)
    home.secrets_file.write_text(f"NEW={'n' * 16}\nOLD=one two,three four\n", encoding="utf-8")
    assert [one for one in check(home) if one.path.startswith("sources")] == []


ASPECTS = """\
brands:
  - id: acme
    name: Acme
    aspects:
      - id: lounge
        mode: replace
      - id: lounge
        en: [a ... b ... c]
aspects:
  - id: delivry
    en: [the, "...", "= x", "(late", "(on|the)"]
  - id: pricing
    mode: replace
    es: [peaje]
  - id: staff
    mode: off
    es: [azafata]
  - id: miles
    fr: [milles]
"""


def test_aspects_that_mean_nothing_are_named_with_the_way_out(make_home: MakeHome) -> None:
    found = {(problem.path, problem.severity): str(problem) for problem in check(make_home(ASPECTS))}
    for path, severity, words in (
        ("brands[0].aspects[1].id", "error", "the id stands in brands[0].aspects[0] already"),
        ("brands[0].aspects[0].id", "warning", "there is no such aspect to replace"),
        ("brands[0].aspects[0].mode", "warning", "write phrases, or `mode: off`"),
        ("brands[0].aspects[1].en[0]", "error", "more than one ... in a phrase"),
        ("aspects[0].id", "warning", "did you mean 'delivery'?"),
        ("aspects[0].en[0]", "warning", "is an everyday word"),
        ("aspects[0].en[1]", "error", "no letter or digit on each side of ..."),
        ("aspects[0].en[2]", "error", "an = stands before a word"),
        ("aspects[0].en[3]", "error", "brackets hold what may stand there"),
        ("aspects[0].en[4]", "warning", "is an everyday word"),
        ("aspects[1].id", "warning", "there is no such aspect to replace"),
        ("aspects[2].mode", "warning", "`off` means that no phrase counts"),
        ("aspects[3].fr", "error", "'fr' is not known here"),
    ):
        assert words in found[path, severity], path


@pytest.mark.parametrize(
    ("store", "path", "words"),
    [
        ("{kind: elasticsearch}", "engines.store", "hosts is missing"),
        ("{kind: elastic}", "engines.store.kind", "write embedded, or elasticsearch"),
        ("{kind: 'https://eva:hunter2@x:9200'}", "engines.store.kind", "an address stands in `hosts`"),
        ("{kind: elasticsearch, hosts: ['https://eva:hunter2@x:9200']}", "engines.store.hosts[0]", "no login in it"),
        ("{kind: elasticsearch, hosts: ['search:9200']}", "engines.store.hosts[0]", "not an address"),
        ("{kind: elasticsearch, hosts: ['https://x:99999']}", "engines.store.hosts[0]", "not an address"),
        ("{kind: elasticsearch, hosts: ['https://x:1'], user: eva}", "engines.store", "belong together"),
        ("{kind: elasticsearch, hosts: ['http://x:1'], certificates: ca.pem}", "engines.store", "of no use"),
        (
            "{kind: elasticsearch, hosts: ['https://x:1'], user: eva, password_env: A_NAME, api_key_env: KEY}",
            "engines.store",
            "two logins",
        ),
        ("{kind: elasticsearch, hosts: ['https://x:1'], api_key_env: hunter2}", "engines.store.api_key_env", "NAME"),
    ],
)
def test_a_cluster_that_cannot_be_reached_as_written_is_told(
    make_home: MakeHome, store: str, path: str, words: str
) -> None:
    problems = check(make_home(f"engines:\n  store: {store}\n"))
    assert any(problem.path == path and words in str(problem) for problem in problems), list(map(str, problems))
    assert not any("hunter2" in str(problem) for problem in problems)


def test_a_cluster_s_secret_that_is_not_there_stops_a_run_and_warns_a_check(make_home: MakeHome) -> None:
    home = make_home("engines: {store: {kind: elasticsearch, hosts: ['http://search:9200'], api_key_env: NOT_THERE}}\n")
    found = {(problem.path, problem.severity) for problem in check(home)}
    assert found == {("engines.store.api_key_env", "warning"), ("engines.store.hosts[0]", "warning")}
    assert ("engines.store.api_key_env", "error") in {(one.path, one.severity) for one in check(home, use="run")}


def test_a_reader_who_is_let_in_where_others_are_not_names_who_may_read_it_here(make_home: MakeHome) -> None:
    reddit = "{id: r, kind: reddit, client_id_env: A, client_secret_env: B, username: ana-writes, password_env: C"
    ((severity, message),) = severities(make_home(f"sources: [{reddit}}}]\n"), "sources[0].password_env")
    assert (severity, "reads as" in message, "left out" in message) == ("warning", True, True)
    assert severities(make_home(f"sources: [{reddit}, access: staff}}]\n"), "sources[0].password_env") == []


@pytest.mark.parametrize(
    ("reply", "path", "words"),
    [
        (
            "{id: a, en: 'Dear {auhtor}'}",
            "replies[0].en",
            "{auhtor} has no meaning here",
        ),
        ("{id: a, es: 'Hola {author'}", "replies[0].es", "a brace is not closed"),
        ("{id: a, en: '{author.name}'}", "replies[0].en", "{author.name}"),
        ("{id: a}", "replies[0]", "it has no words"),
        ("{id: a, en: hello, brands: [acne]}", "replies[0].brands[0]", "did you mean 'acme'"),
    ],
)
def test_a_canned_reply_that_cannot_be_filled_in_is_found(
    make_home: MakeHome, reply: str, path: str, words: str
) -> None:
    found = check(make_home(f"brands: [{{id: acme, name: Acme Air}}]\nreplies:\n  - {reply}\n"))
    assert [(one.path, words in f"{one.message} {one.advice}") for one in found if "replies" in (one.path or "")] == [
        (path, True)
    ]


@pytest.mark.parametrize(
    ("section", "path", "words"),
    [
        ("teams: [{TEAM, members: [anna]}]", "teams[0].members[0]", "did you mean 'ana'"),
        ("teams: [{TEAM, hands_over_to: m}]", "teams[0].hands_over_to", "to itself"),
        ("teams: [{TEAM, zone: Europe/Madird}]", "teams[0].zone", "not a time zone"),
        ("teams: [{id: m, name: M, zone: UTC, hours: {mon: ['9-18']}}]", "teams[0].hours.mon[0]", "not hours of a day"),
        ("teams: [{id: m, name: M, zone: UTC, hours: {}}]", "teams[0].hours", "never open"),
        ("deadlines: [{id: d, resolution: {low: 3 days}}]", "deadlines[0].resolution.low", "not a target"),
        ("deadlines: [{id: d, escalate: [bob]}]", "deadlines[0].escalate[0]", "nobody in people has this id"),
        ("deadlines: [{id: d, resolution: {low: 4h business}}]", "deadlines[0].resolution.low", "no team serves"),
        ("teams: [{TEAM, brands: [acne]}]", "teams[0].brands[0]", "did you mean 'acme'"),
    ],
)
def test_a_calendar_that_names_what_is_not_there_is_found(
    make_home: MakeHome, section: str, path: str, words: str
) -> None:
    zone = "" if "zone" in section else "zone: UTC, "
    text = section.replace("TEAM", f"id: m, name: M, {zone}hours: {{mon: ['09:00-18:00']}}")
    who = "brands: [{id: acme, name: Acme Air}]\npeople: [{id: ana, name: Ana, email: ana@example.org}]\n"
    found = check(make_home(f"{who}{text}\n"))
    about = [one for one in found if (one.path or "").startswith(path.partition("[")[0])]
    assert [(one.path, words in f"{one.message} {one.advice}") for one in about] == [(path, True)]


def test_hours_that_a_clock_skips_are_a_warning_that_says_when(make_home: MakeHome) -> None:
    team = "teams: [{id: m, name: M, zone: Europe/Madrid, hours: {sun: ['02:00-03:00'], mon: ['09:00-10:00']}}]\n"
    found = [one for one in check(make_home(team)) if one.path == "teams[0].hours.sun[0]"]
    assert {(one.severity, "the clocks of Europe/Madrid skip these hours" in one.message) for one in found} == {
        ("warning", True)
    }


def test_holidays_of_a_country_that_nobody_knows_are_found(make_home: MakeHome) -> None:
    pytest.importorskip("holidays")
    team = "teams: [{id: m, name: M, zone: UTC, hours: {mon: ['09:00-10:00']}, holidays: ES-ZZ}]\n"
    (found,) = [one for one in check(make_home(team)) if one.path == "teams[0].holidays"]
    assert "MD" in (found.advice or "")


CHANNELS = """
brands: [{id: acme, name: Acme Air}, {id: bakery, name: Old Bakery}, {id: rival, name: Rival Air, kind: competitor}]
people:
  - {id: ana, name: Ana, email: ana@example.org, channels: [fone]}
  - {id: ben, name: Ben, email: ben@example.org, brands: [bakery]}
teams:
  - {id: press, name: Press, zone: UTC, members: [ben], channels: [chat], hours: {mon: ['09:00-18:00']}}
channels:
  - {id: phone, kind: apprise, url_env: CLAMOR_PHONE}
  - {id: chat, kind: apprise, url_env: CLAMOR_CHAT}
  - {id: crm, kind: webhook, url_env: CLAMOR_CRM}
"""


def test_a_channel_that_is_not_there_or_not_signed_is_found(make_home: MakeHome) -> None:
    found = {(one.line, one.path, one.message) for one in check(make_home(CHANNELS))}
    assert (4, "people[0].channels[0]", "no channel has this id") in found
    assert any(line == 11 and "a webhook is signed" in message for line, _, message in found)


def test_a_brand_of_whose_crisis_mail_alone_would_tell_is_named(make_home: MakeHome) -> None:
    alone = "a crisis of this brand is told by mail alone"
    whole = CHANNELS.replace("CLAMOR_CRM}", "CLAMOR_CRM, secret_env: CLAMOR_KEY}").replace("[fone]", "[]")
    assert [one.value for one in check(make_home(whole)) if one.message == alone] == ["'acme'"]
    both = whole.replace("channels: []", "channels: [phone]")
    assert not [one for one in check(make_home(both)) if one.message == alone]
    assert not [one for one in check(make_home(both.partition("channels:\n")[0])) if one.message == alone]


def test_an_address_that_is_not_there_stops_a_run_and_warns_a_check(make_home: MakeHome) -> None:
    home = make_home("channels: [{id: chat, kind: webhook, url_env: CLAMOR_CHAT, secret_env: CLAMOR_KEY}]\n")
    found = [one for one in check(home) if "CLAMOR_" in one.message]
    assert [(one.path, one.severity) for one in found] == [
        ("channels[0].url_env", "warning"), ("channels[0].secret_env", "warning"),
    ]  # fmt: skip
    with pytest.raises(ConfigurationError, match="CLAMOR_CHAT"):
        load(home)
