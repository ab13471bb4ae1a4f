"""What `Tests/Benchmarks/run` is made of."""

import importlib.machinery
import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


class Failure(Exception):
    """Something that is told in one line, and that the rest of the run goes on behind."""


def script(path, name):
    """Loads one of the repository's scripts, so that its classes can be used."""
    loader = importlib.machinery.SourceFileLoader(name, str(ROOT / path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module
