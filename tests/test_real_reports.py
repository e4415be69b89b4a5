"""Reports on real data that lack most tables: what is there is right, and what is missing is said once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from conftest import shared

from plgkit import reports

NOTEBOOKS = ("activation", "retention", "advocacy")
DAY = pd.Timedelta(days=1)


def run(name: str, folder: Path, *only: str) -> tuple[dict[str, dict], dict[str, str]]:
    """The statuses and the pages of a run, by the name of the notebook."""
    result = reports.run(str(shared("data", name)), playbook=Path(__file__).parent / "playbooks" / f"{name}.toml",
                         out=folder, only=only)
    pages = [folder / result.as_of / f"{each.name}.html" for each in result.reports]
    return ({each.stem[3:]: json.loads(each.with_suffix(".json").read_text()) for each in pages},
            {each.stem[3:]: each.read_text() for each in pages})


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return run("rete_ecom", tmp_path_factory.mktemp("shop"), "acquisition", "engagement", *NOTEBOOKS)


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    return run("oss_commits", tmp_path_factory.mktemp("projects"), *NOTEBOOKS)


@pytest.fixture(scope="module")
def rows():
    """The shop's events with the first of each person, and whether the day is active."""
    read = pd.read_csv(shared("data", "rete_ecom", "ecom.csv.gz"), parse_dates=["timestamp"]).drop_duplicates()
    return read.assign(day=read["timestamp"].dt.floor("D"), start=read.groupby("user_id")["timestamp"].transform("min"),
                       active=~read["event"].isin(["error_page", "payment_error", "checkout_bug"]))


def tile(statuses: dict[str, dict], notebook: str, measure: str) -> tuple[float, str]:
    found = next(each for each in statuses[notebook]["measures"] if each["measure"] == measure)
    return found["value"], found["period"]


@pytest.mark.parametrize("source", ["shop", "projects"])
def test_every_report_is_made_and_says_what_it_lacks_once_and_in_one_line(source, request):
    statuses, pages = request.getfixturevalue(source)
    for name, page in pages.items():
        assert (statuses[name]["state"], statuses[name]["traceback"]) == ("ok", []), name
        assert "Traceback" not in page
        assert "There is nothing to draw: no row" not in page
        for section in re.findall(r"<section .*?</section>", page, re.S):
            assert section.count('<p class="missing">') <= 1
    said = re.findall('<p class="missing">(.*?)</p>', pages["advocacy"])
    invites = "This needs the table &#39;invites&#39; (one row per invitation or shared referral link), which these data do not have."
    alone = ["No account_id is known of anybody: there is nothing to compare."] if source == "shop" else []
    assert said == [invites, *alone, "This needs [roles] viewer in the playbook (roles that only look).",
                    "This needs the table &#39;surveys&#39; (one row per answered survey), which these data do not have.", invites]
    assert [each["label"] for each in statuses["advocacy"]["measures"] if "missing" not in each] == []


def test_a_source_without_channels_or_steps_says_so_in_place_of_a_comparison(projects):
    statuses, pages = projects
    assert statuses["activation"]["missing"] == [
        "No channel is known of anybody: there is nothing to compare.",
        "This needs [onboarding] steps in the playbook (events, the first step first).",
        "This needs [features] core in the playbook (one event per core feature)."]
    assert "The last 18 of 114 months." in pages["retention"]


def test_the_shop_s_tiles_are_what_plain_pandas_counts(shop, rows):
    statuses, _ = shop
    people = rows.groupby("user_id")["start"].first()
    may = people[people.dt.to_period("M") == "2024-05"]
    assert tile(statuses, "acquisition", "acquisition.signups") == (len(may), "2024-05-01")

    bought = rows[(rows["event"] == "purchase") & (rows["timestamp"] <= rows["start"] + 30 * DAY)]["user_id"]
    assert tile(statuses, "activation", "activation.rate") == (pytest.approx(may.index.isin(bought).mean()), "2024-05-01")

    at_once = rows[(rows["event"] == "purchase") & (rows["timestamp"] <= rows["start"] + DAY)]["user_id"]
    assert tile(statuses, "activation", "activation.day1_rate") == (
        pytest.approx(may.index.isin(at_once).mean()), "2024-05-01")

    active = rows[rows["active"]]
    week = active[active["day"].between("2024-06-17", "2024-06-23")]["user_id"].nunique()
    assert tile(statuses, "engagement", "engagement.active_people") == (week, "2024-06-17")

    back = active[active["day"] == active["start"].dt.floor("D") + 7 * DAY]["user_id"]
    assert tile(statuses, "retention", "retention.day_n") == (pytest.approx(may.index.isin(back).mean()), "2024-05-01")

    months = active.groupby(active["day"].dt.to_period("M"))["user_id"].agg(set)
    lost = len(months["2024-04"] - months["2024-05"]) / len(months["2024-04"])
    assert tile(statuses, "retention", "retention.user_churn") == (pytest.approx(lost), "2024-05-01")


def test_the_projects_tiles_are_what_plain_pandas_counts(projects):
    statuses, _ = projects
    read = pd.read_csv(shared("data", "oss_commits", "commits.csv"), parse_dates=["ts"]).query("actor != 'bot'")
    read["day"] = read["ts"].dt.tz_convert("America/New_York").dt.tz_localize(None).dt.floor("D")
    months = read.groupby(read["day"].dt.to_period("M"))["user_id"].agg(set)
    lost = len(months["2026-06"] - months["2026-07"]) / len(months["2026-06"])
    assert tile(statuses, "retention", "retention.user_churn") == (pytest.approx(lost), "2026-07-01")

    start = read.groupby("user_id")["ts"].min()
    fifth = read.sort_values("ts").assign(nth=lambda each: each.groupby("user_id").cumcount()).query("nth == 4")
    reached = fifth[fifth["ts"] <= fifth["user_id"].map(start) + 30 * DAY]["user_id"]
    joined = read.groupby("user_id")["day"].min()
    june = joined[joined.dt.to_period("M") == "2026-06"].index
    assert tile(statuses, "activation", "activation.rate") == (pytest.approx(june.isin(reached).mean()), "2026-06-01")
