"""Words for what newcomers do: early signs of staying, and where the ways of people part."""

from __future__ import annotations

import pandas as pd

from plgkit.notebook import words


def signs(found: pd.DataFrame, *, what: str = "staying", done: str = "came back") -> str:
    """Say which early behaviour goes with the outcome most, and what is left of the others beside it.

    Parameters
    ----------
    found
        What `activation.aha_candidates` gives.
    what, done
        The outcome as a noun and as a verb.

    Examples
    --------
    >>> row = {"rank": 1, "event": "report_created", "at_least": 1, "days": 3, "n": 200, "did": 100, "precision": 0.6,
    ...        "difference": 0.4, "low": 0.27, "high": 0.51, "tied": True, "confirmed": True}
    >>> found = pd.DataFrame([row, row | {"rank": 2, "event": "tour_watched", "confirmed": False}])
    >>> found.attrs["tried"] = 120
    >>> signs(found)
    'Of 120 signs tried, report_created in the first 3 days goes with staying most: 60% of those who did it came back, 20% of the others \
(40.0 points apart, 27.0 to 51.0).'
    >>> signs(found.head(0))
    'There are too few people to try any sign.'
    >>> signs(found.assign(confirmed=False))
    'Of 120 signs tried, none is tied to staying by more than chance would leave.'
    """
    said = f"Of {words.count(found.attrs.get('tried', len(found)))} signs tried,"
    if found.empty:
        return "There are too few people to try any sign."
    if not found["confirmed"].any():
        return f"{said} none is tied to {what} by more than chance would leave."
    first = found.iloc[0]
    times = f" {words.count(first['at_least'])} times or more" if first["at_least"] > 1 else ""
    days = "day" if first["days"] == 1 else f"{words.count(first['days'])} days"
    return (f"{said} {first['event']}{times} in the first {days} goes with {what} most: "
            f"{words.share(first['precision'])} of those who did it {done}, {words.share(first['precision'] - first['difference'])} "
            f"of the others ({words.points(first['difference'])} apart, {100 * first['low']:.1f} to {100 * first['high']:.1f}).")


def beside(found: pd.DataFrame, *, what: str = "staying") -> str:
    """Say what is left of the other early behaviours among people alike in the first.

    Examples
    --------
    >>> found = pd.DataFrame({"event": ["report_created", "integration_connected", "tour_watched"], "tied": True,
    ...                       "confirmed": [True, True, False]})
    >>> beside(found)
    'Among people alike in report_created, integration_connected still goes with staying, and nothing sure is left of tour_watched.'
    >>> beside(found.head(1))
    'No other early behaviour is tied to staying.'
    >>> beside(found.assign(tied=False, confirmed=False))
    'More people or more time would show smaller ties.'
    """
    if found.empty or not found["confirmed"].any():
        return "More people or more time would show smaller ties."
    others = found.iloc[1:]
    stay = list(others.loc[others["confirmed"], "event"])
    gone = list(others.loc[others["tied"] & ~others["confirmed"], "event"])
    if not stay and not gone:
        return f"No other early behaviour is tied to {what}."
    parts = [f"{words.listed(stay)} still {'goes' if len(stay) == 1 else 'go'} with {what}"] if stay else []
    parts += [f"nothing sure is left of {words.listed(gone)}"] if gone else []
    return f"Among people alike in {found['event'].iloc[0]}, {', and '.join(parts)}."


