"""Exports that are damaged, and imports that are disturbed: nothing is lost, nothing doubled, and a sentence says what happened."""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from conftest import shared
from exports import lines, posthog, table, written
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plgkit.errors import BadSource, Busy, DiskFull, NoData, PlgkitError
from plgkit.readers import KINDS, import_export, rows, staging
from plgkit.readers import posthog as reader

NEVER_CLOSED = "it opens a quotation mark that is never closed"


def moved(name: str, day: int = 1, **properties) -> dict:
    return posthog(name, "ann", f"2026-03-{day:02d}T10:00:00+00:00", **properties)


def reasons(out: Path) -> list[list]:
    return pd.read_csv(out / "set_aside.csv")[["line", "reason"]].to_numpy().tolist()


def test_a_bad_line_in_the_middle_costs_itself_only(tmp_path):
    export = tmp_path / "export"
    export.mkdir()
    deep = '{"distinct_id":' * 100_000 + "1" + "}" * 100_000
    good = [json.dumps(moved(name)).encode() for name in "abcd"]
    (export / "events.jsonl").write_bytes(b"\n".join([
        good[0], b'{"uuid": "broken', b'{"uuid":"x","event":"\xff\xfe"}', b"", good[1], b"[1, 2]", deep.encode(), b'{"uuid": "\\ud800", "event": 1}', good[2],
        good[3].replace(b'"2026-03-01T10:00:00+00:00"', b'"soon"')]) + b"\n")
    done = import_export("posthog", export, out=tmp_path / "out")
    assert table(tmp_path / "out", "events")["event_id"].tolist() == ["a", "b", "c"]
    assert done.read == 9, "an empty line is none"
    assert reasons(tmp_path / "out") == [
        [2, "it is no JSON object"], [3, "it is not UTF-8"], [6, "it is no JSON object"], [7, "it is nested more than 200 deep"],
        [8, "it is no JSON object"], [10, "its timestamp cannot be read"]]


def test_a_csv_with_an_open_quotation_mark_and_cells_too_many_keeps_the_other_lines(tmp_path):
    text = ("id,distinct_id,event,timestamp,person,elements_chain\na,ann,moved,2026-03-01 10:00:00,,\n"
            'b,ann,"moved,2026-03-01 10:00:00,,\nc,ann,"two\nlines",2026-03-01 10:00:00,,\nd,ann,moved,2026-03-01 10:00:00,,,7\n'
            'e,ann,5" wide,2026-03-01 10:00:00,,\nf,"a""nn",moved\r,2026-03-01 10:00:00,,\n')
    done = import_export("posthog", lines(tmp_path / "export", [text], "page.csv"), out=tmp_path / "out")
    events = table(tmp_path / "out", "events")
    assert sorted(zip(events["event_id"], events["event"], strict=True)) == [("a", "moved"), ("c", "two\nlines"), ("e", '5" wide'), ("f", "moved ")]
    assert reasons(tmp_path / "out") == [[3, NEVER_CLOSED], [6, "it has 7 cells where the first line has 6"]]
    assert done.read == 6


def compressed(number: int) -> bytes:
    """So many events that hardly become smaller."""
    draw = random.Random(1)
    every = [moved(f"{each}", 1 + each % 28, text=f"{draw.getrandbits(600):x}") for each in range(number)]
    return gzip.compress("\n".join(map(json.dumps, every)).encode())


