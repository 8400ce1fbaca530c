"""One Elasticsearch node for the tests: fetched by Maven once, started on a port of its own, stopped by its id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

VERSION = "8.19.21"
ARTIFACT = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
USER = "esrun"
"""Elasticsearch refuses to run as root: then it runs as this user, who is made where there is none."""
READY_WITHIN = 120.0
GIVEN = "CLAMOR_TEST_ELASTIC"
"""Address of a node that is there already, in place of one of our own."""


class Missing(Exception):
    """What is needed to start a node is not on this machine."""


def cache() -> Path:
    """Outside the tree, and where USER can read it."""
    named = os.environ.get("CLAMOR_ENGINES")
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

    def __init__(self, *settings: str) -> None:
        """`settings`: `name=value`, beside those that every test needs."""
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="clamor-elastic-"))
        self.port = _free_port()
        self.address = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Ready to answer on return."""
        home, java = distribution(), java_home()
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
        given = [f"{name}={value}" for name, value in settings.items()] + list(self._settings)
        command = [str(home / "bin" / "elasticsearch"), *[part for each in given for part in ("-E", each)]]
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.folder),
            "ES_JAVA_HOME": str(java),
            "ES_JAVA_OPTS": "-Xms512m -Xmx512m",
            "ES_PATH_CONF": str(self.folder / "config"),
            "ES_TMPDIR": str(self.folder / "tmp"),
        }
        if _root():
            command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]
        with (self.folder / "said.txt").open("ab") as said:
            self._process = subprocess.Popen(
                command, env=environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                start_new_session=True,
            )  # fmt: skip
        self._wait_until_ready()

    def kill(self) -> None:
        """As a power cut would: `start` begins it again with the same data."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        self._end(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)

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
        if not (self.folder / "config").exists():
            shutil.copytree(home / "config", self.folder / "config")
            options = self.folder / "config" / "jvm.options"
            if options.exists():
                # These lines name files in folders that may not be written to.
                lines = options.read_text(encoding="utf-8").splitlines()
                kept = [line for line in lines if not any(word in line for word in ("-Xlog:", "HeapDump", "ErrorFile"))]
                options.write_text("\n".join(kept) + "\n", encoding="utf-8")
        if _root():
            if subprocess.run(["id", USER], capture_output=True, check=False).returncode:
                subprocess.run(["useradd", "--system", "-M", "-U", USER], check=True)
            subprocess.run(["chown", "-R", f"{USER}:{USER}", str(self.folder)], check=True)

    def _wait_until_ready(self) -> None:
        ready = f"{self.address}/_cluster/health?wait_for_status=yellow&timeout=30s"
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(ready, timeout=35) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.25)
        said = (self.folder / "said.txt").read_text(encoding="utf-8", errors="replace")[-2_000:]
        raise RuntimeError(f"Elasticsearch did not start within {READY_WITHIN:g} s: {said}")


def _root() -> bool:
    return os.geteuid() == 0


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
