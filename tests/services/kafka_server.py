"""A real Kafka for the tests: one process that is broker and controller, from the jars that Maven brings."""

from __future__ import annotations

import base64
import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from stream.clock import SECOND
from stream.kafka_clients import KafkaSettings, made
from stream.ports import Transient

VERSION = "4.1.2"
LOG4J = "2.25.1"
PATIENCE = 180.0
USER, PASSWORD = "clamor", "not-a-secret-of-anybody"
STORE_PASSWORD = "changeit"

POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>clamor.tests</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version>
    </dependency>
    {log4j}
  </dependencies>
</project>
"""


class Missing(Exception):
    """What is needed to run Kafka is not on this machine; says what."""


class KafkaServer:
    """Lives in a folder of its own: data, settings, certificate, output. It may be killed and started again."""

    def __init__(self, folder: Path, overrides: Mapping[str, str] | None = None) -> None:
        """Raises Missing."""
        self.folder = folder
        self._jars = jars()
        self.port, self.secure_port, self._controller_port = free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None
        self.certificate = folder / "server.pem"
        folder.mkdir(parents=True, exist_ok=True)
        self._make_certificate()
        self._write_properties(overrides or {})
        self._format()

    @property
    def address(self) -> str:
        """Without encryption or login."""
        return f"127.0.0.1:{self.port}"

    @property
    def secure_address(self) -> str:
        """With TLS, and a login by SCRAM or PLAIN as USER with PASSWORD."""
        return f"127.0.0.1:{self.secure_port}"

    def start(self) -> None:
        """Returns when it answers."""
        output = (self.folder / "output.log").open("ab")
        with closing(output):
            # A session of its own, so that what ends the tests' process group does not end it on the way.
            self._process = subprocess.Popen(
                [java(), "-Xmx512m", "-Dlog4j2.level=WARN", "-cp", f"{self._jars}/*", "kafka.Kafka", self._properties],
                stdout=output,
                stderr=output,
                cwd=self.folder,
                start_new_session=True,
            )
        self._wait()

    def stop(self) -> None:
        self._end(SIGTERM)

    def kill(self) -> None:
        self._end(SIGKILL)

    def pause(self) -> None:
        """It hangs: connections stay and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(SIGSTOP)
        # All its threads: until then the last of them may still answer.
        tasks = Path(f"/proc/{self._process.pid}/task")
        while any(one.read_text().rpartition(")")[2].split()[0] != "T" for one in tasks.glob("*/stat")):
            time.sleep(0.01)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(SIGCONT)

    @property
    def _properties(self) -> str:
        return str(self.folder / "server.properties")

    def _end(self, signal: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(SIGCONT)
            process.send_signal(signal)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)

    def _wait(self) -> None:
        """Until a client is let in: the port is open before that."""
        settings = KafkaSettings(servers=(self.address,), patience=3 * SECOND)
        deadline = time.monotonic() + PATIENCE
        while True:
            assert self._process is not None
            if self._process.poll() is not None:
                raise RuntimeError(f"Kafka ended with {self._process.returncode}: {self.told()}")
            with suppress(Transient, KafkaError):
                admin = made(KafkaAdminClient, settings, {})
                try:
                    if admin.describe_cluster()["brokers"]:
                        return
                finally:
                    admin.close()
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kafka did not answer within {PATIENCE} s: {self.told()}")
            time.sleep(0.1)

    def told(self) -> str:
        """The end of what it wrote."""
        path = self.folder / "output.log"
        return path.read_text("utf-8", "replace")[-3_000:] if path.exists() else ""

    def _write_properties(self, overrides: Mapping[str, str]) -> None:
        login = "org.apache.kafka.common.security"
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},SECURE://127.0.0.1:{self.secure_port},"
            f"CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port},SECURE://127.0.0.1:{self.secure_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "500",
            # Else a broker that was killed needs 12 s to come back.
            "broker.heartbeat.interval.ms": "500",
            "broker.session.timeout.ms": "2000",
            # What a cluster has that nobody has set up with care: a question about a topic makes it.
            "auto.create.topics.enable": "true",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN",
            "listener.name.secure.scram-sha-512.sasl.jaas.config": f"{login}.scram.ScramLoginModule required;",
            "listener.name.secure.scram-sha-256.sasl.jaas.config": f"{login}.scram.ScramLoginModule required;",
            "listener.name.secure.plain.sasl.jaas.config": f"{login}.plain.PlainLoginModule required "
            f'user_{USER}="{PASSWORD}";',
            "listener.name.secure.ssl.keystore.type": "PKCS12",
            "listener.name.secure.ssl.keystore.location": str(self.folder / "server.p12"),
            "listener.name.secure.ssl.keystore.password": STORE_PASSWORD,
            "listener.name.secure.ssl.key.password": STORE_PASSWORD,
            **overrides,
        }
        text = "".join(f"{key}={value}\n" for key, value in settings.items())
        Path(self._properties).write_text(text, "utf-8")

    def _format(self) -> None:
        # A leading dash would be taken for an option.
        identity = "c" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")[1:]
        users = [f"{mechanism}=[name={USER},password={PASSWORD}]" for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256")]
        run(
            *(java(), "-Xmx256m", "-cp", f"{self._jars}/*", "kafka.tools.StorageTool", "format"),
            *("-t", identity, "-c", self._properties),
            *(part for user in users for part in ("--add-scram", user)),
        )

    def _make_certificate(self) -> None:
        store = ("-keystore", str(self.folder / "server.p12"), "-storetype", "PKCS12", "-storepass", STORE_PASSWORD)
        run(
            *(keytool(), "-genkeypair", "-alias", "server", "-keyalg", "RSA", "-keysize", "2048", "-validity", "2"),
            *("-dname", "CN=localhost", "-ext", "san=dns:localhost,ip:127.0.0.1", "-ext", "bc:c=ca:true", *store),
        )
        run(keytool(), "-exportcert", "-rfc", "-alias", "server", "-file", str(self.certificate), *store)


# --- what it is made of --------------------------------------------------------------------------------------------


def jars() -> Path:
    """The folder of Kafka's jars, brought on the first call on a machine. Raises Missing."""
    java(), keytool()
    folder = cache() / f"kafka-{VERSION}"
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "kafka.lock").open("w") as lock:
        # Several test runs may begin at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            _bring(folder)
    return folder


