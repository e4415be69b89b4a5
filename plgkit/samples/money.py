"""Money: signs of need, trials, checkouts, and who starts to pay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import clock
from .breaking import SOUND, Broken
from .clock import DAY, END, HOUR, MINUTE, NEVER
from .habits import Done, done, join
from .people import People
from .story import STORY
from .words import FIT_EMPLOYEES, FIT_INDUSTRIES, INDUSTRIES, INDUSTRY_SHARES, PROPERTY


@dataclass
class Accounts:
    """Columns of equal length, one place per account."""

    founder: np.ndarray
    created: np.ndarray
    industry: np.ndarray
    employees: np.ndarray
    fits: np.ndarray
    need: np.ndarray
    limit_at: np.ndarray
    pricing: np.ndarray
    integration_at: np.ndarray
    premium_at: np.ndarray
    trial: np.ndarray
    pays: np.ndarray
    sales: np.ndarray
    abandons: np.ndarray
    by_invoice: np.ndarray
    """Who pays without a checkout: no payment details that would qualify the account."""

    def __len__(self) -> int:
        return len(self.founder)


def open_accounts(rng: np.random.Generator, people: People, broken: Broken = SOUND) -> Accounts:
    """Draw what each account is, which signs of need it shows, and when it first pays."""
    founder = np.unique(people.account, return_index=True)[1]
    n = len(founder)
    industry = rng.choice(len(INDUSTRIES), n, p=INDUSTRY_SHARES).astype(np.int8)
    employees = np.maximum(np.exp(3.1 + 1.35 * rng.standard_normal(n)), 1).astype(np.int64)
    fits = np.isin(industry, [INDUSTRIES.index(each) for each in FIT_INDUSTRIES])
    fits &= (employees >= FIT_EMPLOYEES[0]) & (employees <= FIT_EMPLOYEES[1])
    signs = _signs(rng, people, founder)
    activated = people.activated[founder] < NEVER
    pays, sales = _first_payment(rng, people, founder, signs, activated, fits, employees, broken)
    abandons = (pays == NEVER) & people.stays[founder] & (rng.random(n) < 0.09)
    return Accounts(
        founder,
        people.signed_up[founder],
        industry,
        employees,
        fits,
        pays=pays,
        sales=sales,
        abandons=abandons,
        by_invoice=broken.begun("pql", pays) & (pays < NEVER) & ~_shows(signs),
        **signs,
    )


def _signs(rng: np.random.Generator, people: People, founder: np.ndarray) -> dict[str, np.ndarray]:
    n, truth = len(founder), STORY.money
    need = rng.standard_normal(n)
    stays, start = people.stays[founder], people.signed_up[founder]
    knows = people.activated[founder] < NEVER

    def when(odds: np.ndarray, median_days: float, spread: float) -> np.ndarray:
        """Draw a time; who does not stay has only the first days for it."""
        shows = rng.random(n) < np.where(stays, _share(odds), 0.12 * _share(odds))
        wait = np.maximum(clock.delays(rng, n, median_days * DAY, spread), 20 * MINUTE)
        wait = np.where(stays, wait, (rng.random(n) * 4 * DAY).astype(np.int64) + 20 * MINUTE)
        at = start + wait
        within = np.where(stays, np.minimum(people.leaves[founder], END), END)
        return np.where(shows & (at < within), at, NEVER)

    looks = rng.poisson(np.exp(-1.3 + 0.7 * need) * np.where(stays, 1.3, 0.25))
    looks = np.minimum(looks + rng.poisson(0.05, n), 6)
    return {
        "need": need,
        "limit_at": when(truth.limit_hit + 0.9 * need, 14, 0.9),
        "pricing": looks,
        "integration_at": when(truth.integration + 0.5 * need, 9, 1.0),
        "premium_at": when(truth.premium + 0.7 * need, 10, 0.9),
        "trial": when(truth.trial + truth.trial_per_need * need + 0.9 * knows, 14.5, 0.9),
    }


def _first_payment(
    rng: np.random.Generator,
    people: People,
    founder: np.ndarray,
    signs: dict[str, np.ndarray],
    activated: np.ndarray,
    fits: np.ndarray,
    employees: np.ndarray,
    broken: Broken,
) -> tuple[np.ndarray, np.ndarray]:
    n, truth, per = len(founder), STORY.money, STORY.money.pays_per
    tries = signs["trial"] < NEVER
    odds = (
        truth.pays
        + per["limit_hit"] * (signs["limit_at"] < NEVER)
        + per["pricing_twice"] * (signs["pricing"] >= 2)
        + per["integration"] * (signs["integration_at"] < NEVER)
        + per["premium"] * (signs["premium_at"] < NEVER)
        + per["fit"] * fits
        + per["activated"] * activated
        + per["trial"] * tries
        + per["need"] * signs["need"]
    )
    chance = _share(odds) * np.where(people.stays[founder], 1.0, 0.15)
    luck = rng.random(n)
    after_trial = signs["trial"] + np.clip(rng.normal(14.3, 3.5, n), 1.5, 29.0) * DAY
    pushed = np.where(signs["limit_at"] < NEVER, signs["limit_at"], people.signed_up[founder])
    without = pushed + np.maximum(clock.delays(rng, n, 18 * DAY, 0.8), HOUR)
    at = np.where(tries, after_trial, without).astype(np.int64)
    pays = luck < _dulled(chance, signs, at, broken) * broken.factor("conversion", at)
    sales = (employees > 110) & (rng.random(n) < truth.sales_share_of_large)
    at = at + np.where(sales & pays, rng.exponential(12 * DAY, n), 0).astype(np.int64)
    return np.where(pays & (at < END), at, NEVER), sales


def _shows(signs: dict[str, np.ndarray]) -> np.ndarray:
    """Tell which accounts show a sign of need."""
    return (signs["pricing"] >= 2) | np.any(
        [signs[each] < NEVER for each in ("limit_at", "integration_at", "premium_at")], axis=0
    )


def _dulled(chance: np.ndarray, signs: dict[str, np.ndarray], at: np.ndarray, broken: Broken) -> np.ndarray:
    """Once signs of need lead nowhere, as many accounts pay as before, but not those that show them."""
    begun, tries, shows = broken.begun("pql", at), signs["trial"] < NEVER, _shows(signs)
    dulled = np.where(begun & shows, chance * broken.factor("pql", at), chance)
    for group in (begun & tries, begun & ~tries):
        others = group & ~shows
        lost = chance[group].sum() - dulled[group].sum()
        if others.any():
            dulled[others] = np.minimum(chance[others] * (1 + lost / chance[others].sum()), 0.9)
    return dulled


def stay_for_money(rng: np.random.Generator, people: People, accounts: Accounts, ended: np.ndarray) -> None:
    """Let the members of paying accounts stay longer, and leave about when the account stops paying."""
    pays = accounts.pays[people.account] < NEVER
    pays &= people.stays | (np.arange(len(people)) == accounts.founder[people.account])
    stay = (people.leaves - people.settles) * STORY.retention.paying_stay_longer
    people.leaves[:] = np.where(pays, people.settles + stay.astype(np.int64), people.leaves)
    founder = pays & (np.arange(len(people)) == accounts.founder[people.account])
    first_pay = np.minimum(accounts.pays[people.account], END)
    people.leaves[:] = np.where(founder, np.maximum(people.leaves, first_pay + 20 * DAY), people.leaves)
    stops = ended[people.account] - (rng.random(len(people)) * 40 * DAY).astype(np.int64)
    people.leaves[:] = np.where(
        pays, np.minimum(people.leaves, np.maximum(stops, people.settles)), people.leaves
    )


def events_of(rng: np.random.Generator, accounts: Accounts) -> Done:
    """The events in which signs of need, trials and checkouts show."""
    parts = [
        _sign(
            accounts,
            accounts.integration_at,
            "integration_connected",
            rng,
            ('{"to": "chat"}', '{"to": "calendar"}', '{"to": "repository"}'),
        ),
        _sign(
            accounts,
            accounts.premium_at,
            "premium_tried",
            rng,
            ('{"feature": "automation"}', '{"feature": "dashboard"}'),
        ),
        _sign(accounts, accounts.trial, "trial_started", rng, ()),
        *_limits(rng, accounts),
        _pricing(rng, accounts),
        *_checkouts(rng, accounts),
    ]
    return join(parts)


def _sign(
    accounts: Accounts, at: np.ndarray, event: str, rng: np.random.Generator, texts: tuple[str, ...]
) -> Done:
    rows = np.flatnonzero(at < NEVER)
    chosen = np.array([PROPERTY[text] for text in texts] or [-1])
    return done(accounts.founder[rows], at[rows], event, rng.choice(chosen, len(rows)))


def _limits(rng: np.random.Generator, accounts: Accounts) -> list[Done]:
    """A free account hits its limit again and again until it pays or gives up."""
    texts = ('{"limit": "boards"}', '{"limit": "members"}', '{"limit": "storage"}')
    first = np.where(accounts.limit_at < accounts.pays, accounts.limit_at, NEVER)
    again = np.where(
        rng.random(len(first)) < 0.45, first + clock.delays(rng, len(first), 3 * DAY, 1.0), NEVER
    )
    again = np.where((again < accounts.pays) & (again < END), again, NEVER)
    return [_sign(accounts, at, "limit_hit", rng, texts) for at in (first, again)]


def _pricing(rng: np.random.Generator, accounts: Accounts) -> Done:
    """Views of the pricing page: near the limit where there was one, else in the first weeks."""
    rows = np.repeat(np.arange(len(accounts)), accounts.pricing)
    base = np.where(accounts.limit_at < NEVER, accounts.limit_at, accounts.created)[rows]
    wait = np.where(
        accounts.limit_at[rows] < NEVER,
        rng.exponential(3 * DAY, len(rows)),
        rng.exponential(6 * DAY, len(rows)),
    )
    at = base + wait.astype(np.int64) + 5 * MINUTE
    keep = (at < END) & (at < accounts.pays[rows])
    texts = np.array([PROPERTY['{"from": "banner"}'], PROPERTY['{"from": "menu"}']])
    return done(accounts.founder[rows[keep]], at[keep], "pricing_viewed", rng.choice(texts, int(keep.sum())))


def _checkouts(rng: np.random.Generator, accounts: Accounts) -> list[Done]:
    finished = np.where(~accounts.sales & ~accounts.by_invoice, accounts.pays, NEVER)
    begun = np.where(finished < NEVER, finished - clock.delays(rng, len(accounts), 150, 0.4), NEVER)
    details = np.where(finished < NEVER, finished - 25, NEVER)
    left = accounts.created + clock.delays(rng, len(accounts), 25 * DAY, 0.8)
    left = np.where(accounts.abandons & (left < END), left, NEVER)
    half = np.where(rng.random(len(accounts)) < 0.25, left + 70, NEVER)
    called = np.where(accounts.sales & (accounts.pays < NEVER), accounts.pays - 9 * DAY, NEVER)
    called = np.where(called > accounts.created, called, NEVER)
    timed = (
        ("checkout_started", begun),
        ("checkout_started", left),
        ("payment_details_entered", details),
        ("payment_details_entered", half),
        ("checkout_finished", finished),
        ("sales_contacted", called),
    )
    return [_sign(accounts, at, event, rng, ()) for event, at in timed]


def _share(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-odds))
