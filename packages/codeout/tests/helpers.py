"""Helpers shared by the tests of the engine: small blocks, runs and recordings."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from codeout import Block, Output, Provenance, Run, RunStore, Source, Stream, Value
from codeout.cache.pictures import PictureFolder
from codeout.model.blocks import Place
from codeout.recordings.accept import inputs_of_sessions
from codeout.recordings.validate import shared_inputs
from codeout.render.html import Renderer
from codeout.render.pictures import Pictures

PACKAGE = Path(__file__).resolve().parent.parent
T4 = "NVIDIA T4"
PROVENANCE = Provenance(
    device="CPU",
    python="3.11",
    packages=(("torch", "2.15.0"),),
    seconds=1.5,
    date="2026-11-23T10:00:00+00:00",
    sources=(Source("D", "mirror", "a copy"),),
)
linux = pytest.mark.skipif(sys.platform != "linux", reason="a process is forked on Linux alone")
posix = pytest.mark.skipif(sys.platform == "win32", reason="forks, signals, pipes, and links that anybody may make")


def renderer(markdown: Callable[[str], str] = str, **options: object) -> Renderer:
    """Return a renderer of runs that are in no cache."""
    pictures = Pictures(PictureFolder(Path("nowhere"), 0))
    return Renderer(markdown=markdown, pictures=pictures, **options)  # type: ignore[arg-type]


def block(code: str, session: str = "s", line: int = 1, **options: object) -> Block:
    """Return a block as a page would have it."""
    place, origin = Place("docs/page.md", line), Place("docs/page.md", line + 1)
    return Block(place=place, session=session, code=code, origin=origin, **options)  # type: ignore[arg-type]


def without_sources(provenance: Provenance, *sources: Source) -> Provenance:
    """Return a provenance with other sources of data, by default none."""
    return replace(provenance, sources=sources)


def printed_text(run: Run) -> str:
    """Return all text that a block printed."""
    return "".join(output.text for output in run.outputs if isinstance(output, Stream))


def kernels(parent: int | None = None) -> list[psutil.Process]:
    """Return the kernels of a process that run blocks, of this one by default; not those of its base."""
    build = parent or os.getpid()
    command = ["-P", "-m", "codeout.observe", str(build)]
    found = [p for p in psutil.process_iter(["cmdline", "ppid"]) if (p.info["cmdline"] or [])[1:5] == command]
    # On Linux, the build's own children are the supervisors.
    return [p for p in found if sys.platform != "linux" or (p.info["ppid"] != build and not _is_base(p))]


def _is_base(process: psutil.Process) -> bool:
    """Return whether a process is only there to be forked, by the name of the folder of its own files."""
    with contextlib.suppress(psutil.Error):
        return any("base-" in Path(file.path).parent.name for file in process.open_files())
    return False


def record(
    project: Path,
    device: str = T4,
    text: Callable[[str], str] = lambda text: text.replace("cpu", "cuda:0"),
    older: Mapping[str, str] | None = None,
    **provenance: object,
) -> list[Path]:
    """Turn a project's cached runs into recordings of another device, and return the recordings' files.

    Args:
        project: the folder of the site.
        device: the name of the other device.
        text: changes the texts of the outputs.
        older: packages that had another version there.
        provenance: further fields of the runs' provenance.
    """
    store, files = RunStore(project / ".codeout"), []
    target = RunStore(project / "recordings")
    entries = list(store.entries())
    read = inputs_of_sessions(entries)
    for entry in entries:
        run = store.get(entry.key)
        assert run is not None
        run = replace(run, inputs=shared_inputs(read[entry.key] or ()))
        packages = {**dict(entry.inputs.environment.packages), **(older or {})}
        named = tuple((name, packages[name]) for name, _ in run.provenance.packages)
        recorded = replace(run.provenance, **{"device": device, "packages": named, **provenance})
        environment = replace(
            entry.inputs.environment, device=device, python=recorded.python, packages=tuple(packages.items())
        )
        inputs = replace(entry.inputs, environment=environment)
        outputs = tuple(change_text(output, text) for output in run.outputs)
        key = replace(inputs.key, trace=entry.key.trace)
        target.put(key, replace(run, outputs=outputs, provenance=recorded), inputs, entry.name)
        files.append(target.path_of(key))
    return files


def change_text(output: Output, text: Callable[[str], str]) -> Output:
    """Return an output whose texts went through `text`."""
    if isinstance(output, Stream):
        return replace(output, text=text(output.text))
    if isinstance(output, Value):
        return replace(output, data={mime: text(part) for mime, part in output.data.items()})
    return output
