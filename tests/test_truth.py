"""The measures find, behind all the dirt of the bundled sample, what is known to be true of it."""

from __future__ import annotations

import json

import pytest

from plgkit.metrics import find
from plgkit.samples import bundled_path
from plgkit.sources.connect import connect


@pytest.fixture(scope="module")
def acme():
    return connect(bundled_path())


@pytest.fixture(scope="module")
def counted() -> dict:
    """What the generator counted before it made the rows bad."""
    return json.loads((bundled_path() / "truth.json").read_text(encoding="utf-8"))["counted"]


@pytest.mark.parametrize(("name", "truth"), [
    ("activation.rate", "activation.within_7_days"),
    ("conversion.free_to_paid", "conversion.free_to_paid_within_90_days"),
    ("conversion.trial_to_paid", "conversion.trial_to_paid_within_30_days"),
    ("advocacy.invite_acceptance", "growth.invite_accepted_within_14_days"),
    ("advocacy.viral_signups", "growth.viral_share_of_signups"),
    ("advocacy.k_factor", "k_factor.activated_within_14_days_of_inviter"),
])
def test_a_rate_is_the_truth_to_the_person(acme, counted, name, truth):
    frame = find(name)(acme, grain="quarter")
    assert [frame["numerator"].sum(), frame["denominator"].sum()] == [
        counted[truth]["numerator"], counted[truth]["denominator"]]


def test_activation_is_the_truth_in_every_channel(acme, counted):
    found = find("activation.rate")(acme, grain="quarter", by="channel").groupby("channel")[["numerator", "denominator"]].sum()
    assert len(found) == 6
    for channel, row in found.iterrows():
        known = counted[f"activation.within_7_days.{channel}"]
        assert (row.numerator, row.denominator) == (known["numerator"], known["denominator"])


def test_both_experiments_are_the_truth_to_the_person(acme, counted):
    found = find("experiments.comparison")(acme)
    assert len(found) == 4
    for row in found.itertuples():
        known = counted[f"experiments.{row.experiment}.{row.variant}"]
        assert (row.conversions, row.n) == (known["numerator"], known["denominator"])
