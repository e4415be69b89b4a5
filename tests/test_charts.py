"""Charts: what they draw, what they say, and that nothing covers anything else."""

from __future__ import annotations

import itertools
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb

mpl.use("agg")
import matplotlib.pyplot as plt
from matplotlib.text import Text

from plgkit import charts
from plgkit.charts import labels, style
from plgkit.stats import survival
from plgkit.stats.intervals import wilson

HOSTILE = [
    "$\\foo$ and $x_$",
    "a name that goes on and on without any end in sight",
    "",
    "שלום",
    "日本語 🚀",
    "<script>alert(1)</script>",
]


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def rate(periods: int = 12, segments: list[str] | None = None, *, immature: int = 1) -> pd.DataFrame:
    """A weekly rate that falls by a point a week from 50 % of 200; the last weeks are too young."""
    parts = []
    for place, segment in enumerate(segments or [None]):
        week = np.arange(periods)
        part = pd.DataFrame(
            {
                "period": pd.date_range("2026-01-05", periods=periods, freq="7D"),
                "channel": segment,
                "numerator": np.maximum(100 - 2 * week - 10 * place, 0),
                "denominator": 200,
                "immature": np.where(week >= periods - immature, 9, 0),
            }
        )
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    frame["value"] = frame["numerator"] / frame["denominator"]
    frame["low"], frame["high"] = wilson(frame["numerator"], frame["denominator"])
    frame.attrs["unit"] = "share of sign-ups"
    return frame if segments else frame.drop(columns="channel")


def total(periods: int = 12, segments: list[str] | None = None) -> pd.DataFrame:
    frame = rate(periods, segments)
    frame["complete"] = frame["immature"] == 0
    frame["value"] = frame["numerator"].astype(float)
    frame[["low", "high"]] = np.nan
    frame.attrs["unit"] = "people"
    return frame.drop(columns=["numerator", "denominator", "immature"])


def funnel(steps: list[str]) -> pd.DataFrame:
    people = np.array([1000, 800, 670, 420, 360, 300][: len(steps)])
    low, high = wilson(people, 1000)
    return pd.DataFrame(
        {
            "step": steps,
            "position": range(1, len(steps) + 1),
            "people": people,
            "immature": 0,
            "share_of_entry": people / 1000,
            "share_of_previous": people / np.append(1000, people[:-1]),
            "low": low,
            "high": high,
            "median_seconds": [np.nan, 120, 540, 1.4e5, 2e5, 3e5][: len(steps)],
        }
    )


def times(names: list[str]) -> pd.DataFrame:
    edges = [0, 60, 600, 3600, 86400, 604800]
    rows = [(name, low, high, 10 * place, 0.2, 5e3, 900.0) for name in names for place, (low, high) in enumerate(itertools.pairwise(edges))]
    return pd.DataFrame(rows, columns=["channel", "from_seconds", "to_seconds", "people", "share", "mean_seconds", "median_seconds"])


def nexts(names: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame({"event": names, "people": range(len(names), 0, -1), "share": 0.3, "people_on": 1, "share_on": 0.1})
    return frame.assign(difference=0.2, low=-0.1, high=0.4)


def cohorts(count: int) -> pd.DataFrame:
    rows = [
        (start, age, 200 // (age + 1), 200, age < count - row - 1)
        for row, start in enumerate(pd.date_range("2026-01-05", periods=count, freq="7D"))
        for age in range(count - row)
    ]
    return pd.DataFrame(rows, columns=["cohort", "age", "numerator", "denominator", "mature"])


def curves(segments: list[str]) -> pd.DataFrame:
    parts = []
    for place, segment in enumerate(segments):
        days = np.arange(1, 101) * 86400.0 / (place + 2)
        curve = survival.kaplan_meier(days, np.arange(100) % 3 > 0)
        parts.append(
            pd.DataFrame(
                {
                    "channel": segment,
                    "x": curve["time"],
                    "value": 1 - curve["survival"],
                    "low": 1 - curve["high"],
                    "high": 1 - curve["low"],
                    "at_risk": curve["at_risk"],
                }
            )
        )
    frame = pd.concat(parts, ignore_index=True)
    frame.attrs.update(unit="share", x_unit="seconds")
    return frame


def movements(periods: int = 12) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "period": pd.date_range("2026-01-01", periods=periods, freq="MS"),
            "opening": 100.0,
            "new": 40.0,
            "resurrected": 10.0,
            "churned": 30.0,
            "reactivation": 5.0,
            "expansion": 20.0,
            "contraction": 10.0,
            "churn": 15.0,
        }
    )
    net = frame["new"] + frame["reactivation"] + frame["expansion"] - frame["contraction"] - frame["churn"]
    frame["closing"] = frame["opening"].iloc[0] + net.cumsum()
    frame["opening"] = frame["closing"] - net
    frame.attrs.update(unit="currency", currency="USD")
    return frame


