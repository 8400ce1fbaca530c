"""`clamor classify`: the same answers in the same order by any number of workers, while the input is still open."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnxruntime
import psutil
import pytest
import tiny_model

from clamor import exits, sharing
from clamor.sharing import CHUNK, Answered, Intake, WorkerEnded, answered
from config.home import Home
from nlp.device import PROVIDERS
from nlp.shelf import ModelError, find

ROOT = Path(__file__).parents[2]
PATIENCE = 120
no_cuda = pytest.mark.skipif(
    PROVIDERS["cuda"] in onnxruntime.get_available_providers(), reason="this onnxruntime was built with CUDA"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home.at(tmp_path_factory.mktemp("classify"))
    tiny_model.make(home.models / "tiny")
    return home


def command(home: Home, *words: str) -> list[str]:
    return [sys.executable, "-m", "clamor.cli", "--home", str(home.root), "classify", *words]


def run(home: Home, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(home, *words), input=given, capture_output=True, timeout=PATIENCE, cwd=ROOT, check=False
    )


def lines(count: int, seed: int = 1) -> bytes:
    draw = random.Random(seed)
    out = []
    for number in range(count):
        text = " ".join(draw.choices([*tiny_model.SYLLABLES, "Acme"], k=draw.choice([0, 1, 3, 9, 30, 31, 60])))
        out.append(json.dumps({"id": number, "text": text, "brand": draw.choice([None, "Acme", "Bolt"])}))
    return "\n".join(out).encode() + b"\n"


@pytest.mark.parametrize("model", ["tiny", "linear"])
def test_workers_change_nothing_in_what_is_answered(home: Home, tmp_path: Path, model: str) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(lines(2_300) + b'not json\n\n \t\r\n{"id": "last", "text": "ba"}\n')
    alone, together = (run(home, str(file), "--tier", model, "--workers", workers) for workers in ("1", "3"))
    assert alone.returncode == together.returncode == exits.SOME_REFUSED
    assert alone.stdout == together.stdout
    answers = [json.loads(line) for line in alone.stdout.splitlines()]
    assert [one["id"] for one in answers] == [*range(2_300), None, None, None, "last"]
    assert {one.get("model") for one in answers} == {find(model, home).model, None}
    assert ["blank" in one["error"] for one in answers[-4:-1]] == [False, True, True]
    assert b"some lines could not be read" in together.stderr


@no_cuda
@pytest.mark.parametrize("workers", ["1", "2"])
def test_without_a_gpu_nothing_is_answered_and_what_is_missing_is_told(home: Home, workers: str) -> None:
    said = run(home, "--tier", "tiny", "--device", "cuda", "--workers", workers, given=lines(3))
    assert (said.returncode, said.stdout) == (exits.FAILED, b"")
    told = " ".join(said.stderr.decode().split())
    assert "onnxruntime that is installed was built without CUDA: install the extra `gpu`" in told
    assert "set device: cpu" in told


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_line_is_answered_while_the_input_is_open(home: Home, workers: str) -> None:
    with subprocess.Popen(
        command(home, "--tier", "tiny", "--workers", workers), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(3):
            process.stdin.write(json.dumps({"id": number, "text": "ba la mi"}).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.write(b'{"id": 9, "text": "no line feed at the end"}')
        process.stdin.close()
        assert json.loads(process.stdout.readline())["id"] == 9
        assert process.stdout.read() == b""
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_reader_that_goes_away_ends_it_without_a_word(home: Home, workers: str) -> None:
    with subprocess.Popen(
        command(home, "--tier", "tiny", "--workers", workers),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(lines(1))
        process.stdin.flush()
        process.stdout.readline()
        children = psutil.Process(process.pid).children()
        process.stdout.close()
        process.stdin.write(lines(1))
        process.stdin.flush()
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == b""
        assert not any(child.is_running() for child in children)


@pytest.mark.parametrize("workers", ["1", "3"])
def test_the_first_answer_is_enough_for_some(home: Home, tmp_path: Path, workers: str) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(lines(3_000))
    done = by_shell(home, '"$@" | head -1; exit ${PIPESTATUS[0]}', str(file), "--tier", "tiny", "--workers", workers)
    assert done.returncode == exits.OK
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("redirected", "code", "words"),
    [
        ("<&-", exits.USAGE, b"standard input is closed"),
        (">&- <posts.jsonl", exits.FAILED, b"standard output is closed"),
        (">/dev/full <posts.jsonl", exits.FAILED, b"the answers cannot be written (No space left on device)"),
        ("0>written >answers", exits.FAILED, b"the input cannot be read (Bad file descriptor)"),
    ],
)
def test_input_or_output_that_fails_is_told_in_a_sentence(
    home: Home, tmp_path: Path, redirected: str, code: int, words: bytes, workers: str
) -> None:
    (tmp_path / "posts.jsonl").write_bytes(lines(3))
    script = f'cd "{tmp_path}" && "$@" {redirected}'
    done = by_shell(home, script, "-", "--tier", "tiny", "--workers", workers)
    assert done.returncode == code, done.stderr
    assert words in b" ".join(done.stderr.replace("│".encode(), b"").split())
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_file_needs_no_standard_input(home: Home, tmp_path: Path, workers: str) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(lines(3))
    done = by_shell(home, '"$@" <&-', str(file), "--tier", "tiny", "--workers", workers)
    assert (done.returncode, done.stderr) == (exits.OK, b"")
    assert done.stdout.count(b"\n") == 3


def by_shell(home: Home, script: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """`script` in bash, "$@" in it is the command."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-c", script, "bash", *command(home, *words)],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, cwd=ROOT, env=environment, check=False,
    )  # fmt: skip


