"""The glossary as a page: every measure, safe, in both themes, and never too large."""

from __future__ import annotations

import re
import shutil

import pytest
from engines import lacking

from plgkit import samples
from plgkit.glossary import entries, tools
from plgkit.glossary.pictures import PICTURES, picture
from plgkit.metrics import registry
from plgkit.reports import glossary, index

FEW = ("acquisition.signups", "activation.rate", "retention.cohorts", "expansion.mrr_movements", "advocacy.nps")


@pytest.fixture
def few(monkeypatch):
    """A glossary of five measures: the queries of all take long."""
    known = registry.measures()
    monkeypatch.setattr(registry, "measures", lambda: {name: known[name] for name in FEW})


@pytest.fixture
def page(few, tiny, tmp_path):
    return glossary.write(tiny, tmp_path / "glossary.html")


def test_every_measure_has_a_picture_with_words():
    assert {picture(each) for each in registry.measures().values()} <= set(PICTURES)
    assert all(each.alt.endswith(".") for each in PICTURES.values())


def test_an_entry_says_what_is_asked_how_and_of_which_tables(page):
    text = page.read_text(encoding="utf-8")
    entry = text[text.index('<article class="entry" id="activation.rate">'):].split("</article>")[0]
    for said in ("Share of sign-ups who reach activation (report_created) within 7 days of signing up.", "▲ higher is better",
                 "reads users, events", "Numerator / denominator (people).", "<summary>SQL</summary>", "'report_created'",
                 'aria-label="A line of shares over periods', "counts as lost, so that the rate falls towards today"):
        assert said in entry
    assert "Higher is better." not in entry


def test_the_query_on_the_page_is_the_query_of_the_measure(few, tiny):
    shown = {each.name: each for each in entries(tiny)}["acquisition.signups"].sql
    assert tiny.connection.sql(shown).execute().equals(tiny.connection.sql(registry.find("acquisition.signups").sql(tiny)).execute())


def test_the_shortest_queries_are_on_the_page_and_of_the_others_their_length(few, tiny):
    whole = {each.name: each for each in entries(tiny)}
    some = {each.name: each for each in entries(tiny, most=1_500)}
    assert some["acquisition.signups"].sql == whole["acquisition.signups"].sql
    assert (some["retention.cohorts"].sql, some["retention.cohorts"].characters) == ("", whole["retention.cohorts"].characters)


def test_the_page_of_all_measures_stays_below_400_kilobytes(tiny, monkeypatch):
    # As many and as long queries as fit: what matters is that their number does not.
    monkeypatch.setattr("plgkit.glossary.entry._sql", lambda measure, data: ('SELECT "a" FROM "users" ' * 150, ""))
    assert len(glossary.page(tiny).encode()) < 400_000


def test_the_page_has_no_script_and_no_address_outside(page):
    text = page.read_text(encoding="utf-8")
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text
    assert not re.search(r"<script|https?://|javascript:", text.replace("http-equiv", ""))


def test_a_measure_whose_table_is_missing_says_so_in_place_of_its_query(few, tmp_path):
    import pandas as pd

    import plgkit

    events = samples.tiny().run(samples.tiny().events.select("user_id", "event", "occurred_at"))
    shown = {each.name: each for each in entries(plgkit.connect({"events": pd.DataFrame(events)}, as_of="2025-02-28"))}
    assert shown["advocacy.nps"].why.startswith("This needs the table 'surveys' (one row per answered survey)")


def test_the_index_of_a_folder_of_reports_links_to_its_glossary(page):
    assert '<a href="glossary.html">Glossary</a>' in index.page(page.parent)
    page.unlink()
    assert "Glossary" not in index.page(page.parent)


def test_how_others_count_stands_with_the_measures_it_concerns():
    assert any(line.startswith("mixpanel: the base of a recurring cohort") for line in tools.concerning(registry.find("retention.cohorts")))
    assert tools.concerning(registry.find("acquisition.signups")) == []
    assert set(tools._ELSEWHERE) | set(tools._KINDS) <= set(registry.measures())


def test_in_a_browser_pictures_have_colour_and_a_small_screen_is_not_exceeded(page):
    from playwright import sync_api as playwright

    browser = next((path for name in ("chromium", "chromium-browser", "google-chrome", "chrome") if (path := shutil.which(name))), None)
    if browser is None:
        lacking("no browser on the path (Debian: chromium)")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for width, scheme in ((390, "dark"), (1280, "light")):
            tab = opened.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
            told: list[str] = []
            tab.on("console", lambda message, told=told: told.append(message.text))
            tab.goto(page.as_uri())
            tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert not tab.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            drawn = tab.locator("#activation\\.rate svg").screenshot()
            assert len(set(_pixels(drawn))) > 20
            assert told == []
        opened.close()


def _pixels(png: bytes) -> list[tuple[int, ...]]:
    import io

    from PIL import Image

    return list(Image.open(io.BytesIO(png)).convert("RGB").get_flattened_data())
