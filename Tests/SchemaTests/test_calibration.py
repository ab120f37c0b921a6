"""What `make calibrate` makes of a result: a violation is explained or it fails."""

import importlib.machinery
import importlib.util
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).parents[2] / "scenarios/calibration"
SCENARIOS = sorted(HERE.glob("*.yaml"))


@pytest.fixture(scope="module")
def calibration():
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader = importlib.machinery.SourceFileLoader("calibration", str(HERE / "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("calibration", loader))
    loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


def result(*signatures, inconclusive=0):
    findings = [{"signature": text, "count": 1, "message": "m", "ledger": "l"} for text in signatures]
    return {"trials": 9, "held": 9, "violated": 0, "inconclusive": inconclusive, "findings": findings, "problems": ["1: p"]}


ROWS = [["exit * of worker[1]", "nginx", "explored", "because"]]


@pytest.mark.parametrize(
    ("kind", "program", "given", "unexplained"),
    [
        ("explored", "nginx", result("exit 3 of worker[1]"), 0),
        ("explored", "nginx", result("exit 3 of worker1"), 1),  # a bracket is a bracket
        ("plain", "nginx", result("exit 3 of worker[1]"), 1),  # explained by what exploring does, which was not done
        ("explored", "redis", result("exit 3 of worker[1]"), 1),
        ("explored", "nginx", result("exit 3 of worker[1]", "orphan of worker"), 1),
        ("plain", "nginx", result(), 0),
        ("plain", "nginx", result(inconclusive=2), 1),  # without a fault nothing keeps a trial from being judged
        ("explored", "nginx", result(inconclusive=2), 0),  # an order that is not possible
        ("plain", "nginx", {"failure": "it could not be run"}, 1),
        ("plain", "nginx", None, 1),
    ],
)
def test_what_nothing_explains_is_counted(calibration, kind, program, given, unexplained):
    lines, count = calibration.judge(kind, pathlib.Path(f"{program}.yaml"), given, ROWS)
    assert count == unexplained
    assert sum("UNEXPLAINED" in line or "measured" in line for line in lines) == unexplained


def test_explanations_are_of_programs_that_are_there(calibration):
    rows = calibration.explanations()
    assert {program for _, program, _, _ in rows} <= {path.stem for path in SCENARIOS}


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_says_what_it_needs(calibration, path):
    assert calibration.needs(path, "apt") or calibration.needs(path, "pip")
    assert calibration.needs(path, "version")
    assert "name: shutdown" in path.read_text(), "exploring begins at this step"
