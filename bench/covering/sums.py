"""The truth behind each case about money: what one company adds to it, counted without any measure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np

from plgkit.samples import clock
from plgkit.samples.clock import DAY, END, NEVER
from plgkit.samples.words import CODE

from .books import MONTHS, Books
from .clean import MONTH_OF_DAY, QUARTER_OF_DAY, number_in, within
from .truths import MONTH, QUARTER, Parts

MARGIN, _LAST = 0.82, MONTHS - 1
_LENT = 2  # the months of a quarter before its last


def _month(day: date) -> int:
    return number_in(MONTH_OF_DAY, day)


def _ends(grain: str) -> tuple[int, int]:
    """The month that ends before the period looked at begins, and its last one."""
    first = _month(MONTH if grain == "month" else QUARTER)
    return first - 1, first + (_LENT if grain == "quarter" else 0)


def _in_quarter(at: np.ndarray) -> np.ndarray:
    """Whether each moment lies in the quarter looked at."""
    return QUARTER_OF_DAY[clock.day_of(np.minimum(at, END - 1))] == number_in(QUARTER_OF_DAY, QUARTER)


def retained(months: int, *, gross: bool = False) -> Callable[[Books], Parts]:
    """What those who paid so many months ago pay now, and paid then."""
    def truth(books: Books) -> Parts:
        then, now = books.paid[:, _LAST - months], books.paid[:, _LAST]
        now = np.where(then > 0, np.minimum(now, then) if gross else now, 0)
        return float(now.sum()), float(then.sum())
    return truth


def _back(books: Books, before: int, after: int) -> np.ndarray:
    """Whether each account came back: it paid once, not at the start, and at the end."""
    paid = books.paid
    return (paid[:, after] > 0) & (paid[:, before] == 0) & (paid[:, : before + 1] > 0).any(axis=1)


def lost(grain: str, *, accounts: bool = False, net: bool = False) -> Callable[[Books], Parts]:
    """What is lost of the start of a period by its end, less what grows and returns where it is net."""
    def truth(books: Books) -> Parts:
        before, after = _ends(grain)
        then, now = books.paid[:, before], books.paid[:, after]
        back = _back(books, before, after) if net else np.zeros(len(then), dtype=bool)
        if accounts:
            return float(((then > 0) & (now == 0)).sum() - back.sum()), float((then > 0).sum())
        less = np.where(then > 0, then - now if net else np.maximum(then - now, 0), 0)
        return float(less.sum() - now[back].sum()), float(then.sum())
    return truth


def gained_and_lost(grain: str) -> Callable[[Books], Parts]:
    """Revenue that came, and that went, account by account."""
    def truth(books: Books) -> Parts:
        before, after = _ends(grain)
        more = books.paid[:, after] - books.paid[:, before]
        return float(np.maximum(more, 0).sum()), float(np.maximum(-more, 0).sum())
    return truth


def movements(books: Books) -> np.ndarray:
    """Opening, the five movements and closing of every month, in hundredths: one row per month."""
    now = books.paid.T
    then = np.vstack([np.zeros_like(now[:1]), now[:-1]])
    known = np.maximum.accumulate(then, axis=0) > 0
    came, more = (then == 0) * now, now - then
    return np.column_stack([each.sum(axis=1) for each in (
        then, came * ~known, came * known, np.maximum(more, 0) * (then > 0), np.maximum(-more, 0) * (now > 0),
        then * (now == 0), now)])


def per_account(books: Books) -> Parts:
    """What is paid at the end of the month, and by how many."""
    now = books.paid[:, _month(MONTH)]
    return float(now.sum()) / 100, float((now > 0).sum())


def per_person(books: Books) -> Parts:
    """What is paid at the end of the month, and how many had signed up by then."""
    joined = MONTH_OF_DAY[clock.day_of(books.people.signed_up)] <= _month(MONTH)
    return float(books.paid[:, _month(MONTH)].sum()) / 100, float(joined.sum())


def first_year(books: Books) -> Parts:
    """Twelve times what each paid at first, of those who began in the quarter."""
    mine = _in_quarter(books.changes.at[books.first])
    return float(12 * books.minor[books.first][mine].sum()) / 100, float(mine.sum())


def grown(books: Books) -> Parts:
    """Accounts that pay more at a quarter's end than at its start, of those that paid then."""
    before, after = _ends("quarter")
    then, now = books.paid[:, before], books.paid[:, after]
    return float(((then > 0) & (now > then)).sum()), float((then > 0).sum())