def cache() -> Path:
    """Outside of the tree, so that a clean checkout need not bring it again."""
    named = os.environ.get("CLAMOR_ENGINES_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(named) if named else Path(home) / "clamor-engines"


def _bring(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise Missing("Maven (mvn) is not installed: apt install maven")
    names = ("log4j-slf4j-impl", "log4j-core", "log4j-1.2-api")
    log4j = "".join(
        f"<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>{name}</artifactId>"
        f"<version>{LOG4J}</version></dependency>"
        for name in names
    )
    with tempfile.TemporaryDirectory(dir=cache()) as draft:
        (Path(draft) / "pom.xml").write_text(POM.format(version=VERSION, log4j=log4j), "utf-8")
        brought = subprocess.run(
            [
                *(maven, "-B", "-ntp", "-q", "dependency:copy-dependencies"),
                *("-DincludeScope=runtime", f"-DoutputDirectory={folder}"),
            ],
            cwd=draft,
            capture_output=True,
            text=True,
            check=False,
        )
    if brought.returncode != 0:
        raise Missing(f"Maven could not bring Kafka {VERSION}: {(brought.stdout + brought.stderr)[-1_000:]}")
    (folder / "whole").touch()


def java() -> str:
    """Raises Missing."""
    return _of_java("java")


def keytool() -> str:
    return _of_java("keytool")


def _of_java(name: str) -> str:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(name, path=f"{home}/bin") if home else None
    found = found or shutil.which(name)
    if found is None:
        raise Missing(f"Java 17 or newer ({name}) is not installed: apt install openjdk-17-jre-headless")
    return found


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if done.returncode != 0:
        raise RuntimeError(f"{Path(command[0]).name} failed: {(done.stdout + done.stderr)[-2_000:]}")


def free_ports(count: int) -> list[int]:
    """Taken all at once, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
