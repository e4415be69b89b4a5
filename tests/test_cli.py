"""The command line as a shell and a schedule use it."""

from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest

from plgkit.cli import COMMANDS
from plgkit.samples.tiny import AS_OF, PLAYBOOK, frames


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The tiny company as CSV files with a playbook."""
    made = tmp_path_factory.mktemp("tiny")
    for name, frame in frames().items():
        frame.to_csv(made / f"{name}.csv", index=False)
    words = {section: PLAYBOOK[section] for section in ("activation", "trial", "conversion")}
    (made / "playbook.toml").write_text("\n".join(
        f"[{section}]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
        for section, keys in words.items()))
    return made


def plgkit(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "plgkit", *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.parametrize("command", list(COMMANDS))
def test_the_help_of_every_command_shows_an_example(command):
    done = plgkit(command, "--help")
    assert done.returncode == 0
    assert "Example" in done.stdout
    assert f"plgkit {command}" in done.stdout


def test_a_measure_is_printed_as_csv_with_its_definition_aside(folder):
    done = plgkit("measure", "activation.rate", folder, "--as-of", AS_OF, "--set", "within_days=40", "--format", "csv")
    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == [
        "period,numerator,denominator,value,low,high,immature", done.stdout.splitlines()[1]]
    assert done.stdout.splitlines()[1].startswith("2025-01-06,3,4,0.75,")
    assert "within 40 days" in done.stderr


def test_json_is_data(folder):
    done = plgkit("measure", "activation.rate", folder, "--as-of", AS_OF, "--json")
    first = json.loads(done.stdout)[0]
    assert (first["numerator"], first["denominator"], first["value"]) == (2, 4, 0.5)
    facts = json.loads(plgkit("define", "activation.rate", folder, "--as-of", AS_OF, "--json").stdout)
    assert facts["parameters"]["within_days"] == 7
    assert facts["time_zone"] == "UTC"
    assert {each["measure"] for each in json.loads(plgkit("list", "--json").stdout)} >= {"activation.rate"}


def test_the_notebooks_and_their_parameters_are_data():
    found = {each["name"]: each for each in json.loads(plgkit("notebooks", "--json").stdout)}
    assert list(found) == sorted(found)
    assert len(found) == 12
    assert found["02_activation"]["title"] == "Activation"
    assert {"name": "as_of", "kinds": ["str"]}.items() <= {
        each["name"]: each for each in found["02_activation"]["parameters"]}["as_of"].items()


def test_the_query_is_printed_in_another_dialect(folder):
    done = plgkit("define", "activation.rate", folder, "--dialect", "postgres")
    assert done.stdout.lstrip().startswith(("SELECT", "WITH"))


@pytest.mark.parametrize(("arguments", "status", "said"), [
    (["measure", "activation.rat"], 2, "No measure 'activation.rat' in the catalogue. Did you mean 'activation.rate'?"),
    (["measure", "activation.rate", "{folder}", "--set", "event=report_create"], 2,
     "No event 'report_create' in table 'events'. Did you mean 'report_created'?"),
    (["measure", "activation.rate", "nowhere"], 2, "There is no 'nowhere' in"),
    (["measure", "activation.rate", "{folder}", "--set", "within_days"], 2,
     "Invalid value for --set: 'within_days' is no name=value pair, such as within_days=14."),
    (["measure", "activation.rate", "{empty}"], 3, "No file in empty/ is named like a table"),
    (["list", "--stage", "actvation"], 2, "--stage is 'actvation'; expected one of acquisition, activation,"),
    (["chek"], 2, "No such command 'chek'."),
])
def test_wrong_use_is_a_sentence_and_a_status(folder, tmp_path, arguments, status, said):
    (tmp_path / "empty").mkdir()
    done = plgkit(*[each.format(folder=folder, empty=tmp_path / "empty") for each in arguments])
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_init_writes_a_playbook_that_check_takes(tmp_path):
    rows = pd.DataFrame({"uid": ["ann", "bob"] * 20, "action": ["open", "save", "open", "share"] * 10,
                         "ts": [*[f"2025-01-{day % 30 + 1:02}T10:00:00Z" for day in range(39)], "bad"]})
    rows.to_csv(tmp_path / "log.csv", index=False)
    assert plgkit("init", tmp_path).returncode == 0
    assert plgkit("init", tmp_path).returncode == 2
    done = plgkit("check", tmp_path, "--rejects", tmp_path / "rejects.csv")
    assert done.returncode == 0
    assert "occurred_at is not a time" in done.stdout
    rejects = pd.read_csv(tmp_path / "rejects.csv")
    assert rejects[rejects.row.str.contains("bad")].reason.tolist() == ["occurred_at is not a time", "signed_up_at is not a time"]


def test_a_sample_is_written_with_its_playbook_and_truth(tmp_path):
    assert plgkit("sample", "--people", "60", "--out", tmp_path / "acme").returncode == 0
    assert {"events.parquet", "playbook.toml", "truth.json"} <= {each.name for each in (tmp_path / "acme").iterdir()}


def test_a_funnel_is_asked_for_by_its_steps(folder):
    done = plgkit("funnel", folder, "profile_filled", '["data_connected", "report_shared"]', "report_created", "--as-of", AS_OF,
                  "--format", "csv")
    assert done.returncode == 0
    assert [row.split(",")[:3] for row in done.stdout.splitlines()] == [
        ["position", "step", "people"], ["1", "profile_filled", "3"], ["2", "data_connected or report_shared", "2"],
        ["3", "report_created", "2"]]
    assert done.stderr.startswith("How many people get through the steps profile_filled, data_connected or report_shared, ")
    wrong = plgkit("funnel", folder, "profile_filed", "report_created", "--as-of", AS_OF)
    assert (wrong.returncode, wrong.stderr) == (2, "No event 'profile_filed' in table 'events'. Did you mean 'profile_filled'?\n")


def test_definitions_are_compared_from_the_command_line(folder):
    done = plgkit("compare", "retention.cohorts", "clock=rolling", folder, "--as-of", AS_OF, "--set", "unit=day", "--age", "1", "--json")
    assert done.returncode == 0
    assert done.stderr == "1 of 4 people is counted differently, because of clock.\n"
    assert [(row["people"], row["examples"]) for row in json.loads(done.stdout)] == [(1, "ann")]
    turned = plgkit("sensitivity", "activation.rate", folder, "--as-of", AS_OF, "--grain", "month", "--json")
    assert [row["is"] for row in json.loads(turned.stdout)] == ["as in use", 4, 14]
    assert "The conclusion (cannot tell) is the same under all 3 definitions." in turned.stderr


def test_the_glossary_says_how_other_tools_count():
    rows = json.loads(plgkit("glossary", "--tools", "--json").stdout)
    assert {"posthog", "mixpanel", "amplitude"} <= {row["tool"] for row in rows}
    assert "## Retention" in plgkit("glossary", "--markdown").stdout


def test_the_glossary_explains_one_measure_and_names_the_nearest_to_a_misspelt_one():
    assert "\ndefinition: Mean daily active people divided by" in plgkit("glossary", "engagement.stickiness").stdout
    assert plgkit("glossary", "engagement.stickines").stderr.strip() == (
        "No measure 'engagement.stickines' in the catalogue. Did you mean 'engagement.stickiness'?")
