"""The made-up company: the same every time, true to its truth, and dirty as counted."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plgkit import samples
from plgkit.errors import BadParameter
from plgkit.playbook import read_playbook
from plgkit.samples import block, clock, counting
from plgkit.samples.story import STORY
from plgkit.samples.words import EVENTS
from plgkit.schema import BILLING, TABLES

SMALL = 700
TYPES = {
    "string": pa.types.is_string,
    "json": pa.types.is_string,
    "time": pa.types.is_timestamp,
    "date": pa.types.is_date,
    "money": pa.types.is_floating,
    "number": pa.types.is_floating,
    "whole": pa.types.is_integer,
    "flag": pa.types.is_boolean,
}


@pytest.fixture(scope="module")
def acme() -> samples.Company:
    return samples.company(people=SMALL, seed=3)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return samples.write_company(tmp_path_factory.mktemp("acme"), people=SMALL, seed=3)


@pytest.fixture(scope="module")
def frames(acme: samples.Company) -> dict[str, pd.DataFrame]:
    return {name: table.to_pandas() for name, table in acme.tables.items()}


@pytest.fixture(scope="module")
def counted() -> dict[str, float]:
    """What 20,000 people come to, straight from the draw."""
    tally, rows = counting.Tally(), counting.Counter()
    for each in block.blocks(20_000, 11):
        counting.count(each, tally, rows)
    return {name: each["value"] for name, each in tally.shares().items()}


def _digests(directory: Path) -> dict[str, str]:
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in sorted(directory.iterdir())}


def test_the_same_people_and_seed_give_the_same_bytes(acme, written, tmp_path):
    assert _digests(acme.write(tmp_path)) == _digests(written)


def test_another_seed_gives_other_people(written, tmp_path):
    other = _digests(samples.write_company(tmp_path, people=SMALL, seed=4))
    same = {name for name, digest in _digests(written).items() if other[name] == digest}
    assert same == {"playbook.toml"}


def test_a_block_is_the_same_in_a_small_and_a_large_company():
    small, large = (next(block.blocks(people, 5)) for people in (block.SIZE, 3 * block.SIZE))
    assert np.array_equal(small.done.at, large.done.at)
    assert np.array_equal(small.visits.at, large.visits.at)


def test_tables_in_memory_and_on_disk_are_the_same(acme, written):
    for name, table in acme.tables.items():
        assert pq.read_table(written / f"{name}.parquet").cast(table.schema).equals(table), name


def test_tables_have_the_columns_and_types_of_the_schema(acme):
    for name, table in acme.tables.items():
        assert table.column_names == [each for each in TABLES[name].names if each in table.column_names]
        for column in (each for each in TABLES[name].columns if each.name in table.column_names):
            assert TYPES[column.kind](table.schema.field(column.name).type), f"{name}.{column.name}"


def test_the_playbook_is_one_and_names_only_events_that_happen(written):
    book = read_playbook(written / "playbook.toml")
    named = {book.activation.event, *book.onboarding.steps, *book.features.core, *book.activity.except_}
    named |= {
        *book.features.create,
        *book.features.integration,
        *book.features.premium,
        book.trial.start_event,
    }
    named |= {book.limits.event, book.pricing.event, book.payment.event}
    named |= {book.conversion.checkout_started, book.conversion.checkout_finished}
    assert named <= set(EVENTS)
    assert set(book.experiments) == set(STORY.experiments)
    assert book.targets["acquisition.signups"].value == round(0.0982 * SMALL)


def test_exactly_so_many_people_sign_up(frames):
    users = frames["users"]
    assert int((~users.is_internal & (users.role != "bot")).sum()) == SMALL
    assert users.user_id.is_unique


def test_people_without_a_number_are_refused():
    with pytest.raises(BadParameter) as caught:
        samples.company(people=0)
    assert str(caught.value) == "people is 0; expected a whole number of people, 1 or more."


def test_every_invited_person_joins_after_the_invitation_and_in_the_same_account(frames):
    users, invites = frames["users"].set_index("user_id"), frames["invites"].dropna(subset=["invitee_id"])
    invitee, inviter = users.loc[invites.invitee_id], users.loc[invites.inviter_id]
    assert (invitee.signed_up_at.array == invites.accepted_at.array).all()
    assert (invites.accepted_at > invites.sent_at).all()
    assert (invitee.invited_by.array == invites.inviter_id.array).all()
    same = invitee.account_id.array == inviter.account_id.array
    assert same[invites.kind == "invite"].all()
    assert not same[invites.kind == "link"].any()


def test_a_visitor_is_known_on_the_last_row_only(frames):
    visits = frames["visits"].sort_values(["visitor_id", "visited_at"])
    known = visits.groupby("visitor_id").filter(lambda rows: rows.user_id.notna().any())
    last = ~known.visitor_id.duplicated(keep="last")
    assert known.user_id[last].notna().all()
    assert known.user_id[~last].isna().all()
    assert (~last).sum() > 50


def test_payments_begin_above_zero_and_every_row_is_a_change(frames):
    paid = frames["subscriptions"]
    assert (paid.groupby("account_id").mrr.first() > 0).all()
    before = paid.groupby("account_id")[["mrr", "plan", "seats"]].shift()
    assert not ((before.mrr == paid.mrr) & (before.plan == paid.plan)).any()


def test_the_dirt_is_there_and_counted(acme, frames):
    dirt, events, users = acme.truth["dirt"], frames["events"], frames["users"]
    assert int(events.event_id.duplicated().sum()) == dirt["duplicates"]
    known = {*users.user_id}
    unknown = events.user_id.dropna()[~events.user_id.dropna().isin(known)]
    assert unknown.nunique() == dirt["unknown_people"]
    assert int((users.role == "bot").sum()) == dirt["bots"]
    assert int(users.is_internal.sum()) == dirt["staff"]
    once = events.drop_duplicates("event_id")
    assert int(once.user_id.isna().sum()) == dirt["no_person"]
    ahead = once.occurred_at > once.received_at
    assert dirt["fast_clock"] <= int(ahead.sum()) <= dirt["fast_clock"] + dirt["wild_times"]
    local = events.occurred_at.dt.tz_localize("UTC").dt.tz_convert("America/New_York")
    days = set(local.dt.date)
    assert STORY.dirt.missing_day not in days
    assert STORY.dirt.missing_day + pd.Timedelta(days=1) in days


@pytest.mark.parametrize(("day", "hours"), [("2025-11-02", 25), ("2026-03-08", 23), ("2026-03-09", 24)])
def test_people_are_awake_in_every_hour_of_a_day_with_a_change_of_clocks(day, hours):
    number = clock.number_of(pd.Timestamp(day).date())
    times = clock.times_of_day(np.random.default_rng(1), np.full(5_000, number))
    assert set((times - clock.MIDNIGHTS[number]) // clock.HOUR) == set(range(hours))


def test_counted_activation_is_near_the_truth_of_each_channel(counted):
    for name, truth in STORY.channels.items():
        assert counted[f"activation.within_7_days.{name}"] == pytest.approx(truth.activates, abs=0.05), name


def test_one_experiment_works_and_the_other_does_not(counted):
    guided = counted["experiments.guided_start.guided"] - counted["experiments.guided_start.control"]
    color = counted["experiments.button_color.orange"] - counted["experiments.button_color.green"]
    assert guided == pytest.approx(STORY.experiments["guided_start"].effect, abs=0.03)
    assert color == pytest.approx(0, abs=0.012)


def test_activation_raises_retention_and_decoys_only_seem_to(counted):
    def lift(event: str, among: str) -> float:
        back = f"back_weeks_4_to_8.{event}"
        return counted[f"{back}.did.{among}"] - counted[f"{back}.did_not.{among}"]

    true = STORY.retention.stays_if_activated - STORY.retention.stays_if_not
    assert lift("card_finished", "all") == pytest.approx(true, abs=0.08)
    for decoy in STORY.decoys:
        assert lift(decoy, "all") > 0.02, decoy
        assert lift(decoy, "activated") == pytest.approx(0, abs=0.035), decoy
        assert lift(decoy, "not_activated") == pytest.approx(0, abs=0.035), decoy


def test_counted_k_can_be_found_from_invites_and_events(acme, frames):
    # The clean truth counts in whole seconds what the dirty rows still hold for nearly everybody.
    users, invites = frames["users"], frames["invites"].dropna(subset=["invitee_id"])
    events = frames["events"][frames["events"].event == "card_finished"]
    first = events.groupby("user_id").occurred_at.min()
    joined = users.set_index("user_id").signed_up_at
    soon = first.reindex(invites.invitee_id).array <= joined.loc[invites.inviter_id].array + pd.Timedelta(
        days=14
    )
    real = users[~users.is_internal & (users.role != "bot")]
    cohort = real[real.signed_up_at <= pd.Timestamp("2026-07-01 04:00") - pd.Timedelta(days=14)]
    k = int((soon & invites.inviter_id.isin(cohort.user_id).array).sum()) / len(cohort)
    truth = acme.truth["counted"]["k_factor.activated_within_14_days_of_inviter"]
    assert truth["denominator"] == len(cohort)
    assert k == pytest.approx(truth["value"], abs=0.01)


def test_the_bundled_sample_is_what_the_generator_makes_today(tmp_path):
    bundled = samples.bundled_path()
    truth = json.loads((bundled / "truth.json").read_text())
    made = samples.write_company(tmp_path, people=truth["people"], seed=truth["seed"])
    names = sorted(path.stem for path in bundled.glob("*.parquet"))
    assert names == sorted(path.stem for path in made.glob("*.parquet")) == sorted(set(TABLES) - set(BILLING[1:]))
    for name in names:
        old, new = (pq.read_table(place / f"{name}.parquet") for place in (bundled, made))
        assert old.equals(new), name
    assert json.loads((made / "truth.json").read_text()) == truth
    assert (made / "playbook.toml").read_text() == (bundled / "playbook.toml").read_text()
