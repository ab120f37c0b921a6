"""Eight tests for pytest-xdist, some of them slow."""

import time

import pytest


@pytest.mark.parametrize("number", range(8))
def test_number(number):
    time.sleep(number % 3 / 20)
    assert number * 2 == number + number
