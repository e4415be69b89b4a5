"""What a notebook shows: words for numbers, tiles, tables, findings."""

from __future__ import annotations

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from plgkit import notebook
from plgkit.errors import BadParameter, MissingSetting, MissingTable, NothingToSplit, ShortHistory
from plgkit.notebook import frames, reading
from plgkit.notebook.missing import register
from plgkit.notebook.text import escape, tame

MONTHS = pd.DataFrame({
    "period": pd.date_range("2026-03-01", periods=3, freq="MS"), "numerator": [420, 380, 3],
    "denominator": [1000, 1000, 4], "value": [0.42, 0.38, 0.75], "low": [0.39, 0.35, 0.3], "high": [0.45, 0.41, 0.95],
    "immature": [0, 0, 9],
})


def bundle(shown):
    return shown._repr_mimebundle_()


def test_the_last_row_is_the_last_whose_people_are_all_mature():
    assert notebook.last(MONTHS).value == 0.38
    assert notebook.before(MONTHS).value == 0.42


def test_the_change_is_against_the_period_before_and_says_whether_it_is_noise():
    # Newcombe's interval of the difference: -0.04 +- hypot(0.03, 0.03) holds 0.
    assert notebook.change(MONTHS, "share") == "4.0 points less than the month before, within noise"
    clear = MONTHS.assign(low=MONTHS.value - 0.01, high=MONTHS.value + 0.01)
    assert notebook.change(clear, "share") == "4.0 points less than the month before"


@pytest.mark.parametrize(("target", "words", "status"), [
    (0.5, "below the target of 50%", reading.OFF),
    (0.4, "too close to the target of 40% to tell", reading.UNSURE),
    (0.3, "above the target of 30%", reading.ON),
])
def test_an_interval_that_holds_the_target_leaves_it_open(target, words, status):
    row = notebook.last(MONTHS)
    assert notebook.against(row, target) == words
    assert reading.standing(row, target) == status


def test_a_tile_has_value_interval_people_change_and_target():
    tile = notebook.tile(MONTHS, label="Activation", unit="share of sign-ups", target=0.5)
    assert repr(notebook.tiles(tile)) == (
        "Activation: 38.0% (35.0% – 41.0%, n 1,000); 4.0 points less than the month before, within noise; "
        "below target 50%")


def test_a_tile_of_fewer_than_five_people_hides_its_value():
    tile = notebook.tile(MONTHS.tail(1), label="Activation", unit="share", target=0.5)
    assert (tile["shown"], tile["status"]) == ("too few", None)


def test_a_missing_table_greys_its_own_tile_and_no_other():
    def visitors(data):
        raise MissingTable("visits", ["events"], one_row="visit by someone not signed in")

    row = notebook.tiles(notebook.tile(visitors, None, "Visitors", target=None), notebook.tile(MONTHS, label="Activation"))
    html = bundle(row)[0]["text/html"]
    assert "This needs the table &#x27;visits&#x27; (one row per visit by someone not signed in)" in html
    assert "38" in html


def test_a_tile_of_a_cut_frame_is_refused():
    cut = pd.concat([MONTHS.assign(channel="paid"), MONTHS.assign(channel="organic")])
    with pytest.raises(BadParameter) as caught:
        notebook.tile(cut, label="Activation")
    assert str(caught.value) == (
        "the frame of a tile is 'several rows per period'; expected one row per period, without by=.")


def test_a_finding_is_one_line_of_text_and_carries_its_facts():
    data, metadata = bundle(notebook.finding("<b>36%</b>\n activate"))
    assert data["text/plain"] == "<b>36%</b> activate"
    assert "&lt;b&gt;36%&lt;/b&gt; activate" in data["text/html"]
    assert metadata == {"plgkit": {"kind": "finding", "text": "<b>36%</b> activate"}}


def test_a_table_escapes_cells_and_heads_and_greys_rows_of_few_people():
    frame = pd.DataFrame({"<i>": ["<script>", "b"], "people": [4, 5], "share_active": [0.25, 0.4],
                          "median_seconds": [480.0, None]})
    html = frames.as_html(frame)
    assert "<th class=\"text\">&lt;i&gt;</th>" in html
    assert '<tr class="few"><td class="text">&lt;script&gt;</td><td>4</td><td>25.0%</td><td>8 min</td></tr>' in html
    assert '<tr><td class="text">b</td><td>5</td><td>40.0%</td><td></td></tr>' in html


def test_a_table_joins_low_and_high_to_one_interval_in_the_unit_of_the_measure():
    frame = MONTHS.head(1)
    frame.attrs["unit"] = "share of sign-ups"
    assert "<th>95% interval</th>" in frames.as_html(frame)
    assert "<td>39.0% – 45.0%</td>" in frames.as_html(frame)


