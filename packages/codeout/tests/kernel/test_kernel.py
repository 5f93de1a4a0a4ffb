"""A kernel starts without IPython, and loads it unnoticed when something first uses it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from codeout import Run, Value
from helpers import printed_text

Runner = Callable[..., list[Run]]
IS_LOADED = "import sys\nprint('IPython.core.interactiveshell' in sys.modules, 'traitlets' in sys.modules)"


def values(run: Run) -> list[object]:
    """Return the data of what a block displayed."""
    return [dict(output.data) for output in run.outputs if isinstance(output, Value)]


def test_a_kernel_starts_without_ipython(run: Runner) -> None:
    assert printed_text(run("print('a')", "1 + 1", IS_LOADED)[2]) == "False False\n"
    assert printed_text(run("[1]", IS_LOADED)[1]) == "True True\n"


@pytest.mark.parametrize(
    "value",
    ["0", "-7", "2**70", "10**400", "True", "0.1", "1e300", "float('nan')", "'a'", r"'\n\'\u2028\ud800'", "'x' * 2000"],
)
def test_a_plain_value_is_shown_as_ipython_shows_it(run: Runner, value: str) -> None:
    plain, formatted = run(value, f"import IPython\nIPython.version_info\n{value}")
    assert values(plain) == values(formatted) != []


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("[1]", id="a value"),
        pytest.param("display([1])", id="the builtin display"),
        pytest.param("import sys\ndel sys.modules['IPython']\ndisplay([1])", id="the builtin display alone"),
        pytest.param("from IPython.display import display as show\nshow([1])", id="from IPython.display"),
        pytest.param("import IPython.display as d\nd.display([1])", id="import IPython.display"),
        pytest.param("import IPython\nIPython.display.display([1])", id="import IPython"),
        pytest.param("import sys\nsys.modules['IPython'].display.display([1])", id="sys.modules"),
        pytest.param("import importlib\nimportlib.import_module('IPython.display').display([1])", id="importlib"),
        pytest.param("from IPython import get_ipython\nget_ipython().displayhook; display([1])", id="get_ipython"),
        pytest.param("import importlib.util\nimportlib.util.find_spec('IPython')\ndisplay([1])", id="find_spec"),
    ],
)
def test_whatever_uses_ipython_first_meets_its_shell(run: Runner, code: str) -> None:
    assert values(run(code)[0]) == [{"text/plain": "[1]"}]


def test_libraries_recognize_an_ipython_session_from_the_start(run: Runner) -> None:
    code = "import sys\nprint('IPython' in sys.modules, __IPYTHON__, hasattr(sys, 'ps1'))"
    first, second = run(code, "from IPython import get_ipython\nprint(type(get_ipython()).__name__)")
    assert printed_text(first) == "True True True\n"
    assert printed_text(second) == "InteractiveShell\n"


def test_loading_ipython_changes_nothing_that_the_author_s_code_can_see(run: Runner) -> None:
    code = """
import random, sys, warnings
warnings.simplefilter("error")
random.seed(1)
before = list(warnings.filters), random.getstate(), sys.modules["__main__"], list(sys.path), sys.stdout
display([1])
after = list(warnings.filters), random.getstate(), sys.modules["__main__"], list(sys.path), sys.stdout
print([old == new for old, new in zip(before, after)], __name__)
"""
    assert printed_text(run(code)[0]) == f"{[True] * 5} __main__\n"


def test_the_duration_of_a_block_does_not_include_loading_ipython(run: Runner) -> None:
    code = "import time\nstart = time.perf_counter()\ndisplay([1])\nprint(time.perf_counter() - start)"
    (result,) = run(code)
    assert 0 <= result.provenance.seconds < float(printed_text(result))


def test_a_lazy_module_of_the_author_is_not_loaded_by_the_kernel(run: Runner) -> None:
    code = """
import importlib.util, sys
spec = importlib.util.find_spec("this")
spec.loader = importlib.util.LazyLoader(spec.loader)
module = sys.modules["this"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
"""
    first, second = run(code, "module.__doc__")
    assert printed_text(first) == ""
    assert "Beautiful is better than ugly" in printed_text(second)