def history(names: list[str]) -> pd.DataFrame:
    frame = pd.concat(
        [
            rate(6).assign(stage=stage, measure=name, unit="share", target=0.4, status="off target")
            for stage in ("activation", "retention")
            for name in names
        ],
        ignore_index=True,
    )
    return frame.drop(columns="immature")


def moves(names: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"source": names[:3], "target": names[1:4], "people": [900, 700, 600]})


PLAIN = ["invited", "organic", "paid", "partner", "search", "social"]


def ends(one: str, other: str) -> pd.DataFrame:
    """People who end in one way or another over 20 days."""
    x = np.arange(21.0)
    parts = [pd.DataFrame({"outcome": name, "x": x, "value": value, "low": value * 0.9, "high": value * 1.1, "at_risk": 100 - x})
             for name, value in ((one, 0.02 * x), (other, 0.025 * x), ("on the way", 1 - 0.045 * x))]
    made = pd.concat(parts, ignore_index=True)
    made.attrs["x_unit"] = "days"
    return made


def revenue(months: int = 14) -> pd.DataFrame:
    """Cohorts of revenue, one a month, of which each keeps one part in a hundred less with every month of age."""
    cells = [(cohort, age) for cohort in range(months) for age in range(months - cohort)]
    frame = pd.DataFrame(cells, columns=["place", "age"])
    frame["cohort"] = pd.date_range("2025-01-01", periods=months, freq="MS")[frame.pop("place")]
    frame = frame.assign(numerator=5000.0 - 50 * frame["age"], denominator=5000.0, mature=True)
    frame["value"] = frame["numerator"] / frame["denominator"]
    frame = frame.assign(low=frame["value"] - 0.1, high=frame["value"] + 0.2)
    frame.attrs.update(unit="share of revenue at first", currency="USD")
    return frame


def turn(names: tuple[str, ...]) -> pd.DataFrame:
    """One growth loop through up to four steps and back."""
    steps = list(names[:4])
    counts = [200, 150, 260, 90, 50][: len(steps) + 1]
    rows = pd.DataFrame({"step": [*steps, "the whole loop"], "entered": [*counts[:-1], 200], "reached": [*counts[1:], counts[-1]]})
    return rows.assign(loop="invitations", start="activated", position=range(1, len(rows) + 1), value=rows.reached / rows.entered,
                       unit=["each" if place == 1 else "share" for place in range(len(steps))] + ["each"], days=0.7, gain=1.2, year=1.3)


def lives() -> pd.DataFrame:
    """What a customer brings by three methods over 24 months, of which 14 have been seen."""
    parts = [pd.DataFrame({"method": method, "x": range(1, 25), "value": np.arange(1, 25) * worth, "at_risk": [40] * 14 + [0] * 10})
             for method, worth in (("formula", 50.0), ("survival", 45.0), ("sbg", 48.0))]
    frame = pd.concat(parts, ignore_index=True)
    frame = frame.assign(low=frame["value"] * 0.8, high=frame["value"] * 1.2)
    frame.attrs.update(unit="currency", currency="USD")
    return frame


def expected() -> pd.DataFrame:
    """What was expected for six months, and what came."""
    shares = np.linspace(1, 0.8, 7)
    return pd.DataFrame({"x": range(7), "value": shares, "low": shares - 0.05, "high": shares + 0.05, "at_risk": 90,
                         "actual": shares + 0.01})