def test_a_truncated_gzip_keeps_what_can_be_read_and_the_whole_file_adds_the_rest(tmp_path):
    whole = compressed(3000)
    export = tmp_path / "export"
    export.mkdir()
    (export / "events.jsonl.gz").write_bytes(whole[:len(whole) // 2])
    done = import_export("posthog", export, out=tmp_path / "out")
    assert 1000 < done.tables["events"] < 2000
    assert done.set_aside == {"the file breaks off here (Compressed file ended before the end-of-stream marker was reached); "
                              "bring the whole file and import again": 1}
    (export / "events.jsonl.gz").write_bytes(whole)
    done = import_export("posthog", export, out=tmp_path / "out")
    assert (done.tables["events"], done.set_aside) == (3000, {})
    import_export("posthog", export, out=tmp_path / "undisturbed")
    found, expected = (written(tmp_path / name) for name in ("out", "undisturbed"))
    assert all(found[name] == expected[name] for name in expected if name.endswith(".parquet"))


def test_archives_and_tables_that_are_none_leave_the_other_files_alone(tmp_path):
    export = lines(tmp_path / "export", [moved("a")])
    (export / "b.parquet").write_bytes(b"PAR1 nothing")
    (export / "c.zip").write_bytes(b"PK nothing")
    (export / "d.jsonl.gz").write_bytes(b"nothing")
    for name in ("empty.jsonl", "empty.csv", "empty.jsonl.gz", "empty.zip"):
        (export / name).write_bytes(b"")
    (export / "header.csv").write_text("id,distinct_id,event,timestamp,person,elements_chain\n")
    with zipfile.ZipFile(export / "e.zip", "w") as archive:
        archive.writestr("inner.jsonl", json.dumps(moved("b")) * 40)
    damaged = bytearray((export / "e.zip").read_bytes())
    damaged[60] ^= 255
    (export / "e.zip").write_bytes(bytes(damaged))
    done = import_export("posthog", export, out=tmp_path / "out")
    assert done.tables["events"] == 1
    aside = pd.read_csv(tmp_path / "out" / "set_aside.csv").set_index("file")["reason"]
    assert sorted(aside.index) == ["b.parquet", "c.zip", "d.jsonl.gz", "e.zip/inner.jsonl", "empty.zip"]
    assert all(reason.endswith("bring the whole file and import again") for reason in aside)
    with pytest.raises(NoData) as told:
        import_export("posthog", export / "d.jsonl.gz", out=tmp_path / "none")
    assert str(told.value) == (f"Nothing in {export / 'd.jsonl.gz'} could be read as an export of PostHog (1 row: the file breaks off here "
                               "(Not a gzipped file (b'no')); bring the whole file and import again).")


def test_a_column_whose_type_changes_is_still_read(tmp_path):
    rows_ = [moved("a", seats=3), moved("b", seats="three"), moved("c", seats={"now": 3}), moved("d") | {"properties": "no object"},
             moved("e") | {"properties": [1]}, moved("f") | {"properties": None}, moved("g") | {"distinct_id": 7}]
    import_export("posthog", lines(tmp_path / "export", rows_), out=tmp_path / "out")
    events = table(tmp_path / "out", "events").set_index("event_id")
    assert events["user_id"].to_dict() == dict.fromkeys("abcdef", "ann") | {"g": "7"}
    assert json.loads(events["properties"]["d"]) == {"properties": "no object", "person_id": "p-ann"}


def test_documents_are_lists_or_answers_on_one_line_or_many_and_never_held_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("plgkit.readers.documents._CHUNK", 64)
    export = tmp_path / "export"
    export.mkdir()
    listed = json.dumps([moved("a"), moved("b", text="] , [ ü")], indent=1, ensure_ascii=False)
    (export / "list.json").write_text(listed.replace("\n]", ',\n {"broken": tru},\n 7,\n') + json.dumps(moved("c")) + "\n]", encoding="utf-8")
    (export / "answer.json").write_text(json.dumps({"results": [moved("d")]}))
    (export / "mark.json").write_text(" \n" + json.dumps([moved("h")]), encoding="utf-8-sig")
    cut = gzip.compress(json.dumps([moved("i"), moved("j")]).encode())
    (export / "cut.json.gz").write_bytes(cut[:-12])
    (export / "one.json").write_text(json.dumps(moved("e") | {"items": []}))
    (export / "line.jsonl").write_text(json.dumps([moved("f")]) + "\n" + json.dumps(moved("g")))
    import_export("posthog", export, out=tmp_path / "out")
    assert table(tmp_path / "out", "events")["event_id"].tolist() == list("abcdefghi")
    assert [reason.partition(" (")[0] for _line, reason in reasons(tmp_path / "out")] == ["the file breaks off here"] + ["it is no JSON object"] * 2


def test_a_line_that_no_memory_should_hold_is_set_aside(tmp_path, monkeypatch):
    monkeypatch.setattr("plgkit.readers.pieces.LONGEST_LINE", 1000)
    export = lines(tmp_path / "export", [moved("a"), moved("b", text="x" * 5000), moved("c")])
    done = import_export("posthog", export, out=tmp_path / "out")
    assert (done.tables["events"], list(done.set_aside)) == (2, ["it is longer than 0 MB"])


def test_what_needs_more_memory_than_all_threads_have_is_done_by_one():
    import duckdb

    from plgkit.readers import gathering

    asked = []

    class Short:
        def execute(self, query):
            asked.append(query)
            if query == "SELECT 1" and "SET threads = 1" not in asked:
                raise duckdb.OutOfMemoryException("no more")
            return duckdb.connect().execute("SELECT 1")

    assert gathering._run(Short(), "SELECT 1") == [(1,)]
    assert asked == ["SELECT 1", "SET threads = 1", "SELECT 1", "RESET threads"]


def test_two_imports_at_once_are_one(tmp_path):
    export, out = lines(tmp_path / "export", [moved("a")]), tmp_path / "out"
    import_export("posthog", export, out=out)
    with FileLock(out / ".import" / "lock"), pytest.raises(Busy) as told:
        import_export("posthog", export, out=out)
    assert str(told.value) == f"Another run is writing to {out}. Wait for it, or give another folder with --out."


@pytest.mark.parametrize("place", [0, 2, 5, 8, 11, 13])
def test_a_full_disk_is_a_sentence_and_the_next_run_finishes(place, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "BATCH_ROWS", 8)
    export = lines(tmp_path / "export", [moved(f"{number}", 1 + number) for number in range(20)])
    import_export("posthog", export, out=tmp_path / "undisturbed")
    real, calls = os.replace, []

    def full(one, other):
        calls.append(one)
        if len(calls) > place:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(one, other)

    out = tmp_path / "out"
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DiskFull) as told:
        import_export("posthog", export, out=out)
    monkeypatch.setattr(os, "replace", real)
    assert str(told.value) == f"The disk is full on which {out} lies. What was read is kept: make room and run the same again."
    assert not [*out.rglob(".*parquet"), *out.rglob("*.partial")], "no half files"
    import_export("posthog", export, out=out)
    assert written(out) == written(tmp_path / "undisturbed")


def test_a_folder_that_is_a_file_is_a_sentence(tmp_path):
    export = lines(tmp_path / "export", [moved("a")])
    (tmp_path / "out").write_text("")
    with pytest.raises(BadSource, match="cannot be read or written: "):
        import_export("posthog", export, out=tmp_path / "out")


SLOWLY = """
import sys, time
from plgkit.readers import rows, run, staging
rows.BATCH_ROWS = 8
real = staging.in_one_step
def slow(*each):
    time.sleep(0.02)
    real(*each)
staging.in_one_step = slow
print("now", flush=True)
run.import_export("posthog", sys.argv[1], out=sys.argv[2])
"""


def test_killed_at_any_moment_the_next_run_finishes_the_same_bytes(tmp_path):
    export, out, draw = tmp_path / "export", tmp_path / "out", random.Random(5)
    for part in range(3):
        lines(export, [moved(f"{part}-{number}", 1 + number % 28, part=part) for number in range(60)], f"{part}.jsonl")
    import_export("posthog", export, out=tmp_path / "undisturbed")
    killed = 0
    for _ in range(6):
        with subprocess.Popen([sys.executable, "-c", SLOWLY, str(export), str(out)], stdout=subprocess.PIPE) as run:
            assert run.stdout is not None
            run.stdout.readline()
            time.sleep(draw.uniform(0.3, 1.5))
            run.send_signal(signal.SIGKILL)
            killed += run.wait() == -signal.SIGKILL
    assert killed
    import_export("posthog", export, out=out)
    assert written(out) == written(tmp_path / "undisturbed")


@pytest.mark.parametrize("place", [0, 1, 4])
def test_killed_between_two_writes_a_file_that_grew_since_is_read_as_if_nothing_had_been(place, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "BATCH_ROWS", 4)
    every = [moved(f"{number}", 1 + number) | ({"uuid": None} if number == 1 else {}) for number in range(9)]
    export, out, real, calls = lines(tmp_path / "export", every[:7]), tmp_path / "out", staging._in_one_step, []

    def killed(*write):
        calls.append(write)
        if len(calls) > place:
            raise Killed
        real(*write)

    monkeypatch.setattr(staging, "_in_one_step", killed)
    with pytest.raises(Killed):
        import_export("posthog", export, out=out)
    monkeypatch.setattr(staging, "_in_one_step", real)
    lines(export, every)
    for name in ("out", "undisturbed"):
        import_export("posthog", export, out=tmp_path / name)
    assert written(out) == written(tmp_path / "undisturbed")


class Killed(BaseException):
    """Stands for SIGKILL."""


def test_what_was_broken_off_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "BATCH_ROWS", 10)
    export = lines(tmp_path / "export", [moved(f"{number}", 1 + number % 28) for number in range(100)])

    def stop(name, read, left):
        if read >= 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_export("posthog", export, out=tmp_path / "out", tell=stop)
    done = import_export("posthog", export, out=tmp_path / "out")
    assert (done.read, done.tables["events"]) == (50, 100)


