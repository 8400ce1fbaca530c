"""The home folder: `clamor.yaml`, `rules.yaml`, `detractors.yaml`, secrets, and the data folder with its databases."""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config.disk import PAUSE_AT, STOP_AT, DiskFree, network_file_system

HOME_VARIABLE = "CLAMOR_HOME"
DEFAULT_HOME = "clamor-home"


class HomeError(Exception):
    """The home folder cannot be used; the message names the folder and the way out."""


class AlreadyRunning(HomeError):
    """Another process holds the home, or a stage of it; the message names it and what to do."""


@dataclass(frozen=True, slots=True)
class Home:
    """Paths only: nothing is read or made by having one."""

    root: Path
    data: Path
    settings: str = "clamor.yaml"
    """Name of the settings' file in the home."""

    @classmethod
    def at(cls, root: str | os.PathLike[str], data: str = "data") -> Home:
        """`data` is the setting: relative to the home unless absolute."""
        folder = Path(root).expanduser().absolute()
        return cls(folder, folder / Path(data).expanduser())

    @classmethod
    def find(cls, option: str | os.PathLike[str] | None, environ: Mapping[str, str] = os.environ) -> Home:
        """`--home`, else CLAMOR_HOME, else ./clamor-home."""
        return cls.at(option or environ.get(HOME_VARIABLE) or DEFAULT_HOME)

    def with_data(self, data: str) -> Home:
        return Home(self.root, Home.at(self.root, data).data, self.settings)

    def with_settings(self, name: str) -> Home:
        """The same folder, as another file in it says."""
        return Home(self.root, self.data, name)

    def path(self, written: str) -> Path:
        """A path as a setting writes it: in the home unless absolute."""
        return self.root / Path(written).expanduser()

    @property
    def settings_file(self) -> Path:
        return self.root / self.settings

    @property
    def rules_file(self) -> Path:
        return self.root / "rules.yaml"

    @property
    def policy_file(self) -> Path:
        return self.root / "detractors.yaml"

    @property
    def secrets_file(self) -> Path:
        return self.root / "secrets.env"

    @property
    def schema_file(self) -> Path:
        """JSON Schema for editors, beside clamor.yaml."""
        return self.root / "clamor.schema.json"

    @property
    def models(self) -> Path:
        """The home's own models, a folder each."""
        return self.root / "models"

    @property
    def log_db(self) -> Path:
        return self.data / "log.db"

    @property
    def app_db(self) -> Path:
        return self.data / "app.db"

    @property
    def index_db(self) -> Path:
        return self.data / "index.db"

    @property
    def locks(self) -> Path:
        return self.data / "locks"

    @property
    def machine(self) -> str:
        """The name of this data folder among those that share a database: a container's host name is another with each
        start. Made when it is first asked for."""
        path = self.data / "machine"
        if not path.exists():
            draft = self.data / f"machine.{os.getpid()}"
            draft.write_text(secrets.token_hex(4))
            with suppress(FileExistsError):
                path.hardlink_to(draft)
            draft.unlink()
        return path.read_text()


def prepare(home: Home) -> None:
    """Make the data folder (only for its owner) and make sure that databases can live there.

    Raises HomeError: no folder can be made or written, or a network file system. A full disk is no reason not to start,
    since deletes and questions must go on: `config.load.check` warns, and the stages stop what has to stop.
    """
    for folder in (home.root, home.data, home.locks):
        _make(folder)
    _try_to_write(home.data)
    kind = network_file_system(home.data)
    if kind is not None:
        raise HomeError(
            f"the data folder {home.data} lies on a network file system ({kind}), where SQLite's locks do not hold: "
            "set `data:` in clamor.yaml (or CLAMOR_DATA) to a folder on a local disk"
        )


def low_disk(folder: Path, free: DiskFree) -> str:
    """The sentence about a disk that fills up: what is, what follows, the way out."""
    limit, follows = (STOP_AT, "nothing but deletes is written") if free.stop else (PAUSE_AT, "streams pause")
    return (
        f"the disk under {folder} has {free.part:.1%} free ({free.free / 1e9:.1f} GB); below {limit:.0%} {follows}: "
        "make space, or shorten `retention` and `engines: log: retention` in clamor.yaml"
    )


def write_example(home: Home, schema: str, settings: str | None = None) -> list[Path]:
    """Write clamor.yaml (`settings`, or the commented example), the JSON Schema that editors read beside it, and an
    empty secrets.env (mode 600).

    What is there already is never touched. Returns what was written. Raises HomeError when clamor.yaml exists or the
    folder cannot be written.
    """
    if home.settings_file.exists():
        raise HomeError(f"{home.settings_file} exists already and is left as it is: choose another --home, or edit it")
    _make(home.root)
    if settings is None:
        settings = (Path(__file__).parent / "example.yaml").read_text(encoding="utf-8")
    files = ((home.settings_file, settings), (home.schema_file, schema), (home.secrets_file, _SECRETS))
    return [path for path, text in files if _write_new(path, text)]


def write_rules(home: Home, text: str) -> Path:
    """Write rules.yaml. Raises HomeError when there is one, or the folder cannot be written."""
    return _write_shipped(home, home.rules_file, text, "the shipped rules")


def write_policy(home: Home, text: str) -> Path:
    """Write detractors.yaml. Raises HomeError when there is one, or the folder cannot be written."""
    return _write_shipped(home, home.policy_file, text, "the shipped policy")


def _write_shipped(home: Home, path: Path, text: str, what: str) -> Path:
    _make(home.root)
    if not _write_new(path, text):
        advice = f"move it away first, and {what} can be written beside it"
        raise HomeError(f"{path} exists already and is left as it is: {advice}")
    return path


_SECRETS = """\
# Secrets, one a line: NAME=value. The value is everything after the first =, as it stands, without quotes.
# The same name in the environment goes before it. Keep this file readable for you alone (chmod 600).
"""


def _write_new(path: Path, text: str) -> bool:
    mode = 0o600 if path.name == "secrets.env" else 0o644
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    except OSError as error:
        raise HomeError(_cannot("write", path, error)) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(_cannot("make", folder, error)) from error


def _try_to_write(folder: Path) -> None:
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".write-"):
            pass
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise HomeError(_cannot("write in", folder, error)) from error


def _cannot(what: str, path: Path, error: OSError) -> str:
    why = error.strerror or type(error).__name__
    return f"cannot {what} {path} ({why}): choose another --home or `data:`, or give this user the right to write there"
