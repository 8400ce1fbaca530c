"""An Elasticsearch node with TLS, users and API keys, and with the analysers that the bare distribution lacks.

`TestKit.java` beside this is a plugin that makes up for what that leaves out; it is compiled once, into a copy of the
distribution in the cache.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import shutil
import ssl
import subprocess
import tempfile
import urllib.request
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.services.elastic_node import VERSION, Missing, Node, cache, distribution, java_home
from tests.smtp_server import make_certificate

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

KIT = Path(__file__).with_name("TestKit.java")
DESCRIPTOR = f"""description=makes up for what the bare distribution lacks, in tests
version=1
name=testkit
classname=pb.TestKit
java.version=17
elasticsearch.version={VERSION}
"""
ADMIN = "clamor_admin"


def with_kit() -> Path:
    """The distribution with the plugin in it. Raises Missing."""
    bare = distribution()
    digest = hashlib.sha256(KIT.read_bytes()).hexdigest()[:8]
    home = cache() / f"elasticsearch-{VERSION}-kit-{digest}"
    if (home / "plugins" / "testkit" / "testkit.jar").exists():
        return home
    compiler = java_home() / "bin" / "javac"
    if not compiler.exists():
        raise Missing(f"no javac in {java_home()} (Debian: apt install openjdk-17-jdk-headless)")
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        draft = Path(folder) / "elasticsearch"
        shutil.copytree(bare, draft, copy_function=os.link)
        plugin = draft / "plugins" / "testkit"
        plugin.mkdir(parents=True)
        classes = Path(folder) / "classes"
        compile_it = [str(compiler), "--release", "17", "-cp", f"{bare / 'lib'}/*", "-d", str(classes), str(KIT)]
        done = subprocess.run(compile_it, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise RuntimeError(f"{KIT.name} cannot be compiled: {done.stderr[-2_000:]}")
        (plugin / "plugin-descriptor.properties").write_text(DESCRIPTOR, encoding="utf-8")
        with zipfile.ZipFile(plugin / "testkit.jar", "w") as jar:
            for path in sorted(classes.rglob("*.class")):
                jar.write(path, path.relative_to(classes))
        for path in (plugin.parent, plugin, *plugin.iterdir()):
            path.chmod(0o755 if path.is_dir() else 0o644)
        shutil.rmtree(home, ignore_errors=True)
        draft.rename(home)
        home.chmod(0o755)
    return home


class SecuredNode(Node):
    """Reached by https alone, with a certificate of its own making, by ADMIN or whom that one lets in."""

    def __init__(self) -> None:
        security = "xpack.security"
        super().__init__(
            f"{security}.enabled=true",
            f"{security}.autoconfiguration.enabled=false",
            f"{security}.enrollment.enabled=false",
            f"{security}.transport.ssl.enabled=false",
            f"{security}.http.ssl.enabled=true",
            f"{security}.http.ssl.certificate=certificate.pem",
            f"{security}.http.ssl.key=key.pem",
        )
        self.address = f"https://127.0.0.1:{self.port}"
        self.password = secrets.token_hex(12)

    @property
    def certificate(self) -> Path:
        return self.folder / "config" / "certificate.pem"

    def admin(self) -> Elasticsearch:
        """A client that may do everything."""
        from elasticsearch import Elasticsearch

        return Elasticsearch(self.address, basic_auth=(ADMIN, self.password), ca_certs=str(self.certificate))

    def _home(self) -> Path:
        return with_kit()

    def _configure(self, config: Path) -> None:
        make_certificate(config)

    def _make_users(self, home: Path) -> None:
        self.run(str(home / "bin" / "elasticsearch-users"), "useradd", ADMIN, "-p", self.password, "-r", "superuser")

    def _answers(self) -> bool:
        login = base64.b64encode(f"{ADMIN}:{self.password}".encode()).decode()
        asked = urllib.request.Request(
            f"{self.address}/_cluster/health?wait_for_status=yellow&timeout=30s",
            headers={"Authorization": f"Basic {login}"},
        )
        trusted = ssl.create_default_context(cafile=str(self.certificate))
        with urllib.request.urlopen(asked, timeout=35, context=trusted) as answer:
            return bool(answer.status == 200)