def tried(names: list[str]) -> pd.DataFrame:
    """What a variant changed in each metric, with both intervals; of the last there is no second one."""
    value = np.linspace(0.2, -0.1, len(names))
    frame = pd.DataFrame({"metric": names, "value": value, "low": value - 0.1, "high": value + 0.12, "always_low": value - 0.2,
                          "always_high": value + 0.24})
    return frame.assign(always_low=frame["always_low"].where(frame.index < len(names) - 1))


def read_daily(days: int = 60) -> pd.DataFrame:
    """A difference of five points, read on every day."""
    half = 1 / np.sqrt(np.arange(1, days + 1))
    return pd.DataFrame({"day": pd.date_range("2026-01-05", periods=days), "difference": 0.05, "low": 0.05 - half, "high": 0.05 + half,
                         "always_low": 0.05 - 2 * half, "always_high": 0.05 + 2 * half})


def planned(names: list[str]) -> pd.DataFrame:
    """The smallest change found by weeks of waiting."""
    rows = [(name, week, 1 / np.sqrt(week * (place + 1)), 0.2 if place else np.nan) for place, name in enumerate(names) for week in range(1, 13)]
    return pd.DataFrame(rows, columns=["experiment", "weeks", "value", "worth"])


def turning() -> pd.DataFrame:
    """Revenue of a year that came, and of a year to come."""
    months = pd.date_range("2025-01-01", periods=24, freq="MS")
    ahead = np.arange(24) >= 12
    value = np.linspace(8e3, 16e3, 24)
    frame = pd.DataFrame({"period": months, "outcome": "revenue", "value": value, "low": np.where(ahead, value * 0.8, np.nan),
                          "high": np.where(ahead, value * 1.2, np.nan), "forecast": ahead})
    frame.attrs = {"currency": "USD"}
    return frame


def raised(names: list[str]) -> pd.DataFrame:
    """What each rate would bring in revenue and people."""
    gain = np.linspace(3000, 100, len(names))
    frame = pd.DataFrame({"what": names, "revenue": gain, "revenue_low": gain / 2, "revenue_high": gain * 1.5, "people": gain / 10,
                          "people_low": gain / 20, "people_high": gain / 7})
    frame.attrs = {"months": 12, "per": "tenth", "revenue": 40e3, "people": 4e3, "currency": "USD"}
    return frame


def watched(names: list[str]) -> pd.DataFrame:
    """Thirty days of each series over what was expected, one of them out of the usual."""
    days = pd.date_range("2026-06-01", periods=30, freq="D")
    value = 100 + 20 * np.sin(np.arange(30))
    kind = np.where(np.arange(30) == 11, "nothing", "")
    parts = [pd.DataFrame({"label": name, "measure": name, "period": days, "value": np.where(kind == "", value, 0.0), "expected": value, "low": value - 25,
                           "high": value + 25, "kind": kind}) for name in names]
    return pd.concat(parts, ignore_index=True)


def banded(names: list[str]) -> pd.DataFrame:
    """The share that paid by band of points, one band per name."""
    value = np.linspace(0.01, 0.4, len(names))
    return pd.DataFrame({"band": names, "points_from": np.arange(len(names)) * 20.0, "value": value, "low": value / 2, "high": value * 1.4,
                         "denominator": 500})


