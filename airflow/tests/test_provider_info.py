"""What Airflow shows of the package and its settings."""

import json
from importlib import metadata
from pathlib import Path

import jsonschema
import pytest

import airflow
from exeunt_airflow.provider_info import get_provider_info
from exeunt_airflow.settings import NAMES, Settings, read

OPTIONS = get_provider_info()["config"]["exeunt"]["options"]


def test_airflow_takes_it() -> None:
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_airflow_finds_it() -> None:
    (found,) = [one for one in metadata.entry_points(group="apache_airflow_provider") if one.value.startswith("exeunt")]
    assert found.load()()["package-name"] == found.dist.metadata["Name"] == "exeunt-airflow"


def test_every_setting_is_there_with_its_default() -> None:
    assert tuple(OPTIONS) == NAMES
    assert read({name: option["default"] for name, option in OPTIONS.items()}) == (Settings(), [])


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option["example"]])
def test_an_example_is_a_value_that_is_not_the_default(name: str) -> None:
    settings, mistakes = read({name: OPTIONS[name]["example"]})
    assert mistakes == []
    assert getattr(settings, name) != getattr(Settings(), name)


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option["default"] == ""])
def test_a_setting_without_a_default_value_shows_an_example_or_its_words(name: str) -> None:
    assert OPTIONS[name]["example"] or "Empty:" in OPTIONS[name]["description"]
