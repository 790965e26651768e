"""The examples of the README and of docs/ run and print what is said there."""
import doctest
import re
from pathlib import Path

import pytest

from gpuad.dispatch import TABLE

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


@pytest.mark.parametrize("page", [README, *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.name)
def test_the_sessions_print_what_they_show(page: Path):
    known = dict(TABLE)
    failed, attempted = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    TABLE.clear()
    TABLE.update(known)  # a page may enter a function into the table
    assert attempted > 5
    assert failed == 0


def test_the_first_example_runs():
    source = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0]
    names: dict = {}
    exec(source, names)
    assert names["gradient"].shape == (3,)
