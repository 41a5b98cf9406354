"""Directories of configs, and configs composed from them for messages and completion."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType
from hydra.types import RunMode
from omegaconf import DictConfig

PACKAGE = Path(__file__).parent.parent


OF_HYDRA = re.compile(r"[+~]*hydra[./](?!searchpath)")


def _first_of(override: Override) -> str | None:
    """Returns an override of one value: of a sweep, the first; None for an interval, which only some sweepers know."""
    if override.value_type is ValueType.INTERVAL_SWEEP:
        return None
    line = str(override.input_line)
    if not override.is_sweep_override():
        return line
    return f"{line.partition('=')[0]}={next(override.sweep_string_iterator())}"


def conf_directory() -> Path:
    """Returns the directory of the shipped configs: inside the installed package, or beside it in a checkout.

    The path is absolute, so that a ``conf/`` in the working directory never shadows it.
    """
    installed = PACKAGE / "conf"
    return installed if installed.is_dir() else PACKAGE.parent / "conf"


@dataclass(frozen=True)
class ConfigSources:
    """Directories of configs; a file of the user replaces a shipped one of the same name.

    Args:
        shipped: Directory of the configs of this trainer.
        own: Directory of the user's configs (``--config-dir``), or None.
        name: Name of the top config (``--config-name``).
    """

    shipped: Path
    own: Path | None = None
    name: str = "train"

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Returns the composed config.

        Args:
            overrides: Overrides as typed.

        Raises:
            HydraException: The config cannot be composed.
        """
        with self._opened():
            return compose(self.name, overrides=list(overrides))

    def compose_first(self, overrides: Sequence[str]) -> DictConfig:
        """Returns the composed config of the first job of a sweep, with Hydra's own part.

        Args:
            overrides: Overrides as typed; of the values of a sweep, the first is taken.

        Raises:
            HydraException: The config cannot be composed.
        """
        of_hydra = [each for each in overrides if OF_HYDRA.match(each)]
        words = [each for each in overrides if each not in of_hydra]
        with self._opened() as loader:
            first = [_first_of(each) for each in OverridesParser.create(loader).parse_overrides(words)]
        with self._opened():
            own = [each for each in first if each is not None]
            return compose(self.name, overrides=[*of_hydra, *own], return_hydra_config=True)

    def chosen(self, group: str, overrides: Sequence[str]) -> list[str]:
        """Returns the choices of a group, in order.

        Args:
            group: Name of the group.
            overrides: Overrides as typed.

        Raises:
            HydraException: The config cannot be composed.
        """
        with self._opened() as loader:
            defaults = loader.compute_defaults_list(self.name, list(overrides), RunMode.MULTIRUN).defaults
        paths = [each.config_path or "" for each in defaults if each.parent == self.name]
        return [path.removeprefix(f"{group}/") for path in dict.fromkeys(paths) if path.startswith(f"{group}/")]

    def choices(self, group: str) -> list[str]:
        """Returns the names of all files in a group, those of the user included."""
        folders = [self.shipped, *([self.own] if self.own else [])]
        return sorted({path.stem for folder in folders for path in (folder / group).glob("*.yaml")})

    def groups(self) -> list[str]:
        """Returns the names of all groups, those of the user included."""
        folders = [self.shipped, *([self.own] if self.own and self.own.is_dir() else [])]
        return sorted({path.name for folder in folders for path in folder.iterdir() if path.is_dir()})

    @contextmanager
    def _opened(self) -> Iterator[ConfigLoader]:
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(self.shipped.absolute()), version_base="1.3"):
            loader = cast(ConfigLoaderImpl, GlobalHydra.instance().config_loader())
            if self.own is not None:
                path = loader.get_search_path()
                path.prepend("user", f"file://{self.own.absolute()}", SearchPathQuery(provider="main"))
                loader.repository.initialize_sources(path)
            yield loader
