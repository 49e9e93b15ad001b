"""Logs: redacted, capped, rotated, and never in the way."""

import os
import time
from pathlib import Path

import pytest

from core.fleet.logs import Log, LogBook, LogLimits
from core.fleet.pipes import LossyStream, PipeReader
from core.fleet.redact import Redactor
from tests.fleet.conftest import until

TOKEN = "123456789:AAHabcdefghijklmnopqrstuvwxyz0123456"


@pytest.mark.parametrize(
    "line",
    [
        f"GET https://api.telegram.org/bot{TOKEN}/getMe",
        f"https://host/file/bot{TOKEN.replace(':', '%3A')}/photo.jpg",
        f"token={TOKEN}",
        "key sk-proj-abcdefghijklmnopqrstuvwx",
        "gsk_abcdefghijklmnopqrstuvwx",
        "Authorization: Bearer abc.def-ghi_jkl",
        '{"api_key": "0123456789abcdef"}',
        "X-API-Key: 0123456789abcdef",
        "postgresql://bot:hunter22@db/x",
        "AIzaSyA0123456789abcdefghijklmnopqrstuv",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefgh",
    ],
)
def test_what_looks_like_a_secret_is_masked(line: str) -> None:
    cleaned = Redactor().clean(line)
    assert "[secret]" in cleaned
    for part in (TOKEN[10:], "abcdefghijklmnop", "0123456789abcdef", "hunter22", "def-ghi", "eyJhbGci"):
        assert part not in cleaned


@pytest.mark.parametrize(
    "line",
    ["12:34:56 started, pid 12345", "GET /health 200", "tokens: 1200 in, 300 out", "the basic idea is good"],
)
def test_ordinary_lines_stay(line: str) -> None:
    assert Redactor().clean(line) == line


def test_known_secrets_are_masked_wherever_they_stand() -> None:
    redactor = Redactor(["pa ss/word"])
    redactor.learn(["short", "another-one"])
    cleaned = redactor.clean("xpa ss/wordy pa%20ss%2Fword another-one short")
    assert cleaned == "x[secret]y [secret] [secret] short"


@pytest.mark.parametrize("piece", ["a", "eyJ", "a.-+", "a://", "1"])
def test_a_long_line_is_cleaned_at_once(piece: str) -> None:
    line = piece * (64 * 1024 // len(piece))
    begun = time.process_time()
    assert Redactor(["a-known-secret"]).clean(line) == line
    assert time.process_time() - begun < 0.5


def test_a_file_is_rotated_and_old_ones_go(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.log", Redactor(), LogLimits(file_bytes=300, files=3))
    for number in range(45):
        log.add([f"line {number:03d}"])
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1", "a.log.2"]
    assert all(path.stat().st_size < 400 and path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_too_many_lines_are_counted_not_kept(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.log", Redactor(), LogLimits(burst=10, lines_per_second=10_000))
    kept = log.add(["x"] * 500)
    assert len(kept) < 100
    log._measured -= 1
    assert any("lines were left out" in line.text for line in log.add(["y"]))
    log.close()


def test_levels_ids_and_length(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.log", Redactor(), LogLimits(line=20))
    log.add(["ERROR it broke", "  a traceback line", "INFO well", "y" * 100])
    assert [line.level for line in log.ring] == ["ERROR", "ERROR", "INFO", "INFO"]
    assert [line.id - log.ring[0].id for line in log.ring] == [0, 1, 2, 3]
    assert len(log.ring[-1].text) == 20
    assert log.last_error() == "  a traceback line"
    log.close()


def test_a_secret_across_the_cut_is_masked(tmp_path: Path) -> None:
    log = Log(tmp_path / "a.log", Redactor(), LogLimits(line=60))
    log.add([f"{'x' * 30} {TOKEN}"])
    assert log.ring[-1].text == f"{'x' * 30} [secret]"
    log.close()


def test_a_disk_that_refuses_is_told_and_survived(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = LogBook(tmp_path / "file", Redactor()).open("a")
    assert log.add(["a line"])
    assert log.broken


async def test_a_pipe_gives_whole_lines_and_the_rest_at_its_end() -> None:
    read, write = os.pipe()
    lines: list[str] = []
    reader = PipeReader(read, lines.extend)
    os.write(write, b"one\ntw")
    os.write(write, b"o\n\x1b[31mred\xff\nlast")
    await until(lambda: len(lines) >= 3)
    os.close(write)
    await until(lambda: "last" in lines)
    reader.close()
    assert lines == ["one", "two", "\ufffd[31mred\ufffd", "last"]


def test_a_stream_over_a_full_pipe_drops() -> None:
    read, write = os.pipe()
    stream = LossyStream(write)
    for _ in range(100):
        assert stream.write("x" * 4000 + "\ud800\n") == 4002
    os.close(read)
    assert stream.write("nobody reads") == 12
    os.close(write)
