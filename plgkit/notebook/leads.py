"""Words for whom to call: what a list finds, what points are worth, and why a score that knows the future looks so good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from plgkit.notebook import words
from plgkit.notebook.comparing import apart
from plgkit.notebook.picking import highest, lowest
from plgkit.notebook.revenue import told

if TYPE_CHECKING:
    from plgkit.sources.data import Data

KNOWING, HONEST = "today's points, all who ever paid", "points of past days, who paid afterwards"


def called(lists: pd.DataFrame, capacity: int, days: int) -> str:
    """Say what the lists of past days found; one row per way to make them, named by its first column.

    Examples
    --------
    >>> lists = pd.DataFrame({"points": ["kept", "faded"], "called": [60.0, 60.0], "won": [2.0, 10.5], "payers": [93, 93],
    ...                       "precision": [0.033, 0.175], "precision_low": [0.0, 0.08], "precision_high": [0.11, 0.29],
    ...                       "recall": [0.02, 0.11], "lift": [3.4, 17.9]})
    >>> called(lists, 4, 90)
    'Of 60 accounts called, 4 at a time, 17.5% pay within 90 days where points are faded (8.0% to 29.0%), 17.9 times as many as by \
chance; 3.3% where points are kept (0.0% to 11.0%), 3.4 times'
    >>> called(lists.head(0), 4, 90)
    'No past day has had its 90 days yet'
    """
    known = lists.dropna(subset=["precision"]).sort_values("precision", ascending=False, kind="stable")
    if known.empty:
        return f"No past day has had its {words.counted(days, 'day')} yet"
    name, within, parts = known.columns[0], words.counted(days, "day"), []
    for row in known.to_dict("records"):
        times = words.UNKNOWN if words.unknown(row["lift"]) else words.number(row["lift"])
        parts.append(f"{words.share(row['precision'], 1)}{'' if parts else f' pay within {within}'} where {name} are {row[name]} "
                     f"({words.share(row['precision_low'], 1)} to {words.share(row['precision_high'], 1)}), {times} times"
                     f"{'' if parts else ' as many as by chance'}")
    return (f"Of {words.counted(known['called'].iloc[0], 'account')} called, {words.count(capacity)} at a time, {'; '.join(parts)}")

def climbs(bands: pd.DataFrame) -> str:
    """Say whether more points mean more payers.

    Examples
    --------
    >>> bands = pd.DataFrame({"band": ["nurture", "sales"], "points_from": [0.0, 65.0], "value": [0.005, 0.211], "low": [0.003, 0.11],
    ...                       "high": [0.007, 0.32], "denominator": [12830, 52]})
    >>> climbs(bands)
    '0.5% of accounts in the lowest band (nurture) go on to pay and 21.1% in the highest (sales): more points mean more payers'
    >>> climbs(bands.assign(value=[0.2, 0.1]))
    '20.0% of accounts in the lowest band (nurture) go on to pay and 10.0% in the highest (sales): the bands are not in order'
    >>> climbs(bands.head(0))
    'No past day has had its days yet'
    """
    known = bands.dropna(subset=["value"]).sort_values("points_from")
    if known.empty:
        return "No past day has had its days yet"
    low, high = known.iloc[0], known.iloc[-1]
    if len(known) == 1:
        return f"{words.share(low['value'], 1)} of accounts go on to pay; all are in one band ({low['band']})"
    order = "more points mean more payers" if known["value"].is_monotonic_increasing else "the bands are not in order"
    return (f"{words.share(low['value'], 1)} of accounts in the lowest band ({low['band']}) go on to pay and "
            f"{words.share(high['value'], 1)} in the highest ({high['band']}): {order}")


def learned(points: pd.DataFrame) -> str:
    """Say which signals tell most, and which points by hand rest on nothing that data show.

    Examples
    --------
    >>> points = pd.DataFrame({"signal": ["limit hit", "trial", "size"], "hand": [30.0, 0.0, 10.0], "fitted": [34.0, 9.0, 0.0],
    ...                        "sure": [True, True, False]})
    >>> learned(points)
    'By data “limit hit” tells most: 34 points, 30 by hand. “trial” would earn 9 and has none. No points are found for “size”, which has 10'
    >>> learned(points.assign(fitted=None))
    'Too few accounts paid to learn points from'
    """
    known = points[pd.to_numeric(points["fitted"]).notna()]
    if known.empty or not (known["fitted"] > 0).any():
        return "Too few accounts paid to learn points from"
    first = known.iloc[0]
    said = [f"By data “{first['signal']}” tells most: {first['fitted']:.0f} points, {first['hand']:g} by hand"]
    fresh = known[(known["hand"] == 0) & known["sure"] & (known["signal"] != first["signal"])]
    said += [f"“{fresh.iloc[0]['signal']}” would earn {fresh.iloc[0]['fitted']:.0f} and has none"] if len(fresh) else []
    idle = known[(known["fitted"] == 0) & (known["hand"] > 0)].sort_values("hand", ascending=False, kind="stable")
    said += [f"No points are found for “{idle.iloc[0]['signal']}”, which has {idle.iloc[0]['hand']:g}"] if len(idle) else []
    return ". ".join(said)


def refit(found: pd.DataFrame, *, cut: str = "threshold") -> str:
    """Say whether fitted points find more payers on dates they were not learned from.

    Examples
    --------
    >>> found = pd.DataFrame({"cut": "threshold", "quality": ["recall"], "hand": [0.35], "fitted": [0.48], "difference": [0.13],
    ...                       "low": [0.0], "high": [0.31]})
    >>> refit(found)
    'On the last dates, kept apart, fitted points find 48% of those who pay, those set by hand 35%: too close to tell'
    >>> refit(found.assign(low=0.02))[-25:]
    'more than chance would do'
    >>> refit(found.head(0))
    'No points could be fitted'
    """
    row = found[(found["cut"] == cut) & (found["quality"] == "recall")]
    if row.empty or words.unknown(row["fitted"].iloc[0]):
        return "No points could be fitted"
    row = row.iloc[0]
    said = "more than chance would do" if row["low"] > 0 else "less, and by more than chance would do" if row["high"] < 0 else "too close to tell"
    return (f"On the last dates, kept apart, fitted points find {words.share(row['fitted'])} of those who pay, those set by hand "
            f"{words.share(row['hand'])}: {said}")


def moved_places(lists: pd.DataFrame) -> str:
    """Say how many accounts fitted points would bring onto the list of the week.

    Examples
    --------
    >>> lists = pd.DataFrame({"account_id": ["a7", "a1", "a3"], "moves": ["enters", "stays", "leaves"],
    ...                       "because": ["trial (+15)", "", "size (-9)"]})
    >>> moved_places(lists)
    'Fitted points would change 1 of 2 accounts on the list; first a7 would enter, for trial (+15)'
    >>> moved_places(lists[lists.moves == "stays"])
    'Fitted points would change nothing on the list'
    """
    enters = lists[lists["moves"] == "enters"]
    if enters.empty:
        return "Fitted points would change nothing on the list"
    size = int((lists["moves"] != "leaves").sum())
    first = enters.iloc[0]
    return (f"Fitted points would change {words.count(len(enters))} of {words.counted(size, 'account')} on the list; first "
            f"{first['account_id']} would enter, for {first['because']}")


def drifted(found: pd.DataFrame) -> str:
    """Say whether accounts that come now are like those before.

    Examples
    --------
    >>> found = pd.DataFrame({"what": ["score", "limit hit"], "before": [0.23, 0.09], "now": [0.23, 0.19], "before_n": 900, "now_n": 300,
    ...                       "stability": [0.001, 0.13], "shifted": [False, True]})
    >>> drifted(found)
    'Among 300 recent accounts “limit hit” is met by 19.0%, before by 9.0%: points that rest on it are worth a second look'
    >>> drifted(found.assign(shifted=False))
    '300 recent accounts meet the signals as those before did: nothing has shifted by more than chance'
    >>> drifted(found.head(0))
    'No account is old enough yet'
    """
    if found.empty or not found["now_n"].iloc[0] or not found["before_n"].iloc[0]:
        return "No account is old enough yet"
    many, moved = found["now_n"].iloc[0], found[found["shifted"]]
    if moved.empty:
        return f"{words.count(many)} recent accounts meet the signals as those before did: nothing has shifted by more than chance"
    row = moved.sort_values("stability", ascending=False).iloc[0]
    met = "the threshold is reached" if row["what"] == "score" else f"“{row['what']}” is met"
    return (f"Among {words.count(many)} recent accounts {met} by {words.share(row['now'], 1)}, before by {words.share(row['before'], 1)}: "
            "points that rest on it are worth a second look")


def valued(found: pd.DataFrame, *, currency: str = "USD") -> str:
    """Say what leads that paid have brought, beside payers that never qualified.

    Examples
    --------
    >>> found = pd.DataFrame({"group": ["qualified", "never qualified"], "n": [101, 11], "to_date": [799.5, 665.5],
    ...                       "to_date_low": [600.5, 203.9], "to_date_high": [1030.0, 1263.1], "months": [5.9, 5.0]})
    >>> valued(found)
    'The 101 leads that paid have brought $800 each ($600 to $1,030) in 5.9 months; the 11 payers that never qualified $666 \
($204 to $1,263) in 5.0 months'
    >>> valued(found.head(0))
    'Nobody has paid yet'
    """
    parts = []
    for row in found.itertuples():
        who = ("leads that paid have" if row.group == "qualified" else "payers that never qualified")
        between = "" if words.unknown(row.to_date_low) else f" ({told(row.to_date_low, currency)} to {told(row.to_date_high, currency)})"
        parts.append(f"he {words.count(row.n)} {who}{' brought' if row.group == 'qualified' or not parts else ''} "
                     f"{told(row.to_date, currency)}{' each' if not parts else ''}{between} in {words.number(row.months)} months")
    return "T" + "; t".join(parts) if parts else "Nobody has paid yet"


def leaking(data: Data, within_days: int | None = None) -> pd.DataFrame:
    """The share that paid by tier, counted in two ways: by points of today, which know the future, and by those of past days.

    Parameters
    ----------
    data
        Reads what `pql.scores` reads, and `subscriptions`.
    within_days
        Days after a past day in which a first payment counts; as the playbook says by default.

    Returns
    -------
    One row per way and band: way, band, points_from, numerator, denominator, value, low, high. Of today's points it is accounts that
    ever paid over all accounts, whose points also tell what happened on the way to the payment and after it.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = leaking(samples.tiny())
    >>> found.loc[found.way.str.startswith("today"), ["band", "numerator", "denominator"]]
                    band  numerator  denominator
    0            nurture          1            2
    1  account executive          1            1
    """
    from plgkit.metrics import pql
    from plgkit.metrics.accounts import first_payments
    from plgkit.stats.intervals import wilson

    honest = pql.calibration(data, within_days=within_days).assign(way=HONEST)
    payers = set(data.run(first_payments(data).select("account_id"))["account_id"])
    scores = pql.scores(data)
    starts = {tier.name: float(tier.from_) for tier in data.playbook.pql.tiers}
    knowing = scores.assign(paid=scores["account_id"].isin(payers)).groupby("tier")["paid"].agg(["sum", "count"]).reset_index()
    knowing = knowing.set_axis(["band", "numerator", "denominator"], axis=1).assign(way=KNOWING)
    knowing["points_from"] = knowing["band"].map(starts)
    knowing["value"] = knowing["numerator"] / knowing["denominator"]
    knowing["low"], knowing["high"] = wilson(knowing["numerator"], knowing["denominator"])
    columns = ["way", "band", "points_from", "numerator", "denominator", "value", "low", "high"]
    made = pd.concat([knowing.sort_values("points_from")[columns], honest[columns]], ignore_index=True)
    made.attrs = {"unit": "share of accounts"}
    return made


def leaked_by(found: pd.DataFrame) -> str:
    """Say how much better a score looks that knows who paid.

    Examples
    --------
    >>> found = pd.DataFrame({"way": [KNOWING, HONEST], "band": "sales", "points_from": 65.0, "value": [0.3, 0.03]})
    >>> leaked_by(found)
    'Of the accounts that stand in the highest tier (sales) today, 30.0% have paid; of those that stood there on a past day and had not paid, \
3.0% did afterwards'
    >>> leaked_by(found.head(0))
    'Nobody has paid yet'
    """
    if found.empty:
        return "Nobody has paid yet"
    top = found[found["points_from"] == found["points_from"].max()].set_index("way")
    if not {KNOWING, HONEST} <= set(top.index):
        return "No past day has had its days yet, or nobody reached the highest tier in time"
    return (f"Of the accounts that stand in the highest tier ({top.loc[KNOWING, 'band']}) today, {words.share(top.loc[KNOWING, 'value'], 1)} "
            f"have paid; of those that stood there on a past day and had not paid, {words.share(top.loc[HONEST, 'value'], 1)} did afterwards")


def pay_oftener(groups: pd.DataFrame, days: int) -> str:
    """Say how much oftener one group pays within so many days than another; nothing of groups of fewer than five.

    Examples
    --------
    >>> groups = pd.DataFrame({"group": ["newly qualified", "not qualified"], "numerator": [9, 2], "denominator": [50, 400], "value": [0.18, 0.005],
    ...                        "low": [0.09, 0.001], "high": [0.31, 0.018]})
    >>> pay_oftener(groups, 90)
    '18.0% of the newly qualified pay within 90 days, against 0.5% of the not qualified: more than chance would leave'
    >>> pay_oftener(groups.head(1), 90)
    'No two groups have five accounts or more to compare'
    """
    high, low = highest(groups), lowest(groups)
    if words.unknown(high.value) or words.unknown(low.value) or high.group == low.group:
        return "No two groups have five accounts or more to compare"
    return (f"{words.share(high.value, 1)} of the {high.group} pay within {words.counted(days, 'day')}, against {words.share(low.value, 1)} "
            f"of the {low.group}: {apart(high, low)}")
