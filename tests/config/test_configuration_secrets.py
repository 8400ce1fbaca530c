from __future__ import annotations

from pathlib import Path

import pytest

from config.problems import Problem
from config.secrets import Secrets


def write(path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def read_secrets(path: Path, environ: dict[str, str]) -> tuple[Secrets, list[Problem]]:
    secrets = Secrets(path, environ)
    return secrets, secrets.problems


def test_a_value_is_taken_as_it_stands(tmp_path: Path) -> None:
    file = write(tmp_path / "s", '# comment\n\nA=p#w "x"=$HOME\nB= spaced \n')
    secrets, problems = read_secrets(file, {})
    assert problems == []
    values = {name: found.get_secret_value() for name in "AB" if (found := secrets.get(name))}
    assert values == {"A": 'p#w "x"=$HOME', "B": "spaced"}


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "s", "A=file\nB=file\n")
    secrets, _ = read_secrets(file, {"A": "environment", "B": ""})
    found = [secrets.get(name) for name in "ABC"]
    assert [value and value.get_secret_value() for value in found] == ["environment", "file", None]


def test_a_name_with_file_behind_it_names_the_file_of_one_secret(tmp_path: Path) -> None:
    key = write(tmp_path / "key.json", '{"a":\n 1}\n', 0o444)
    file = write(tmp_path / "s", f"A_FILE={key}\nB=in the file\nC_FILE={tmp_path / 'none'}\n")
    secrets, problems = read_secrets(file, {"B_FILE": str(key), "D": "itself", "D_FILE": str(key)})
    assert problems == []
    values = {name: found.get_secret_value() for name in "ABCD" if (found := secrets.get(name))}
    assert values == {"A": '{"a":\n 1}', "B": '{"a":\n 1}', "D": "itself"}
    key.chmod(0o644)
    write(key, "another", 0o644)
    found = secrets.get("A")
    assert found is not None
    assert found.get_secret_value() == "another"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_may_read_is_not_used(tmp_path: Path, mode: int) -> None:
    file = write(tmp_path / "s", "A=hunter2\n", mode)
    secrets, (problem,) = read_secrets(file, {})
    assert "A" not in secrets
    assert problem.advice == f"chmod 600 {file}"


def test_no_file_is_no_problem(tmp_path: Path) -> None:
    assert read_secrets(tmp_path / "none", {})[1] == []


def test_wrong_lines_are_named_by_number_and_never_shown(tmp_path: Path) -> None:
    file = write(tmp_path / "s", "hunter2\nexport A=hunter2\nB=hunter2\nB=hunter3\n=hunter2\n")
    secrets, problems = read_secrets(file, {})
    assert [problem.line for problem in problems] == [1, 2, 4, 5]
    assert "hunter" not in str(problems)
    assert "hunter" not in repr(secrets) + str(secrets.get("B"))


def test_other_encodings_are_named(tmp_path: Path) -> None:
    _, (problem,) = read_secrets(write(tmp_path / "s", b"A=1\nB=\xe9\n"), {})
    assert problem.line == 2


def test_a_secret_can_be_replaced_while_the_program_runs(tmp_path: Path) -> None:
    file = write(tmp_path / "s", "A=old\n")
    secrets = Secrets(file, {})
    write(tmp_path / "new", "A=newer\n").rename(file)
    found = secrets.get("A")
    assert found is not None
    assert found.get_secret_value() == "newer"
    file.chmod(0o644)
    assert "A" not in secrets
    file.unlink()
    assert "A" not in secrets