def hearing() -> None:
    """A suite that a shell runs in the background ignores Ctrl-C, and what it starts inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_it(home: Home, number: signal.Signals) -> None:
    with subprocess.Popen(
        command(home, "--tier", "tiny", "--workers", "2"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, start_new_session=True,
        preexec_fn=hearing,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(lines(1))
        process.stdin.flush()
        process.stdout.readline()
        children = psutil.Process(process.pid).children()
        assert len(children) == 2
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does: all of them hear it
        else:
            process.kill()
        assert process.wait(PATIENCE) != 0
        assert b"Traceback" not in process.stderr.read()
        psutil.wait_procs(children, timeout=PATIENCE)
        assert not any(child.is_running() for child in children)


def test_a_model_that_cannot_be_used_is_told_in_a_sentence(home: Home, tmp_path: Path) -> None:
    asked = run(home, "--tier", "other", given=lines(1))
    assert asked.returncode == exits.FAILED
    assert b"there is no model 'other'" in asked.stderr
    broken = Home.at(tmp_path)
    shutil.copytree(home.models, broken.models)
    (broken.models / "tiny" / "model.onnx").write_bytes(b"cut off")
    for workers in ("1", "2"):
        asked = run(broken, "--tier", "tiny", "--workers", workers, given=lines(1))
        assert asked.returncode == exits.FAILED
        assert b"model 'tiny'" in asked.stderr
        assert b"Traceback" not in asked.stderr


# --- the parts --------------------------------------------------------------------------------------------------------


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def echo(chunk: list[bytes]) -> Answered:
    return Answered(b"\n".join(chunk) + b"\n", refused=b"bad" in chunk)


def taken(source: int, longest: int = 1_000) -> Iterator[list[bytes]]:
    intake = Intake(source, longest)
    while chunk := intake.next_chunk():
        yield chunk


@pytest.mark.parametrize("sizes", [[1], [7, 100], [40_000], [3, 65_536, 1]])
def test_chunks_are_cut_by_lines_however_the_bytes_come(tmp_path: Path, sizes: list[int]) -> None:
    expected = [f"line {number}".encode() for number in range(2 * CHUNK + 10)]
    whole, file, at = b"\n".join(expected), tmp_path / "in", 0
    blocks = []
    while at < len(whole):
        size = sizes[len(blocks) % len(sizes)]
        blocks.append(whole[at : at + size])
        at += size
    file.write_bytes(b"")
    intake = Intake(-1, 1_000)
    for block in [*blocks, b""]:
        feed(intake, block)
    found = []
    while intake.has_some:
        found.append(intake.take())
    assert [len(chunk) for chunk in found] == [CHUNK, CHUNK, 10]
    assert [line for chunk in found for line in chunk] == expected


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("given", "found"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"\n\n", [b"", b""]),
        (b"one\n", [b"one"]),
        (b"one", [b"one"]),
        (b"one\n\n  \ntwo\n", [b"one", b"", b"  ", b"two"]),
        (b"one\n ", [b"one", b" "]),
        (b"\n" * (CHUNK + 1), [b""] * (CHUNK + 1)),
    ],
)
def test_each_line_is_answered_the_blank_ones_too(
    tmp_path: Path, given: bytes, found: list[bytes], workers: int
) -> None:
    file = tmp_path / "in"
    file.write_bytes(given)
    written = b"".join(one.written for one in through(file, workers, echo))
    assert written == b"".join(line + b"\n" for line in found)


def test_of_long_lines_fewer_are_read_together(tmp_path: Path) -> None:
    file = tmp_path / "long"
    file.write_bytes((b"x" * 300_000 + b"\n") * 10 + b"short\n" * 600)
    with file.open("rb") as source:
        intake = Intake(source.fileno(), 1 << 20)
        sizes = []
        while chunk := intake.next_chunk():
            sizes.append(len(chunk))
    assert sizes == [4, 4, 2 + 510, 90]


def test_a_folder_is_no_input(home: Home, tmp_path: Path) -> None:
    done = run(home, str(tmp_path), "--tier", "linear")
    assert done.returncode == exits.USAGE
    assert "Is a directory" in " ".join(done.stderr.decode().replace("│", " ").split())
    assert b"Traceback" not in done.stderr


def feed(intake: Intake, block: bytes) -> None:
    reading, writing = os.pipe()
    os.write(writing, block)
    os.close(writing)
    intake.source = reading
    intake.read()
    os.close(reading)


def test_of_a_line_without_an_end_no_more_than_the_longest_is_held(pipe: tuple[int, int]) -> None:
    intake = Intake(pipe[0], 10)
    for _ in range(50):
        os.write(pipe[1], b"x" * 1_000)
        intake.read()
        assert len(intake._rest) <= 11
    os.write(pipe[1], b"\nshort\n")
    intake.read()
    assert intake.take() == [b"x" * 11, b"short"]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_endless_input_is_held_a_few_chunks_at_a_time(workers: int) -> None:
    """/dev/zero's like of lines: what is read ahead is bounded by what was written."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        while True:
            os.write(writing, b"a line\n" * 1_000)
    os.close(writing)
    try:
        answers = answered(reading, workers, 1_000, echo)
        for _ in range(40):
            assert next(answers) == echo([b"a line"] * CHUNK)
        answers.close()
    finally:
        os.close(reading)
        os.waitpid(pid, 0)


