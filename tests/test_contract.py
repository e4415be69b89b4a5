"""What every measure of the catalogue keeps to, on every engine."""

from __future__ import annotations

import functools
import importlib
import json
import re

import engines
import numpy as np
import pandas as pd
import pytest

from plgkit.errors import (
    BadParameter,
    MissingSetting,
    MissingTable,
    UnknownMeasure,
    UnknownParameter,
    UnknownSegment,
)
from plgkit.metrics.registry import catalogue, find, measures
from plgkit.playbook import Playbook, read_playbook
from plgkit.samples import company
from plgkit.samples.tiny import AS_OF, PLAYBOOK, frames
from plgkit.schema import TABLES
from plgkit.sources.connect import connect

NAMES = list(measures())
COLUMNS = {
    "rate": ["numerator", "denominator", "value", "low", "high", "immature"],
    "total": ["value", "low", "high", "complete"],
    "cohort": ["numerator", "denominator", "value", "low", "high", "mature"],
    "funnel": ["people", "immature", "share_of_entry", "share_of_previous", "low", "high"],
    "distribution": ["n", "events", "value", "low", "high", "q25", "q75", "median_among"],
    "curve": ["value", "low", "high", "at_risk"],
    "table": [],
}
COUNTED = ["numerator", "denominator", "immature", "n", "events", "people"]
DIALECTS = ["duckdb", "postgres", "pyspark", "clickhouse", "databricks", "snowflake", "bigquery", "trino"]
WORDS = Playbook(**PLAYBOOK)
DAY = "2026-05-20"


@pytest.fixture(scope="module")
def acme():
    """A small made-up company with all the dirt of real data, as raw tables."""
    made = company(people=250, seed=11)
    tables = {name: rows.to_pandas() if hasattr(rows, "to_pandas") else rows for name, rows in made.tables.items()}
    return tables, read_playbook(made.playbook)


@pytest.fixture(scope="module")
def acme_data(acme):
    return connect(acme[0], as_of=DAY, playbook=acme[1])


@pytest.fixture(scope="module")
def acme_frames(acme_data):
    return {name: measure(acme_data) for name, measure in measures().items()}


def keys_of(frame: pd.DataFrame) -> list[str]:
    """The columns that name a row: everything before the first number that a shape promises."""
    known = {*COUNTED, "value", "low", "high", "complete"}
    first = next((place for place, name in enumerate(frame.columns) if name in known), len(frame.columns))
    names = list(frame.columns[:first])
    return [name for name in names if name != "step"] if "position" in names else names


@pytest.mark.parametrize("name", NAMES)
def test_a_measure_is_found_in_its_stage(name):
    stage, short = name.split(".")
    assert getattr(importlib.import_module(f"plgkit.metrics.{stage}"), short) is find(name)


@pytest.mark.parametrize("name", NAMES)
def test_frames_have_their_shape_and_their_keys_are_unique_and_in_order(acme_frames, name):
    frame, shape = acme_frames[name], find(name).shape
    missing = [each for each in COLUMNS[shape] if each not in frame.columns]
    assert not missing
    assert frame.index.equals(pd.RangeIndex(len(frame)))
    if shape != "table" and keys_of(frame):
        keys = frame[keys_of(frame)]
        assert not keys.duplicated().any()
        pd.testing.assert_frame_equal(keys, keys.sort_values(list(keys.columns), ignore_index=True))


@pytest.mark.parametrize("name", [each for each in NAMES if find(each).shape in ("rate", "cohort")])
def test_a_rate_is_its_numerator_over_its_denominator_inside_its_interval(acme_frames, name):
    frame = acme_frames[name]
    some = frame[frame["denominator"] > 0]
    assert len(some)
    np.testing.assert_allclose(some["value"], some["numerator"] / some["denominator"], rtol=1e-12)
    inside = some.dropna(subset=["low", "high"])
    assert ((inside["low"] <= inside["value"] + 1e-12) & (inside["value"] <= inside["high"] + 1e-12)).all()
    assert frame.loc[frame["denominator"] == 0, "value"].isna().all()


