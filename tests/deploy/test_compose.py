"""docker-compose.yml keeps the rules of the Compose specification that matter, and ours.

No Docker engine runs here: what is checked is the text. What its commands and settings do on real servers is tested in
tests/services/stack.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from clamor.cli import program
from config import load
from config.home import Home
from config.problems import errors
from routing.checkers import CHECKERS
from tests.deploy.compose import FILE, IMAGE, ROOT, VARIABLE, copies, seconds, services, stages, written

COMMANDS: Any = typer.main.get_command(program())
SERVICE_KEYS = {
    "build", "cap_drop", "command", "depends_on", "deploy", "environment", "healthcheck", "image", "init", "logging",
    "networks", "ports", "read_only", "restart", "security_opt", "shm_size", "stop_grace_period", "stop_signal",
    "tmpfs", "user", "volumes",
}  # fmt: skip
"""Those of the specification that are used here: a slip in one would be an unknown key."""
SERVICES = services(CLAMOR_DATABASE_PASSWORD="told")
EACH = pytest.mark.parametrize("name", SERVICES)
OURS = pytest.mark.parametrize("name", stages())


def test_every_stage_is_a_service() -> None:
    from clamor.processes import STAGES

    assert sorted(command[1] for command in stages().values()) == sorted(STAGES)
    assert all(command[0] == "stage" for command in stages().values())


@OURS
def test_the_commands_are_commands_of_ours(name: str) -> None:
    arguments = [str(word) for word in SERVICES[name]["command"]]
    context = COMMANDS.make_context("clamor", list(arguments))
    found, command, left = COMMANDS.resolve_command(context, [*getattr(context, "_protected_args", ()), *context.args])
    assert found == "stage"
    command.make_context(found, left, parent=context)


@EACH
def test_a_service_has_the_keys_of_the_specification(name: str) -> None:
    one = SERVICES[name]
    assert one.keys() <= SERVICE_KEYS
    assert one["restart"] in ("no", "always", "on-failure", "unless-stopped")
    variables = one.get("environment", {}).values()
    assert all(isinstance(value, str) for value in variables), "a bare number or yes is not a text"
    if "stop_grace_period" in one:
        seconds(one["stop_grace_period"])


@EACH
def test_a_service_has_a_health_check_that_ends(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check.keys() == {"test", "interval", "timeout", "retries", "start_period"}
    assert check["test"][0] == "CMD"
    assert seconds(check["timeout"]) <= seconds(check["interval"])
    assert isinstance(check["retries"], int)
    seconds(check["start_period"])


@OURS
def test_our_health_checks_ask_the_stage_that_the_container_runs(name: str) -> None:
    one = SERVICES[name]
    assert one["healthcheck"]["test"] == ["CMD", "python", "-m", "clamor.pulse", one["command"][1]]


@EACH
def test_a_service_has_limits_and_gains_no_rights(name: str) -> None:
    one = SERVICES[name]
    limits = one["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}
    assert re.fullmatch(r"\d+[MG]", limits["memory"])
    assert float(limits["cpus"]) > 0
    assert "no-new-privileges:true" in one["security_opt"]
    assert one["logging"]["options"].keys() == {"max-size", "max-file"}


@OURS
def test_our_containers_write_to_their_volume_only(name: str) -> None:
    one = SERVICES[name]
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert "user" not in one, "the image's user"
    writable = [volume for volume in one["volumes"] if not volume.endswith(":ro")]
    assert writable == ["clamor-data:/var/lib/clamor"]
    assert seconds(one["stop_grace_period"]) > 30, "as long as a stage may take to finish its batch"


@EACH
def test_what_a_service_starts_after_is_there_and_well(name: str) -> None:
    for other, about in SERVICES[name].get("depends_on", {}).items():
        assert about == {"condition": "service_healthy"}
        assert other in SERVICES
    if name in stages():
        assert SERVICES[name]["depends_on"].keys() == SERVICES.keys() - stages().keys()


def test_networks_and_volumes_that_are_used_are_declared_and_no_others() -> None:
    used = {network for one in SERVICES.values() for network in one["networks"]}
    assert used == written()["networks"].keys()
    sources = {volume.partition(":")[0] for one in SERVICES.values() for volume in one.get("volumes", ())}
    assert {source for source in sources if not source.startswith(".")} == written()["volumes"].keys()
    assert all((ROOT / source).exists() for source in sources if source.startswith("."))


def test_the_engines_are_reached_by_these_containers_only() -> None:
    assert written()["networks"]["engines"] == {"internal": True}
    for name, one in SERVICES.items():
        for port in one.get("ports", ()):
            assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), "published on this machine only"
        assert ("ports" in one) == ("front" in one["networks"]), name
    assert {name for name, one in SERVICES.items() if "ports" in one} == {"web", "mail"}


def test_no_secret_stands_in_a_file_of_the_repository() -> None:
    for name, one in written()["services"].items():
        for variable, value in one.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|KEY", variable):
                found = VARIABLE.fullmatch(value)
                assert found is not None, (name, variable)
                assert found[2] == "?", "without one nothing starts"
    with pytest.raises(KeyError):
        services()
    assert ".env" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


def test_make_up_writes_a_password_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    command = ["make", "--silent", f"--file={ROOT / 'Makefile'}", f"--directory={tmp_path}", ".env"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    written_now = (tmp_path / ".env").read_text()
    found = re.fullmatch(r"CLAMOR_DATABASE_PASSWORD=([0-9a-f]{48})\n", written_now)
    assert found is not None
    assert found[1] not in told.stdout + told.stderr
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    subprocess.run(command, capture_output=True, check=True)
    assert (tmp_path / ".env").read_text() == written_now


def test_every_image_can_be_pinned_and_none_is_the_latest() -> None:
    images = [one["image"] for one in written()["services"].values()]
    for image in images:
        found = VARIABLE.fullmatch(image)
        assert found is not None, image
        assert re.fullmatch(r"[\w./-]+:[\w.-]+", found[3])
        assert not found[3].endswith(":latest")
    assert VARIABLE.fullmatch(written()["x-stage"]["build"]["args"]["PYTHON_IMAGE"])


def test_every_variable_stands_on_the_page() -> None:
    page = (ROOT / "docs" / "containers.md").read_text("utf-8")
    named = {found[0] for found in VARIABLE.findall(FILE.read_text("utf-8"))}
    assert set(re.findall(r"^\| `(CLAMOR_[A-Z_]+)` \|", page, re.MULTILINE)) == named


def test_the_versions_are_those_that_the_tests_run() -> None:
    from tests.services import elastic_node, postgres_server

    kafka = (ROOT / "tests" / "services" / "kafka_server.py").read_text("utf-8")
    assert f'VERSION = "{SERVICES["kafka"]["image"].partition(":")[2]}"' in kafka
    assert SERVICES["elasticsearch"]["image"].endswith(f":{elastic_node.VERSION}")
    assert SERVICES["postgres"]["image"].startswith(f"postgres:{postgres_server.OLDEST}-")


def test_the_settings_are_right_and_name_the_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `clamor check` reads them in a container."""
    monkeypatch.setenv("CLAMOR_DATABASE_PASSWORD", "told")
    monkeypatch.setenv("CLAMOR_DATA", str(tmp_path))
    home = Home.at(ROOT / "deploy" / "home")
    assert errors(load.check(home, CHECKERS, use="run")) == []
    settings = load.load(home, CHECKERS, use="run").settings
    engines = settings.engines
    addresses = [*engines.log.kafka.servers, *(host.partition("//")[2] for host in engines.store.hosts)]
    for address in [*addresses, f"{engines.database.host}:5432", f"{settings.mail.host}:1025"]:
        assert address.partition(":")[0] in SERVICES.keys() - stages().keys()
    given = SERVICES["postgres"]["environment"]
    assert (given["POSTGRES_DB"], given["POSTGRES_USER"]) == (engines.database.name, engines.database.user)
    assert copies("nlp") <= engines.log.partitions
    assert SERVICES["web"]["ports"] == [f"127.0.0.1:{settings.api.port}:{settings.api.port}"]
    assert settings.api.host == "0.0.0.0"


