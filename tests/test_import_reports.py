"""Published samples of exports become reports: every measure answers or says why not, and no page breaks."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from conftest import shared

from plgkit import connect
from plgkit.cli import cli
from plgkit.errors import PlgkitError
from plgkit.metrics.registry import measures
from plgkit.readers import import_export

SAMPLES = {
    "posthog": "events of people with accounts and visits",
    "ga4": "events and visits alone",
    "stripe/fivetran": "lines of invoices beside subscriptions",
    "chargebee/subscription_list.json": "subscriptions alone",
    "hubspot": "people and companies without anything done",
}
"""Samples whose tables differ, so that together they lack every table in turn."""


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_measure_of_an_imported_sample_answers_or_says_what_is_missing(sample, tmp_path):
    import_export(sample.partition("/")[0], shared("data", "exports", *sample.split("/")), out=tmp_path)
    data, answered, said = connect(tmp_path), 0, {}
    for name, measure in measures().items():
        try:
            answered += len(measure(data).columns) > 0
        except PlgkitError as told:
            said[name] = str(told)
    assert answered > 3, said
    assert all(text.endswith(".") or "in playbook.toml, for example: [" in text for text in said.values()), said


def test_one_command_imports_a_sample_and_one_makes_every_report_of_it(tmp_path):
    export = shared("data", "exports", "chargebee", "subscription_list.json")
    for command in (["import", "chargebee", str(export), "--out", str(tmp_path / "company")],
                    ["report", str(tmp_path / "company"), "--out", str(tmp_path / "reports"), "--workers", "1"]):
        done = CliRunner().invoke(cli, command)
        assert (done.exit_code, "Traceback" in done.output) == (0, False), done.output
    statuses = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "reports" / "latest").glob("*.json")}
    assert {name: each["traceback"] for name, each in statuses.items() if each.get("traceback")} == {}
    assert {each["state"] for name, each in statuses.items() if name[:2].isdigit()} == {"ok"}
