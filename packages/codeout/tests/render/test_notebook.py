"""A page as a notebook and as a script: both are readable, and they run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from msgspec.structs import replace

from codeout import Error, Figure, Run, Source, Stream, Value
from codeout.model.outputs import Output
from codeout.render.cells import Page, portable_markdown
from codeout.render.export import export_path, script
from codeout.render.notebook import notebook, validated
from helpers import PROVENANCE, block
from pages import convert_page

HIDE = "# markdown-exec: hide"
RUN = """
import sys
import nbformat
from IPython.core.interactiveshell import InteractiveShell

sys.path.insert(0, "")  # as in a notebook's kernel
shell = InteractiveShell.instance()
for cell in nbformat.read(sys.argv[1], 4).cells:
    if cell.cell_type == "code":
        done = shell.run_cell(cell.source)
        if not done.success and "raises-exception" not in cell.metadata.get("tags", []):
            sys.exit(f"{cell.id}: {cell.source}")
"""

TEXT = """---
title: A page
---
# A page

First, {x}. See [the next](next.md#part){ .md-button }. <!-- not this -->

```python exec="on" session="s"
import helper
x = helper.double(21)
x
```

!!! note "A *box*"

    With text, and code:

    ```python exec="on" session="s" source="above"
    print(x)
    ```

    More of it.

After it, `{x}` is {x:04d}.
"""


def page(text: str = TEXT, *outputs: tuple[Output, ...], **more: object) -> Page:
    converted = convert_page(text, path="docs/page.md")
    runs = [
        Run(outputs=out, provenance=PROVENANCE, values={"x": 42}) for out in outputs or [()] * len(converted.blocks)
    ]
    blocks = [each.block for each in converted.blocks]
    return Page(text=converted.text_with_holes(), blocks=blocks, runs=runs, **more)  # type: ignore[arg-type]


def cells(made: Page) -> list[nbformat.NotebookNode]:
    return list(nbformat.reads(validated(notebook(made)), 4).cells)


def test_an_invalid_notebook_is_refused() -> None:
    with pytest.raises(nbformat.ValidationError):
        validated(notebook(page()).replace('"cell_type": "code"', '"cell_type": "cody"'))


def test_prose_and_code_alternate_in_the_order_of_the_page() -> None:
    found = cells(page())
    assert [cell.cell_type for cell in found] == ["markdown", "code", "markdown", "code", "markdown", "markdown"]
    assert found[0].source == "# A page\n\nFirst, 42. See [the next](next.md#part)."
    assert found[1].source == "import helper\nx = helper.double(21)\nx"
    assert found[2].source == "> **A *box***\n>\n> With text, and code:"
    assert found[3].source == "print(x)"
    assert found[4].source == "> More of it.\n\nAfter it, `{x}` is 0042."
    assert found[5].source.startswith(f"*Outputs computed on {PROVENANCE.device}, Python {PROVENANCE.python}, ")


def test_a_box_below_a_box_is_a_quotation_of_its_own() -> None:
    text = '!!! quiz "Q"\n\n    ??? right "A"\n\n        Yes.\n\n??? note "N"\n\n    Text.'
    assert portable_markdown(text) == "> **Q**\n>\n> > **A**\n> >\n> > Yes.\n\n> **N**\n>\n> Text."


def test_what_only_a_site_can_fill_in_is_mentioned() -> None:
    assert (
        portable_markdown('<div class="codeout-overview"></div>') == "*Not shown here: a table that only the site has.*"
    )


def test_links_to_other_pages_lead_to_the_site() -> None:
    assert "(https://x.org/next/#part)" in cells(page(site_url="https://x.org/"))[0].source
    assert portable_markdown("[a](sub/b.md) [home](index.md)", "https://x.org/") == (
        "[a](https://x.org/sub/b/) [home](https://x.org/)"
    )


def test_admonitions_and_tabs_become_quotations_and_titles() -> None:
    text = '??? tip\n    One\n    - two\n\n=== "Linux"\n    !!! warning "Nested"\n        deep\n\nAfter'
    assert portable_markdown(text) == "> **Tip**\n>\n> One\n> - two\n\n**Linux**\n\n> **Nested**\n>\n> deep\n\nAfter"


def test_code_in_prose_is_left_as_it_is() -> None:
    text = "```yaml\n!!! note\n{ .x } <a> [b](c.md)\n```"
    assert portable_markdown(text, "https://x.org/") == text


def test_outputs_become_those_of_a_notebook() -> None:
    first = (
        Stream("stderr", "warned"),
        Figure({"image/svg+xml": "<svg><path/></svg>"}, "loss"),
        Value({"text/plain": "42", "text/html": "<b>42</b>"}),
    )
    second = (Error(type="ValueError", message="no", traceback="Traceback\nValueError: no", line=3),)
    found = cells(page(TEXT, first, second))
    stream, figure, value = found[1].outputs
    assert (stream.output_type, stream.name, stream.text) == ("stream", "stderr", "warned")
    assert figure.output_type == "display_data"
    assert 'fill="white"' in figure.data["image/svg+xml"], "its ink would be lost on a dark page"
    assert (value.output_type, value.execution_count) == ("execute_result", 1)
    assert value.data == {"text/plain": "42", "text/html": "<b>42</b>"}
    (error,) = found[3].outputs
    assert (error.ename, error.evalue, error.traceback) == ("ValueError", "no", ["Traceback", "ValueError: no"])
    assert found[3].execution_count == 2


def test_an_expected_exception_does_not_stop_a_notebook() -> None:
    text = '```python exec="on" session="s" raises="ValueError"\nint("a")\n```\n'
    assert cells(page(text))[0].metadata.tags == ["raises-exception"]


def test_a_notebook_names_the_packages_only_if_the_settings_name_some() -> None:
    def last_line(**changes: object) -> str:
        provenance = replace(PROVENANCE, sources=(), date="2026-11-25T10:00:00+00:00", **changes)
        return str(cells(Page(text="", blocks=(), runs=[Run(outputs=(), provenance=provenance)]))[-1].source)

    assert last_line(packages=()) == "*Outputs computed on CPU, Python 3.11, on 2026-11-25.*"
    assert "Python 3.11, torch 2.15.0, x 1, on" in last_line(packages=(("torch", "2.15.0"), ("x", "1")))


def test_a_value_from_placeholder_data_says_so() -> None:
    source = Source("CIFAR-10", "placeholder", "drawings")
    made = page("It is {x}.\n\n```python exec='on' source='above'\nx = 42\n```\n")
    runs = [replace(made.runs[0], provenance=replace(PROVENANCE, sources=(source,)))]
    assert cells(replace(made, runs=runs))[0].source == "It is 42 (placeholder data)."


def test_an_export_lies_where_its_page_does() -> None:
    assert str(export_path(page(), "ipynb", "docs")) == "page.ipynb"
    deep = page()
    places = [replace(block.place, path="docs/a/b.md") for block in deep.blocks]
    blocks = [replace(block, place=place) for block, place in zip(deep.blocks, places, strict=True)]
    assert str(export_path(replace(deep, blocks=blocks), "py", "docs")) == "a/b.py"
    assert str(export_path(deep, "py", "other")) == "page.py"


def test_two_exports_of_the_same_are_the_same() -> None:
    assert notebook(page()) == notebook(page())


def test_a_page_for_a_gpu_asks_for_one() -> None:
    assert nbformat.reads(notebook(page(gpu=True)), 4).metadata.accelerator == "GPU"
    assert "accelerator" not in nbformat.reads(notebook(page()), 4).metadata


def test_exports_contain_the_code_that_ran_hidden_lines_included() -> None:
    text = f"```python exec='on' source='above'\nimport random\nrandom.seed(3)  {HIDE}\nrandom.random()\n```\n"
    code = "import random\nrandom.seed(3)\nrandom.random()"
    assert cells(page(text))[0].source == code
    assert f"# %%\n{code}\n" in script(page(text))


def test_a_block_whose_code_the_page_does_not_show_is_exported_as_well() -> None:
    assert "hidden = 1" in script(page("```python exec='on'\nhidden = 1\n```\n"))


HELPER = {"helper": "def double(x):\n    return 2 * x\n"}


def run_in(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False)


def test_a_notebook_runs_with_the_modules_that_it_brings(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text(notebook(page(modules=HELPER, prelude=f"import os\nprint(os)  {HIDE}\n")))
    done = run_in(tmp_path, "-c", RUN, "a.ipynb")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "42" in done.stdout
    folded = nbformat.read(tmp_path / "a.ipynb", 4).cells[1:3]
    assert [cell.source for cell in folded] == [f"%%writefile helper.py\n{HELPER['helper']}", "import os\nprint(os)"]
    assert all(cell.metadata.jupyter.source_hidden for cell in folded)


@pytest.mark.parametrize("source", [HELPER["helper"], f'''"""A \\n\\\\ of "quotes"."""\n{HELPER["helper"]}# \\""""'''])
def test_a_script_runs_with_the_modules_that_it_brings(tmp_path: Path, source: str) -> None:
    text = script(page(modules={"helper": source}))
    assert "\n# %% [markdown]\n# # A page\n#\n# First, 42." in text
    (tmp_path / "a.py").write_text(text)
    done = run_in(tmp_path, "-W", "error", "a.py")
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
    assert [*tmp_path.iterdir()] == [tmp_path / "a.py"]
    alone = script(page("```python exec='on' source='above'\nprint(1)\n```", modules=HELPER))
    assert "helper" not in alone


def test_the_finder_gives_the_lines_of_the_blocks_of_a_page() -> None:
    made = page()
    assert [b.place.line for b in made.blocks] == [8, 18]
    assert block("x").code == "x"