def at_age(age: int) -> Callable[[Books], Parts]:
    """What accounts pay so many months after the month in which they began, and at that month's end."""
    def truth(books: Books) -> Parts:
        began = MONTH_OF_DAY[clock.day_of(books.changes.at[books.first])]
        old = np.flatnonzero(began + age <= _LAST)
        return float(books.paid[old, began[old] + age].sum()), float(books.paid[old, began[old]].sum())
    return truth


def cohort_at(day: date, age: int) -> Callable[[Books], Parts]:
    """The same of the accounts that began in one quarter, so many quarters later."""
    def truth(books: Books) -> Parts:
        quarter = number_in(QUARTER_OF_DAY, day)
        mine = QUARTER_OF_DAY[clock.day_of(books.changes.at[books.first])] == quarter
        end = 3 * quarter + _LENT
        return float(books.paid[mine, end + 3 * age].sum()), float(books.paid[mine, end].sum())
    return truth


def amounts(books: Books) -> np.ndarray:
    """What each account pays at the end of the month."""
    now = books.paid[:, _month(MONTH)]
    return now[now > 0]


def largest(share: float) -> Callable[[np.ndarray], float]:
    """What part the largest accounts of a crowd pay."""
    def found(paid: np.ndarray) -> float:
        ordered = np.sort(paid)[::-1]
        return float(ordered[: int(np.ceil(len(ordered) * share - 1e-9))].sum() / ordered.sum())
    return found


def lives(books: Books) -> np.ndarray:
    """Per month of life how many were watched through it and how many left in it; then paid, payers, watched, left."""
    day = clock.day_of(books.changes.at)
    start, stop = day[books.first], np.full(len(books.payers), -1)
    ends = np.flatnonzero(books.minor == 0)[::-1]
    stop[books.payer[ends]] = day[ends]
    over, months = _months_over(start, np.full(len(start), clock.DAYS - 1)), np.arange(1, MONTHS + 1)[:, None]
    ended = np.where(stop < 0, 0, np.maximum(_begun(start, np.maximum(stop, start)), 1))
    there = (over >= months) & ((ended == 0) | (ended >= months))
    year = books.paid[:, _LAST - 12 :]
    watched, left = (year[:, :-1] > 0).sum(), ((year[:, :-1] > 0) & (year[:, 1:] == 0)).sum()
    now = books.paid[:, _LAST]
    return np.concatenate([there.sum(axis=1), (there & (ended == months)).sum(axis=1),
                           [now.sum(), (now > 0).sum(), watched, left]]).astype(float)


_DAY_OF_MONTH = np.array([(np.datetime64(clock.FIRST_DAY) + each).item().day for each in range(clock.DAYS)])


def _months_over(start: np.ndarray, day: np.ndarray) -> np.ndarray:
    """How many months from the start were over by the end of a day."""
    return MONTH_OF_DAY[day] - MONTH_OF_DAY[start] - (_DAY_OF_MONTH[start] > _DAY_OF_MONTH[day])


def _begun(start: np.ndarray, day: np.ndarray) -> np.ndarray:
    """In which month from the start a day lies, if a month's first day still is of the one before."""
    return MONTH_OF_DAY[day] - MONTH_OF_DAY[start] + (_DAY_OF_MONTH[day] > _DAY_OF_MONTH[start])


def worth(method: str, months: int) -> Callable[[np.ndarray], float]:
    """Lifetime value by what `lives` adds up to; who leaves does so with the same chance in every month of life."""
    def found(sums: np.ndarray) -> float:
        at_risk, leaving = sums[:MONTHS], sums[MONTHS : 2 * MONTHS]
        paid, payers, watched, left = sums[2 * MONTHS : 2 * MONTHS + 4]
        arpa = MARGIN * paid / payers / 100
        if method == "formula":
            return float(arpa * watched / left)
        if method == "sbg":
            at_risk, leaving = (np.full(months, each.sum()) for each in (at_risk, leaving))
        stay = 1 - leaving[: months - 1] / at_risk[: months - 1]
        return float(arpa * np.cumprod(np.append(1.0, stay)).sum())
    return found