def drawings(names: list[str]) -> dict:
    """One drawing per chart, all with the same names on them."""
    table = rate(1, names, immature=0)
    gaps = table.assign(difference=table["value"] - 0.4, low=table["low"] - 0.4, high=table["high"] - 0.4)
    bins = pd.DataFrame({"from": np.arange(14) * 86400.0, "people": range(14, 0, -1)})
    days = pd.DataFrame({"days": range(1, 29), "people": range(28, 0, -1)})
    again = pd.DataFrame({"x": range(61), "value": np.linspace(0, 1, 61), "low": 0.0, "high": 1.0})
    features = pd.DataFrame(
        {"feature": names, "breadth": np.linspace(0, 1, len(names)), "often": range(len(names))}
    )
    return {
        "trend": lambda: charts.trend(rate(), target=0.4),
        "trend by group": lambda: charts.trend(rate(12, names), target=0.4),
        "trend of one known week": lambda: charts.trend(rate(12).assign(value=[0.5] + [np.nan] * 11)),
        "trend of 60 months": lambda: charts.trend(total(60)),
        "mix": lambda: charts.mix(total(12, names)),
        "funnel": lambda: charts.funnel(funnel(names)),
        "funnel by group": lambda: charts.funnel(
            pd.concat([funnel(PLAIN).assign(channel=name) for name in names[:4]], ignore_index=True)
        ),
        "retention": lambda: charts.retention(cohorts(12)),
        "curve": lambda: charts.curve(curves(names[:4])),
        "survival": lambda: charts.survival(curves(names[:4]), x_label="since sign-up"),
        "cohort_curves": lambda: charts.cohort_curves(cohorts(14)),
        "retention by day": lambda: charts.retention(cohorts(20)),
        "curve with a level": lambda: charts.curve(
            curves(["paid"]).drop(columns="channel"),
            plateau=pd.DataFrame({"value": [0.4], "low": [0.3], "high": [0.5], "first_age": [20], "last_age": [40]}),
        ),
        "repeating": lambda: charts.repeating(again, x_label=names[0]),
        "inactive": lambda: charts.inactive(movements().assign(on_last_day=9, idle_1_7=20, idle_8_30=5, idle_over_30=70)),
        "growth_accounting": lambda: charts.growth_accounting(movements()),
        "mrr_movements": lambda: charts.mrr_movements(movements()),
        "waterfall": lambda: charts.waterfall(movements()),
        "time_to_convert": lambda: charts.time_to_convert(times(names)),
        "instead": lambda: charts.instead(nexts(names)),
        "histogram": lambda: charts.histogram(bins, x_unit="seconds"),
        "power_user": lambda: charts.power_user(days),
        "ranked": lambda: charts.ranked(table),
        "dots": lambda: charts.dots(table, reference=0.4),
        "differences": lambda: charts.differences(gaps),
        "scatter": lambda: charts.scatter(features, x="breadth", y="often", x_unit="share"),
        "flow": lambda: charts.flow(moves(names)),
        "outcomes": lambda: charts.outcomes(ends(names[0], names[1]), waiting="on the way", x_label="since sign-up"),
        "scoreboard": lambda: charts.scoreboard(history(names)),
        "cohort_values": lambda: charts.cohort_values(revenue(), age=3),
        "cohort_values of one": lambda: charts.cohort_values(revenue(2), age=3),
        "flywheel": lambda: charts.flywheel(turning()),
        "levers": lambda: charts.levers(raised(names)),
        "unusual": lambda: charts.unusual(watched(names)),
        "loop": lambda: charts.loop(turn(names)),
        "loop of one step": lambda: charts.loop(turn(names[:1])),
        "verdicts": lambda: charts.verdicts(tried(names), label="metric"),
        "calibration": lambda: charts.calibration(banded(names)),
        "points": lambda: charts.points(pd.DataFrame({"signal": names, "hand": 20.0, "fitted": np.arange(len(names)) * 9.0,
                                                      "low": np.arange(len(names)) * 9.0 - 12, "high": np.arange(len(names)) * 9.0 + 12,
                                                      "sure": [place > 1 for place in range(len(names))]})),
        "looks": lambda: charts.looks(read_daily()),
        "waits": lambda: charts.waits(planned(names)),
        "lifetimes": lambda: charts.lifetimes(lives()),
        "lifetimes by group": lambda: charts.lifetimes(
            pd.concat([lives().assign(channel=name) for name in names[:4]], ignore_index=True), method="sbg"),
        "forecast": lambda: charts.forecast(expected()),
        "revenue_layers": lambda: charts.revenue_layers(revenue()),
        "revenue_layers of few": lambda: charts.revenue_layers(revenue(4)),
    }


CASES = [
    pytest.param(draw, id=f"{kind} {name}")
    for kind, names in (("plain", PLAIN), ("hostile", HOSTILE))
    for name, draw in drawings(names).items()
]