@pytest.mark.parametrize("name", NAMES)
def test_rows_after_as_of_change_nothing(acme, acme_frames, name, later):
    pd.testing.assert_frame_equal(find(name)(later), acme_frames[name])


@pytest.fixture(scope="module")
def later(acme):
    """The same company with everything after the day counted altered: more rows, other people, other money."""
    tables, words = acme
    altered = {name: _altered(name, rows) for name, rows in tables.items()}
    return connect(altered, as_of=DAY, playbook=words)


def _altered(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    time, cut = TABLES[name].time, pd.Timestamp("2026-05-21 04:00") if name != "spend" else pd.Timestamp("2026-05-21")
    moments = pd.to_datetime(rows[time])
    if moments.dt.tz is not None:
        cut = cut.tz_localize("UTC")
    before, after = rows[~(moments >= cut)], rows[moments >= cut]
    more = rows.tail(50).copy()
    more[time] = (pd.to_datetime(more[time]) + pd.Timedelta(days=700)).astype(rows[time].dtype)
    for column in ("event_id", "received_at"):
        if column in more:
            more[column] = None
    for column, kind in ((each.name, each.kind) for each in TABLES[name].columns if each.kind == "money"):
        assert kind == "money"
        more[column] = more[column] + 1000
    key = TABLES[name].key[0] if TABLES[name].key else None
    if name in ("users", "accounts"):
        more[key] = more[key] + "-later"
    return pd.concat([before, after.iloc[::2], more.astype(rows.dtypes.to_dict(), errors="ignore")], ignore_index=True)


@pytest.fixture(scope="module")
def shuffled(acme):
    tables, words = acme
    return connect({name: rows.sample(frac=1, random_state=5) for name, rows in tables.items()}, as_of=DAY, playbook=words)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_rows_changes_nothing(acme_frames, shuffled, name):
    pd.testing.assert_frame_equal(find(name)(shuffled), acme_frames[name])


@pytest.fixture(scope="module")
def before_all(acme):
    return connect(acme[0], as_of="2024-06-30", playbook=acme[1].model_copy(
        update={"product": acme[1].product.model_copy(update={"started_on": None})}))


@pytest.mark.parametrize("name", NAMES)
def test_before_the_first_row_there_is_nothing(before_all, acme_frames, name):
    frame = find(name)(before_all)
    assert list(frame.columns) == list(acme_frames[name].columns)
    counted = [column for column in COUNTED if column in frame]
    assert len(frame) == 0 or (counted and not frame[counted].to_numpy().any())


@pytest.mark.parametrize("name", [each for each in NAMES if "by" in find(each).parameters
                                  and find(each).shape in ("rate", "total")])
def test_segments_add_up_to_the_whole(acme_data, acme_frames, name):
    whole = acme_frames[name]
    if find(name).shape == "total" and not find(name).additive:
        pytest.skip("one person or account counts in several segments")
    parts = find(name)(acme_data, by="channel")
    counts = ["numerator", "denominator", "immature"] if find(name).shape == "rate" else ["value"]
    added = parts.groupby("period")[counts].sum().reset_index()
    pd.testing.assert_frame_equal(added, whole[["period", *counts]], check_dtype=False)


@functools.cache
def without(table: str):
    """The tiny company without one of its tables."""
    return connect({name: rows for name, rows in frames().items() if name != table}, as_of=AS_OF, playbook=WORDS)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_table_is_a_sentence(name):
    for table in find(name).reads:
        data = without(table)
        said = ""
        try:
            find(name)(data)
        except MissingTable as error:
            said = str(error)
        assert re.fullmatch(
            r"|This needs the table '\w+' \(one row per .+\), which these data do not have\. "
            r"They have: .+\. Name its file under \[tables\.\w+\] in playbook\.toml\.", said)


@pytest.mark.parametrize("name", NAMES)
def test_every_engine_gives_the_same_frame(tiny, tiny_elsewhere, name):
    pd.testing.assert_frame_equal(find(name)(tiny_elsewhere), find(name)(tiny), rtol=1e-9)


@pytest.fixture(scope="module")
def acme_elsewhere(server, acme):
    tables, words = acme
    keep = tables["users"]["user_id"].head(100)
    some = {name: rows[rows["user_id"].isin(keep)] if name in ("events", "users") else rows for name, rows in tables.items()}
    return connect(engines.load(server, some), as_of=DAY, playbook=words), connect(some, as_of=DAY, playbook=words)


@pytest.mark.parametrize("name", NAMES)
def test_every_engine_gives_the_same_frame_of_a_larger_company(acme_elsewhere, name):
    there, here = acme_elsewhere
    pd.testing.assert_frame_equal(find(name)(there), find(name)(here), rtol=1e-9)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", NAMES)
def test_the_query_can_be_written_for_every_engine(tiny, name, dialect):
    assert "SELECT" in find(name).sql(tiny, dialect=dialect).upper()


@pytest.mark.parametrize("name", NAMES)
def test_the_definition_says_the_day_the_zone_and_the_parameters(acme_data, acme_frames, name):
    definition = find(name).define(acme_data)
    assert "Days in America/New_York, data through 20 May 2026." in definition.text
    assert "`" not in definition.text
    assert acme_frames[name].attrs["definition"] == definition.text
    facts = json.loads(json.dumps(dict(definition.facts)))
    assert facts["as_of"] == DAY
    assert set(facts["parameters"]) == set(find(name).parameters)


@pytest.fixture(scope="module")
def again(acme):
    return connect(acme[0], as_of=DAY, playbook=acme[1])


@pytest.mark.parametrize("name", NAMES)
def test_the_same_input_gives_the_same_numbers(again, acme_frames, name):
    pd.testing.assert_frame_equal(find(name)(again), acme_frames[name], check_exact=True)


def test_a_frame_can_be_changed_without_changing_the_next_answer(tiny):
    first = find("activation.rate")(tiny)
    first["value"] = 7
    assert find("activation.rate")(tiny)["value"][0] == 0.5


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_says_what_one_row_is_and_shows_an_example(name):
    text = find(name).__doc__
    assert re.match(r"[A-Z].+\.$", text.splitlines()[0])
    for section in ("Parameters\n", "Returns\n", "Examples\n", ">>> "):
        assert section in text


@pytest.mark.parametrize("name", [each for each in NAMES if "by" in find(each).parameters])
def test_an_unknown_segment_is_named_with_the_nearest_one(tiny, name):
    with pytest.raises(UnknownSegment) as caught:
        find(name)(tiny, by="chanel")
    assert str(caught.value) == "No column 'chanel' to cut by. Did you mean 'channel'?"


def test_an_unknown_measure_or_parameter_is_named_with_the_nearest_one(tiny):
    with pytest.raises(UnknownMeasure) as caught:
        find("activation.rte")
    assert str(caught.value) == "No measure 'activation.rte' in the catalogue. Did you mean 'activation.rate'?"
    with pytest.raises(UnknownParameter) as caught:
        find("activation.rate")(tiny, within_day=3)
    assert str(caught.value) == "activation.rate takes no parameter 'within_day'. Did you mean 'within_days'?"
    with pytest.raises(BadParameter) as caught:
        find("activation.rate")(tiny, grain="year")
    assert str(caught.value) == "grain is 'year'; expected one of day, week, month, quarter."


def test_a_word_that_nobody_has_given_says_where_to_set_it():
    data = connect(frames(), as_of=AS_OF)
    with pytest.raises(MissingSetting) as caught:
        find("activation.rate")(data)
    assert str(caught.value) == (
        "This needs [activation] event in the playbook (event that means first value). "
        'Set it in playbook.toml, for example: [activation] event = "report_created"')


def test_the_catalogue_has_the_headline_measures_of_every_stage():
    headline = """acquisition.signups acquisition.visitor_to_signup activation.rate activation.time_to_value
        engagement.active_people engagement.stickiness retention.cohorts retention.growth_accounting
        conversion.free_to_paid conversion.trial_to_paid pql.scores pql.to_customer expansion.mrr_movements
        expansion.nrr advocacy.k_factor advocacy.nps experiments.comparison""".split()
    assert set(headline) <= set(catalogue()["measure"])
