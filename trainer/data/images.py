"""Images in a folder for each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainer import data
from trainer.checks import check_int, check_share, suggestion
from trainer.data.arrays import Arrays
from trainer.data.streamed import MakeDataset, Streamed
from trainer.errors import RequestError
from trainer.files import local_path

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
"""Ends of the names of the files that are images."""


class Images(Streamed):
    """Batches of the images in a folder that has a folder for each class; only a few are in memory.

    A batch has the input ``image``, float32 [batch, height, width, channels] from 0 to 1, and the label, int32 [batch],
    the number of the class. The files are listed in a fixed order that mixes the classes.

    Args:
        path: Folder that holds the folders of the classes.
        size: Height and width that the images are resized to.
        channels: Number of channels: 1 for gray, 3 for colours, 4 with transparency.
        classes: Names of the folders in the order of their numbers; None for all, sorted.
        batch_size: Number of images in a batch; an incomplete batch at the end of a pass is dropped.
        shuffle_buffer: Number of images from which the next one is drawn; 0 keeps the order.
        validation: Share of the images that is never trained on; or, as in ``Streamed``, a function that returns a
            data set, such as one of the images in another folder, or a mapping of names to such.
        label: Name of the label in the graph, such as ``digit`` for the shipped models of images.

    Attributes:
        classes: Names of the classes in the order of their numbers.

    Raises:
        RequestError: The folder does not exist, a class has no images, or there is no such size.

    Example:
        >>> import tempfile
        >>> photos = Path(tempfile.mkdtemp())
        >>> for name in ("cats/1.png", "cats/2.png", "dogs/1.png", "dogs/2.png"):
        ...     (photos / name).parent.mkdir(exist_ok=True)
        ...     (photos / name).touch()
        >>> Images(str(photos), batch_size=2).classes
        ['cats', 'dogs']
    """

    def __init__(
        self,
        path: str,
        size: Sequence[int] = (64, 64),
        channels: int = 3,
        classes: Sequence[str] | None = None,
        batch_size: int = 32,
        shuffle_buffer: int = 1000,
        validation: float | Callable[[], Any] | Arrays | Mapping[str, Any] = 0.2,
        label: str = "label",
    ) -> None:
        if len(size) != 2:
            raise RequestError(f"size ({list(size)}) must be height and width, such as [64, 64]", argument="data.size")
        height, width = (check_int("size", each, minimum=1) for each in size)
        if channels not in (1, 3, 4):
            raise RequestError(f"channels ({channels!r}) must be 1, 3 or 4", argument="data.channels")
        self.classes = list(class_names(path) if classes is None else classes)
        files, numbers = image_files(path, self.classes)

        def make(chosen: Sequence[int]) -> MakeDataset:
            names, labels = [files[i] for i in chosen], [numbers[i] for i in chosen]
            return lambda: data.image_dataset(names, labels, (height, width), channels, label)

        order = np.random.default_rng(0).permutation(len(files)).tolist()
        held_out: Any = validation
        if isinstance(validation, int | float):
            count = round(len(files) * check_share("validation", validation, "images"))
            if validation and not 0 < count < len(files):
                raise RequestError(
                    f"validation ({validation:g}) of {len(files):,} images leaves one part empty; choose another share",
                    argument="validation",
                )
            order, held_out = order[count:], make(order[:count]) if count else None
        super().__init__(make(order), batch_size, shuffle_buffer, held_out)


def class_names(path: str) -> list[str]:
    """Returns the names of the folders of a folder, sorted: the classes by number.

    Raises:
        RequestError: The folder does not exist, or has no folders.
    """
    folder = local_path(path, "data.path")
    if not folder.is_dir():
        raise RequestError(f"there is no folder {folder}", argument="data.path")
    names = sorted(each.name for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    if not names:
        raise RequestError(
            f"{folder} has no folders; it must have one for each class, with its images", argument="data.path"
        )
    return names


def image_files(path: str, classes: Sequence[str] | None = None) -> tuple[list[str], list[int]]:
    """Returns the paths of the images of all classes, sorted, and the number of the class of each.

    Args:
        path: Folder that holds the folders of the classes.
        classes: Names of the folders in the order of their numbers; None for all, sorted.

    Raises:
        RequestError: A class has no folder or no images.
    """
    known, folder = class_names(path), local_path(path, "data.path")
    files: list[str] = []
    numbers: list[int] = []
    for number, name in enumerate(known if classes is None else classes):
        if name not in known:
            raise RequestError(f"{folder} has no folder {name!r}; {suggestion(name, known)}", argument="data.classes")
        found = sorted(str(each) for each in Path(folder, name).rglob("*") if each.suffix.lower() in SUFFIXES)
        if not found:
            raise RequestError(
                f"{folder / name} has no images ({', '.join(SUFFIXES)}); leave that folder out of classes",
                argument="data.path",
            )
        files += found
        numbers += [number] * len(found)
    return files, numbers