@pytest.mark.parametrize("draw", CASES)
def test_no_words_touch_others_or_leave_the_picture(draw):
    figure = draw().figure
    figure.canvas.draw()
    boxes = {text: text.get_window_extent().padded(-1) for text in written(figure)}
    for text, box in boxes.items():
        assert figure.bbox.padded(2).count_contains(box.corners()) == 4, text.get_text()
    for (one, box), (other, near) in itertools.combinations(boxes.items(), 2):
        assert not box.overlaps(near), (one.get_text(), other.get_text())
    assert figure.plgkit_description["alt"]
    assert figure.plgkit_description["caption"]
    assert not any(text.get_parse_math() for text in figure.findobj(Text))


def written(figure) -> list[Text]:
    """All words that are drawn: of the ticks only those in view."""
    ticks = {text for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for text in axis.findobj(Text)}
    shown = [
        text
        for ax in figure.axes
        if ax.axison
        for axis in (ax.xaxis, ax.yaxis)
        for tick in axis._update_ticks()
        for text in (tick.label1, tick.label2)
    ]
    shown += [axis.label for ax in figure.axes if ax.axison for axis in (ax.xaxis, ax.yaxis)]
    others = [text for text in figure.findobj(Text) if text not in ticks]
    return [text for text in shown + others if text.get_visible() and text.get_text().strip()]


def test_who_waits_is_between_those_who_ended_one_way_and_the_other():
    ax = charts.outcomes(ends("activated", "left first"), x_label="since sign-up")
    texts = [text.get_text() for text in ax.texts]
    assert texts[:3] == ["activated 40.0%", "left first 50.0%", "on the way 10.0%"]
    heights = {text.get_text(): text.xy[1] for text in ax.texts[:3]}
    assert heights["activated 40.0%"] < heights["on the way 10.0%"] < heights["left first 50.0%"]
    assert ax.figure.plgkit_description["alt"] == (
        "Shares of all over time; after 20 days: activated 40.0%, left first 50.0%, on the way 10.0%.")


def test_every_chart_is_among_the_standard_drawings():
    assert {name.split(" ")[0] for name in drawings(PLAIN)} == set(charts.__all__) - {"style"}


@pytest.mark.parametrize("name", sorted(set(charts.__all__) - {"style"}))
def test_an_empty_frame_gets_a_note(name):
    options = {"x": "a", "y": "b"} if name == "scatter" else {}
    ax = getattr(charts, name)(pd.DataFrame({"a": [], "b": []}), **options)
    assert ax.figure.plgkit_description == {"alt": "There is nothing to draw: no row.", "caption": ""}


def test_people_who_have_not_had_their_time_are_no_line_yet():
    frame = rate(3, immature=3).assign(value=np.nan)
    alt = charts.trend(frame).figure.plgkit_description["alt"]
    assert alt == "There is nothing to draw yet: nobody has had all the time that counts."


def test_the_words_of_a_trend_have_its_numbers():
    words = charts.trend(rate(), target=0.4).figure.plgkit_description
    assert words["alt"] == (
        "Line of share of sign-ups by week, 5 Jan 2026 to 23 Mar 2026: from 50.0% to 40.0% "
        "(interval 33.5% to 46.9%). Target: 40.0%. Not over yet: 1 of 12 periods."
    )
    assert words["caption"] == (
        "Each point is one week. The band holds the values that so many people leave plausible (95%). "
        "Dotted: the target. Hollow: not everybody has had their time."
    )


def test_the_words_of_a_funnel_name_its_largest_loss():
    assert charts.funnel(funnel(PLAIN)).figure.plgkit_description["alt"] == (
        "Funnel of 6 steps, from 1,000 people: invited 100%, organic 80%, paid 67%, partner 42%, search 36%, "
        "social 30%. The largest loss is 37%, at partner."
    )


def test_a_triangle_averages_only_what_is_over():
    # At age 1 every cohort has 100 of 200; at age 2, 66 of 200.
    alt = charts.retention(cohorts(4)).figure.plgkit_description["alt"]
    assert alt == (
        "Triangle of cohorts (4) by week, 5 Jan 2026 to 26 Jan 2026. All cohorts together: "
        "50.0% at age 1, 33.0% at age 2. Cells not over yet: 4."
    )


def test_the_period_that_is_not_over_is_hollow_and_off_the_line():
    ax = charts.trend(rate(3))
    solid, dashed, hollow = ax.lines
    assert np.isnan(solid.get_ydata()).tolist() == [False, False, True]
    assert dashed.get_ydata().tolist() == pytest.approx([0.49, 0.48])
    assert to_hex(hollow.get_markerfacecolor()) == "#ffffff"


