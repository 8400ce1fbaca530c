"""One Elasticsearch node for the tests: fetched by Maven once, started on a port of its own, stopped by its id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path
from typing import Self

VERSION = "8.19.21"
ARTIFACT = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
USER = "esrun"
"""Elasticsearch refuses to run as root: then it runs as this user, who is made where there is none."""
READY_WITHIN = 300.0
GIVEN = "CLAMOR_TEST_ELASTIC"
"""Address of a node that is there already, in place of one of our own."""


class Missing(Exception):
    """What is needed to start a node is not on this machine."""


def cache() -> Path:
    """Outside the tree, and where USER can read it."""
    named = os.environ.get("CLAMOR_ENGINES_CACHE")
    if named:
        return Path(named)
    return Path("/var/cache/clamor-engines") if _root() else Path.home() / ".cache" / "clamor-engines"


def java_home() -> Path:
    """Of a Java 17 or newer. Raises Missing."""
    named = os.environ.get("ES_JAVA_HOME") or os.environ.get("JAVA_HOME")
    if named:
        return Path(named)
    found = shutil.which("java")
    if found is None:
        raise Missing("no java on this machine (Debian: apt install openjdk-17-jre-headless)")
    return Path(found).resolve().parents[1]


def distribution() -> Path:
    """The unpacked node, from the cache or from Maven. Raises Missing."""
    home = cache() / f"elasticsearch-{VERSION}"
    if (home / "bin" / "elasticsearch").exists():
        return home
    maven = shutil.which("mvn")
    if maven is None:
        raise Missing("no mvn on this machine to fetch Elasticsearch with (Debian: apt install maven)")
    cache().mkdir(parents=True, exist_ok=True, mode=0o755)
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        fetch = [maven, "-B", "-ntp", "-q", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}"]
        done = subprocess.run(fetch, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            raise Missing(f"Maven cannot fetch {ARTIFACT}: {done.stdout[-500:]}{done.stderr[-500:]}")
        (archive,) = Path(folder).glob("*.zip")
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.infolist():
                mode = entry.external_attr >> 16
                path = Path(zipped.extract(entry, folder))
                if mode & 0o111 and path.is_file():
                    path.chmod(0o755)
        for script in Path(folder).glob("elasticsearch-*/bin/*"):
            script.chmod(0o755)
        (unpacked,) = [path for path in Path(folder).glob("elasticsearch-*") if path.is_dir()]
        unpacked.rename(home)
    return home


class Node:
    """Ended with the block that it is used in. `start` raises Missing where it cannot be started here."""

    def __init__(self, *settings: str, measured: bool = False) -> None:
        """`settings`: `name=value`, beside those that every test needs. `measured`: for a benchmark, else it starts
        with half the work and is slower once it is warm."""
        self._settings = settings
        self._measured = measured
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="clamor-elastic-"))
        self.port = _free_port()
        self.address = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Ready to answer on return."""
        home = self._home()
        self._lay_out(home)
        settings = {
            "discovery.type": "single-node",
            "network.host": "127.0.0.1",
            "http.port": str(self.port),
            "transport.port": str(_free_port()),
            "node.store.allow_mmap": "false",
            "path.data": str(self.folder / "data"),
            "path.logs": str(self.folder / "logs"),
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            "cluster.max_shards_per_node": "3000",
            "xpack.security.enabled": "false",
        }
        for each in self._settings:
            name, _, value = each.partition("=")
            settings[name] = value
        given = [part for name, value in settings.items() for part in ("-E", f"{name}={value}")]
        with (self.folder / "said.txt").open("ab") as said:
            self._process = subprocess.Popen(
                [*_as_user(), str(home / "bin" / "elasticsearch"), *given], env=self._environment(), cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip
        self._wait_until_ready()

    def kill(self) -> None:
        """As a power cut would: `start` begins it again with the same data."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        self._end(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _home(self) -> Path:
        """The distribution that is run."""
        return distribution()

    def _configure(self, config: Path) -> None:
        """Once, before the first start: what the folder of its settings has to hold beside."""

    def _answers(self) -> bool:
        """Whether it is ready. Raises OSError where it does not answer."""
        ready = f"{self.address}/_cluster/health?wait_for_status=yellow&timeout=30s"
        with urllib.request.urlopen(ready, timeout=35) as answer:
            return bool(answer.status == 200)

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.folder),
            "ES_JAVA_HOME": str(java_home()),
            "ES_JAVA_OPTS": "-Xms512m -Xmx512m" + ("" if self._measured else " -XX:TieredStopAtLevel=1"),
            "ES_PATH_CONF": str(self.folder / "config"),
            "ES_TMPDIR": str(self.folder / "tmp"),
        }

    def _end(self, sign: int) -> None:
        """The launcher and the node, which are all there is in the session that was begun for them."""
        if self._process is None:
            return
        if self._process.poll() is None:
            os.killpg(self._process.pid, sign)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)
        self._process = None

    def _lay_out(self, home: Path) -> None:
        for name in ("data", "logs", "tmp"):
            (self.folder / name).mkdir(exist_ok=True)
        fresh = not (self.folder / "config").exists()
        if fresh:
            shutil.copytree(home / "config", self.folder / "config")
            options = self.folder / "config" / "jvm.options"
            if options.exists():
                # These lines name files in folders that may not be written to.
                lines = options.read_text(encoding="utf-8").splitlines()
                kept = [line for line in lines if not any(word in line for word in ("-Xlog:", "HeapDump", "ErrorFile"))]
                options.write_text("\n".join(kept) + "\n", encoding="utf-8")
            self._configure(self.folder / "config")
        if _root():
            if subprocess.run(["id", USER], capture_output=True, check=False).returncode:
                subprocess.run(["useradd", "--system", "-M", "-U", USER], check=True)
            subprocess.run(["chown", "-R", f"{USER}:{USER}", str(self.folder)], check=True)
        if fresh:
            self._make_users(home)

    def _make_users(self, home: Path) -> None:
        """Once, before the first start."""

    def run(self, *command: str) -> None:
        """A program of the distribution, as the user that the node runs as. Raises RuntimeError with what it said."""
        done = subprocess.run(
            [*_as_user(), *command], env=self._environment(), cwd=self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{Path(command[0]).name}: {done.stdout[-1_000:]}{done.stderr[-1_000:]}")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                break
            try:
                if self._answers():
                    return
            except OSError:
                time.sleep(0.25)
        said = (self.folder / "said.txt").read_text(encoding="utf-8", errors="replace")[-2_000:]
        raise RuntimeError(f"Elasticsearch did not start within {READY_WITHIN:g} s: {said}")


def _as_user() -> list[str]:
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if _root() else []


def _root() -> bool:
    return os.geteuid() == 0


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
