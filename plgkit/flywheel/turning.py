"""Turning the wheel: month after month from the last complete one, in every crowd drawn anew at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from plgkit.flywheel.counting import MONEY, Counts
from plgkit.flywheel.fitting import Rates
from plgkit.stats.intervals import Floats


@dataclass(frozen=True)
class Course:
    """What came or may come, by draw and month: sign-ups, active people, recurring revenue at the end of the month."""

    signups: Floats
    people: Floats
    revenue: Floats


def past(counts: Counts) -> Course:
    """What came, by month."""
    t = len(counts.months)
    people = np.zeros(t)
    for age in range(t):
        people[age:] += counts.active[:, :t - age, :, age].sum(axis=(0, 2))
    money = np.zeros((t, len(MONEY))) if counts.money is None else counts.money.sum(axis=0)
    return Course(counts.signups.sum(axis=(0, 2)), people, (money[:, :3].sum(axis=1) - money[:, 3:5].sum(axis=1)).cumsum())


def luck(draws: int, months: int, seed: int) -> Floats:
    """The chance of every draw and month: sign-ups, active people, payers, what they pay, swings. The first row has none."""
    from scipy.special import ndtr

    made = np.random.default_rng([seed, 2]).standard_normal((draws + 1, months, 5))
    made[0] = 0
    # The luck of payers and of what they pay is a place among all that may happen, not a step.
    made[:, :, 2:4] = ndtr(made[:, :, 2:4])
    return made


def turn(counts: Counts, rates: Rates, chance: Floats, beside: tuple[float, float]) -> Course:
    """Let the wheel turn as many months as there is chance for; active people lie `beside` the curves as they did."""
    draws, months, _ = chance.shape
    t = len(counts.months)
    days = pd.date_range(counts.months[-1], periods=months + 1, freq="MS")[1:].days_in_month.to_numpy(float)
    size = np.zeros((draws, t + months, 2))
    size[:, :t] = counts.size.sum(axis=0)
    sent = np.zeros((draws, t + months))
    sent[:, :t] = counts.sent.sum(axis=(0, 2))
    level, spread = beside
    signups, people, started = (np.zeros((draws, months)) for _ in range(3))
    for m in range(months):
        now = t + m
        older, payers = _there(size, rates, now)
        own = np.exp(rates.own[:, 0] + rates.own[:, 1] * m + rates.own[:, 2] * chance[:, m, 0]) * days[m]
        new, sent[:, now], signups[:, m] = _newcomers(rates, own, older, sent, now)
        size[:, now] = new
        stay = rates.stays[:, :, 0]
        payers = payers + rates.founds * (new * stay * rates.pays[:, :, 0]).sum(axis=1)
        started[:, m] = _counted(payers, chance[:, m, 2])
        shock = np.exp(level + spread * chance[:, m, 1])
        people[:, m] = (older + (new * stay).sum(axis=1)) * shock
    return Course(signups, people, _revenue(counts, rates, started, chance))


def _there(size: Floats, rates: Rates, now: int) -> tuple[Floats, Floats]:
    """Who of those who signed up earlier is active, and how many accounts of theirs begin to pay."""
    ages = np.arange(now, 0, -1)
    active = size[:, :now] * np.swapaxes(rates.stays[:, :, ages], 1, 2)
    pay = (active * np.swapaxes(rates.pays[:, :, ages], 1, 2)).sum(axis=(1, 2)) * rates.founds
    return active.sum(axis=(1, 2)), pay


def _newcomers(rates: Rates, own: Floats, older: Floats, sent: Floats, now: int) -> tuple[Floats, Floats, Floats]:
    """New people by activated, invitations sent, sign-ups. Who comes by an invitation may invite within the same month."""
    before = sum(rates.accepted[:, lag] * sent[:, now - lag] for lag in range(1, rates.accepted.shape[1]))
    share = rates.activates
    each = share * rates.invites[:, :1] + (1 - share) * rates.invites[:, 1:2]
    by_older = older * rates.invites[:, 2]
    at_once = rates.accepted[:, 0]
    guests = (before + at_once * (own * each[:, 0] + by_older)) / np.maximum(1 - at_once * each[:, 1], 0.1)
    activated = own * share[:, 0] + guests * share[:, 1]
    new = np.column_stack([own + guests - activated, activated])
    return new, own * each[:, 0] + guests * each[:, 1] + by_older, own + guests


def beside(counts: Counts, rates: Rates) -> tuple[float, float]:
    """By how much active people lay beside what the curves say of the last months, and how that swings."""
    t = len(counts.months)
    size, came = counts.size.sum(axis=0)[None], past(counts).people
    one = Rates(**{name: each[:1] for name, each in rates.__dict__.items()})
    ratio = []
    for now in range(max(1, t - 6), t):
        said = _there(size[:, :now], one, now)[0] + (size[:, now] * one.stays[:, :, 0]).sum(axis=1)
        ratio.append(np.log(max(came[now], 0.5) / max(float(said[0]), 0.5)))
    return float(np.mean(ratio[-3:])), float(np.std(ratio, ddof=1))


def _counted(expected: Floats, place: Floats) -> Floats:
    """So many as chance makes of the expected number; the first draw has just the expected.

    A gamma law of Poisson's mean and variance: it moves smoothly with the mean, so that the difference of two courses is not one of
    whole accounts.
    """
    from scipy.special import gammaincinv

    made = np.where(expected > 0, gammaincinv(np.maximum(expected, 1e-9), place), 0.0)
    made[0] = expected[0]
    return made


def _paid(started: Floats, first: Floats, place: Floats) -> Floats:
    """What so many new accounts first pay together: a gamma law, as a few pay many times what most do."""
    from scipy.special import gammaincinv

    mean, variance = started * first[:, 0], started * first[:, 1] ** 2
    apart = (mean > 0) & (variance > 0)
    scale = np.where(apart, variance / np.where(apart, mean, 1.0), 1.0)
    shape = np.where(apart, mean / scale, 1.0)
    made = np.where(apart, gammaincinv(shape, place) * scale, mean)
    made[0] = mean[0]
    return made


def _revenue(counts: Counts, rates: Rates, started: Floats, chance: Floats) -> Floats:
    if counts.money is None:
        return np.full(started.shape, np.nan)
    now, made = np.full(len(started), past(counts).revenue[-1]), []
    net = rates.grows.sum(axis=1) - rates.shrinks.sum(axis=1)
    for m in range(started.shape[1]):
        first = _paid(started[:, m], rates.first, chance[:, m, 3])
        swing = rates.swings * np.sqrt(np.maximum(now, 0)) * chance[:, m, 4]
        now = np.maximum(now * (1 + net) + swing + first, 0)
        made.append(now)
    return np.column_stack(made)