def test_beyond_six_groups_the_smallest_are_added_up():
    frame = rate(2, [f"group {place}" for place in range(8)])
    frame["denominator"] = frame.groupby("channel").ngroup() * 100 + 200
    parts = style.groups(frame, "channel")
    assert list(parts) == ["group 3", "group 4", "group 5", "group 6", "group 7", "others"]
    assert parts["others"]["denominator"].tolist() == [200 + 300 + 400] * 2
    assert parts["others"]["numerator"].tolist() == [100 + 90 + 80, 98 + 88 + 78]


def test_shares_of_money_are_pooled_without_an_interval_of_people():
    frame = rate(2, [f"group {place}" for place in range(8)]).assign(low=0.1, high=0.9)
    assert style.groups(frame, "channel")["others"][["low", "high"]].isna().all(axis=None)


def test_means_are_never_added_up():
    frame = total(2, [f"group {place}" for place in range(8)])
    frame.attrs["unit"] = "ratio"
    caption = charts.trend(frame).figure.plgkit_description["caption"]
    assert caption == "Each point is one week. Hollow: the week is not over. 3 smaller groups are left out."


def test_movements_by_group_are_those_of_all_groups():
    once = charts.waterfall(movements()).figure.plgkit_description["alt"]
    halves = movements().assign(**{name: movements()[name] / 2 for name in movements().columns[1:]})
    both = pd.concat([halves.assign(plan="a"), halves.assign(plan="b")], ignore_index=True)
    both.attrs.update(movements().attrs)
    assert charts.waterfall(both).figure.plgkit_description["alt"] == once


def test_colours_differ_for_those_who_do_not_tell_red_from_green():
    # Machado and others (2009), table 1: deuteranomaly of severity 1.
    without_green = np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    )
    for one, other in itertools.combinations([*style.PALETTE, style.DARK], 2):
        seen = without_green @ (np.array(to_rgb(one)) - np.array(to_rgb(other)))
        assert np.abs(seen).max() > 0.08, (one, other)


def test_words_in_a_colour_can_be_read_on_white():
    # The Web Content Accessibility Guidelines ask for a contrast of 4.5; #767676 is the lightest such grey.
    assert style.text_colour("#767676") == "#767676"
    assert style.text_colour("#777777") < "#767676"
    assert style.text_colour(style.BLUE) == style.BLUE


def test_labels_keep_their_order_when_moved_apart():
    found = labels.spread([0.5, 0.52, 0.1, 1.0], [0.1] * 4)
    assert found == [0.46, 0.56, 0.1, 0.95]


def test_a_chart_leaves_the_settings_of_others_alone():
    before = dict(mpl.rcParams)
    charts.trend(rate())
    assert dict(mpl.rcParams) == before


def test_a_chart_can_be_drawn_into_a_given_axes():
    given = plt.subplots(1, 2)[1][0]
    assert charts.dots(rate(1, PLAIN, immature=0), ax=given) is given


def test_matplotlib_waits_until_a_chart_is_touched():
    code = "import sys, plgkit.charts as c; assert 'matplotlib' not in sys.modules; c.trend; assert c.trend is c.trend"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_a_line_shows_the_last_years_only_and_leaves_out_shares_of_few_and_ratios_to_nothing():
    frame = rate(300, immature=0)
    frame["period"] = pd.date_range("2001-01-01", periods=300, freq="MS")
    frame.loc[frame.index[-3], ["denominator", "numerator"]] = 4, 2
    frame.loc[frame.index[-2], "high"] = np.inf
    ax = charts.trend(frame)
    (line,) = [each for each in ax.lines if len(each.get_xdata()) > 2]
    drawn = line.get_ydata()
    assert len(drawn) == 61
    assert np.isnan(drawn).tolist() == [False] * 58 + [True, False, False]
    caption = ax.figure.plgkit_description["caption"]
    assert caption.endswith("A gap: fewer than 5 people. The last 61 of 300 months.")
    assert np.isfinite(ax.get_ylim()).all()
