"""Runs of small notebooks: what stands on the shelf afterwards, and what a failure leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import made_notebooks as made
import pytest
from filelock import FileLock

from plgkit import reports
from plgkit.errors import BadPlaybook, Busy, UnknownParameter
from plgkit.reports import execute, normalise
from plgkit.samples.tiny import frames

JANUARY, FEBRUARY = "2025-01-31", "2025-02-28"
BAD = ("# Broken\n\nIt fails.", "1 / 0", "print('never')")


def run(folder: Path, as_of: str = FEBRUARY, **options):
    source = folder / "source"
    if not source.exists():
        source.mkdir()
        for name, frame in frames().items():
            frame.to_csv(source / f"{name}.csv", index=False)
    return reports.run(str(source), as_of=as_of, out=folder / "reports", notebooks=folder / "notebooks", **options)


def files(folder: Path) -> dict[str, bytes]:
    kept = [folder / "index.html", *folder.glob("????-??-??/*"), *folder.glob("latest/*")]
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in kept}


def gone(pid: int, *, within: float = 5) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def two_dates(tmp_path_factory):
    """A good notebook and a broken one, run for January and for February; in February the good one breaks too."""
    folder = tmp_path_factory.mktemp("two_dates")
    made.make(folder / "notebooks" / "01_activation.ipynb", *made.WHOLE)
    made.make(folder / "notebooks" / "02_broken.ipynb", *BAD)
    january = run(folder, JANUARY)
    good = files(folder / "reports")
    made.make(folder / "notebooks" / "01_activation.ipynb", *made.WHOLE, "raise ValueError('<script>')")
    february = run(folder, FEBRUARY, hook="echo $PLGKIT_AS_OF $PLGKIT_FAILED $PLGKIT_EXIT_STATUS > $PLGKIT_OUT/hook.txt; exit 4")
    return folder, january, good, february


def test_a_failed_notebook_leaves_a_page_that_says_so_and_the_others_go_on(two_dates):
    folder, january, _, _ = two_dates
    assert [(each.name, each.state, each.cell) for each in january.reports] == [("01_activation", "ok", None), ("02_broken", "failed", 1)]
    assert january.exit_status == 1
    page = (folder / "reports" / JANUARY / "02_broken.html").read_text()
    assert "This report failed in one of its cells." in page
    assert "ZeroDivisionError: division by zero" in page


def test_a_page_has_finding_tiles_picture_and_folds_and_is_small(two_dates):
    _, _, good, _ = two_dates
    page = good[f"{JANUARY}/01_activation.html"].decode()
    for part in ("<h2>38% activate, 4.0 points less than the month before, within noise.</h2>", "cannot tell: target 40%",
                 'alt="A line that falls from 42% to 38%."', "<figcaption>Each point is a month.</figcaption>",
                 "<summary>Numbers</summary>", "Sign-ups who activate / sign-ups.", "<strong>So what?</strong>"):
        assert part in page
    assert len(page) < 200_000


def test_a_status_has_the_measures_as_data(two_dates):
    _, _, good, _ = two_dates
    status = json.loads(good[f"{JANUARY}/01_activation.json"])
    (tile,) = status["measures"]
    assert (tile["measure"], tile["value"], tile["n"], tile["status"]) == ("activation.rate", 0.38, 1000, "cannot tell")
    assert status["parameters"] == {"as_of": JANUARY, "within_days": 7}
    assert status["data"]["rows"]["users"] > 0


def test_latest_keeps_the_last_good_report_when_a_newer_one_fails(two_dates):
    folder, _, good, february = two_dates
    assert [each.state for each in february.reports] == ["failed", "failed"]
    kept = (folder / "reports" / "latest" / "01_activation.html").read_bytes()
    assert kept == good["latest/01_activation.html"] == good[f"{JANUARY}/01_activation.html"]
    assert not (folder / "reports" / "latest" / "02_broken.html").exists()
    failed = (folder / "reports" / FEBRUARY / "01_activation.html").read_text()
    assert '<a href="../2025-01-31/01_activation.html">that of 31 Jan 2025</a>' in failed
    assert "ValueError: &lt;script&gt;" in failed


def test_pages_of_neighbouring_dates_point_to_each_other(two_dates):
    folder, _, _, _ = two_dates
    older = (folder / "reports" / JANUARY / "01_activation.html").read_text()
    newer = (folder / "reports" / FEBRUARY / "01_activation.html").read_text()
    assert '<a href="../2025-02-28/01_activation.html">to 28 Feb 2025 →</a>' in older
    assert '<a href="../2025-01-31/01_activation.html">← to 31 Jan 2025</a>' in newer


def test_the_index_names_what_failed_and_what_is_good(two_dates):
    folder, _, _, _ = two_dates
    index = (folder / "reports" / "index.html").read_text()
    assert '<a href="latest/01_activation.html">Activation</a>' in index
    assert "The last good report is that of 31 Jan 2025." in index
    assert '<a class="state-failed" href="2025-02-28/02_broken.html">failed</a>' in index


def test_the_hook_is_told_what_failed_and_its_own_failure_counts(two_dates):
    folder, _, _, february = two_dates
    assert (folder / "reports" / "hook.txt").read_text() == "2025-02-28 01_activation 02_broken 1\n"
    assert (february.hook_status, february.exit_status) == (4, 1)


def test_the_same_inputs_give_the_same_bytes_and_unchanged_work_is_skipped(tmp_path):
    seen = []
    for name in ("one", "two"):
        made.make(tmp_path / name / "notebooks" / "01_activation.ipynb", *made.WHOLE)
        assert [each.state for each in run(tmp_path / name).reports] == ["ok"]
        seen.append(files(tmp_path / name / "reports"))
    assert seen[0] == seen[1]
    again = run(tmp_path / "one")
    assert ([each.state for each in again.reports], again.exit_status) == (["skipped"], 0)
    assert files(tmp_path / "one" / "reports") == seen[0]
    assert [each.state for each in run(tmp_path / "one", set={"within_days": 14}).reports] == ["ok"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Three notebooks run side by side: one of everything, one without its table, one with a mistake."""
    folder = tmp_path_factory.mktemp("executed")
    whole = (*made.WHOLE, "print('a')", "import sys\nprint('b', file=sys.stderr)\n5", "missing('visits')\nx = 1", "x + 1",
             "'5 $ and 10 $'", "def f():\n    raise KeyError('k')\nf()")
    aside = ("missing('visits')\nvisits = 1", "visits.tail(2)", "figure, ax = plt.subplots()\n_ = ax.plot(visits['x'])",
             "notebook.finding(f'{visits.value:.0%}')", "pd.concat([visits, visits])", "'the rest'")
    missing = f"{made.PRINTERS}\ndef missing(name):\n    raise MissingTable(name, [], one_row='visit')"
    cells = {"whole": [missing if each == made.PRINTERS else each for each in whole], "aside": [missing, *aside],
             "mistake": [missing, "undefined"]}
    jobs = [execute.Job(name, made.make(folder / f"{name}.ipynb", *each), {"within_days": 14} if name == "whole" else {})
            for name, each in cells.items()]
    return jobs, {each.job.name: each for each in execute.execute(jobs)}


