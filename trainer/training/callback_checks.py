"""Checks of the callbacks of a run together: files that two would write, and a best checkpoint that none keeps."""

from __future__ import annotations

from collections.abc import Mapping

from trainer.callback import Callback
from trainer.errors import RequestError


def check_writes(callbacks: Mapping[str, Callback]) -> None:
    """Refuses two callbacks that write the same file.

    Raises:
        RequestError: Two callbacks write the same.
    """
    writers: dict[str, str] = {}
    for name, callback in callbacks.items():
        for each in callback.writes:
            if other := writers.get(each):
                raise RequestError(
                    f"callbacks.{other} and callbacks.{name} both write {each} of the run; leave one of them out, "
                    "or give its files another name where it has an argument for that (name, prefix)",
                    argument=f"callbacks.{name}",
                )
            writers[each] = name


def check_best_is_kept(callbacks: Mapping[str, Callback]) -> None:
    """Refuses a callback that reads the best checkpoint where no saver keeps a whole one by its metric.

    Raises:
        RequestError: No saver has ``keep_best`` of at least 1, or its checkpoints lack variables, or its metric is
            another.
    """
    savers = {name: callback.checkpoint_settings for name, callback in callbacks.items()}
    keeping = {name: each for name, each in savers.items() if each is not None and each.keep_best}
    deciding = next(((name, each) for name, each in keeping.items() if each.all_variables), None)
    for name, callback in callbacks.items():
        if not callback.needs_best_checkpoint:
            continue
        wanting = f"callbacks.{name}: {'which=best' if callback.best_by is None else 'restore_best'} needs"
        if deciding is None:
            saver = next((name for name, each in {**keeping, **savers}.items() if each is not None), "checkpoint")
            needed = "var_list=null (all variables)" if keeping else "keep_best=1 (and its monitor)"
            raise RequestError(f"{wanting} callbacks.{saver}.{needed}")
        saver, settings = deciding
        if callback.best_by not in (None, (settings.monitor, settings.mode)):
            monitor, mode = callback.best_by or ("", "")
            raise RequestError(
                f"{wanting} a saver with the same metric: callbacks.{saver}.monitor={monitor} and mode={mode} "
                f"(they are {settings.monitor} and {settings.mode})",
                argument=f"callbacks.{saver}.monitor",
            )
