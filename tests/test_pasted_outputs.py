"""A page whose outputs were pasted in by hand: with exec fences instead, its code runs and the real outputs are shown.

The chapter that this site follows is such a page. It is not ours to publish, so this repository has a short page of the
same form. The chapter is tested as well where it is: in `../shared/source`, or in the file that SOURCE_CHAPTER names.
"""

from __future__ import annotations

import html
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from markdown import Markdown
from markdown_exec import formatter, validator

from codeout.markdown.extension import CodeoutExtension
from site_helpers import ROOT

FENCE = '```python exec="on" session="page" source="tabbed-left" tabs="Code|Out"\n{}\n```\n'
PAIR = re.compile(r'=== "Code"\n\n    ```python\n(.*?)\n    ```\n\n=== "Out"\n\n    ```.*?\n    ```\n', re.DOTALL)
PLAIN = re.compile(r"^```python\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
SHORT = """
# A gradient

Take a tensor.

```python
import torch
import matplotlib.pyplot as plt
x = torch.tensor([2., 3.], requires_grad=True)
```

=== "Code"

    ```python
    loss = (x ** 2).sum()
    print(loss)
    ```

=== "Out"

    ```
    tensor(12.9999, grad_fn=<SumBackward0>)
    ```

Its function is an object with an address.

=== "Code"

    ```python
    print(loss.grad_fn)
    loss.backward()
    print(x.grad)
    ```

=== "Out"

    ```
    <SumBackward0 object at 0x7fb7e85ce470>
    tensor([4., 5.])
    ```

=== "Code"

    ```python
    plt.plot(x.detach())
    plt.show()
    ```

=== "Out"

    ```
    a picture
    ```
"""


@dataclass(frozen=True)
class PastedPage:
    """A page with pasted outputs."""

    text: str
    pairs: int
    """Code/Out tabs in it."""
    plain: int
    """Blocks of code without an output."""
    outputs: tuple[str, ...]
    """Text that its code really prints."""
    figures: int


SHORT_PAGE = PastedPage(
    SHORT, 3, 1, ("tensor(13., grad_fn=<SumBackward0>)", "<SumBackward0 object at", "tensor([4., 6.])"), 1
)
CHAPTER_OUTPUTS = (
    "tensor([True, True])\ntensor([True, True])",
    "Does `a` require gradients? : False",
    "(fc3): Linear(in_features=84, out_features=10, bias=True)",
    "torch.Size([6, 1, 5, 5])",
    "grad_fn=<MseLossBackward0>",
    "<AccumulateGrad object at",
    "conv1.bias.grad before backward\nNone",
    "Finished Training",
    "<All keys matched successfully>",
    *(
        f"Accuracy for class: {name}"
        for name in ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    ),
)


def pages() -> dict[str, PastedPage]:
    """Return the pages that are here, by name."""
    named = os.environ.get("SOURCE_CHAPTER")
    paths = [Path(named)] if named else sorted((ROOT.parent / "shared" / "source").glob("000_*.txt"))
    chapters = {path.name: PastedPage(path.read_text(encoding="utf8"), 18, 20, CHAPTER_OUTPUTS, 2) for path in paths}
    return {"short": SHORT_PAGE, **chapters}


def with_exec_fences(page: PastedPage) -> str:
    """Return a page with an exec fence in place of every Code/Out pair and every plain block of code."""
    text, pairs = PAIR.subn(lambda pair: FENCE.format(re.sub(r"(?m)^    ", "", pair[1])), page.text)
    blocks = [block for block in PLAIN.findall(text) if not block.startswith("input ->")]
    assert (pairs, len(blocks)) == (page.pairs, page.plain)
    return PLAIN.sub(lambda plain: FENCE.format(plain[1]) if plain[1] in blocks else plain[0], text)


def converted(text: str, root: Path, cache: Path) -> str:
    """Convert a page to HTML with the extension alone, on placeholder data."""
    prelude = (root / "snippets" / "prelude.py").read_text(encoding="utf8")
    lenient = prelude.replace('simplefilter("error"', 'simplefilter("ignore"')  # the chapter is of its time
    ready = "import data\ndata.ready('cifar10')\ndata.ready('resnet18')\n"
    (root / "lenient_prelude.py").write_text(f"{lenient}\n{ready}")
    folders = {"paths": ["snippets", "snippets/support"], "links": ["data"], "sandbox": True}
    options: dict[str, Any] = {"root": root, "cache": str(cache), "prelude": "lenient_prelude.py", **folders}
    extension = CodeoutExtension(**options)
    fence = {"name": "python", "class": "python", "validator": validator, "format": formatter}
    settings: dict[str, dict[str, Any]] = {
        "pymdownx.superfences": {"custom_fences": [fence]},
        "pymdownx.tabbed": {"alternate_style": True},
    }
    return Markdown(extensions=[*settings, "md_in_html", extension], extension_configs=settings).convert(text)


@pytest.mark.parametrize("name", pages())
def test_pasted_outputs_are_replaced_by_real_ones(placeholders: Path, tmp_path: Path, name: str) -> None:
    page = pages()[name]
    result = converted(with_exec_fences(page), placeholders, tmp_path)
    outs = re.findall(r'<div class="codeout".*?</details></div>', result, re.DOTALL)
    text = "\n".join(html.unescape(re.sub(r"<details.*|<[^>]+>", "", out, flags=re.DOTALL)) for out in outs)
    assert [output for output in page.outputs if output not in text] == []
    assert "0x7fb7e85ce470" not in text, "an address that was pasted in"
    assert sum("<svg" in out for out in outs) == page.figures