def ways(paths: pd.DataFrame, *, usual: float = 0.02, few: int = 5) -> str:
    """Say which way is gone most, and which of those often gone is fastest.

    Parameters
    ----------
    paths
        What `activation.paths` gives.
    usual
        The share of people from which on a way is worth naming.
    few
        A way is named the fastest only if so many activated on it.

    Examples
    --------
    >>> row = {"way": "profile_filled > data_connected", "share": 0.08, "value": 0.92, "activated": 70, "median_hours": 0.07}
    >>> ways(pd.DataFrame([row]))
    'The commonest way, profile_filled > data_connected, is gone by 8% of people, of whom 92% activate.'
    >>> ways(pd.DataFrame([row | {"share": 0.01}]))
    'No way is common: the one most often gone is gone by 1.0% of people.'
    >>> ways(pd.DataFrame([row | {"share": 1.0, "value": 0.1}]))
    'Everybody goes the same way, profile_filled > data_connected, and 10% activate.'
    """
    named = paths[~paths["way"].isin(["(other ways)", "(nothing)"])]
    if named.empty:
        return "Nobody took any step."
    first = named.loc[named["share"].idxmax()]
    if first["share"] > 0.99:
        return f"Everybody goes the same way, {first['way']}, and {words.share(first['value'])} activate."
    if first["share"] < usual:
        return f"No way is common: the one most often gone is gone by {words.share(first['share'], 1)} of people."
    said = (f"The commonest way, {first['way']}, is gone by {words.share(first['share'])} of people, of whom "
            f"{words.share(first['value'])} activate")
    often = named[(named["activated"] >= few) & (named["share"] >= usual / 2)].dropna(subset=["median_hours"])
    if len(often) > 1:
        quick = often.loc[often["median_hours"].idxmin()]
        same = quick["way"] == first["way"]
        said += (f"; of the ways often gone it is also the fastest, at {words.hours(quick['median_hours'])}" if same else
                 f"; the fastest of those often gone, {quick['way']}, takes {words.hours(quick['median_hours'])}")
    return f"{said}."


def parting(moves: pd.DataFrame) -> str:
    """Say at which move the ways of those who activate part most surely from the others'.

    Examples
    --------
    >>> row = {"source_position": 2, "source": "profile_filled", "target": "data_connected", "people": 300, "share": 0.6,
    ...        "others": 200, "others_share": 0.2, "difference": 0.4, "low": 0.31, "high": 0.48}
    >>> parting(pd.DataFrame([row]))
    'The ways part most after profile_filled: 60% of the 300 people who went on to data_connected activated, 20% of the \
200 who went elsewhere.'
    >>> parting(pd.DataFrame([row | {"low": -0.1}]))
    'Nowhere do the ways part by more than chance would leave.'
    """
    sure = moves[(moves["low"] > 0) | (moves["high"] < 0)]
    if sure.empty:
        return "Nowhere do the ways part by more than chance would leave."
    size = sure[["low", "high"]].abs().min(axis=1)
    row = sure.loc[size.idxmax()]
    return (f"The ways part most after {row['source']}: {words.share(row['share'])} of the {words.count(row['people'])} people who "
            f"went on to {row['target']} activated, {words.share(row['others_share'])} of the {words.count(row['others'])} who went elsewhere.")


def detours(instead: pd.DataFrame) -> str:
    """Say how many stopped where most do, how many of them did nothing more, and what they did more often than those who went on.

    Parameters
    ----------
    instead
        What `activation.onboarding_instead` gives.

    Examples
    --------
    >>> instead = pd.DataFrame({"step": "card_added", "event": ["tour_watched", "(nothing)"], "people": [60, 40], "share": [0.6, 0.4],
    ...                         "people_on": [30, 0], "share_on": [0.3, 0.0], "low": [0.2, 0.3], "high": [0.4, 0.5]})
    >>> detours(instead)
    'After card_added 100 people went no further: 40% of them did nothing more in their days, and tour_watched was what they did \
next more often than those who went on (60% against 30%).'
    >>> detours(instead.head(0))
    'Nobody went no further.'
    """
    if not instead["people"].sum():
        return "Nobody went no further."
    quiet = instead.loc[instead["event"] == "(nothing)", "share"].sum()
    said = (f"After {instead['step'].iloc[0]} {words.counted(instead['people'].sum(), 'person', 'people')} went no further: "
            f"{words.share(quiet)} of them did nothing more in their days")
    sure = instead[(instead["event"] != "(nothing)") & (instead["low"] > 0)]
    if sure.empty:
        return f"{said}, and the others did next what those do who go on."
    row = sure.loc[sure["low"].idxmax()]
    return (f"{said}, and {row['event']} was what they did next more often than those who went on "
            f"({words.share(row['share'])} against {words.share(row['share_on'])}).")
