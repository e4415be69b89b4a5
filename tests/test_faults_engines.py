"""Servers that go away, full disks and runs that are killed: a sentence, nothing half-done, and the next run finishes."""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import engines
import made_notebooks as made
import pandas as pd
import pytest

from plgkit import cli, reports
from plgkit.errors import ServerGone
from plgkit.metrics import activation
from plgkit.playbook import Playbook
from plgkit.reports.runner import Report, RunResult
from plgkit.samples.tiny import AS_OF, PLAYBOOK, frames
from plgkit.sources import faults, inside
from plgkit.sources.connect import connect

pytestmark = pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")
WORDS = Playbook(**PLAYBOOK)
AGAIN = "Run the same again when it is back: what was kept is whole."


@pytest.fixture(scope="module")
def postgres():
    """A server of our own, that may be killed."""
    with engines.postgres() as connection:
        yield connection


def address_of(place) -> str:
    known = place.con.info
    return f"postgres://{known.user}@{known.host}:{known.port}/{known.dbname}"


@pytest.fixture(autouse=True)
def nothing_left_open():
    """What an error has left open is closed within the test that made it."""
    yield
    gc.collect()


@pytest.fixture
def shop(postgres) -> str:
    """A database whose events take half a second to be read."""
    place = engines.load(postgres, frames())
    for text in ("ALTER TABLE events RENAME TO stored",
                 "CREATE VIEW events AS SELECT stored.* FROM stored, (SELECT pg_sleep(0.5)) AS slowly"):
        place.raw_sql(text).close()
    return address_of(place)


def asked(*arguments: object, capsys) -> tuple[int, str]:
    """The exit status of the command line and what it says on standard error."""
    try:
        cli.main([*map(str, arguments)])
    except SystemExit as stop:
        return stop.code, capsys.readouterr().err
    return 0, capsys.readouterr().err


@contextmanager
def while_it_asks(postgres, words: str, do):
    """Do something to the session whose query holds these words, in the middle of it."""
    found = []

    def watch() -> None:
        until = time.monotonic() + 60
        while not found and time.monotonic() < until:
            rows = postgres.raw_sql(f"SELECT pid FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%{words}%'")
            found.extend(row[0] for row in rows.fetchall())
            rows.close()
            time.sleep(0.01)
        do(found[0])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        watcher.join()


def kept(address: str) -> list[str]:
    data = connect(address, as_of=AS_OF, playbook=WORDS)
    names = data.connection.list_tables(database=inside.SCHEMA)
    data.connection.disconnect()
    return sorted(names)


def test_a_session_ended_in_the_middle_of_a_query_is_a_sentence_and_leaves_no_half_table(postgres, shop, tiny, capsys):
    with while_it_asks(postgres, "CREATE TABLE plgkit_kept", lambda pid: postgres.raw_sql(f"SELECT pg_terminate_backend({pid})").close()):
        status, said = asked("measure", "activation.rate", shop, "--as-of", AS_OF, capsys=capsys)
    # Whether the driver still hears why depends on the moment.
    assert status == 4
    assert said.startswith("The database went away while it was asked: ")
    assert said.endswith(f"{AGAIN}\n")
    assert said.count("\n") == 1
    data = connect(shop, as_of=AS_OF, playbook=WORDS)
    pd.testing.assert_frame_equal(activation.rate(data), activation.rate(tiny))
    assert not [name for name in data.connection.list_tables(database=inside.SCHEMA) if name.startswith("partial")]
    data.connection.disconnect()


def test_a_session_ended_between_two_queries_leaves_no_half_table(postgres, shop, tiny, capsys, monkeypatch):
    really = inside._run

    def then_ended(connection, text: str) -> None:
        really(connection, text)
        if text.startswith("CREATE TABLE plgkit_kept.partial"):
            postgres.raw_sql(f"SELECT pg_terminate_backend({connection.con.info.backend_pid})").close()

    monkeypatch.setattr(inside, "_run", then_ended)
    status, said = asked("measure", "activation.rate", shop, "--as-of", AS_OF, capsys=capsys)
    monkeypatch.undo()
    assert (status, said.count("\n")) == (4, 1)
    assert not [name for name in kept(shop) if name.startswith("partial")]
    data = connect(shop, as_of=AS_OF, playbook=WORDS)
    pd.testing.assert_frame_equal(activation.rate(data), activation.rate(tiny))
    data.connection.disconnect()


