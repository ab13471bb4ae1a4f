"""What both servers are asked. Every module here has a list `SCENES` of functions that take a recorder and ask as users of their own."""

from importlib import import_module
from pkgutil import iter_modules

SCENES = [scene for name in sorted(module.name for module in iter_modules(__path__)) for scene in import_module(f"{__name__}.{name}").SCENES]
