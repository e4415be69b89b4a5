"""The scorecard: where every measure stands, what changed and whether it is real, what leaks, what is out of the usual."""

from plgkit.scorecard.anomalies import anomalies
from plgkit.scorecard.benchmarks import BENCHMARKS, benchmarks
from plgkit.scorecard.card import history, scorecard
from plgkit.scorecard.changes import change, explained
from plgkit.scorecard.headlines import HEADLINES, Headline
from plgkit.scorecard.judging import NO_DATA, NO_TARGET, OFF, ON, UNSURE
from plgkit.scorecard.leaks import LOST, MISSING, leak, leaks

__all__ = ["BENCHMARKS", "HEADLINES", "LOST", "MISSING", "NO_DATA", "NO_TARGET", "OFF", "ON", "UNSURE", "Headline", "anomalies", "benchmarks", "change", "explained", "history", "leak", "leaks", "scorecard"]
