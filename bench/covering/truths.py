"""The truth behind each case: parts of a share, or the durations behind a median, in one clean company.

A function here looks at a `Clean` company of one draw. Shares add up over draws: (hits, people), or several of
both whose shares are averaged. Medians pool durations in seconds, `NEVER` for who never gets there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np

from plgkit.samples import clock
from plgkit.samples.clock import DAYS, END, NEVER
from plgkit.samples.words import CHANNELS, CORE, ONBOARDING, PAID

from .clean import MONTH_OF_DAY, QUARTER_OF_DAY, WEEK_OF_DAY, Clean, number_in, within

QUARTER, MONTH, WEEK = date(2026, 1, 1), date(2026, 3, 1), date(2026, 3, 16)
LAST_DAY_OF_QUARTER = clock.number_of(date(2026, 3, 31))
Parts = tuple[np.ndarray | float, np.ndarray | float]


def _quarter(clean: Clean) -> np.ndarray:
    return clean.joined_in(QUARTER_OF_DAY, number_in(QUARTER_OF_DAY, QUARTER))


def _in_quarter(days: np.ndarray) -> np.ndarray:
    return QUARTER_OF_DAY[days] == number_in(QUARTER_OF_DAY, QUARTER)


def _share(hits: np.ndarray, among: np.ndarray) -> Parts:
    return float((hits & among).sum()), float(among.sum())


def activated(days: int, channel: str | None = None) -> Callable[[Clean], Parts]:
    """Who first finishes a card within so many days."""
    def truth(clean: Clean) -> Parts:
        people, among = clean.people, _quarter(clean)
        if channel:
            among &= people.channel == CHANNELS.index(channel)
        return _share(within(people.activated, people.signed_up, days), among)
    return truth


def activated_by(hours: float) -> Callable[[Clean], Parts]:
    """Who first finishes a card within so many hours, of all who ever sign up."""
    def truth(clean: Clean) -> Parts:
        people = clean.people
        hit = people.activated - people.signed_up <= hours * clock.HOUR
        return _share(hit, np.ones(len(people), dtype=bool))
    return truth


def onboarded(clean: Clean) -> Parts:
    """Who gets through the steps in their order within 14 days of the first."""
    start = at = clean.first_since(ONBOARDING[0], np.zeros(len(clean.people)))
    for step in ONBOARDING[1:]:
        at = clean.first_since(step, at)
    entered = (start < END) & _in_quarter(clock.day_of(np.minimum(start, END - 1)))
    return _share(within(at, start, 14), entered)


def used_early(event: str) -> Callable[[Clean], Parts]:
    """Who uses a core feature within seven days of signing up."""
    def truth(clean: Clean) -> Parts:
        return _share(within(clean.first(event), clean.people.signed_up, 7), _quarter(clean))
    return truth


def waits(event: str, *, quarter: bool, channel: str | None = None, those_who_did: bool = False) -> Callable:
    """Seconds from signing up to the first time of an event."""
    def truth(clean: Clean) -> np.ndarray:
        among = _quarter(clean) if quarter else np.ones(len(clean.people), dtype=bool)
        if channel:
            among &= clean.people.channel == CHANNELS.index(channel)
        at = clean.first(event)
        if those_who_did:
            among &= at < END
        return np.where(at < END, at - clean.people.signed_up, NEVER)[among]
    return truth


def back_on(first: int, last: int | None = None) -> Callable[[Clean], Parts]:
    """Who is active on a day so many days after the day of signing up, or on one of a span."""
    def truth(clean: Clean) -> Parts:
        among = np.flatnonzero(_quarter(clean))
        days = clean.joined[among][:, None] + np.arange(first, (last or first) + 1)
        return float(clean.active[among[:, None], days].any(axis=1).sum()), float(len(among))
    return truth


def back_in_week(age: int) -> Callable[[Clean], Parts]:
    """Who is active so many calendar weeks later, cohort by cohort, of the cohorts for which that week is over."""
    def truth(clean: Clean) -> Parts:
        active, joined = clean.active_in(WEEK_OF_DAY), WEEK_OF_DAY[clean.joined]
        over = np.flatnonzero(joined + age < WEEK_OF_DAY[-1])
        weeks = WEEK_OF_DAY[-1] - age
        hits = active[over, joined[over] + age]
        return np.bincount(joined[over], hits, weeks), np.bincount(joined[over], minlength=weeks).astype(float)
    return truth


def back_in_any_week(age: int) -> Callable[[Clean], Parts]:
    """Of the people active in each week, who is active again so many weeks later."""
    def truth(clean: Clean) -> Parts:
        active = clean.active_in(WEEK_OF_DAY)[:, :-1]
        return float((active[:, :-age] & active[:, age:]).sum()), float(active[:, :-age].sum())
    return truth


def pooled(parts: Callable[[Clean], Parts]) -> Callable[[Clean], Parts]:
    """All parts taken together."""
    def truth(clean: Clean) -> Parts:
        top, bottom = parts(clean)
        return float(np.sum(top)), float(np.sum(bottom))
    return truth


def back_after_activating(first: int, last: int) -> Callable[[Clean], Parts]:
    """Who is active on one of the days so many days after the day of activating."""
    def truth(clean: Clean) -> Parts:
        at = clean.people.activated
        among = np.flatnonzero((at < END) & _in_quarter(clock.day_of(np.minimum(at, END - 1))))
        days = clock.day_of(at[among])[:, None] + np.arange(first, last + 1)
        return float(clean.active[among[:, None], days].any(axis=1).sum()), float(len(among))
    return truth


def lasting(silent_days: int) -> Callable[[Clean], np.ndarray]:
    """Days until each person's first long silence, twice, plus 1 where it has come."""
    def truth(clean: Clean) -> np.ndarray:
        joined, known, found = clean.joined, DAYS - 1 - silent_days, []
        for person in np.flatnonzero(joined <= known):
            days = np.flatnonzero(clean.active[person])
            days = np.append(joined[person], days[days >= joined[person]])
            gaps = np.flatnonzero(np.diff(days) > silent_days)
            stop = days[gaps[0]] if len(gaps) else days[-1]
            found.append(2 * (min(stop, known) - joined[person] + 1) + (stop <= known))
        return np.array(found)
    return truth


