"""Words for how a product spreads: where invitations are lost, what a loop brings, and K counted by halves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from plgkit.notebook import words
from plgkit.notebook.comparing import apart
from plgkit.notebook.picking import highest, period
from plgkit.notebook.reading import last

if TYPE_CHECKING:
    from plgkit.sources.data import Data

WHOLE, HALF = "all or none", "by halves"
_WHOLE_LOOP = "the whole loop"


def lost(funnel: pd.DataFrame) -> str:
    """Say how far invitations get, and where most of them are lost.

    Examples
    --------
    >>> funnel = pd.DataFrame({"step": ["sent", "accepted", "activated"], "people": [200, 60, 40],
    ...                        "share_of_entry": [1.0, 0.3, 0.2], "lost": [0, 140, 20]})
    >>> lost(funnel)
    'Of 200 sent, 30% were accepted and 20% activated; most are lost before they are accepted (140)'
    >>> lost(funnel.assign(people=0))
    'Nothing was sent so long ago that all its days are over'
    """
    if funnel.empty or not funnel["people"].iloc[0]:
        return "Nothing was sent so long ago that all its days are over"
    steps = funnel.iloc[1:]
    parts = [f"{words.share(row.share_of_entry)} {'were ' if row.step == 'accepted' else ''}{row.step}" for row in steps.itertuples()]
    worst = steps.loc[steps["lost"].idxmax()]
    where = "they are accepted" if worst["step"] == "accepted" else f"their people have {worst['step']}"
    return (f"Of {words.count(funnel['people'].iloc[0])} sent, {words.listed(parts)}; most are lost before {where} "
            f"({words.count(worst['lost'])})")


def turns(loops: pd.DataFrame, loop: str = "invitations and links") -> str:
    """Say what a growth loop brings in one turn, how long a turn takes, and what becomes of one person in a year.

    Examples
    --------
    >>> loops = pd.DataFrame({"loop": "shared links", "start": "activated", "step": ["people came", "the whole loop"],
    ...     "entered": [40, 100], "reached": [30, 25], "value": [0.75, 0.25], "low": [0.6, 0.2], "high": [0.9, 0.3], "days": [1.0, 4.0],
    ...     "year": [None, 1.33], "year_low": [None, 1.25], "year_high": [None, 1.43], "gain": [0.6, None]})
    >>> turns(loops, "shared links")
    '100 people who activated brought 25 more by shared links, 0.25 each (0.20 to 0.30), 4.0 days later in the median; at this pace one \
becomes 1.33 in a year (1.25 to 1.43)'
    >>> turns(loops, "invitations")
    'Nobody has started so long ago that all the days of a loop by invitations are over'
    """
    rows = loops[(loops["loop"] == loop) & (loops["step"] == _WHOLE_LOOP)] if len(loops) else loops
    if rows.empty or not rows["entered"].iloc[0]:
        return f"Nobody has started so long ago that all the days of a loop by {loop} are over"
    row = rows.iloc[0]
    if not row["reached"]:
        return f"{words.counted(row['entered'], 'person', 'people')} who {row['start']} brought nobody by {loop}"
    after = f", {words.duration(86400 * row['days'])} later in the median" if not words.unknown(row["days"]) else ""
    return (f"{words.counted(row['entered'], 'person', 'people')} who {row['start']} brought {words.count(row['reached'])} more by {loop}, "
            f"{words.number(row['value'], 2)} each{_within(row, 'low', 'high')}{after}; at this pace one becomes "
            f"{words.number(row['year'], 2)} in a year{_within(row, 'year_low', 'year_high')}")


def lever(loops: pd.DataFrame, loop: str = "invitations and links") -> str:
    """Say at which step of a loop one more of a hundred would bring most.

    Examples
    --------
    >>> loops = pd.DataFrame({"loop": "invitations", "step": ["invite somebody", "people came", "the whole loop"],
    ...                       "value": [0.5, 0.2, 0.1], "gain": [0.4, 1.1, None], "gain_low": [0.3, 0.9, None],
    ...                       "gain_high": [0.5, 1.4, None]})
    >>> lever(loops, "invitations")
    'One point more helps most at “people came” (20% now): 1.1 more people after a year for each hundred who start (0.9 to 1.4), \
and least at “invite somebody” (0.4)'
    >>> lever(loops.head(0))
    'What one point more would bring cannot be told yet'
    """
    rows = loops[loops["loop"] == loop].dropna(subset=["gain"]) if len(loops) else loops
    if rows.empty:
        return "What one point more would bring cannot be told yet"
    rows = rows.sort_values("gain", ascending=False, kind="stable")
    best, least = rows.iloc[0], rows.iloc[-1]
    now = words.share(best["value"]) if best["value"] <= 1 else f"{words.number(best['value'], 2)} each"
    least_words = f", and least at “{least['step']}” ({words.number(least['gain'])})" if len(rows) > 1 else ""
    return (f"One point more helps most at “{best['step']}” ({now} now): {words.number(best['gain'])} more people after a year for "
            f"each hundred who start{_within(best, 'gain_low', 'gain_high', 1)}{least_words}")


def responded(frame: pd.DataFrame) -> str:
    """Say how many of those asked answered, and who counts as asked.

    Examples
    --------
    >>> frame = pd.DataFrame({"asked": [40], "answered": [10], "response": [0.25], "response_low": [0.14], "response_high": [0.4]})
    >>> frame.attrs["asked"] = "survey_shown"
    >>> responded(frame)
    '25% of 40 people asked (survey_shown) answered, 14% to 40% is plausible'
    >>> frame.attrs["asked"] = "people active in the period"
    >>> responded(frame)
    'Who was asked is not in these data; 25% of 40 people active in the period answered'
    >>> responded(frame.assign(asked=0))
    'How many of those asked answered is not known'
    """
    row = last(frame)
    if words.unknown(row.get("asked")) or not row["asked"]:
        return "How many of those asked answered is not known"
    who = frame.attrs.get("asked", "")
    share, many = words.share(row["response"]), words.count(row["asked"])
    if who.startswith("people active"):
        return f"Who was asked is not in these data; {share} of {many} {who} answered"
    return (f"{share} of {many} people asked ({who}) answered, {words.share(row['response_low'])} to {words.share(row['response_high'])} "
            "is plausible")


def half_counted(data: Data, grain: str = "week") -> pd.DataFrame:
    """K with the same people above and below the line, and with the invitees of all over the people old enough.

    Parameters
    ----------
    data
        Reads `users`, `invites` and `events`.
    grain
        Length of a period.

    Returns
    -------
    One row per period and way ("all or none", "by halves"): period, way, numerator, denominator, value, low, high (of the right
    way), immature. Where nobody is old enough there is neither.

    Examples
    --------
    >>> from plgkit import samples
    >>> half_counted(samples.tiny())[["period", "way", "numerator", "denominator"]].head(2)
          period          way  numerator  denominator
    0 2025-01-06  all or none          1            4
    1 2025-01-06    by halves          1            4
    """
    from ibis import _

    from plgkit.metrics import advocacy
    from plgkit.metrics.advocacy.rows import followed
    from plgkit.metrics.people import within

    right = advocacy.k_factor(data, grain=grain)
    words_of = data.playbook
    came = followed(data, words_of.activation.event or words_of.activation.rule).filter(_.done_at.notnull())
    people = data.users.select("user_id", "signed_up_at", period=data.period(data.users.day, grain))
    came = came.select("inviter_id", "done_at").inner_join(people, _.inviter_id == people.user_id)
    came = came.filter(within(came.done_at, came.signed_up_at, words_of.invites.within_days))
    hits = data.run(came.group_by("period").aggregate(numerator=_.count().cast("int64")))
    wrong = right[["period", "denominator"]].merge(hits, on="period", how="left").fillna({"numerator": 0})
    wrong = wrong.astype({"numerator": "int64"})
    wrong["value"] = wrong["numerator"] / wrong["denominator"].where(wrong["denominator"] > 0)
    both = pd.concat([right.assign(way=WHOLE), wrong.assign(way=HALF, immature=0)], ignore_index=True)
    made = both[["period", "way", "numerator", "denominator", "value", "low", "high", "immature"]].sort_values(
        ["period", "way"], ignore_index=True)
    made.attrs = dict(right.attrs)
    return made


def halved(both: pd.DataFrame, grain: str = "week") -> str:
    """Say how far K by halves is from K in the last period in which some are old enough.

    Examples
    --------
    >>> both = pd.DataFrame({"period": pd.to_datetime(["2026-06-15"] * 2), "way": ["all or none", "by halves"], "numerator": [4, 18],
    ...                      "denominator": [20, 20], "value": [0.2, 0.9]})
    >>> halved(both)
    'Here the 20 people of the week of 15 Jun 2026 who are old enough brought 4 who activated, 0.20 each; with the 18 of all that \
week above the line, K by halves is 0.90'
    >>> halved(both.head(0))
    'Here nobody is old enough yet'
    """
    known = both.dropna(subset=["value"])
    if known.empty:
        return "Here nobody is old enough yet"
    rows = known[known["period"] == known["period"].max()].set_index("way")
    right, wrong = rows.loc[WHOLE], rows.loc[HALF]
    return (f"Here the {words.counted(right['denominator'], 'person', 'people')} of {period(right['period'], grain)} who are old enough brought "
            f"{words.count(right['numerator'])} who activated, {words.number(right['value'], 2)} each; with the "
            f"{words.count(wrong['numerator'])} of all that {grain} above the line, K by halves is {words.number(wrong['value'], 2)}")


def _within(row: pd.Series, low: str, high: str, digits: int = 2) -> str:
    if any(words.unknown(row.get(name)) for name in (low, high)):
        return ""
    return f" ({words.number(row[low], digits)} to {words.number(row[high], digits)})"


def kept_by_size(sizes: pd.DataFrame) -> str:
    """Say how much oftener workspaces of several people are kept than those of one.

    Examples
    --------
    >>> sizes = pd.DataFrame({"people": ["1 person", "2 people"], "numerator": [28, 60], "denominator": [100, 100], "value": [0.28, 0.6],
    ...                       "low": [0.2, 0.5], "high": [0.37, 0.69]})
    >>> kept_by_size(sizes)
    'Of workspaces with 2 people in the first week 60% are kept, of those with one 28%: more than chance would leave'
    >>> kept_by_size(sizes.head(1))
    'No two sizes of workspaces have five or more to compare'
    """
    among = sizes[sizes["denominator"] >= 5]
    alone, others = among[among["people"] == "1 person"], among[among["people"] != "1 person"]
    if alone.empty or others.empty:
        return "No two sizes of workspaces have five or more to compare"
    full = highest(others)
    return (f"Of workspaces with {full.people} in the first week {words.share(full.value)} are kept, of those with one "
            f"{words.share(alone.iloc[0].value)}: {apart(full, alone.iloc[0])}")
