"""From cells to a page, without running anything."""

from __future__ import annotations

from pathlib import Path

import made_notebooks as made
import pytest

from plgkit.errors import BadParameter, UnknownParameter
from plgkit.reports import clean, export, normalise, page, parameters, status

STATUS = {"name": "01_a", "title": "A", "as_of": "2026-06-28", "state": "ok", "parameters": {"within_days": 7},
          "versions": {"plgkit": "0.1.0"}}


def notebook(*outputs_of_cells):
    cells = [{"cell_type": "markdown", "metadata": {}, "source": "# Title\n\nLede."},
             {"cell_type": "markdown", "metadata": {"plgkit": {"short": "Short"}}, "source": "## Question?\n\nRead it so."}]
    cells += [{"cell_type": "code", "metadata": {}, "source": "x", "execution_count": 1, "outputs": [each]}
              for each in outputs_of_cells]
    return {"cells": cells, "metadata": {}}


def shown(kind, html="", **facts):
    return {"output_type": "display_data", "data": {"text/plain": "", "text/html": html},
            "metadata": {"plgkit": {"kind": kind, **facts}}}


def picture(**words):
    return {"output_type": "display_data", "data": {"image/png": "aGVsbG8="}, "metadata": {"image/png": words}}


def test_the_first_finding_is_the_heading_and_the_question_stands_above_it():
    written = export.write(notebook(shown("finding", text="36% do."), shown("finding", text="Also this.")), STATUS)
    assert '<p class="kicker">Question?</p>\n<h2>36% do.</h2>' in written
    assert "<p>Also this.</p>" in written
    assert '<a href="#q1">Short</a>' in written


def test_a_picture_keeps_its_words():
    written = export.write(notebook(picture(alt="A line & a <dot>", caption="Each point is a week.")), STATUS)
    assert '<img alt="A line &amp; a &lt;dot&gt;" src="data:image/png;base64,aGVsbG8=">' in written
    assert "<figcaption>Each point is a week.</figcaption>" in written


def test_a_frame_fills_the_folds_for_numbers_and_definition():
    section = page.read(notebook(shown("frame", html="<table><tr><td>5</td></tr></table>", definition="A / B."))).sections[0]
    assert section.definitions == ["A / B."]
    assert section.numbers == ["<table><tbody><tr><td>5</td></tr></tbody></table>"]


def test_a_section_that_lacks_its_table_is_one_line():
    written = export.write(notebook(shown("missing", text="This needs the table 'visits'.")), STATUS)
    assert '<p class="missing">This needs the table &#39;visits&#39;.</p>' in written
    assert "Read it so." not in written


def test_a_page_names_no_address_outside_and_forbids_what_it_does_not_hold():
    written = export.write(notebook(shown("finding", text="36% do.")), STATUS)
    assert "http://" not in written.replace('http-equiv="', "")
    assert "https://" not in written
    assert "<script" not in written
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in written


def test_a_failed_report_says_so_and_points_to_the_last_good_one():
    failed = STATUS | {"state": "failed", "error": "ValueError: <x>", "traceback": ["\x1b[31mValueError\x1b[0m: <x>"]}
    good = {"last_good": {"href": "../2026-05-31/01_a.html", "title": "31 May 2026"}}
    written = export.write(notebook(), failed, good)
    assert "This report failed in one of its cells." in written
    assert "<pre>ValueError: &lt;x&gt;</pre>" in written
    assert '<a href="../2026-05-31/01_a.html">that of 31 May 2026</a>' in written


@pytest.mark.parametrize(("given", "kept"), [
    ('<p onclick="x()">5</p>', "<p>5</p>"),
    ("<script>x()</script><style>p{}</style>5", "5"),
    ('<a href="javascript:x()">a</a>', "<a>a</a>"),
    ('<img src="x" onerror="x()">', ""),
    ("<svg><script>x()</script></svg>5", "5"),
    ('<table class="dataframe"><tbody><tr><td colspan="2">5</td></tr></tbody></table>',) * 2,
])
def test_cleaning_keeps_tables_and_drops_what_acts(given, kept):
    assert clean.html(given) == kept