TEXTS = st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(
        ["2026-03-01T10:00:00Z", "-1", "1e400", "infinity", "9999999999999999999", "0001-01-01", "{", "[]", '{"a":', "\ud800", "2026-02-30"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=6)


def samples(kind: str) -> list[bytes]:
    folder = shared("data", "exports", "segment" if kind == "rudderstack" else kind)
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.suffix in (".jsonl", ".csv", ".tsv", ".json")]


def mutated(draw: st.DrawFn, kind: str) -> bytes:
    """A published sample with some bytes changed, and some values of its rows replaced."""
    text = bytearray(draw(st.sampled_from(samples(kind)))[:20_000])
    for place, byte in draw(st.lists(st.tuples(st.integers(0, max(len(text) - 1, 0)), st.integers(0, 255)), max_size=6)):
        text[place] = byte
    made = []
    for line in bytes(text).splitlines(keepends=True)[:12]:
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict) and row:
            name = draw(st.sampled_from(sorted(row)))
            row[name] = draw(VALUES)
            if isinstance(row.get("properties"), dict) and row["properties"]:
                row["properties"][draw(st.sampled_from(sorted(row["properties"])))] = draw(VALUES)
            line = json.dumps(row).encode() + b"\n"
        made.append(line)
    return b"".join(made)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"rudderstack"}))
