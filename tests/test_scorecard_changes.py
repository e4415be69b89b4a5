"""A change split into the parts of segments: they add up, chance is told from more, and Simpson's paradox shows itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plgkit import connect
from plgkit.errors import BadParameter, NothingToSplit
from plgkit.playbook import Playbook
from plgkit.scorecard import change, explained, splitting
from plgkit.stats.compare import benjamini_hochberg
from plgkit.stats.intervals import wilson


def side(numerator: list[int], denominator: list[int]) -> pd.DataFrame:
    low, high = wilson(np.array(numerator), np.array(denominator))
    return pd.DataFrame({"numerator": numerator, "denominator": denominator, "low": low, "high": high})


def company(people: dict[tuple[str, str], tuple[int, int]], as_of: str = "2026-03-31"):
    """Sign-ups of a month and channel, of whom so many make a report on the first day."""
    users, events = [], []
    for (month, channel), (count, active) in people.items():
        for number in range(count):
            who, at = f"{month}{channel}{number}", f"{month}-{1 + number % 20:02d} 10:00"
            users.append((who, at, channel))
            events += [(who, "report_created", at.replace("10:00", "11:00"))] if number < active else []
    return connect({"users": pd.DataFrame(users, columns=["user_id", "signed_up_at", "channel"]),
                    "events": pd.DataFrame(events, columns=["user_id", "event", "occurred_at"])}, as_of=as_of,
                   playbook=Playbook(activation={"event": "report_created"}))


@pytest.fixture(scope="module")
def turned():
    """Both channels get better, and the whole gets worse: more come by the one that activates less often."""
    return company({("2026-01", "ads"): (20, 5), ("2026-01", "web"): (80, 48), ("2026-02", "ads"): (120, 36), ("2026-02", "web"): (80, 52)})


def test_simpsons_paradox_shows_itself_and_the_parts_add_up(turned):
    parts = change(turned, "activation.rate", by="channel")
    # 53 of 100, then 88 of 200. The weights of ads are 0.2 and 0.6, the rates 0.25 and 0.30; of web 0.60 and 0.65.
    rate = parts[parts.effect == "rate"].set_index("segment").value
    assert rate.to_dict() == pytest.approx({"ads": 0.4 * 0.05, "web": 0.6 * 0.05})
    # The mean of the two wholes is 0.485; ads stand at 0.275 in the mean, web at 0.625.
    mix = parts[parts.effect == "mix"].set_index("segment").value
    assert mix.to_dict() == pytest.approx({"ads": 0.4 * (0.275 - 0.485), "web": -0.4 * (0.625 - 0.485)})
    assert parts.value.sum() == pytest.approx(88 / 200 - 53 / 100, abs=1e-15)
    assert explained(parts)[["by", "reversed"]].values.tolist() == [["channel", True]]
    assert parts.real[parts.effect == "mix"].tolist() == [True, True]
    assert parts.real[parts.effect == "rate"].tolist() == [False, False]


def test_a_segment_that_is_new_is_all_mix():
    parts = splitting.of_rate(side([40, 0], [100, 0]), side([40, 80], [100, 100]), people=(100, 200))
    assert parts[parts.effect == "rate"].value.tolist() == [0.0, 0.0]
    assert parts.value.sum() == pytest.approx(120 / 200 - 40 / 100)
    assert parts.apart.isna().all()


def test_the_smallest_segments_are_one_and_still_add_up():
    months = {(f"2026-0{month}", f"c{place}"): (10 + place, 4 + month * place % 5) for month in (1, 2) for place in range(9)}
    data = company(months)
    parts, few = (change(data, "activation.rate", by="channel", most=most) for most in (12, 4))
    assert few.segment.tolist()[:4][-1] == "(others)"
    assert few.value.sum() == pytest.approx(parts.value.sum(), abs=1e-12)
    assert parts.value.sum() == pytest.approx(parts.attrs["whole"]["change"], abs=1e-12)


def test_several_periods_can_be_set_against_several():
    months = {(f"2026-0{month}", channel): (100, hits) for month, hits in zip(range(1, 6), (40, 42, 38, 20, 22), strict=True)
              for channel in ("ads", "web")} | {("2026-05", "web"): (50, 20)}
    data = company(months, as_of="2026-06-30")
    parts = change(data, "activation.rate", by="channel", period="2026-05-01", pooled=(2, 3))
    # 240 of 600 before; then 42 of 200 of ads and 40 of 150 of web.
    assert parts[parts.effect == "rate"].now.tolist() == pytest.approx([42 / 200, 40 / 150])
    assert parts.value.sum() == pytest.approx(82 / 350 - 240 / 600, abs=1e-12)
    counts = change(data, "acquisition.signups", by="channel", period="2026-05-01", pooled=(2, 3)).set_index("segment")
    assert counts[["before", "now", "value"]].loc["web"].tolist() == [100.0, 75.0, -25.0]


def test_a_total_is_split_into_counts(turned):
    parts = change(turned, "acquisition.signups", by="channel", period="2026-02-10")
    assert parts[["segment", "before", "now", "value"]].values.tolist() == [["web", 80.0, 80.0, 0.0], ["ads", 20.0, 120.0, 100.0]]
    assert parts.real.tolist() == [False, True]
    # From a fifth of all to three fifths.
    assert parts.apart.tolist() == pytest.approx([-0.4, 0.4])


def test_money_is_split_too_and_has_no_noise(tiny):
    parts = change(tiny, "expansion.mrr", by="plan")
    assert parts[["segment", "value"]].values.tolist() == [["business", -50.0], ["team", 10.0]]
    assert parts.real.isna().all()


def test_where_nothing_changed_few_looks_find_something():
    random, found, reps = np.random.default_rng(0), 0, 400
    shares, rates = [0.4, 0.3, 0.2, 0.1], [0.2, 0.5, 0.4, 0.6]
    for _ in range(reps):
        sizes = [random.multinomial(count, shares) for count in (600, 700)]
        parts = splitting.of_rate(*[side(random.binomial(each, rates), each) for each in sizes], people=(600, 700))
        p = splitting.probability(*(parts[name].to_numpy() for name in ("value", "below", "above")))
        found += bool((benjamini_hochberg(p) <= 0.05).any())
    assert found / reps < 0.05


def test_what_has_no_parts_is_refused(tiny, turned):
    with pytest.raises(NothingToSplit) as caught:
        change(tiny, "conversion.arpa", by="plan")
    assert str(caught.value).startswith("conversion.arpa cannot be split: the numbers of its segments do not add up to the whole. ")
    with pytest.raises(NothingToSplit) as caught:
        change(tiny, "activation.rate", by="channel")
    assert str(caught.value) == ("activation.rate has 1 final period here, and a change needs two. Ask with a shorter grain, or once "
                                 "more time has passed.")
    with pytest.raises(BadParameter) as caught:
        change(turned, "activation.rate", by="channel", against="2025-01-01")
    assert str(caught.value) == ("against is '2025-01-01'; expected a day within a month that is final (the last ones begin on: "
                                 "2026-01-01, 2026-02-01).")