KNOWN = {"within_days": parameters.Declared("within_days", ("int",), 7), "rate": parameters.Declared("rate", ("float",), 0.4),
         "steps": parameters.Declared("steps", ("list",), []), "event": parameters.Declared("event", ("None", "str"), None),
         "full": parameters.Declared("full", ("bool",), False)}


def test_texts_become_the_declared_types_and_no_other():
    given = {"within_days": "7", "rate": "1", "steps": '["a"]', "event": "007", "full": "true"}
    assert parameters.checked(given, KNOWN, of="x") == {
        "within_days": 7, "rate": 1.0, "steps": ["a"], "event": "007", "full": True}


@pytest.mark.parametrize(("name", "value", "message"), [
    ("within_days", "x", "within_days is 'x'; expected a whole number."),
    ("within_days", "1.5", "within_days is '1.5'; expected a whole number."),
    ("within_days", True, "within_days is True; expected a whole number."),
    ("rate", "NaN", "rate is 'NaN'; expected a number."),
    ("steps", ("a",), "steps is ('a',); expected a list."),
    ("event", Path("a"), f"event is {Path('a')!r}; expected null or a text."),
])
def test_a_value_of_another_type_is_refused(name, value, message):
    with pytest.raises(BadParameter) as caught:
        parameters.checked({name: value}, KNOWN, of="x")
    assert str(caught.value) == message


def test_a_name_that_is_not_declared_never_reaches_a_notebook():
    with pytest.raises(UnknownParameter) as caught:
        parameters.checked({"within_day": "7"}, KNOWN, of="02_activation")
    assert str(caught.value) == "02_activation takes no parameter 'within_day'. Did you mean 'within_days'?"
    with pytest.raises(UnknownParameter):
        parameters.checked({"x = 1; import os": 1}, KNOWN, of="02_activation")


def test_the_parameters_cell_is_read_with_types_defaults_and_comments(tmp_path):
    declared = parameters.declared(made.make(tmp_path / "01_a.ipynb", *made.WHOLE))
    assert list(declared.values()) == [
        parameters.Declared("as_of", ("str",), "", "last day counted"),
        parameters.Declared("within_days", ("int",), 7, "days a newcomer has"),
    ]


def test_a_stored_notebook_has_steady_ids_and_no_trace_of_the_run():
    stream = {"output_type": "stream", "name": "stdout", "text": ["a\n"]}
    raw = notebook(picture(alt="A"), stream) | {"metadata": {"papermill": {"start_time": "now"}, "language_info": {"version": "3"}}}
    raw["cells"][2]["metadata"] = {"papermill": {"duration": 1}, "tags": ["hide"]}
    tidy = normalise.tidy(raw, pictures=False)
    assert [each["id"] for each in tidy["cells"]] == ["title-lede", "question-read-it-so", "x", "x-2"]
    assert tidy["cells"][2]["metadata"] == {"tags": ["hide"]}
    assert tidy["cells"][2]["outputs"][0]["data"] == {}
    assert tidy["metadata"]["language_info"] == {"name": "python"}
    assert normalise.tidy(tidy, pictures=False) == tidy


def test_cells_that_no_run_left_are_found():
    assert normalise.never_run(notebook(picture(), picture())) == [3]


def test_a_guardrail_is_broken_only_when_the_target_is_clearly_missed():
    tile = {"label": "A", "guardrail": True, "status": "cannot tell", "pill": ""}
    assert status.broken_guardrails({"measures": [tile]}) == []
    assert status.broken_guardrails({"measures": [tile | {"status": "off target", "pill": "below target 40%"}]}) == [
        "A: below target 40%"]
