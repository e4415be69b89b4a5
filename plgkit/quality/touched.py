"""Which measures something in the data touches, and numbers within sentences about it."""

from __future__ import annotations

from collections.abc import Iterable

from plgkit.metrics.registry import measures
from plgkit.sources.data import Data

_BY_WORD = {
    "activity": ("engagement.active_people", "retention.cohorts", "engagement.stickiness"),
    "features.create": ("advocacy.viewers_to_editors", "pql.scores"), "features.integration": ("pql.scores", "pql.leads"),
    "features.premium": ("expansion.next_best_accounts", "pql.scores"), "limits.event": ("expansion.next_best_accounts", "pql.scores"),
    "pricing.event": ("pql.scores", "pql.leads"), "payment.event": ("conversion.trial_to_paid", "pql.scores"), "pql": ("pql.scores", "pql.leads"),
    "trial.start_event": ("conversion.trial_to_paid", "acquisition.trial_signup"), "experiments": ("experiments.results", "experiments.comparison"),
}
"""What is built on words of the playbook that are no parameter of a measure."""


def of_tables(data: Data, *tables: str) -> list[str]:
    """The measures that read one of these tables and can be asked of the data, those that read the fewest others first.

    Examples
    --------
    >>> from plgkit import samples
    >>> of_tables(samples.tiny(), "surveys")
    ['advocacy.nps', 'advocacy.csat', 'advocacy.survey', 'advocacy.comments']
    """
    found = {name: each.reads for name, each in measures().items() if set(tables) & set(each.reads) and data.has(*each.reads)}
    return sorted(found, key=lambda name: len(found[name]))


def of_words(paths: Iterable[str]) -> list[str]:
    """The measures built on words of the playbook, such as `activation.event`; those of the word's own stage first.

    Examples
    --------
    >>> of_words(["activation.event"])[0], of_words(["limits.event"])
    ('activation.rate', ['expansion.next_best_accounts', 'pql.scores'])
    """
    found: dict[str, None] = {}
    for path in sorted(paths):
        here = [name for name, each in measures().items() if path in each.settings.values()]
        stage = path.partition(".")[0]
        here.sort(key=lambda name: (name.partition(".")[0] != stage, len(name)))
        more = next((names for word, names in _BY_WORD.items() if path == word or path.startswith(f"{word}.")), ())
        found |= dict.fromkeys([*here, *more])
    return list(found)


def told(names: Iterable[str], *, most: int = 3) -> str:
    """Names in a sentence, the first few of many.

    Examples
    --------
    >>> told(["a", "b"]), told(["a", "b", "c", "d", "e"])
    ('a and b', 'a, b, c and 2 more')
    """
    listed = list(names)
    if len(listed) > most + 1:
        return f"{', '.join(listed[:most])} and {len(listed) - most} more"
    return f"{', '.join(listed[:-1])} and {listed[-1]}" if len(listed) > 1 else "".join(listed)


def counted(number: float, one: str, many: str | None = None) -> str:
    """A number with the word for what is counted.

    Examples
    --------
    >>> counted(1, "person", "people"), counted(1200, "row")
    ('1 person', '1,200 rows')
    """
    return f"{number:,.0f} {one if number == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """A share within a sentence; a small one is not 0.

    Examples
    --------
    >>> percent(0.25), percent(0.0123), percent(0.00001), percent(0.0)
    ('25%', '1.2%', 'under 0.1%', '0%')
    """
    if 0 < share < 0.001:
        return "under 0.1%"
    return f"{100 * share:.1f}".removesuffix(".0") + "%"