def test_both_engines_give_the_same_outputs(executed):
    jobs, outcomes = executed
    fork, kernel = outcomes["whole"], next(execute.execute(jobs[:1], engine="kernel"))
    assert (fork.state, fork.cell, fork.error) == (kernel.state, kernel.cell, kernel.error) == ("failed", 15, "KeyError: 'k'")
    written = [normalise.as_text(normalise.tidy(json.loads(each.executed))) for each in (fork, kernel)]
    assert written[0] == written[1]


def test_a_section_without_its_table_steps_aside_and_the_rest_goes_on(executed):
    outcome = executed[1]["aside"]
    outputs = [each["outputs"] for each in json.loads(outcome.executed)["cells"]]
    assert outcome.state == "ok"
    assert [len(each) for each in outputs] == [0, 1, 1, 1, 1, 1, 1]
    reason = "This needs the table 'visits' (one row per visit), which these data do not have."
    assert [each[0]["metadata"]["plgkit"]["text"] for each in outputs[1:-1]] == [reason] * 5
    assert not any("".join(each[0]["data"]["text/html"]) for each in outputs[2:-1]), "said once, marked elsewhere"


def test_a_mistake_still_fails_a_cell(executed):
    assert (executed[1]["mistake"].state, executed[1]["mistake"].error) == ("failed", "NameError: name 'undefined' is not defined")


