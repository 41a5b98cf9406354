"""Images in a folder for each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from trainer import data
from trainer.checks import check_choice, check_int, check_share, suggestion
from trainer.errors import RequestError
from trainer.files import local_path

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
"""Ends of the names of the files that are images."""

PARTS = ("all", "train", "validation")


def images(
    path: str,
    size: Sequence[int] = (64, 64),
    channels: int = 3,
    classes: Sequence[str] | None = None,
    part: Literal["all", "train", "validation"] = "all",
    share: float = 0.2,
) -> Any:
    """Returns a ``tf.data.Dataset`` of the images in a folder with a folder for each class.

    The files are in a fixed order that mixes the classes.

    Args:
        path: Folder that holds the folders of the classes.
        size: Height and width that the images are resized to.
        channels: Number of channels: 1 for gray, 3 for colours, 4 with transparency.
        classes: Names of the folders in the order of their numbers; None for all, sorted.
        part: ``all``, or ``train`` or ``validation``, which divide the images by ``share``.
        share: Share of the images that is the validation part, where ``part`` is not ``all``.

    Returns:
        Data set with the input ``image``, float32 [height, width, channels] from 0 to 1, and the label ``label``,
        int32 scalar, the number of the class.

    Raises:
        RequestError: The folder does not exist, or has no images.
    """
    if len(size) != 2:
        raise RequestError(f"size ({list(size)}) must be height and width, such as [64, 64]", argument="size")
    height, width = (check_int("size", each, minimum=1) for each in size)
    if channels not in (1, 3, 4):
        raise RequestError(f"channels ({channels!r}) must be 1, 3 or 4", argument="channels")
    files, numbers = image_files(path, classes)
    chosen = _chosen(len(files), check_choice("part", part, PARTS), check_share("share", share))
    if not len(chosen):
        raise RequestError(f"share ({share:g}) of {len(files):,} images leaves the part {part} empty", argument="share")
    return data.image_dataset([files[i] for i in chosen], [numbers[i] for i in chosen], (height, width), channels)


def class_names(path: str) -> list[str]:
    """Returns the names of the folders of a folder, sorted: the classes by number.

    Raises:
        RequestError: The folder does not exist, or has no folders.
    """
    folder = local_path(path, "path")
    if not folder.is_dir():
        raise RequestError(f"there is no folder {folder}", argument="path")
    names = sorted(each.name for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    if not names:
        raise RequestError(f"{folder} has no folders; it must have one for each class, with its images", argument="path")
    return names


def image_files(path: str, classes: Sequence[str] | None = None) -> tuple[list[str], list[int]]:
    """Returns the paths of the images of all classes, sorted, and the number of the class of each.

    Args:
        path: Folder that holds the folders of the classes.
        classes: Names of the folders in the order of their numbers; None for all, sorted.

    Raises:
        RequestError: A class has no folder or no images.
    """
    known, folder = class_names(path), local_path(path, "path")
    files: list[str] = []
    numbers: list[int] = []
    for number, name in enumerate(known if classes is None else classes):
        if name not in known:
            raise RequestError(f"{folder} has no folder {name!r}; {suggestion(name, known)}", argument="classes")
        found = sorted(str(each) for each in Path(folder, name).rglob("*") if each.suffix.lower() in SUFFIXES)
        if not found:
            raise RequestError(
                f"{folder / name} has no images ({', '.join(SUFFIXES)}); leave that folder out of classes",
                argument="path",
            )
        files += found
        numbers += [number] * len(found)
    return files, numbers


def _chosen(count: int, part: str, share: float) -> Any:
    """Returns the indices of the images of a part, in an order that is the same each time."""
    order = np.random.default_rng(0).permutation(count)
    held_out = round(count * share)
    return {"all": order, "train": order[held_out:], "validation": order[:held_out]}[part]