@settings(max_examples=int(os.environ.get("PLGKIT_FUZZ", "4")), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_a_file_holds_no_other_error_comes_than_a_sentence(kind, tmp_path_factory, data):
    work = tmp_path_factory.mktemp("fuzz")
    for name in data.draw(st.lists(st.sampled_from(["a.jsonl", "b.csv", "c.json", "d.tsv", "e.jsonl.gz", "f.zip", "g.parquet", "events.csv"]), min_size=2, max_size=3)):
        (work / name).write_bytes(data.draw(TEXTS))
    for name in ("events.jsonl", "tracks.csv", "invoice.json"):
        (work / name).write_bytes(mutated(data.draw, kind))
    with contextlib.suppress(PlgkitError):
        import_export(kind, work, out=work / "out")


def test_a_file_of_which_nothing_was_known_is_read_again_under_its_right_name(tmp_path):
    export = tmp_path / "export"
    export.mkdir()
    (export / "export.csv").write_text("id,anonymous_id,user_id,received_at,timestamp\n1,d1,ann,2026-03-01 10:00:00,2026-03-01 10:00:00\n")
    with pytest.raises(NoData):
        import_export("segment", export, out=tmp_path / "out")
    (export / "export.csv").rename(export / "pages.csv")
    done = import_export("segment", export, out=tmp_path / "out")
    assert (done.tables, done.set_aside) == ({"users": 1, "events": 1}, {})


def test_one_row_that_a_query_stumbles_over_costs_itself_only(tmp_path, monkeypatch):
    feed = reader.READER.feeds[0]
    query = feed.makes["events"].replace("FROM rows WHERE", "FROM rows WHERE CAST(json_extract_string(properties, '$.seats') AS INTEGER) > 0 AND")
    broken = replace(reader.READER, feeds=(replace(feed, makes={**feed.makes, "events": query}),))
    monkeypatch.setattr(reader, "READER", broken)
    export = lines(tmp_path / "export", [moved(name, seats=seats) for name, seats in zip("abcd", (1, "three", 2, 3), strict=True)])
    done = import_export("posthog", export, out=tmp_path / "out")
    assert table(tmp_path / "out", "events")["event_id"].tolist() == ["a", "c", "d"]
    assert list(done.set_aside) == ["it cannot be read: Conversion Error: Could not convert string 'three' to INT32"]


def test_rows_that_came_twice_are_counted_by_month_whether_or_not_the_month_is_written_again(tmp_path):
    export, out = lines(tmp_path / "export", [moved("a"), moved("a"), moved("b", 2), moved("c") | {"timestamp": "2026-04-01T10:00:00+00:00"}]), tmp_path / "out"
    import_export("posthog", export, out=out)
    assert doubles(out) == {"2026-03": 1, "2026-04": 0}
    lines(export, [moved("c", plan="paid") | {"timestamp": "2026-04-01T10:00:00+00:00"}], "later.jsonl")
    import_export("posthog", export, out=out)
    assert doubles(out) == {"2026-03": 1, "2026-04": 1}


def doubles(out: Path) -> dict[str, int]:
    return json.loads((out / ".import" / "gathered.json").read_text())["doubles"]["events"]


def test_a_folder_of_another_kind_is_a_sentence_and_changes_nothing(tmp_path):
    out = tmp_path / "out"
    import_export("posthog", lines(tmp_path / "export", [moved("a"), "no row"]), out=out)
    before, staged = written(out), sorted(path for path in out.rglob("*.parquet"))
    other = lines(tmp_path / "other", [{"event_type": "opened", "device_id": "d", "event_time": "2026-03-01 10:00:00"}] * 3)
    with pytest.raises(BadSource) as told:
        import_export("posthog", other, out=out)
    assert str(told.value) == f"Nothing in {other} could be read as an export of PostHog (3 rows: its columns are those of no known row). {out} is as it was."
    assert (written(out), sorted(out.rglob("*.parquet"))) == (before, staged)
    nothing_new = lines(tmp_path / "nothing", [])
    assert import_export("posthog", nothing_new, out=out).read == 0, "a day without events is none of another kind"


def test_a_line_mended_in_its_file_no_longer_stands_aside_and_one_of_another_file_still_does(tmp_path):
    export, out = tmp_path / "export", tmp_path / "out"
    lines(export, [moved("a"), '{"uuid": "b', moved("c")])
    lines(export, [moved("x"), "lost"], "other.jsonl")
    import_export("posthog", export, out=out)
    lines(export, [moved("a"), moved("b"), moved("c"), "new"])
    lines(export, [moved("y"), moved("z")], "other.jsonl")
    import_export("posthog", export, out=out)
    aside = pd.read_csv(out / "set_aside.csv")
    assert aside[["file", "line", "row"]].to_numpy().tolist() == [["events.jsonl", 4, "new"], ["other.jsonl", 2, "lost"]]


def test_a_file_that_broke_off_is_whole_once_it_comes_under_another_name(tmp_path):
    whole = compressed(300)
    export = tmp_path / "export"
    export.mkdir()
    (export / "cut.jsonl.gz").write_bytes(whole[:len(whole) // 2])
    assert import_export("posthog", export, out=tmp_path / "out").set_aside
    (export / "whole.jsonl.gz").write_bytes(whole)
    done = import_export("posthog", export, out=tmp_path / "out")
    assert (done.tables["events"], done.set_aside) == (300, {})