def costs(books: Books) -> np.ndarray:
    """At the end of the quarter: paid, payers, watched and left of twelve months; who began in it, and what was spent."""
    _before, last = _ends("quarter")
    year = books.paid[:, last - 12 : last + 1]
    watched, left = (year[:, :-1] > 0).sum(), ((year[:, :-1] > 0) & (year[:, 1:] == 0)).sum()
    new = _in_quarter(books.changes.at[books.first]).sum()
    days, _channels, spent = books.spend
    money = spent[QUARTER_OF_DAY[days] == number_in(QUARTER_OF_DAY, QUARTER)].sum()
    return np.array([year[:, -1].sum(), (year[:, -1] > 0).sum(), watched, left, new, money], dtype=float)


def against_cost(sums: np.ndarray) -> float:
    """Lifetime value by the formula, for each unit that a new account cost."""
    paid, payers, watched, left, new, money = sums
    return float(MARGIN * paid / payers / 100 * watched / left * new / money)


def earned_back(books: Books) -> Parts:
    """What was spent in the quarter, and a month's margin of those who began in it."""
    mine = _in_quarter(books.changes.at[books.first])
    return float(costs(books)[-1]), float(MARGIN * books.minor[books.first][mine].sum() / 100)


def pays_within(days: int, *, of: str) -> Callable[[Books], Parts]:
    """New accounts, trials, or activated accounts of the quarter that pay within so many days."""
    def truth(books: Books) -> Parts:
        start = {"accounts": books.accounts.created, "trials": books.accounts.trial, "activated": books.activated}[of]
        pays = np.where(books.accounts.pays < END, books.accounts.pays, NEVER)
        among = (start < END) & _in_quarter(start) & (pays >= start)
        hit = within(pays, start, days)
        if of == "activated":
            hit &= ~books.accounts.sales
        return float((hit & among).sum()), float(among.sum())
    return truth


def trial_revenue(days: int) -> Callable[[Books], Parts]:
    """What trials of the quarter bring in the days that begin with theirs: a day is a 365th of twelve months."""
    def truth(books: Books) -> Parts:
        begun = books.accounts.trial
        pays = np.where(books.accounts.pays < END, books.accounts.pays, NEVER)
        among = (begun < END) & _in_quarter(begun) & (pays >= begun)
        day = clock.day_of(books.changes.at)
        until = np.append(day[1:], clock.DAYS)
        until[np.append(np.diff(books.changes.account) != 0, True)] = clock.DAYS + days
        start = clock.day_of(np.minimum(begun, END - 1))[books.changes.account]
        held = np.minimum(until, start + days) - np.maximum(day, start)
        brought = np.maximum(held, 0) * books.minor * among[books.changes.account]
        return float(brought.sum()) * 12 / 365 / 100, float(among.sum())
    return truth


def waits(books: Books) -> np.ndarray:
    """Seconds from opening an account to its first payment."""
    pays = books.accounts.pays
    return (pays - books.accounts.created)[(pays < END) & (pays >= books.accounts.created)]


def checkouts(books: Books) -> Parts:
    """People who begin a checkout in the quarter, and of those who finish it within a day of the first time."""
    signs, first = books.signs, np.full(len(books.people), NEVER)
    begun = np.flatnonzero(signs.code == CODE["checkout_started"])
    begun = begun[_in_quarter(signs.at[begun])]
    np.minimum.at(first, signs.person[begun], signs.at[begun])
    done = np.flatnonzero(signs.code == CODE["checkout_finished"])
    soon = (signs.at[done] >= first[signs.person[done]]) & (signs.at[done] <= first[signs.person[done]] + DAY)
    return float(len(np.unique(signs.person[done[soon]]))), float((first < NEVER).sum())
