"""Every error plgkit raises on purpose: what was wrong, what there is, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PlgkitError(Exception):
    """The parent of all errors that plgkit raises on purpose."""


def nearest(name: str, known: Iterable[object], *, listed: int = 12) -> str:
    """Say which known name is nearest to `name`, or list the known ones.

    Examples
    --------
    >>> nearest("report_create", ["report_created", "signed_in"])
    "Did you mean 'report_created'?"
    >>> nearest("x", ["a", "b"])
    'It has: a, b.'
    """
    names = sorted({str(each) for each in known})
    close = difflib.get_close_matches(str(name), names, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    if not names:
        return "It has none."
    more = f" and {len(names) - listed} more" if len(names) > listed else ""
    return f"It has: {', '.join(names[:listed])}{more}."


class UnknownEvent(PlgkitError, ValueError):
    """An event name that occurs nowhere in the data."""

    def __init__(self, name: str, known: Iterable[str]):
        super().__init__(f"No event {name!r} in table 'events'. {nearest(name, known)}")


class UnknownSegment(PlgkitError, ValueError):
    """A column to cut by that no table of people or accounts has."""

    def __init__(self, name: str, known: Iterable[str]):
        super().__init__(f"No column {name!r} to cut by. {nearest(name, known)}")


class UnknownMeasure(PlgkitError, ValueError):
    """A measure that is not in the catalogue."""

    def __init__(self, name: str, known: Iterable[str]):
        super().__init__(f"No measure {name!r} in the catalogue. {nearest(name, known)}")


class UnknownExercise(PlgkitError, ValueError):
    """An exercise that nobody has set."""

    def __init__(self, name: str, known: Iterable[str]):
        super().__init__(f"No exercise {name!r}. {nearest(name, known)}")


class UnknownNotebook(PlgkitError, ValueError):
    """A notebook that is not in the folder."""

    def __init__(self, name: str, known: Iterable[str]):
        super().__init__(f"No notebook {name!r}. {nearest(name, known)}")


class UnknownParameter(PlgkitError, ValueError):
    """A parameter that a measure or a notebook does not take."""

    def __init__(self, name: str, known: Iterable[str], *, of: str):
        super().__init__(f"{of} takes no parameter {name!r}. {nearest(name, known)}")


class UnknownProperty(PlgkitError, ValueError):
    """A property that no event has."""

    def __init__(self, name: str, known: Iterable[str]):
        super().__init__(f"No property {name!r} in table 'events'. {nearest(name, known)}")


class UnknownPreset(PlgkitError, ValueError):
    """A tool whose way of counting is not known for a measure."""

    def __init__(self, name: str, known: Iterable[str]):
        super().__init__(f"No way of counting like {name!r} here. {nearest(name, known)}")


class BadParameter(PlgkitError, ValueError):
    """A parameter whose value cannot be used."""

    def __init__(self, name: str, found: object, *, expected: str):
        super().__init__(f"{name} is {found!r}; expected {expected}.")


class UnnamedParameter(PlgkitError, TypeError):
    """A value given to a measure without the parameter's name."""

    def __init__(self, value: object, known: Iterable[str], *, of: str):
        has = ", ".join(known) or "none"
        super().__init__(f"{of} takes its parameters by name, so that {value!r} tells nothing. It has: {has}.")


class NotOpened(PlgkitError, TypeError):
    """Something given to a measure that is not an opened source."""

    def __init__(self, found: object):
        what = "nothing" if found is None else f"a {type(found).__name__}"
        super().__init__(f"A measure reads what plgkit.connect(source) gives, not {what}. "
                         "Open the source first; plgkit.samples.tiny() is a small one to try.")


class MissingTable(PlgkitError, LookupError):
    """A table that a measure reads and the data do not have."""

    def __init__(self, name: str, known: Iterable[str], *, one_row: str):
        has = ", ".join(known) or "none"
        super().__init__(
            f"This needs the table {name!r} (one row per {one_row}), which these data do not have. "
            f"They have: {has}. Name its file under [tables.{name}] in playbook.toml."
        )
        self.table = name


class MissingSetting(PlgkitError, LookupError):
    """A word of the playbook that a measure needs and nobody has given."""

    def __init__(self, key: str, *, example: str, why: str):
        super().__init__(f"{why} Set it in playbook.toml, for example: {example}")
        self.key = key


class MissingGroups(MissingSetting):
    """A comparison of groups where all people are in one."""

    def __init__(self, column: str, only: object):
        known = f"Everybody has the same {column}, {only!r}" if only is not None else f"No {column} is known of anybody"
        super().__init__(f"tables.users.columns.{column}", why=f"{known}: there is nothing to compare.",
                         example=f'[tables.users] columns = {{ {column} = "its name in the file" }}')


class MissingMotion(MissingSetting):
    """Payments asked for by how they came about, where no payment says so."""

    def __init__(self) -> None:
        super().__init__("tables.subscriptions.columns.motion",
                         why="No payment says whether it came by self-service or by sales: 'motion' is empty in 'subscriptions'.",
                         example='[tables.subscriptions] columns = { motion = "its name in the file" }')


class BadPlaybook(PlgkitError, ValueError):
    """A playbook that cannot be used; `problems` has one sentence per fault."""

    def __init__(self, where: str, problems: list[str]):
        self.problems = problems
        super().__init__(f"{where} cannot be used:\n" + "\n".join(f"- {each}" for each in problems))


class BadSource(PlgkitError, ValueError):
    """A source of data that cannot be opened or understood."""


class BadData(PlgkitError, ValueError):
    """Data with errors that stop the work; `problems` has one sentence per fault."""

    def __init__(self, problems: list[str]):
        self.problems = problems
        super().__init__("The data cannot be used:\n" + "\n".join(f"- {each}" for each in problems))


