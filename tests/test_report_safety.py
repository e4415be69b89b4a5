"""Text from data in a report: a real browser looks whether anything runs, or asks for anything outside."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import made_notebooks as made
import pandas as pd
import pytest
from engines import lacking

from plgkit import reports
from plgkit.reports import books, execute, export
from plgkit.samples.tiny import frames

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
HOSTILE = (
    "<script>window.hit=1</script>",
    '<img src="https://outside.example/x.png" onerror="window.hit=1">',
    "</style></title></script><script>window.hit=1</script>",
    "<svg onload='window.hit=1'><script>window.hit=1</script></svg>",
    "[click](javascript:window.hit=1) ![x](https://outside.example/y.png)",
    "&lt;script&gt;window.hit=1&lt;/script&gt;",
    "{{ 7 * 7 }}{% raw %}",
    "$\\foo$ and $5",
    "=HYPERLINK(\"https://outside.example\")",
    "\u202egnp.exe \u2066x",
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred",
    "long " + "x" * 3000,
    "](x) **bold** `code` | a | b |\n|---|---|\n# heading",
    "'\"><b onmouseover=window.hit=1>",
)
SHOWN = """import pandas as pd
from IPython.display import HTML, Javascript, Markdown, SVG, display
bad = {bad}
frame = pd.DataFrame({{"name": bad, bad[0]: bad, "people": range(len(bad)), "value": 0.5}})
for each in bad:
    display(notebook.finding(each), notebook.note(each), Markdown(each), HTML(each))
    print(each)