def back_in_month(cohort: date, age: int) -> Callable[[Clean], Parts]:
    """Who of a month's sign-ups is active so many months later."""
    def truth(clean: Clean) -> Parts:
        number = number_in(MONTH_OF_DAY, cohort)
        return _share(clean.active_in(MONTH_OF_DAY)[:, number + age], clean.joined_in(MONTH_OF_DAY, number))
    return truth


def gone(clean: Clean) -> Parts:
    """Who is active in the month before, and not in the month."""
    active, month = clean.active_in(MONTH_OF_DAY), number_in(MONTH_OF_DAY, MONTH)
    return _share(~active[:, month], active[:, month - 1])


def came_against_gone(clean: Clean) -> Parts:
    """New and resurrected people against those gone."""
    active, month = clean.active_in(MONTH_OF_DAY), number_in(MONTH_OF_DAY, MONTH)
    now, before = active[:, month], active[:, month - 1]
    return float((now & ~before).sum()), float((before & ~now).sum())


def stickiness(clean: Clean) -> Parts:
    """Days active out of 28, of who is active at all."""
    days = clean.active[:, LAST_DAY_OF_QUARTER - 27 : LAST_DAY_OF_QUARTER + 1].sum(axis=1)
    return float(days.sum() / 28), float((days > 0).sum())


def growth(clean: Clean) -> Parts:
    """Sign-ups of the month more than in the month before, and those."""
    month = number_in(MONTH_OF_DAY, MONTH)
    now, before = clean.joined_in(MONTH_OF_DAY, month).sum(), clean.joined_in(MONTH_OF_DAY, month - 1).sum()
    return float(now - before), float(before)


def per_account(clean: Clean) -> Parts:
    """Active people of the month, and the accounts that they belong to."""
    active = clean.active_in(MONTH_OF_DAY)[:, number_in(MONTH_OF_DAY, MONTH)]
    return float(active.sum()), float(len(np.unique(clean.people.account[active])))


def sittings(clean: Clean) -> np.ndarray:
    """Seconds from the first to the last event of each session that begins in the week."""
    _person, day, seconds = clean.sessions
    return seconds[WEEK_OF_DAY[day] == number_in(WEEK_OF_DAY, WEEK)]


def one_day_only(clean: Clean) -> Parts:
    """Who is active on one of the last 28 days, of who is active at all."""
    days = clean.active[:, DAYS - 28 :].sum(axis=1)
    return _share(days == 1, days > 0)