class NoData(PlgkitError, ValueError):
    """Tables without a single usable row."""


class UnbalancedLedger(PlgkitError, ArithmeticError):
    """Movements of recurring revenue that do not lead from a period's opening to its closing."""

    def __init__(self, period: object, *, opening: float, moved: float, closing: float):
        super().__init__(
            f"Recurring revenue does not add up in the period of {str(period)[:10]}: from {opening:,.2f} the "
            f"movements lead to {moved:,.2f}, but accounts pay {closing:,.2f} at its end. Nothing is shown, "
            "because one of the two is wrong; look at the changes of this period in the table 'subscriptions'."
        )


class UnknownAccount(PlgkitError, ValueError):
    """An account that never paid anything."""

    def __init__(self, name: str, known: Iterable[str]):
        super().__init__(f"No account {name!r} in table 'subscriptions'. {nearest(name, known)}")


class AlwaysBack(PlgkitError, ValueError):
    """A retention in which the start itself would count as coming back."""

    def __init__(self, event: str | None):
        starts, does = (f"with {event!r}", f"has done {event!r}") if event else ("with any activity", "has been active")
        super().__init__(
            f"Everybody who starts {starts} {does} at age 0, so that retention there is always 100 %. "
            "Ask from first_age=1 on, or name another event to come back by."
        )


class BrokenIdentity(PlgkitError, ArithmeticError):
    """Numbers that must add up and do not: the rows behind them contradict each other."""

    def __init__(self, identity: str, *, where: str, found: str):
        super().__init__(f"In {where} the identity {identity} does not hold: {found}. "
                         "The rows behind it contradict each other; please look for people counted twice.")


class UnknownExperiment(PlgkitError, ValueError):
    """An experiment that nobody was exposed to."""

    def __init__(self, name: str, known: Iterable[str]):
        super().__init__(f"No experiment {name!r} in table 'exposures'. {nearest(name, known)}")


class Busy(PlgkitError, RuntimeError):
    """A second run into a folder that another run is writing to."""

    def __init__(self, folder: object):
        super().__init__(f"Another run is writing to {folder}. Wait for it, or give another folder with --out.")


class MissingRates(PlgkitError, LookupError):
    """Money in currencies that nobody has said the worth of."""

    def __init__(self, table: str, currencies: list[str], *, product: str):
        rates = ", ".join(f"{code} = ..." for code in currencies)
        super().__init__(
            f"The table {table!r} has money in {' and '.join(currencies)}, and the product's is in {product}. Amounts of "
            f"different currencies are not added. Say in the playbook what one of each is worth in {product}: "
            f"[revenue] rates = {{ {rates} }}" + (f'; or, if all money is in {currencies[0]}: [product] currency = '
                                                 f'"{currencies[0]}".' if len(currencies) == 1 else "."))
        self.currencies = currencies


class UnequalLines(PlgkitError, ArithmeticError):
    """Lines of the ledger that do not come to the number of the waterfall they stand behind."""

    def __init__(self, movement: str, period: object, *, lines: float, number: float):
        super().__init__(
            f"The lines of the ledger for {movement} in the period of {str(period)[:10]} come to {lines:,.2f}, but the waterfall says "
            f"{number:,.2f}. Nothing is shown, because one of the two is wrong; were rows added to 'subscriptions' in between?")


class DiskFull(PlgkitError, OSError):
    """No room for what is being written."""

    def __init__(self, folder: object):
        super().__init__(f"The disk is full on which {folder} lies. What was read is kept: make room and run the same again.")


class UnknownStage(PlgkitError, ValueError):
    """A stage of the customer's life that is none."""

    def __init__(self, name: str, known: Iterable[str]):
        super().__init__(f"No stage {name!r}. {nearest(name, known)}")


class ShortHistory(PlgkitError, ValueError):
    """Too few periods to tell anything from."""

    def __init__(self, what: str, found: int, *, least: int, unit: str):
        here = f"{found} {unit}" + ("" if found == 1 else "s")
        super().__init__(f"{what} needs at least {least} {unit}s, and these data have {here} up to their last day. "
                         "Give more history, or ask again later.")


class NothingToSplit(PlgkitError, ValueError):
    """A change that has no parts: segments that do not add up, or no two periods to compare."""

    def __init__(self, measure: str, fits: Iterable[str], *, periods: int | None = None):
        if periods is not None:
            super().__init__(f"{measure} has {periods or 'no'} final {'period' if periods == 1 else 'periods'} here, and a change needs two. "
                             "Ask with a shorter grain, or once more time has passed.")
        else:
            super().__init__(f"{measure} cannot be split: the numbers of its segments do not add up to the whole. "
                             f"{nearest(measure, list(fits))}")


class UnknownLever(PlgkitError, ValueError):
    """A rate that the flywheel does not turn by."""

    def __init__(self, name: str, known: Iterable[str]):
        super().__init__(f"The flywheel does not turn by {name!r}. {nearest(name, known)}")


class ServerGone(ConnectionError):
    """A database that went away while it was asked.

    No `PlgkitError`: what lets a page or a scorecard go on without a table must not go on without an answer.
    """

    def __init__(self, said: str):
        super().__init__(f"The database went away while it was asked: {said.rstrip('.')}. "
                         "Run the same again when it is back: what was kept is whole.")


class ServerAway(ServerGone):
    """A database that does not answer when it is opened."""

    def __init__(self, address: str, said: str):
        ConnectionError.__init__(self, f"{address} does not answer: {said.rstrip('.')}. Is the address right? If it is, run the same again when the server is back.")