def test_a_slow_notebook_is_stopped_with_its_children_and_a_dead_one_is_called_dead(tmp_path):
    pids = tmp_path / "pids"
    slow = ("import os, subprocess, sys, time\n"
            f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
            f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\ntime.sleep(60)")
    jobs = [execute.Job("slow", made.make(tmp_path / "01_slow.ipynb", slow)),
            execute.Job("dead", made.make(tmp_path / "02_dead.ipynb", "import os\nos._exit(3)"))]
    found = {each.job.name: each for each in execute.execute(jobs, timeout=3)}
    assert (found["slow"].state, found["slow"].error) == ("timeout", "It took longer than 3 seconds and was stopped.")
    assert (found["dead"].state, found["dead"].error) == ("died", "Its process ended with 3 before the notebook did.")
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_a_killed_run_leaves_no_process_behind(tmp_path):
    pid = tmp_path / "pid"
    made.make(tmp_path / "01_slow.ipynb", f"import os, time\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)")
    script = (f"from pathlib import Path; from plgkit.reports import execute\n"
              f"list(execute.execute([execute.Job('a', Path({str(tmp_path / '01_slow.ipynb')!r}))]))")
    with subprocess.Popen([sys.executable, "-c", script]) as launcher:
        until = time.monotonic() + 30
        while not (pid.exists() and pid.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        launcher.send_signal(signal.SIGKILL)
    assert gone(int(pid.read_text()))


def test_a_second_run_into_the_same_folder_is_refused(tmp_path):
    made.make(tmp_path / "notebooks" / "01_activation.ipynb", *made.WHOLE)
    (tmp_path / "reports").mkdir()
    with FileLock(tmp_path / "reports" / ".lock"), pytest.raises(Busy) as caught:
        run(tmp_path)
    assert str(caught.value) == (
        f"Another run is writing to {tmp_path / 'reports'}. Wait for it, or give another folder with --out.")


def test_an_unknown_parameter_stops_a_run_before_it_begins(tmp_path):
    made.make(tmp_path / "notebooks" / "01_activation.ipynb", *made.WHOLE)
    with pytest.raises(UnknownParameter) as caught:
        run(tmp_path, set={"within_day": "7"})
    assert str(caught.value) == "A report takes no parameter 'within_day'. Did you mean 'within_days'?"
    assert not list((tmp_path / "reports").glob("????-??-??"))


def test_a_playbook_reaches_the_notebooks_and_a_changed_word_in_it_runs_them_again(tmp_path):
    words = tmp_path / "words.toml"
    words.write_text('[activation]\nevent = "saved"\n')
    opening = "from plgkit import notebook\ndata = notebook.start(source, as_of=as_of, playbook=playbook)"
    told = 'notebook.finding(f"To activate is {data.playbook.activation.event}.")'
    asked = f'{made.PARAMETERS}\nsource: str = ""  # data\nplaybook: str = ""  # playbook to use'
    made.make(tmp_path / "notebooks" / "01_activation.ipynb", "# Activation", asked, opening, "## What is it?", told)

    def status() -> dict:
        return json.loads((tmp_path / "reports" / FEBRUARY / "01_activation.json").read_text())

    assert run(tmp_path, playbook=words).exit_status == 0
    assert status()["findings"] == ["To activate is saved."]
    assert status()["parameters"]["playbook"] == "words.toml"
    assert [each.state for each in run(tmp_path, playbook=words).reports] == ["skipped"]
    words.write_text('[activation]\nevent = "shared"\n')
    assert [each.state for each in run(tmp_path, playbook=words).reports] == ["ok"]
    assert status()["findings"] == ["To activate is shared."]


def test_a_playbook_with_a_fault_or_one_that_a_notebook_cannot_take_stops_a_run_before_it_begins(tmp_path):
    made.make(tmp_path / "notebooks" / "01_activation.ipynb", *made.WHOLE)
    words = tmp_path / "words.toml"
    words.write_text("[product]\n")
    with pytest.raises(UnknownParameter) as caught:
        run(tmp_path, playbook=words)
    assert str(caught.value) == "01_activation takes no parameter 'playbook'. It has: as_of, within_days."
    made.make(tmp_path / "notebooks" / "01_activation.ipynb", "# Activation", f'{made.PARAMETERS}\nplaybook: str = ""')
    words.write_text("[activation]\nwithin_day = 7\n")
    with pytest.raises(BadPlaybook) as caught:
        run(tmp_path, playbook=words)
    assert "words.toml, line 2" in str(caught.value)
    assert not list((tmp_path / "reports").glob("????-??-??"))


def test_changes_since_the_date_before_are_told_guardrails_break_and_only_the_last_dates_are_kept(tmp_path):
    def notebook(value):
        frame = f'pd.DataFrame({{"value": [{value}], "low": [{value - 0.01}], "high": [{value + 0.01}]}})'
        tiles = f'notebook.tiles(notebook.tile({frame}, label="Activation", unit="share", target=0.4, guardrail=True))'
        made.make(tmp_path / "notebooks" / "01_activation.ipynb", "# Activation", made.PARAMETERS, made.PRINTERS, tiles)

    notebook(0.42)
    assert run(tmp_path, JANUARY).exit_status == 0
    notebook(0.36)
    february = run(tmp_path, FEBRUARY, keep=1)
    (report,) = february.reports
    assert report.changes == ({"label": "Activation", "was": "42.0%", "now": "36.0%", "rose": False},)
    assert report.broken_guardrails == ("Activation: below target 40%",)
    assert (february.exit_status, february.removed) == (1, (JANUARY,))
    assert sorted(each.name for each in (tmp_path / "reports").glob("????-??-??")) == [FEBRUARY]
