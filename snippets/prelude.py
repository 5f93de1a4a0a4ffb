"""Settings shared by all snippets: seed, threads, the folder for weights, the look of figures, warnings as errors.

The engine runs this file first in every session, and a snippet that runs as a script imports it. It is also the first
cell of each page's notebook.
"""

import importlib  # markdown-exec: hide
import os
import sys  # markdown-exec: hide
import warnings  # markdown-exec: hide
from pathlib import Path

# Set before numpy is imported, which would start threads that have nothing to do here.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import matplotlib as mpl
import torch

SEED = 0
ROOT = Path(os.environ.get("CODEOUT_ROOT") or Path.cwd())
sys.path.append(str(ROOT / "snippets" / "support"))  # for a snippet that runs as a script  # markdown-exec: hide

# The site's own copy of CIFAR-10 will do as well; a download of a page has none.  # markdown-exec: hide
if (ROOT / "snippets" / "support" / "data.py").is_file():  # markdown-exec: hide
    importlib.import_module("data").accept_when_loaded()  # markdown-exec: hide

# One thread: with batches of four, more threads cost more time than they save, and sums keep their order.
torch.set_num_threads(1)
torch.manual_seed(SEED)

# `torch.hub` stores pretrained weights here, next to the data sets, instead of in the home folder.
os.environ["TORCH_HOME"] = str(ROOT / "data" / "torch")

# A page must not teach what is deprecated, because it will stop working.  # markdown-exec: hide
warnings.simplefilter("error", DeprecationWarning)  # markdown-exec: hide
warnings.simplefilter("error", FutureWarning)  # markdown-exec: hide

mpl.rcParams.update(
    {
        "savefig.format": "svg",  # sharp on every screen  # markdown-exec: hide
        "svg.fonttype": "none",  # letters stay letters, in the font of the page  # markdown-exec: hide
        "figure.figsize": (4.8, 3.0),  # inches; narrow enough to be legible on a phone
        "figure.facecolor": "none",  # markdown-exec: hide
        "axes.facecolor": "none",  # markdown-exec: hide
        "savefig.facecolor": "none",  # markdown-exec: hide
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": mpl.cycler(color=["#4a7bd8", "#d9691e", "#2f9e6e", "#b45fc4"]),
        "image.cmap": "Blues",
        "image.interpolation": "none",  # small pictures are shown pixel by pixel
        "font.size": 10.0,
    }
)
