"""The examples of the README run and print what it says."""
import doctest
import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_sessions_print_what_they_show():
    failed, attempted = doctest.testfile(str(README), module_relative=False)
    assert attempted > 5
    assert failed == 0


def test_the_first_example_runs():
    source = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0]
    names: dict = {}
    exec(source, names)
    assert names["gradient"].shape == (3,)