def test_two_runs_at_once_keep_each_table_once(shop, tiny):
    found, failed = [], []

    def run() -> None:
        try:
            data = connect(shop, as_of=AS_OF, playbook=WORDS)
            found.append(activation.rate(data))
            data.connection.disconnect()
        except Exception as error:
            failed.append(error)

    both = [threading.Thread(target=run) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert failed == []
    for frame in found:
        pd.testing.assert_frame_equal(frame, activation.rate(tiny))
    names = kept(shop)
    assert len(names) == len(set(names))
    assert not [name for name in names if name.startswith("partial")]


def report(source: object, folder: Path, *cells: str):
    made.make(folder / "notebooks" / "01_activation.ipynb", "# Activation\n\nDo they?", made.PARAMETERS + '\nsource: str = ""', *cells)
    return reports.run(str(source), as_of=AS_OF, out=folder / "reports", notebooks=folder / "notebooks", workers=1)


def test_a_session_ended_in_the_middle_of_a_report_is_told_and_the_next_run_makes_the_page(shop, tmp_path):
    flag = tmp_path / "ended"
    ending = ("import os\nif not os.path.exists({flag!r}):\n    open({flag!r}, 'w').close()\n    try:\n"
              "        data.connection.raw_sql('SELECT pg_terminate_backend(pg_backend_pid())')\n    except Exception:\n        pass")
    cells = ("import plgkit\nfrom plgkit.metrics import activation\ndata = plgkit.connect(source, as_of=as_of)", ending.format(flag=str(flag)),
             "len(activation.rate(data, event='report_created'))")
    first = report(shop, tmp_path, *cells)
    assert first.exit_status == 4
    assert first.reports[0].state == "failed"
    assert first.reports[0].error == f"ServerGone: The database went away while it was asked: the connection is closed. {AGAIN}"
    second = report(shop, tmp_path, *cells)
    assert (second.exit_status, second.reports[0].state) == (0, "ok")


def test_a_server_that_is_killed_and_comes_back_finishes_the_work(postgres, shop, tiny, capsys):
    rows = postgres.raw_sql("SHOW data_directory")
    store = Path(rows.fetchone()[0])
    rows.close()
    postmaster = int((store / "postmaster.pid").read_text().split()[0])
    options = (store / "postmaster.opts").read_text().partition(" ")[2].strip()
    with while_it_asks(postgres, "CREATE TABLE plgkit_kept", lambda pid: os.kill(postmaster, signal.SIGKILL)):
        status, said = asked("measure", "activation.rate", shop, "--as-of", AS_OF, capsys=capsys)
    assert status == 4
    assert said.startswith("The database went away while it was asked: ")
    assert said.endswith(f"{AGAIN}\n")
    assert said.count("\n") == 1
    _start_again(store, options)
    data = connect(shop, as_of=AS_OF, playbook=WORDS)
    pd.testing.assert_frame_equal(activation.rate(data), activation.rate(tiny))
    assert not [name for name in data.connection.list_tables(database=inside.SCHEMA) if name.startswith("partial")]
    data.connection.disconnect()


def _start_again(store: Path, options: str) -> None:
    """Sessions of a killed server end by themselves; the new one starts when the last is gone."""
    command = engines._as_server([str(engines._postgres_programs() / "pg_ctl"), "-D", str(store), "-w", "-l", str(store.parent / "log"),
                                  "-o", options.replace('"', ""), "start"])
    until = time.monotonic() + 30
    while subprocess.run(command, check=False, cwd=store.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        assert time.monotonic() < until, "the server does not start again"
        time.sleep(0.2)


def test_a_report_that_lost_its_server_has_a_status_of_its_own():
    lost = Report("a", "failed", Path("a.html"), error="ServerGone: The database went away")
    broken = Report("b", "failed", Path("b.html"), error="ValueError: no")
    assert [RunResult("2026-01-01", Path(), each).exit_status for each in ((), (broken,), (broken, lost))] == [0, 1, 4]


class _Refused(ConnectionRefusedError):
    pass


def test_what_drivers_raise_when_nobody_is_there_is_one_sentence_and_other_errors_stay():
    import psycopg

    lost = [_Refused("refused"), psycopg.OperationalError("server closed the connection"), psycopg.errors.AdminShutdown("ended")]
    assert all(isinstance(faults.told(each), ServerGone) for each in lost)
    others = [ValueError("refused"), psycopg.errors.QueryCanceled("too slow"), psycopg.errors.UndefinedTable("events"), KeyError("a")]
    assert [faults.told(each) for each in others] == [None] * 4
    assert str(faults.told(OSError(28, "No space left on device", "/data/x"))) == (
        "The disk is full on which /data/x lies. What was read is kept: make room and run the same again.")


@contextmanager
def files_no_larger_than(size: int):
    """What a full disk does, to this process and those it starts."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for name, frame in frames().items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


def test_a_disk_full_of_reports_is_a_sentence_and_the_next_run_writes_them(source, tmp_path, capsys):
    made.make(tmp_path / "notebooks" / "01_activation.ipynb", *made.WHOLE, "# Five letters each on the page", "print('&' * 8000)")
    out = tmp_path / "reports"
    arguments = ("report", source, "--as-of", AS_OF, "--out", out, "--notebooks", tmp_path / "notebooks", "--workers", "1")
    connect(source, as_of=AS_OF)
    with files_no_larger_than(40_000):
        status, said = asked(*arguments, capsys=capsys)
    assert status == 4, said
    assert said.splitlines()[-1].startswith(f"The disk is full on which {out}")
    assert [each for each in out.rglob("*") if each.suffix == ".html" or each.name.endswith(".part")] == []
    status, said = asked(*arguments, capsys=capsys)
    assert status == 0, said
    assert whole(out) == ["2025-02-28/01_activation.html", "index.html"]


def whole(out: Path) -> list[str]:
    """The pages of a folder; half a page fails."""
    pages = [each for each in out.rglob("*.html") if "latest" not in each.as_posix()]
    assert all(each.read_text().rstrip().endswith("</html>") for each in pages)
    return sorted(each.relative_to(out).as_posix() for each in pages)


def test_a_disk_full_of_kept_tables_is_a_sentence_and_the_next_run_keeps_them(source, tmp_path, tiny, capsys, monkeypatch):
    monkeypatch.setenv("PLGKIT_CACHE", str(tmp_path / "cache"))
    with files_no_larger_than(100_000):
        status, said = asked("measure", "acquisition.signups", source, "--as-of", AS_OF, capsys=capsys)
    assert status == 4, said
    assert said.startswith("The disk is full on which ")
    assert list((tmp_path / "cache").rglob("source_*")) == [], "no state of the data is noted that is not whole"
    data = connect(source, as_of=AS_OF, playbook=WORDS)
    pd.testing.assert_frame_equal(activation.rate(data), activation.rate(tiny))


RUN = """
import sys, time
from pathlib import Path
from plgkit import reports
from plgkit.reports import status
real = status.replace
def slow(path, text):
    path.with_name(f".{path.name}.part").write_text(text[: len(text) // 2])
    time.sleep(0.05)
    real(path, text)
status.replace = slow
print("now", flush=True)
reports.run(sys.argv[1], as_of=sys.argv[2], out=sys.argv[3], notebooks=sys.argv[4])
print("done", flush=True)
"""


def test_a_report_killed_at_any_moment_has_whole_pages_and_the_next_run_the_same_bytes(source, tmp_path):
    for number in range(3):
        made.make(tmp_path / "notebooks" / f"0{number + 1}_part.ipynb", *made.WHOLE)
    reports.run(str(source), as_of=AS_OF, out=tmp_path / "undisturbed", notebooks=tmp_path / "notebooks")
    out, draw = tmp_path / "reports", random.Random(3)
    arguments = [sys.executable, "-c", RUN, str(source), AS_OF, str(out), str(tmp_path / "notebooks")]
    for _ in range(4):
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as run:
            run.stdout.readline()
            time.sleep(draw.uniform(0.2, 5))
            run.kill()
        whole(out)
    reports.run(str(source), as_of=AS_OF, out=out, notebooks=tmp_path / "notebooks")
    assert _pages(out) == _pages(tmp_path / "undisturbed")
    assert json.loads((out / "runs.jsonl").read_text().splitlines()[-1])["exit_status"] == 0


def _pages(out: Path) -> dict[str, bytes]:
    return {each.relative_to(out).as_posix(): each.read_bytes() for each in sorted(out.glob("????-??-??/*")) if each.suffix in (".html", ".ipynb")}
