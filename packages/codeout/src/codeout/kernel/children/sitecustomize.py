"""Python runs this in a child process that a block starts: observe what the child reads, as in the kernel."""

import contextlib
import importlib
import os
import sys

_folder = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _folder]
_this_module = sys.modules.pop("sitecustomize")
with contextlib.suppress(ModuleNotFoundError):
    importlib.import_module("sitecustomize")  # the one that Python would have run
sys.modules.setdefault("sitecustomize", _this_module)  # whoever imports this module expects it there
try:
    from codeout.kernel.tracer import FOLDER_VARIABLE, Tracer
except ModuleNotFoundError:  # another Python, which has no codeout
    pass
else:
    if os.environ.get(FOLDER_VARIABLE):
        _tracer = Tracer(os.environ[FOLDER_VARIABLE])
        _tracer.log.become_child()
        _tracer.start()