def breadth(clean: Clean) -> Parts:
    """Different core features used in the month by who is active in it."""
    number = number_in(MONTH_OF_DAY, MONTH)
    person, feature, day = clean.uses
    now = MONTH_OF_DAY[day] == number
    used = np.unique(person[now] * len(CORE) + feature[now])
    return float(len(used)), float(clean.active_in(MONTH_OF_DAY)[:, number].sum())


def adoption(event: str) -> Callable[[Clean], Parts]:
    """Who uses a feature in the month, of who is active in it."""
    def truth(clean: Clean) -> Parts:
        number = number_in(MONTH_OF_DAY, MONTH)
        person, feature, day = clean.uses
        now = (MONTH_OF_DAY[day] == number) & (feature == CORE.index(event))
        return float(len(np.unique(person[now]))), float(clean.active_in(MONTH_OF_DAY)[:, number].sum())
    return truth


def sessions_in_week(clean: Clean) -> Parts:
    """Sessions that begin in the week, by who is active in it."""
    number = number_in(WEEK_OF_DAY, WEEK)
    _person, day, _seconds = clean.sessions
    return float((WEEK_OF_DAY[day] == number).sum()), float(clean.active_in(WEEK_OF_DAY)[:, number].sum())


def brought(clean: Clean) -> Parts:
    """Invitees who activate within 14 days of the inviter's sign-up, per person who signs up."""
    people, invites = clean.people, clean.block.invites
    came = np.flatnonzero(invites.invitee >= 0)
    invitee, inviter = invites.invitee[came], invites.inviter[came]
    soon = within(people.activated[invitee], people.signed_up[inviter], 14)
    among = _quarter(clean)
    return float((soon & among[inviter]).sum()), float(among.sum())


def accepted(clean: Clean) -> Parts:
    """Invitations accepted within 14 days of being sent."""
    of = clean.block.invites
    return _share(within(of.accepted, of.sent, 14), (of.kind == 0) & _in_quarter(clock.day_of(of.sent)))


def came_by_others(clean: Clean) -> Parts:
    """Who came by an invitation or a link."""
    return _share(clean.people.inviter >= 0, _quarter(clean))


def shared(clean: Clean) -> Parts:
    """Who invites or shares in the month, of who is active in it."""
    number, sent = number_in(MONTH_OF_DAY, MONTH), clean.block.invites
    shares = np.zeros(len(clean.people), dtype=bool)
    shares[sent.inviter[MONTH_OF_DAY[clock.day_of(sent.sent)] == number]] = True
    return _share(shares, clean.active_in(MONTH_OF_DAY)[:, number])


def unpaid(clean: Clean) -> Parts:
    """Who came by a channel that costs nothing."""
    return _share(~np.isin(clean.people.channel, [CHANNELS.index(each) for each in PAID]), _quarter(clean))


def net_promoters(clean: Clean) -> Parts:
    """Promoters less detractors among the last answers of the quarter, in points."""
    answers = clean.block.answers
    rows = np.flatnonzero((answers.kind == 0) & (answers.at < END))
    rows = rows[_in_quarter(clock.day_of(answers.at[rows]))]
    rows = rows[np.lexsort((answers.at[rows], answers.person[rows]))]
    last = rows[np.append(np.diff(answers.person[rows]) > 0, True)] if len(rows) else rows
    score = answers.score[last]
    return 100.0 * ((score >= 9).sum() - (score <= 6).sum()), float(len(last))


def _visitors(clean: Clean) -> tuple[np.ndarray, np.ndarray]:
    """The first visit of everybody, and when they sign up; who did before is none."""
    visits, people = clean.block.visits, clean.people
    owner = np.full(visits.visitors, -1)
    np.maximum.at(owner, visits.visitor, visits.person)
    who = np.where(owner >= 0, owner, len(people) + np.arange(visits.visitors))[visits.visitor]
    first = np.full(len(people) + visits.visitors, NEVER)
    np.minimum.at(first, who, visits.at)
    signed = np.append(people.signed_up, np.full(visits.visitors, NEVER))
    came = (first < NEVER) & (signed >= first)
    return first[came], signed[came]


def signed_up(clean: Clean) -> Parts:
    """Visitors who sign up within 30 days of their first visit."""
    first, signed = _visitors(clean)
    return _share(within(signed, first, 30), _in_quarter(clock.day_of(first)))


def hesitation(clean: Clean) -> np.ndarray:
    """Seconds from the first visit to signing up, of those visitors who did."""
    first, signed = _visitors(clean)
    return (signed - first)[signed < NEVER]
