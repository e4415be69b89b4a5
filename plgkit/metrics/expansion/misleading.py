"""When a way to work out lifetime value misleads, in a sentence with its numbers."""

from __future__ import annotations

import numpy as np

from plgkit.metrics.expansion.lives import Crowd
from plgkit.stats import sbg
from plgkit.stats.intervals import Floats

FEW = 20
_THIN = 10
# The largest alpha + beta that can be told from no end is 1 over this.
_ALIKE = 1e-6
# 95 % of chi-square with one degree of freedom, halved at the edge: a spread cannot be below 0.
_FALLS = 2.71


def said(method: str, one: Crowd, shares: dict[str, Floats], *, stayed: int, left: int, horizon: int) -> str:
    """What a method's number must not be taken for; empty where nothing speaks against it."""
    seen, stopped = one.at_risk.shape[1], int(one.leaving.sum())
    if method == "formula":
        return " ".join(_formula(one, stayed, left, seen))
    if method == "survival":
        return " ".join(_survival(one, shares["survival"][0], seen, horizon))
    return " ".join(_sbg(one, shares["sbg"][0], stopped, seen, horizon))


def _formula(one: Crowd, stayed: int, left: int, seen: int) -> list[str]:
    if not stayed + left:
        return ["No account was paying when one of these months began: there is no churn to divide by."]
    if not left:
        return ["No account left in these months: there is no churn to divide by."]
    found = [f"It rests on {_accounts(left)} that left."] if left < FEW else []
    payments = (stayed + left) / left
    if payments > seen + 1:
        found.append(f"It counts {payments:,.0f} monthly payments; the oldest account can have made {seen + 1}.")
    falls = _falling(one)
    if falls is not None:
        found.append(f"Churn falls with age, from {falls[0]:.1%} in the first month to {falls[1]:.1%} in month {seen}: "
                     "one rate for all is right for neither new accounts nor old.")
    return found


def _survival(one: Crowd, shares: Floats, seen: int, horizon: int) -> list[str]:
    ages = min(horizon, len(shares))
    still = shares[min(ages, len(shares) - 1)]
    found = []
    if still > 0:
        found.append(f"It counts {ages} monthly payments; {still:.0%} still paid then, and what they pay later is left out.")
    thin = int((one.at_risk[0, : min(seen, horizon)] < _THIN).sum())
    if thin:
        found.append(f"In {thin} of these months fewer than {_THIN} accounts were watched.")
    return found


def _sbg(one: Crowd, shares: Floats, stopped: int, seen: int, horizon: int) -> list[str]:
    if not stopped:
        return ["No account was seen to leave: there is no curve to project."]
    if np.isnan(shares).any():
        return ["A curve cannot be told from one month of life, or where everybody left."]
    found = [f"It rests on {_accounts(stopped)} that left."] if stopped < FEW else []
    fit = sbg.fit(one.at_risk[0], one.leaving[0])
    if fit.spread < _ALIKE:
        found.append(f"It found nobody who leaves more easily than others: it became one churn for all, {fit.churn:.1%} a month "
                     "(plain geometric).")
    part = shares[min(seen + 1, horizon): horizon].sum() / shares[:horizon].sum()
    if part > 0.005:
        found.append(f"{part:.0%} of it lies beyond the {seen} months that the oldest account has been watched.")
    fits = sbg.misfit(fit, one.at_risk[0], one.leaving[0])
    if fits < 0.05:
        found.append(f"Accounts left in other months than the model can have them leave (p = {fits:.2g}).")
    return found


def _accounts(count: int) -> str:
    return f"{count} account{'s' if count != 1 else ''}"


def _falling(one: Crowd) -> tuple[float, float] | None:
    """Churn of the first and of the last month of life, where it surely falls."""
    at_risk, leaving = one.at_risk[0], one.leaving[0]
    found = sbg.fit(at_risk, leaving)
    if np.isnan(found.alpha) or leaving.sum() < FEW:
        return None
    churn = leaving.sum() / at_risk.sum()
    alike = float(leaving.sum() * np.log(churn) + (at_risk - leaving).sum() * np.log1p(-churn))
    chance = sbg.hazard(found.alpha, found.beta, len(at_risk))
    return (float(chance[0]), float(chance[-1])) if 2 * (found.loglik - alike) > _FALLS else None