# --- the image --------------------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text("utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


def ignored() -> Iterator[str]:
    """What .dockerignore lets in."""
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        if line.startswith("!"):
            yield line[1:]


def test_the_image_is_built_in_two_stages_and_runs_as_nobody_special() -> None:
    found = instructions()
    assert [value for name, value in found if name == "FROM"] == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]
    last = found[max(number for number, (name, _) in enumerate(found) if name == "FROM") :]
    (user,) = [value for name, value in last if name == "USER"]
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user), "a number: an orchestrator sees that it is not root"
    assert [value for name, value in last if name == "ENTRYPOINT"] == ['["clamor"]']
    assert not [value for name, value in last if name == "RUN" and "pip" in value], "nothing is built in it"
    assert {name for name, _ in found} <= {
        "ARG", "FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "ENTRYPOINT", "CMD",
    }  # fmt: skip


def test_the_image_holds_what_is_locked() -> None:
    installs = [value for name, value in instructions() if name == "RUN" and "pip install" in value]
    assert all("--require-hashes" in value or "--no-deps" in value for value in installs)
    locked = (ROOT / "requirements" / "engines.txt").read_text("utf-8")
    for name in ("kafka-python", "crc32c", "elasticsearch", "psycopg", "psycopg-binary", "hatchling"):
        assert re.search(rf"^{name}==", locked, re.MULTILINE), name


def test_what_the_image_is_made_of_is_let_in_and_nothing_else() -> None:
    let_in = set(ignored())
    assert all((ROOT / name).exists() for name in let_in)
    packages = re.search(r"^packages = (\[.*\])$", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert packages is not None
    assert let_in == {*re.findall(r'"(\w+)"', packages[1]), "README.md", "LICENSE", "pyproject.toml", "requirements"}
    for name, value in instructions():
        if name == "COPY" and not value.startswith("--from") and not value.startswith(". "):
            assert value.split()[0].partition("/")[0] in let_in


def test_the_image_and_the_services_agree_on_the_folders() -> None:
    (told,) = [value for name, value in instructions() if name == "ENV" and "CLAMOR_HOME" in value]
    given = dict(part.split("=", 1) for part in told.split())
    for name in stages():
        volumes = [volume.split(":") for volume in SERVICES[name]["volumes"]]
        mounts = {target: source for source, target, *_ in volumes}
        assert mounts == {given["CLAMOR_HOME"]: "./deploy/home", given["CLAMOR_DATA"]: "clamor-data"}
        assert SERVICES[name]["image"] == IMAGE
