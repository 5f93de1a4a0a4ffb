"""The source chapter itself, as an end-to-end case: its hand-pasted Code/Out tabs, turned into exec fences and run.

The chapter is not ours to publish, so it is no part of this repository: the test reads it from `../shared/source`, or
from the file that SOURCE_CHAPTER names.
"""

from __future__ import annotations

import html
import os
import re
from pathlib import Path

import pytest
from markdown import Markdown
from markdown_exec import formatter, validator

from codeout.markdown.extension import CodeoutExtension
from site_helpers import ROOT

FENCE = '```python exec="on" session="chapter" source="tabbed-left" tabs="Code|Out"\n{}\n```\n'
PAIR = re.compile(r'=== "Code"\n\n    ```python\n(.*?)\n    ```\n\n=== "Out"\n\n    ```.*?\n    ```\n', re.DOTALL)
PLAIN = re.compile(r"^```python\n(.*?)\n```$", re.DOTALL | re.MULTILINE)


def chapter() -> Path | None:
    found = sorted((ROOT.parent / "shared" / "source").glob("000_*.txt"))
    named = os.environ.get("SOURCE_CHAPTER")
    return Path(named) if named else next(iter(found), None)


def converted(text: str) -> str:
    """Return the chapter with every Code/Out pair and every plain block of code as an exec fence."""
    text = PAIR.sub(lambda pair: FENCE.format(re.sub(r"(?m)^    ", "", pair[1])), text)
    return PLAIN.sub(lambda plain: plain[0] if plain[1].startswith("input ->") else FENCE.format(plain[1]), text)


@pytest.mark.skipif(chapter() is None, reason="the source chapter is not here; SOURCE_CHAPTER can name it")
def test_the_source_s_own_page_runs_and_its_pasted_outs_are_replaced(placeholders: Path, tmp_path: Path) -> None:
    path = chapter()
    assert path is not None
    page = converted(path.read_text(encoding="utf8"))
    assert page.count('exec="on"') == 18 + 20, "pairs, and plain blocks"
    prelude = (placeholders / "snippets" / "prelude.py").read_text(encoding="utf8")
    lenient = prelude.replace('simplefilter("error"', 'simplefilter("ignore"')  # the source is of its time
    ready = "import data\ndata.ready('cifar10')\ndata.ready('resnet18')\n"
    (placeholders / "source_prelude.py").write_text(f"{lenient}\n{ready}")
    options = {
        "store": str(tmp_path),
        "prelude": "source_prelude.py",
        "paths": ["snippets", "snippets/support"],
        "links": ["data"],
    }
    fence = {"name": "python", "class": "python", "validator": validator, "format": formatter}
    settings = {"pymdownx.superfences": {"custom_fences": [fence]}, "pymdownx.tabbed": {"alternate_style": True}}
    extension = CodeoutExtension(root=placeholders, **options)
    md = Markdown(extensions=[*settings, "md_in_html", extension], extension_configs=settings)
    outs = re.findall(r'<div class="codeout".*?</details></div>', md.convert(page), re.DOTALL)
    shown = [html.unescape(re.sub(r"<details.*|<[^>]+>", "", out, flags=re.DOTALL)) for out in outs]
    text = "\n".join(shown)
    for said in (
        "tensor([True, True])\ntensor([True, True])",
        "Does `a` require gradients? : False",
        "(fc3): Linear(in_features=84, out_features=10, bias=True)",
        "torch.Size([6, 1, 5, 5])",
        "grad_fn=<MseLossBackward0>",
        "<AccumulateGrad object at",
        "conv1.bias.grad before backward\nNone",
        "Finished Training",
        "<All keys matched successfully>",
    ):
        assert said in text, said
    assert len(re.findall(r"Accuracy for class: ", text)) == 10
    assert text.count("cuda:0") + text.count("cpu") == 1
    assert "0x7fb7e85ce470" not in text, "an address that was pasted in"
    assert sum("<svg" in out for out in outs) == 2, "two pictures, drawn by this run"