def test_a_slow_chunk_keeps_its_place(tmp_path: Path) -> None:
    def slow(chunk: list[bytes]) -> Answered:
        if chunk[0] == b"0":
            time.sleep(0.3)
        return echo(chunk)

    file = tmp_path / "in"
    file.write_bytes(b"".join(b"%d\n" % number for number in range(20 * CHUNK)))
    assert b"".join(one.written for one in through(file, 3, slow)) == file.read_bytes()


def test_that_a_line_was_refused_is_told_of_its_chunk(tmp_path: Path) -> None:
    file = tmp_path / "in"
    file.write_bytes(b"good\n" * CHUNK + b"bad\n" + b"good\n" * CHUNK)
    assert [one.refused for one in through(file, 2, echo)] == [False, True, False]


def test_a_worker_that_dies_is_told_of(tmp_path: Path) -> None:
    def die(chunk: list[bytes]) -> Answered:
        os._exit(9)

    def unusable(chunk: list[bytes]) -> Answered:
        raise ModelError("model 'x' is damaged")

    file = tmp_path / "in"
    file.write_bytes(b"one\n")
    with pytest.raises(WorkerEnded, match="ended with code 9"):
        through(file, 2, die)
    with pytest.raises(ModelError, match="model 'x' is damaged"):
        through(file, 2, unusable)


def test_a_worker_whose_answers_nobody_takes_ends_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=sharing._work, args=(theirs, [ours], echo))
    process.start()
    theirs.close()
    ours.send_bytes(b"one")
    assert ours.recv_bytes() == b"+"
    assert ours.poll(PATIENCE)
    ours.close()  # with the answer unread: the other end is reset
    process.join(PATIENCE)
    assert process.exitcode == 0
    assert capfd.readouterr().err == ""


def through(file: Path, workers: int, answer: Callable[[list[bytes]], Answered]) -> list[Any]:
    source = os.open(file, os.O_RDONLY)
    try:
        return list(sharing.answered(source, workers, 1_000, answer))
    finally:
        os.close(source)
