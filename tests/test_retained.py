"""Intervals of money that few accounts move: by hand where they can be, and how often they hold what is true."""

from __future__ import annotations

import numpy as np
import pytest

from plgkit.stats import intervals, retained


def test_of_accounts_alike_that_leave_whole_the_interval_is_wilsons():
    value, low, high = retained.lost([10, 0], [10, 10], [7, 193])
    assert (value, low, high) == pytest.approx((0.035, *intervals.wilson(7, 200)), rel=1e-2)
    assert retained.not_lost([0, 10], [10, 10], [7, 193]) == pytest.approx((1 - value, 1 - high, 1 - low))


def test_an_account_that_has_half_of_the_money_is_worth_two_and_makes_the_interval_wide():
    # 900 of 1,800 in one account, 900 in ninety: (1,800)^2 / (900^2 + 90 x 10^2) = 3.96 accounts.
    value, low, high = retained.lost([0, 0], [900, 10], [1, 90])
    assert (value, low) == (0, 0)
    assert high == pytest.approx(intervals.wilson(0, 3.956)[1], rel=1e-3)


def test_nobody_lost_and_nobody_gained_still_leaves_open_how_many_might_have():
    value, low, high = retained.kept([10], [10], [100])
    assert (value, low, high) == pytest.approx((1, 1 - intervals.wilson(0, 100)[1], 1 + intervals.wilson(0, 100)[1]))


@pytest.mark.parametrize("of", [retained.lost, retained.kept, retained.gained, retained.against, retained.mean])
def test_below_five_accounts_there_is_a_value_and_no_interval(of):
    few, enough = (of([3.0, 0.0], [4.0, 5.0], [1, n]) for n in (3, 4))
    assert np.isfinite(few[0])
    assert np.isnan(few[1:]).all()
    assert enough[1] < enough[0] < enough[2]


@pytest.mark.parametrize("of", [retained.lost, retained.kept, retained.gained, retained.against, retained.mean])
def test_neither_order_nor_how_alike_accounts_are_grouped_changes_a_bit(of):
    random = np.random.default_rng(4)
    base, part = random.integers(1, 9, 60) * 999.0, random.random(60).round(2)
    part, counts = part * base, random.integers(1, 5, 60)
    order = random.permutation(60)
    assert of(part, base, counts) == of(part[order], base[order], counts[order])
    assert of(part, base, counts) == pytest.approx(of(np.repeat(part, counts), np.repeat(base, counts), np.ones(counts.sum())))


def test_of_the_largest_there_is_an_interval_only_where_they_are_five():
    assert np.isnan(retained.largest([100.0, 10.0], [4, 36], 0.1)[1:]).all()
    assert retained.largest([100.0, 10.0], [5, 45], 0.1)[0] == pytest.approx(500 / 950)
    assert np.isnan(retained.largest([10.0], [200], 0.1)[1:]).all()  # all alike: nobody is larger than others


def test_without_a_base_there_is_nothing():
    for of in (retained.lost, retained.kept, retained.gained, retained.against, retained.mean):
        assert np.isnan(of([], [], [])).all()


@pytest.mark.parametrize(("leaves", "grows"), [(0.02, 0.05), (0.15, 0.3)])
def test_what_is_kept_of_unequal_accounts_is_held_in_nineteen_of_twenty(leaves, grows):
    """150 accounts as unequal as real ones, of which some leave and some grow by a fifth; a bootstrap held 71 to 90 of a hundred."""
    random, runs = np.random.default_rng(6), 500
    true, held = {"kept": 1 - leaves + 0.2 * grows, "lost": leaves}, {"kept": 0, "lost": 0}
    for _ in range(runs):
        then = np.exp(4 + random.standard_normal(150))
        luck = random.random(150)
        now = np.where(luck < leaves, 0, np.where(luck > 1 - grows, 1.2, 1)) * then
        found = {"kept": retained.kept(now, then, np.ones(150)),
                 "lost": retained.lost(np.maximum(then - now, 0), then, np.ones(150))}
        for name, (_value, low, high) in found.items():
            held[name] += low <= true[name] <= high
    assert all(0.93 <= each / runs <= 0.985 for each in held.values())