def test_each_pair_of_ends_is_one_interval_and_numbers_have_the_unit_and_the_digits_people_read():
    frame = pd.DataFrame({"value": [0.2], "difference": [-0.0361], "difference_low": [-0.118], "difference_high": [0.05439],
                          "ratio": [1.20957], "p": [0.12866], "p_corrected": [0.0000321], "median_hours": [0.1256]})
    frame.attrs["unit"] = "share of sign-ups"
    html = frames.as_html(frame)
    assert "<th>difference 95% interval</th>" in html
    assert ("<td>20.0%</td><td>−3.6%</td><td>−11.8% – 5.4%</td><td>1.21</td><td>0.13</td><td>&lt; 0.001</td>"
            "<td>8 min</td>") in html


def test_the_interval_of_a_funnel_is_that_of_its_shares():
    frame = pd.DataFrame({"step": ["paid"], "people": [24], "share_of_entry": [0.04], "low": [0.0271], "high": [0.0591]})
    frame.attrs["unit"] = "people"
    assert "<td>24</td><td>4.0%</td><td>2.7% – 5.9%</td>" in frames.as_html(frame)


def test_a_finding_does_not_say_that_there_is_no_target():
    said = f"38% came, {notebook.against(notebook.last(MONTHS), None)}, {notebook.change(MONTHS, 'share')}."
    assert repr(notebook.finding(said)) == "38% came, 4.0 points less than the month before, within noise."


def test_long_tables_and_long_cells_are_cut_and_say_so():
    html = frames.as_html(pd.DataFrame({"name": ["x" * 500] * 61}))
    assert "<p class=\"more\">1 more rows.</p>" in html
    assert "x" * 80 not in html


def test_text_loses_what_moves_a_cursor_or_turns_a_line_round():
    assert tame("\x1b]0;title\x07\x1b[2Jred\u202egnp.exe\x00") == "redgnp.exe"
    assert escape("<\u2067&>") == "&lt;&amp;&gt;"


def test_unknown_numbers_are_said_to_be_unknown():
    words = [f(float("nan")) for f in (notebook.share, notebook.count, notebook.duration, notebook.money, notebook.points)]
    assert set(words) == {"not known"}
    assert notebook.day(pd.NaT) == "not known"


def test_a_period_that_is_not_over_is_not_the_last_one_judged():
    periods = pd.to_datetime(["2026-05-01", "2026-06-01"])
    frame = pd.DataFrame({"period": periods, "value": [0.4, 0.0], "denominator": [90, 30], "immature": [0, 0]})
    assert notebook.last(frame).value == 0.0
    frame.attrs["open_from"] = "2026-06-01"
    assert notebook.last(frame).value == 0.4


def test_the_last_period_told_of_is_the_last_one_with_five_people():
    periods = pd.to_datetime(["2026-03-01", "2026-04-01", "2026-05-01", "2026-06-01"])
    frame = pd.DataFrame({"period": periods, "value": [0.4, 0.3, 0.5, 0.0], "denominator": [90, 4, 5, 3], "immature": 0})
    assert notebook.last(frame).value == 0.5
    assert notebook.change(frame) == "20.0 points more than the month before"
    assert notebook.last(frame.tail(1)).value == 0.0, "where no period has so many, the last one is told"


def test_groups_are_compared_in_a_period_that_is_final_for_all_of_them():
    frame = pd.DataFrame({"period": pd.to_datetime(["2026-01-01", "2026-01-01", "2026-04-01", "2026-04-01"]),
                          "channel": ["a", "b"] * 2, "value": [0.4, 0.3, 0.2, 0.1], "denominator": 90,
                          "immature": [0, 0, 0, 8]})
    assert notebook.latest(frame)["value"].tolist() == [0.4, 0.3]


@pytest.mark.parametrize("error", [
    MissingTable("visits", ["events"], one_row="visit"), MissingSetting("features.core", why="No feature is core.", example="[features]"),
    ShortHistory("The flywheel", 2, least=6, unit="complete month"), NothingToSplit("expansion.mrr", [], periods=1)],
    ids=lambda error: type(error).__name__)
def test_a_section_steps_aside_for_what_data_lack_and_what_follows_with_it(error):
    shell = InteractiveShell()
    register(shell)
    shell.user_ns["error"] = error
    for cell in ("raise error\nfound = 1", "found + 1", "rest = 2"):
        assert shell.run_cell(cell, store_history=True).success
    assert repr(shell.user_ns["found"]) == f"<missing: {error}>"
    assert shell.user_ns["rest"] == 2


def test_a_section_does_not_step_aside_for_a_mistake():
    shell = InteractiveShell()
    register(shell)
    assert not shell.run_cell("undefined", store_history=True).success
