"""What holds for every snippet: seed, threads, where weights are kept, how pictures look, and that warnings count.

The engine runs this first in every session; a snippet that runs as a script imports it. It is the first cell of a
page's notebook, too, without the lines that are hidden.
"""

import os
import warnings  # markdown-exec: hide
from pathlib import Path

# Before numpy is imported: its threads would be idle, and a process with threads can't be copied to go on from.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import matplotlib as mpl
import torch

SEED = 0
ROOT = Path(os.environ.get("CODEOUT_ROOT") or Path.cwd())

# One thread: with batches of four the threads would cost more than they bring, and sums keep their order.
torch.set_num_threads(1)
torch.manual_seed(SEED)

# `torch.hub` keeps pretrained weights here, beside the data sets, and not in the home folder.
os.environ["TORCH_HOME"] = str(ROOT / "data" / "torch")

# What is deprecated today fails tomorrow: a page must not teach it.  # markdown-exec: hide
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
