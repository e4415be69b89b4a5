"""Words for experiments: what was planned, whether it can be believed, what came of it, and what peeking would have done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from plgkit.notebook import words

if TYPE_CHECKING:
    from plgkit.sources.data import Data

_KINDS = {"share": "share of people", "mean": "mean per person", "ratio": "ratio of two sums", "quantile": "quantile per person",
          "time": "quantile of the seconds until it"}
END, DAILY, ALWAYS = "one look at the end", "a look every day", "every day, always-valid"


def judged_by(data: Data) -> pd.DataFrame:
    """One row per experiment and metric: by what each is judged, the primary first, as the playbook says.

    Examples
    --------
    >>> from plgkit import samples
    >>> judged_by(samples.tiny())[["experiment", "metric", "role", "days"]]
      experiment          metric     role  days
    0    welcome  report_created  primary    14
    """
    from plgkit.metrics.experiments import plans

    rows = []
    for name in sorted({*data.playbook.experiments, *(plans.names(data) if data.has("exposures") else ())}):
        wanted = plans.plan(data, name)
        rows += [{"experiment": name, "metric": each.name, "role": each.role, "what": _what(each), "event": each.event,
                  "days": plans.days(wanted, each), "better": each.better,
                  "margin": words.share(each.margin) if each.margin else ""} for each in plans.metrics(data, name)]
    return pd.DataFrame(rows, columns=["experiment", "metric", "role", "what", "event", "days", "better", "margin"])


def _what(metric: object) -> str:
    parts = [_KINDS[metric.kind], f"over {metric.over}" if metric.over else "", f"at {words.share(metric.q)}" if metric.kind in (
        "quantile", "time") else "", f"of {metric.amount}" if metric.amount else ""]
    return " ".join(filter(None, parts))


def waits(power: pd.DataFrame) -> str:
    """Say how many people each experiment's primary metric needs, and what the weeks looked at would have found.

    Examples
    --------
    >>> power = pd.DataFrame({"experiment": "page", "metric": "paid", "role": "primary", "weeks": [1, 12], "people": [50, 650],
    ...                       "adjusted_lift": [1.2, 0.273], "worth": 0.1, "needed": 4840.0, "enough": False})
    >>> waits(power)
    'page: the 650 people of 12 weeks find a change of 27% or more, and 4,840 people are needed for one of 10%, 89 weeks at this pace'
    >>> waits(power.assign(needed=600.0, enough=[False, True]))
    'page: the 650 people of 12 weeks find a change of 27% or more, and 600 people are enough for one of 10%'
    >>> waits(power.head(0))
    'The data do not reach far enough back before any start'
    """
    parts = []
    for name, rows in power[power["role"] == "primary"].groupby("experiment", sort=True):
        last = rows.sort_values("weeks").iloc[-1]
        said = (f"{name}: the {words.count(last['people'])} people of {words.counted(last['weeks'], 'week')} find a change of "
                f"{words.share(last['adjusted_lift'])} or more")
        if not words.unknown(last["needed"]):
            enough = bool(last["enough"])
            pace = "" if enough or not last["people"] else f", {words.count(last['needed'] / last['people'] * last['weeks'])} weeks at this pace"
            said += f", and {words.count(last['needed'])} people are {'enough' if enough else 'needed'} for one of {words.share(last['worth'])}{pace}"
        parts.append(said)
    return "; ".join(parts) or "The data do not reach far enough back before any start"


def judged(results: pd.DataFrame) -> str:
    """Say what the primary metric of each experiment came to, once corrected.

    Examples
    --------
    >>> row = {"experiment": "page", "metric": "paid", "variant": "new", "role": "primary", "verdict": "better than the control"}
    >>> frame = pd.DataFrame([row | {"lift": 0.143, "lift_low": 0.026, "lift_high": 0.275, "always_low": -0.02, "always_high": 0.1}])
    >>> judged(frame)
    'page: new changed paid by +14% (+3% to +28%), better than the control; not yet beyond doubt for who looks every day'
    >>> judged(frame.assign(lift=None, verdict="not compared: nobody"))
    'page: not compared: nobody'
    >>> judged(frame.head(0))
    'Nobody has seen an experiment yet'
    """
    rows = results[(results["role"] == "primary") & (results["verdict"] != "control")]
    parts = []
    for row in rows.itertuples():
        if words.unknown(row.lift):
            parts.append(f"{row.experiment}: {row.verdict}")
            continue
        sure = row.always_low > 0 or row.always_high < 0
        clear = row.verdict.startswith(("better", "worse"))
        doubt = "" if not clear else "; also for who looks every day" if sure else "; not yet beyond doubt for who looks every day"
        parts.append(f"{row.experiment}: {row.variant} changed {row.metric} by {_signed(row.lift)} ({_signed(row.lift_low)} to "
                     f"{_signed(row.lift_high)}), {row.verdict}{doubt}")
    return "; ".join(dict.fromkeys(parts)) or "Nobody has seen an experiment yet"


def _signed(value: float) -> str:
    return words.UNKNOWN if words.unknown(value) else f"{'+' if value > 0 else ''}{words.share(value)}"


def guarded(results: pd.DataFrame) -> str:
    """Say which guardrails hold.

    Examples
    --------
    >>> frame = pd.DataFrame({"experiment": "page", "metric": ["stays", "visits"], "variant": "new", "role": "guardrail",
    ...                       "verdict": ["holds", "not shown to hold"]})
    >>> guarded(frame)
    '1 of 2 guardrails holds: stays. Not shown to hold: visits'
    >>> guarded(frame.head(0))
    'No guardrail was written down'
    """
    rows = results[(results["role"] == "guardrail") & (results["verdict"] != "control")]
    if rows.empty:
        return "No guardrail was written down"
    held = rows[rows["verdict"] == "holds"]
    others = rows[rows["verdict"] != "holds"]
    said = f"{words.count(len(held))} of {words.counted(len(rows), 'guardrail')} {'holds' if len(held) == 1 else 'hold'}"
    said += f": {words.listed(held['metric'])}" if len(held) else ""
    for verdict, part in others.groupby("verdict"):
        short = "Not compared" if verdict.startswith("not compared") else f"{verdict[0].upper()}{verdict[1:]}"
        said += f". {short}: {words.listed(part['metric'])}"
    return said


def narrower(adjusted: pd.DataFrame) -> str:
    """Say where what people did before took most away from the noise, and how many people that is worth.

    Examples
    --------
    >>> frame = pd.DataFrame({"metric": ["visits", "paid"], "n": [619, 671], "removed": [0.343, 0.0]})
    >>> narrower(frame)
    'What people did before takes 34% of the variance out of visits, as if there were 1.5 times as many people; nothing out of paid'
    >>> narrower(frame.assign(removed=0.0))
    'Nothing could be taken out: the people are new, or what they did before says nothing of what they do now'
    """
    known = adjusted.dropna(subset=["removed"])
    some = known[known["removed"] > 0.005]
    if some.empty:
        return "Nothing could be taken out: the people are new, or what they did before says nothing of what they do now"
    best = some.sort_values("removed", ascending=False, kind="stable").iloc[0]
    none = list(dict.fromkeys(known.loc[known["removed"] <= 0.005, "metric"]))
    return (f"What people did before takes {words.share(best['removed'])} of the variance out of {best['metric']}, as if there were "
            f"{words.number(1 / (1 - best['removed']))} times as many people" + (f"; nothing out of {words.listed(none) if len(none) < 3 else f'{len(none)} others'}" if none else ""))


def parted(results: pd.DataFrame, by: str) -> str:
    """Say whether the effect of each experiment differs between segments by more than chance.

    Examples
    --------
    >>> frame = pd.DataFrame({"experiment": "page", "variant": "new", "channel": ["ads", "search"], "difference": [0.1, 0.0],
    ...                       "p_corrected": [0.04, 0.9], "differ_p": [0.31, 0.31]})
    >>> parted(frame, "channel")
    'page: the effect may well be the same in every channel (p = 0.31); clear by itself, once corrected, in ads'
    >>> parted(frame.head(0), "channel")
    'There is nothing to cut by channel'
    """
    parts = []
    for (name, _variant), rows in results.dropna(subset=["difference"]).groupby(["experiment", "variant"]):
        p, clear = rows["differ_p"].iloc[0], rows[rows["p_corrected"] <= 0.05]
        if words.unknown(p):
            continue
        same = f"the effect may well be the same in every {by}" if p > 0.05 else f"the effect differs by {by}"
        there = f"clear by itself, once corrected, in {words.listed(clear[by])}" if len(clear) else f"in no {by} clear by itself, once corrected"
        parts.append(f"{name}: {same} (p = {words.number(p, 2)}); {there}")
    return "; ".join(parts) or f"There is nothing to cut by {by}"


def dealt_out(aa: pd.DataFrame) -> str:
    """Say how often a look at the end found something among people dealt out by chance.

    Examples
    --------
    >>> frame = pd.DataFrame({"way": ["one look at the end", "a look every day"], "metric": "paid", "draws": 500, "value": [0.05, 0.31],
    ...                       "low": [0.034, 0.27], "high": [0.073, 0.35], "stated": 0.05})
    >>> dealt_out(frame)
    'Of 500 dealings by chance a look at the end finds something in 5.0% (paid); 5% are stated: the counting can be trusted'
    """
    rows = aa[aa["way"] == END]
    if rows.empty:
        return "There is nobody to deal out"
    names = list(dict.fromkeys(rows["metric"]))
    off = rows[rows["low"] > 1.2 * rows["stated"]]
    shares = " to ".join(dict.fromkeys(words.share(each, 1) for each in (rows["value"].min(), rows["value"].max())))
    verdict = f"{words.listed(off['metric'].unique())} finds too much to be trusted" if len(off) else "the counting can be trusted"
    return (f"Of {words.count(rows['draws'].iloc[0])} dealings by chance a look at the end finds something in {shares} "
            f"({words.listed(names) if len(names) < 3 else f'{len(names)} metrics'}); {words.share(rows['stated'].iloc[0])} are stated: {verdict}")


def peeked(aa: pd.DataFrame) -> str:
    """Say what looking every day finds where there is nothing, with the narrow interval and with the wide one.

    Examples
    --------
    >>> frame = pd.DataFrame({"way": [END, DAILY, ALWAYS], "value": [0.05, 0.31, 0.01]})
    >>> peeked(frame)
    'Where nothing is to be found, one look finds something 5% of the time, a look every day 31%; with the always-valid interval it is 1%'
    """
    worst = aa.groupby("way")["value"].max()
    if worst.empty or worst.isna().any():
        return "There is nobody to deal out"
    return (f"Where nothing is to be found, one look finds something {words.share(worst[END])} of the time, a look every day "
            f"{words.share(worst[DAILY])}; with the always-valid interval it is {words.share(worst[ALWAYS])}")