display(Javascript("window.hit=1"), SVG('<svg xmlns="http://www.w3.org/2000/svg" onload="window.hit=1"/>'))
display(frame, frame.style, notebook.table(frame), frame.set_index(bad[0]))
notebook.tiles(*(notebook.tile(frame.head(1), label=each, unit="share") for each in bad))"""
DRAWN = """figure, ax = plt.subplots()
_ = ax.barh([each[:60] for each in bad], range(len(bad)))
figure.plgkit_description = {"alt": " ".join(bad), "caption": bad[0]}"""


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """A headless browser; the test is skipped where there is none, but never on CI."""
    from playwright import sync_api as playwright

    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        lacking(f"no browser: none of {', '.join(BROWSERS)} is on the path (Debian: chromium)")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


def seen(browser, page: Path) -> dict:
    """Open a page, every fold of it, and say what happened."""
    told: list[str] = []
    tab = browser.new_context().new_page()
    tab.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
    tab.on("pageerror", lambda error: told.append(f"error: {error}"))
    tab.on("dialog", lambda dialog: told.append(f"dialog: {dialog.message}"))
    tab.on("request", lambda request: told.append(f"request: {request.url}")
           if not request.url.startswith(("file:", "data:")) else None)
    tab.goto(page.resolve().as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    tab.wait_for_timeout(150)
    facts = tab.evaluate("""() => ({
        hit: window.hit === undefined,
        live: [...document.querySelectorAll('script,iframe,object,embed,form,base,svg script')].length,
        handlers: [...document.querySelectorAll('*')].filter(each => [...each.attributes].some(a => a.name.startsWith('on'))).length,
        links: [...document.querySelectorAll('a')].map(each => each.protocol).filter(each => !['file:', ':', ''].includes(each)),
        wide: document.documentElement.scrollWidth > document.documentElement.clientWidth})""")
    tab.close()
    return facts | {"told": told}


QUIET = {"hit": True, "live": 0, "handlers": 0, "links": [], "wide": False, "told": []}


@pytest.fixture(scope="module")
def hostile_pages(tmp_path_factory) -> list[Path]:
    """A page of everything a notebook can show, a failed one, and one that left nothing."""
    folder = tmp_path_factory.mktemp("hostile")
    shown = SHOWN.format(bad=repr(list(HOSTILE)))
    title = f"# {HOSTILE[0]}\n\n{HOSTILE[1]} {HOSTILE[4]}"
    asked = "## " + HOSTILE[2] + "\n\n" + HOSTILE[3]
    jobs = [
        execute.Job("shown", made.make(folder / "01_shown.ipynb", title, made.PRINTERS, asked, shown, DRAWN)),
        execute.Job("failed", made.make(folder / "02_failed.ipynb", title, f"raise ValueError('|'.join({list(HOSTILE)!r}))")),
    ]
    pages = []
    for outcome in execute.execute(jobs):
        assert outcome.state == {"shown": "ok", "failed": "failed"}[outcome.job.name], outcome.error
        pages.append(_write(folder / f"{outcome.job.name}.html", json.loads(outcome.executed), outcome))
    pages.append(_write(folder / "nothing.html", None, outcome))
    return pages


def _write(path: Path, notebook: dict | None, outcome: execute.Outcome) -> Path:
    status = {"name": "a", "title": HOSTILE[2], "as_of": "2026-06-28", "state": outcome.state, "error": HOSTILE[0],
              "traceback": outcome.traceback, "parameters": {"event": HOSTILE[1]}, "versions": {"plgkit": "0.1.0"}}
    links = {"before": {"href": "a.html", "title": HOSTILE[0]}, "after": {"href": "b.html", "title": HOSTILE[3]}}
    path.write_text(export.write(notebook, status, links), encoding="utf-8")
    return path


def test_nothing_runs_and_nothing_is_asked_for_whatever_a_notebook_shows(browser, hostile_pages):
    for page in hostile_pages:
        found = seen(browser, page)
        # A link that somebody wrote in markdown may lead outside; it is only followed by a click.
        assert found | {"links": [each for each in found["links"] if each != "https:"]} == QUIET, page.name


@pytest.fixture(scope="module")
def hostile_source(tmp_path_factory) -> Path:
    """The tiny company with hostile names of events, channels, columns and files, and hostile comments."""
    folder = tmp_path_factory.mktemp("<b>source<img src=x onerror=hit=1>")
    tables = {name: frame.copy() for name, frame in frames().items()}
    tables["users"]["channel"] = list(HOSTILE[: len(tables["users"])])
    tables["users"]["country"] = list(HOSTILE[4 : 4 + len(tables["users"])])
    tables["users"]["role"] = HOSTILE[12]
    tables["users"][HOSTILE[5]] = HOSTILE[0]
    tables["accounts"]["industry"] = list(HOSTILE[: len(tables["accounts"])])
    tables["surveys"]["comment"] = [HOSTILE[at % len(HOSTILE)] for at in range(len(tables["surveys"]))]
    events = tables["events"]
    kinds = sorted(events["event"].unique())
    events["event"] = events["event"].map({kind: HOSTILE[at % len(HOSTILE)] for at, kind in enumerate(kinds)})
    events["properties"] = [json.dumps({HOSTILE[0]: HOSTILE[1]})] * len(events)
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    _playbook(folder / "playbook.toml", events, tables)
    return folder


def _playbook(path: Path, events: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> None:
    names = list(dict.fromkeys(events["event"]))
    lines = ["[product]", f"name = {json.dumps(HOSTILE[2])}", "[activation]", f"event = {json.dumps(names[1])}",
             "[onboarding]", f"steps = {json.dumps(names[:3])}", "[features]", f"core = {json.dumps(names)}",
             "[data]", 'unknown_people = "keep"', "[tables.users]", f"extra = {json.dumps([HOSTILE[5]])}"]
    path.write_text("\n".join(lines), encoding="utf-8")


ASKED = ("# Activation", 'as_of: str = ""  # last day\nsource: str = ""  # folder',
         "from plgkit import charts, notebook\nfrom plgkit.metrics import activation\ndata = notebook.start(source, as_of=as_of)",
         "## By channel?", "cut = activation.rate(data, by='channel', grain='month')\ncut", "ax = charts.trend(cut)",
         "notebook.finding(f'{notebook.listed(cut.channel)} differ.')", "data.events.execute()")


def test_a_hostile_source_is_harmless_in_every_report_and_in_the_index(browser, hostile_source, tmp_path):
    made.make(tmp_path / "01_activation.ipynb", *ASKED)
    every = [tmp_path, books.folder()] if list(books.folder().glob("[0-9][0-9]_*.ipynb")) else [tmp_path]
    for at, where in enumerate(every):
        out = tmp_path / f"reports-{at}"
        result = reports.run(str(hostile_source), as_of="2025-02-28", notebooks=where, out=out)
        assert [(each.name, each.state, each.error) for each in result.reports if not each.well] == []
        for page in [out / "index.html", *(each.page for each in result.reports)]:
            assert seen(browser, page) == QUIET, page.name
