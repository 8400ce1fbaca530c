"""All tables of Clamor, one file a subject; importing this package fills `database.base.metadata`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
