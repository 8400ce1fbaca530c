"""The containers' commands, health checks and settings, as docker-compose.yml and the image have them, without
containers: on real servers, and where the machine allows it each stage in a process namespace of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest
from program import RULES, append, free_port, said, wait_until
from smtp_server import SmtpServer

from clamor.opening import open_home
from config.home import Home
from tests.deploy.compose import ROOT, copies, seconds, services, stages
from tests.services.engines import PASSWORD_NAME, Engines
from tests.services.postgres_server import USER

pytestmark = pytest.mark.timeout(600)
PARTED = ("unshare", "--pid", "--fork", "--mount-proc", "--uts")
NAMED = ("sh", "-c", 'hostname "$0" && exec "$@"')
"""A name of its own, as every container has."""
PATIENCE = 180.0


def can_be_parted() -> bool:
    """Whether this user may make process namespaces."""
    if not (shutil.which("unshare") and shutil.which("nsenter")):
        return False
    return subprocess.run([*PARTED, *NAMED, "clamor-test", "true"], capture_output=True, check=False).returncode == 0


class Container:
    """A service's command, without its image."""

    def __init__(self, service: str, environment: Mapping[str, str], folder: Path, *, parted: bool) -> None:
        self.service, self._environment, self._parted = service, environment, parted
        command = [sys.executable, "-m", "clamor.cli", *stages()[service]]
        name = f"{service}-{time.monotonic_ns()}"
        self.said = folder / f"{name}.txt"
        inside = (*PARTED, *NAMED, name) if parted else ()
        with self.said.open("wb") as out:
            self._launched = subprocess.Popen(
                [*inside, *command], env=dict(environment), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip

    def healthy(self) -> bool:
        """By the service's own health check."""
        assert self._launched.poll() is None, self.said.read_text(errors="replace")
        program, *arguments = services(CLAMOR_DATABASE_PASSWORD="told")[self.service]["healthcheck"]["test"][1:]
        assert program == "python"
        main = self._main()
        if main is None:
            return False
        inside = ["nsenter", "--target", str(main.pid), "--pid", "--mount", "--uts"] if self._parted else []
        check = [*inside, sys.executable, *arguments]
        return subprocess.run(check, env=dict(self._environment), cwd=ROOT, check=False).returncode == 0

    def stop(self) -> int:
        """As `docker stop` does; its exit code."""
        main = self._main()
        assert main is not None
        main.send_signal(signal.SIGTERM)
        grace = services(CLAMOR_DATABASE_PASSWORD="told")[self.service]["stop_grace_period"]
        return self._launched.wait(seconds(grace))

    def end(self) -> None:
        if self._launched.poll() is None:
            os.killpg(self._launched.pid, signal.SIGKILL)
            self._launched.wait()

    def _main(self) -> psutil.Process | None:
        """The process that is number 1 in the container; None before there is one."""
        launched = psutil.Process(self._launched.pid)
        return next(iter(launched.children()), None) if self._parted else launched


@pytest.fixture(params=["together", "parted"])
def parted(request: pytest.FixtureRequest) -> bool:
    if request.param == "parted" and not can_be_parted():
        pytest.skip("process namespaces need the right to make them (root)")
    return bool(request.param == "parted")


@pytest.fixture
def mail() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def environment(engines: Engines, mail: SmtpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the image and the services set, and the addresses that the servers have here."""
    home = tmp_path / "etc"
    shutil.copytree(ROOT / "deploy" / "home", home)
    (home / "rules.yaml").write_text(RULES)
    home.chmod(0o555)
    data = tmp_path / "data"
    data.mkdir()
    name = engines.database()
    told = {
        "CLAMOR_HOME": str(home),
        "CLAMOR_DATA": str(data),
        PASSWORD_NAME: engines.postgres.password,
        "CLAMOR_ENGINES__LOG__KAFKA__SERVERS": json.dumps([engines.kafka.address]),
        "CLAMOR_ENGINES__LOG__KAFKA__PREFIX": f"{name}.",
        "CLAMOR_ENGINES__STORE__HOSTS": json.dumps([engines.elastic.address]),
        "CLAMOR_ENGINES__STORE__PREFIX": name,
        "CLAMOR_ENGINES__DATABASE__HOST": "127.0.0.1",
        "CLAMOR_ENGINES__DATABASE__PORT": str(engines.postgres.port),
        "CLAMOR_ENGINES__DATABASE__NAME": name,
        "CLAMOR_ENGINES__DATABASE__USER": USER,
        "CLAMOR_MAIL__HOST": "127.0.0.1",
        "CLAMOR_MAIL__PORT": str(mail.port),
        "CLAMOR_API__HOST": "127.0.0.1",
        "CLAMOR_API__PORT": str(free_port()),
    }
    for variable, value in told.items():
        monkeypatch.setenv(variable, value)
    plain = {key: value for key, value in os.environ.items() if not key.startswith("CLAMOR_")}
    return {**plain, **told, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def containers(environment: dict[str, str], tmp_path: Path, parted: bool) -> Iterator[list[Container]]:
    """All at once, as `docker compose up` starts them when the engines are healthy."""
    made = [
        Container(service, environment, tmp_path, parted=parted) for service in stages() for _ in range(copies(service))
    ]
    yield made
    for one in made:
        one.end()


def clamor(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """As `docker compose exec web clamor …`."""
    command = [sys.executable, "-m", "clamor.cli", *words]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_the_containers_come_up_work_and_go(
    containers: list[Container], environment: dict[str, str], mail: SmtpServer
) -> None:
    for one in containers:
        wait_until(one.healthy, f"{one.service} is healthy", PATIENCE)
    with open_home(Home.find(None)) as opened:
        append(opened, [said(n, f"Acme Airlines mayday word{n}") for n in range(3)])
        append(opened, [said(n, f"Acme Airlines word{n}") for n in range(3, 40)])
    wait_until(lambda: len(set(mail.ids())) == 3, "the alerts are mailed", PATIENCE)
    searched = ("search", "brand:acme", "--count")
    wait_until(lambda: clamor(environment, *searched).stdout.strip() == "40", "all is searchable", PATIENCE)

    found = json.loads(clamor(environment, "status", "--json").stdout)
    assert {one["stage"]: one["processes"] for one in found["stages"]} == {name: copies(name) for name in stages()}
    assert found["stuck"] == []
    assert found["dead_letters"] == 0
    assert len({one["process"] for one in found["processes"]}) == len(containers)
    with urlopen(f"http://127.0.0.1:{environment['CLAMOR_API__PORT']}/readyz", timeout=60) as answer:
        assert json.load(answer) == {"status": "ready", "missing": []}

    assert [one.stop() for one in containers] == [0] * len(containers)
    assert len(mail.ids()) == 3, "each once"
