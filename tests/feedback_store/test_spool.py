"""The spool: a queue on disk that outlives the process."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_store.contract import Outcome, Pending, Row, StoreUnavailable
from feedback_store.memory import MemoryLog
from feedback_store.recovery import recover
from feedback_store.segments import HEAD, open_segment, records
from feedback_store.spool import Mark, Spool

CHILD = Path(__file__).with_name("child_spooling.py")


def a_row(query: int, size: int = 50) -> Row:
    return Row(query, "digits", "ann", None, bytes([query % 256]) * size)


def queries(rows: list[Row]) -> list[int]:
    return [row.query for row in rows]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path, segment_bytes=1000)
    yield spool
    spool.close()


def segments(root: Path) -> list[Path]:
    return sorted(root.glob("*/*.rows"))


class TestQueue:
    def test_gives_rows_in_order_until_they_are_forgotten(self, spool: Spool) -> None:
        for query in range(1, 6):
            spool.append(a_row(query))
        first, mark = spool.read(2)
        assert first == [a_row(1), a_row(2)]
        assert spool.read(2) == (first, mark)
        spool.forget(mark)
        rest, mark = spool.read(100)
        assert rest == [a_row(3), a_row(4), a_row(5)]
        assert mark == spool.tail
        spool.forget(mark)
        assert spool.read(100) == ([], mark)

    def test_reads_over_segments_and_drops_those_that_are_done(self, spool: Spool, tmp_path: Path) -> None:
        for query in range(1, 101):
            spool.append(a_row(query))
        assert len(segments(tmp_path)) > 5
        rows, mark = spool.read(1000)
        assert queries(rows) == list(range(1, 101))
        spool.forget(mark)
        assert len(segments(tmp_path)) == 1

    def test_holds_a_row_larger_than_a_segment(self, spool: Spool) -> None:
        for query, size in [(1, 10), (2, 5000), (3, 10)]:
            spool.append(a_row(query, size))
        assert spool.read(10)[0] == [a_row(1, 10), a_row(2, 5000), a_row(3, 10)]

    @given(st.lists(st.one_of(st.integers(1, 400), st.none()), max_size=60), st.integers(1, 7))
    def test_is_first_in_first_out_whatever_the_sizes(self, steps: list[int | None], limit: int) -> None:
        with TemporaryDirectory() as root:
            spool, written, read = Spool(Path(root), 500), 0, list[int]()
            for size in [*steps, *[None] * 60]:
                if size is None:
                    rows, mark = spool.read(limit)
                    read += queries(rows)
                    spool.forget(mark)
                else:
                    written += 1
                    spool.append(a_row(written, size))
            assert read == list(range(1, written + 1))[: len(read)]
            assert len(read) == written
            spool.close()

    def test_leaves_nothing_behind_when_all_is_forgotten(self, tmp_path: Path) -> None:
        spool = Spool(tmp_path, 1000)
        for query in range(50):
            spool.append(a_row(query))
        spool.forget(spool.read(50)[1])
        spool.close()
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]


class TestFullDisk:
    def test_is_an_error_at_the_append_and_passes(
        self, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        spool.append(a_row(1, 900))
        with monkeypatch.context() as patch:
            patch.setattr(os, "posix_fallocate", full)
            with pytest.raises(StoreUnavailable, match="No space left"):
                spool.append(a_row(2, 900))
        assert len(segments(tmp_path)) == 1
        spool.append(a_row(3, 900))
        assert queries(spool.read(10)[0]) == [1, 3]


class TestDamage:
    """What recovery finds in segments that are not as they were written."""

    @pytest.fixture
    def segment(self, tmp_path: Path) -> Path:
        """The segment of a dead process, with rows 1, 2, 3."""
        spool = Spool(tmp_path / "spool", 1000)
        for query in (1, 2, 3):
            spool.append(a_row(query))
        spool.close()
        (path,) = segments(tmp_path / "spool")
        return path

    def recovered(self, segment: Path) -> list[int]:
        log = MemoryLog()
        count = recover(log, segment.parent.parent)
        assert not segment.exists()
        found = [query for query in range(10) if log._decisions.get(query)]
        assert len(found) == count
        return found

    def record_length(self, segment: Path) -> int:
        return HEAD.size + int(HEAD.unpack_from(segment.read_bytes())[0])

    def test_none_gives_all(self, segment: Path) -> None:
        assert self.recovered(segment) == [1, 2, 3]

    @pytest.mark.parametrize("kept", [1, 4, 8, 9, 40])
    def test_a_torn_tail_is_ignored(self, segment: Path, kept: int, caplog: pytest.LogCaptureFixture) -> None:
        data, length = segment.read_bytes(), self.record_length(segment)
        end = 2 * length + kept
        segment.write_bytes(data[:end] + bytes(len(data) - end))
        assert self.recovered(segment) == [1, 2]
        assert "torn" in caplog.text

    @pytest.mark.parametrize("size", [0, 3, 120])
    def test_a_file_cut_short_gives_what_is_whole(self, segment: Path, size: int) -> None:
        segment.write_bytes(segment.read_bytes()[:size])
        assert self.recovered(segment) == [1] * (size == 120)

    def test_a_damaged_byte_costs_one_row(self, segment: Path, caplog: pytest.LogCaptureFixture) -> None:
        data = bytearray(segment.read_bytes())
        data[self.record_length(segment) + HEAD.size + 20] ^= 1
        segment.write_bytes(data)
        assert self.recovered(segment) == [1, 3]
        assert "damaged" in caplog.text

    @pytest.mark.parametrize("length", [1, 30, 900, 2**32 - 1])
    def test_a_damaged_length_gives_nothing_wrong(self, segment: Path, length: int) -> None:
        data = bytearray(segment.read_bytes())
        HEAD.pack_into(data, self.record_length(segment), length, 12345)
        segment.write_bytes(data)
        assert self.recovered(segment) == [1]

    def test_an_empty_file_is_mapped_as_no_rows(self, tmp_path: Path) -> None:
        (tmp_path / "empty").touch()
        assert list(records(open_segment(tmp_path / "empty"), 0)) == []


@pytest.mark.parametrize("seed", range(10))
def test_a_kill_loses_no_row_that_was_appended(tmp_path: Path, seed: int) -> None:
    rng = Random(seed)
    moment = rng.randrange(2000)
    with subprocess.Popen([sys.executable, CHILD, tmp_path, "4096", str(seed)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        head = child.stdout.read(8 * moment)
        child.kill()
        reported = head + child.stdout.read()
    whole = len(reported) // 8
    log = Counted()
    recover(log, tmp_path)
    assert log.queries[:whole] == [int.from_bytes(reported[8 * n : 8 * n + 8], "little") for n in range(whole)]
    assert len(log.queries) - whole <= 1, "at most the row whose report was cut off"
    assert log.queries == list(range(1, len(log.queries) + 1))
    assert recover(log, tmp_path) == 0


class Counted(MemoryLog):
    """Notes every row that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.queries: list[int] = []

    def commit(self, rows: Sequence[Row], pending: Sequence[Pending]) -> list[Outcome]:
        self.queries += [row.query for row in rows]
        return super().commit(rows, pending)


class TestOwnership:
    def test_what_a_living_process_owns_is_left_alone(self, spool: Spool, tmp_path: Path) -> None:
        spool.append(a_row(1))
        assert recover(MemoryLog(), tmp_path) == 0
        assert queries(spool.read(10)[0]) == [1]

    def test_each_spool_has_a_folder_of_its_own(self, spool: Spool, tmp_path: Path) -> None:
        other = Spool(tmp_path)
        other.append(a_row(2))
        assert spool.read(10) == ([], Mark(1, 0))
        other.close()
        assert recover(MemoryLog(), tmp_path) == 1

    def test_recovery_where_there_was_no_spool_finds_nothing(self, tmp_path: Path) -> None:
        assert recover(MemoryLog(), tmp_path / "never") == 0
