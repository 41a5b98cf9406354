"""Examples in ``.npy`` files that are never loaded whole: the rows of a batch are read where they are needed."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trainer.checks import check_bool, check_int, check_share
from trainer.data.arrays import Array, Arrays
from trainer.data.element_form import ElementForm, named_parts
from trainer.data.files import existing
from trainer.errors import RequestError, describe

npy: Any = np.lib.format
"""Reader of the headers of ``.npy`` files, which has no types."""


class NpyFile:
    """Rows of an array in a ``.npy`` file.

    Args:
        path: Path of the file.

    Raises:
        RequestError: The file cannot be read, or holds what cannot be read row by row.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "x.npy"
        >>> np.save(path, np.arange(6.0).reshape(3, 2))
        >>> NpyFile(str(path)).rows(np.array([2, 0]))
        array([[4., 5.],
               [0., 1.]], dtype=float32)
    """

    def __init__(self, path: str) -> None:
        self.path: Path = existing(path)
        shape, is_fortran, dtype, offset = _header(self.path)
        if not shape or is_fortran or dtype.kind not in "biufc" or not dtype.isnative:
            raise RequestError(
                f"{self.path} holds {dtype} {list(shape)}{' in Fortran order' if is_fortran else ''}, which cannot be "
                "read row by row; it must hold numbers with the examples along the first axis: save "
                "numpy.ascontiguousarray(array), or use data=npz for text",
                argument="data.inputs",
            )
        row = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
        if (size := self.path.stat().st_size) < offset + shape[0] * row:
            raise RequestError(
                f"{self.path} is cut off: {size:,} bytes of {offset + shape[0] * row:,}; write it again",
                argument="data.inputs",
            )
        # A map would be quicker, but the system maps up to 2 MiB around a row, and counts it as memory of the process.
        self._file = self.path.open("rb", buffering=0)
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        self._offset, self._row, self._stored = offset, row, dtype
        self.shape: tuple[int, ...] = shape
        self.dtype: Any = np.dtype(np.float32) if dtype == np.float64 else dtype

    def __len__(self) -> int:
        return self.shape[0]

    def rows(self, indices: Array) -> Array:
        """Returns the rows at the given indices, float64 as float32.

        Raises:
            OSError: The file has become shorter.
        """
        rows: Array = np.empty((len(indices), *self.shape[1:]), self._stored)
        view = rows.reshape(-1).view(np.uint8)
        for start, stop in _runs(indices):
            part: Any = view[start * self._row : stop * self._row]
            with self._lock:
                self._file.seek(self._offset + int(indices[start]) * self._row)
                read = self._file.readinto(part)
            if read != part.nbytes:
                raise OSError(f"{self.path} has become shorter since the start of the run")
        return rows.astype(self.dtype, copy=False)


def _runs(indices: Array) -> list[tuple[int, int]]:
    """Returns start and stop of each run of rows that follow one another in the file.

    Example:
        >>> _runs(np.array([4, 5, 6, 2, 8, 9]))
        [(0, 3), (3, 4), (4, 6)]
    """
    if not len(indices):
        return []
    ends = [*(np.flatnonzero(np.diff(indices) != 1) + 1).tolist(), len(indices)]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _header(path: Path) -> tuple[tuple[int, ...], bool, Any, int]:
    """Returns shape, Fortran order, dtype and the offset of the first row of a ``.npy`` file."""
    try:
        with path.open("rb") as file:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, is_fortran, dtype = read(file)
            return shape, is_fortran and len(shape) > 1, dtype, file.tell()
    except (OSError, ValueError, EOFError) as error:
        raise RequestError(f"{path} is not a readable .npy file: {describe(error)}", argument="data.inputs") from error


class Mapped:
    """Batches of rows read from ``.npy`` files, in an order that is a pure function of the seed and the pass.

    Args:
        inputs: Path of the file of each input by its name in the graph, or one path, of the input ``x``.
        labels: Path of the file of each label by its name in the graph, or one path, of ``y``; None for none.
        batch_size: Number of examples in a batch; an incomplete batch at the end of a pass is dropped.
        shuffle: Whether each pass has a new order; False keeps the order of the files, which a disk reads faster.
        validation: Share of the examples that is never trained on; or, as in ``InMemory``, arrays, a function that
            returns these or a data set, or a mapping of names to such.
        sample_weight: Path of the file of the weights of the examples in the loss, or None.

    Raises:
        RequestError: A file cannot be read, the files differ in their number of examples, or there is no full batch.
    """

    def __init__(
        self,
        inputs: Mapping[str, str] | str,
        labels: Mapping[str, str] | str | None = None,
        batch_size: int = 32,
        shuffle: bool = True,
        validation: float | Arrays | Callable[[], Any] | Mapping[str, Any] = 0.0,
        sample_weight: str | None = None,
    ) -> None:
        self.form: ElementForm
        self.form, named = named_parts(inputs, labels, sample_weight)
        self.inputs = {name: NpyFile(path) for name, path in named["inputs"].items()}
        others = {**named["labels"], **named["sample_weight"]}
        self.labels = {name: NpyFile(path) for name, path in others.items()}
        lengths = {name: len(file) for name, file in self.all.items()}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{name}: {length:,}" for name, length in lengths.items())
            raise RequestError(f"the files differ in their number of examples ({counts})", argument="data.inputs")
        self.batch_size = check_int("batch_size", batch_size, minimum=1)
        self.shuffle = check_bool("shuffle", shuffle)
        self.examples = next(iter(lengths.values()))
        self.train_rows: Array | None = None
        self.validation_rows: Array | None = None
        self.validation: Any = None
        if isinstance(validation, Arrays | Mapping) or callable(validation):
            self.validation = validation
        else:
            self._split(check_share("validation", validation))
        if self.batch_size > self.examples:
            raise RequestError(
                f"batch_size ({self.batch_size:,}) is larger than the data ({self.examples:,} training examples); set "
                f"it to at most {self.examples}",
                argument="batch_size",
            )

    def _split(self, share: float) -> None:
        """Puts a share of the rows aside, drawn as ``InMemory`` draws it."""
        if share == 0:
            return
        count = round(self.examples * share)
        if not 0 < count < self.examples:
            raise RequestError(
                f"validation ({share:g}) of {self.examples:,} examples leaves one part empty; choose another share",
                argument="validation",
            )
        order = np.random.default_rng(0).permutation(self.examples)
        self.train_rows, self.validation_rows = np.sort(order[count:]), np.sort(order[:count])
        self.examples -= count

    @property
    def all(self) -> dict[str, NpyFile]:
        """Files of inputs, labels and sample weights by name in the graph."""
        return {**self.inputs, **self.labels}

    @property
    def steps_per_epoch(self) -> int:
        """Number of full batches in one pass over the training part."""
        return self.examples // self.batch_size

    def train(self, indices: Array) -> list[Array]:
        """Returns training examples by their indices, an array for each file."""
        return self._rows(self.train_rows, indices)

    def held_out(self, indices: Array) -> list[Array]:
        """Returns validation examples by their indices, an array for each file."""
        return self._rows(self.validation_rows, indices)

    def _rows(self, chosen: Array | None, indices: Array) -> list[Array]:
        rows = indices if chosen is None else chosen[indices]
        return [file.rows(rows) for file in self.all.values()]
