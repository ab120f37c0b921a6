"""The published schema takes every scenario of the repository, and refuses what the loader refuses."""

import copy
import json
import pathlib

import jsonschema
import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "scenarios/schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
SCENARIOS = [p for d in (".", "services", "deployments", "calibration") for p in sorted((ROOT / "scenarios" / d).glob("*.yaml"))]


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.name)
def test_takes_every_scenario(path: pathlib.Path) -> None:
    VALIDATOR.validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    "fault",
    [
        {"delai": "2s"},
        {"close": "door", "at": {"roles": "a", "call": "write"}},
        {"errno": "EIO", "at": {"roles": "a", "call": "write", "args": {"6": 1}}},
        {"errno": "EIO", "at": {"roles": "a", "call": "write", "on": "exti"}},
        {"hold": {}, "at": {"roles": "a", "call": "write"}},
    ],
)
def test_refuses_what_the_loader_refuses(fault: dict) -> None:
    scenario = {
        "topology": {"processes": [{"role": "a", "command": ["true"]}]},
        "steps": [{"start": {}}],
        "faults": [fault],
    }
    assert not VALIDATOR.is_valid(scenario)
    good = copy.deepcopy(scenario)
    good["faults"] = [{"errno": "EIO", "at": {"roles": "a", "call": "write"}}]
    VALIDATOR.validate(good)


STEPS = [
    ({"deploy": {"tree": "/t", "release": "${releases}/fixed", "expect": ["done", "killed", 130]}}, {"deploy": {}}),
    ({"deploy": {"tree": "/t", "skip-tests": True}}, {"deploy": {"tree": "/t", "expect": "healthy"}}),
    ({"rollback": {"tree": "/t", "backup": "latest", "emergency": True}}, {"rollback": {"tree": "t"}}),
    ({"validate": {"tree": "/t", "expect": "unhealthy"}}, {"validate": {"tree": "/t", "emergency": True}}),
    ({"validate": {"tree": "/t", "set": {"API_PORT": 5}}}, {"validate": {"tree": "/t", "expect": []}}),
    ({"validate": {"tree": "/t", "expect": 1}}, {"validate": {"tree": "/t", "expect": 300}}),
]


@pytest.mark.parametrize(("good", "bad"), STEPS)
def test_deployment_steps(good: dict, bad: dict) -> None:
    topology = {"processes": [{"role": "a", "command": ["true"]}]}
    VALIDATOR.validate({"topology": topology, "steps": [good]})
    assert not VALIDATOR.is_valid({"topology": topology, "steps": [bad]})
