"""The settings of TensorFlow's sessions: placement, memory, threads, devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.checks import check_bool, check_int, check_optional_int


@dataclass(frozen=True)
class SessionSettings:
    """Settings of all sessions of a process; TensorFlow has its threads and devices once.

    Args:
        soft_placement: Whether an op that is pinned to a device which this machine lacks runs on another one.
        memory_growth: Whether GPU memory is taken as it is needed, instead of all of it at the start.
        intra_op_threads: Threads that one op may use, or None for one a core. Other counts may add in another
            order, and so change the last bits of a result.
        inter_op_threads: Number of ops that may run at the same time, or None for one a core.
        visible_devices: Indices of the GPUs to use, or None for all; () for none.

    Raises:
        TypeError, ValueError: A value is of the wrong kind, or out of range.

    Example:
        >>> SessionSettings(visible_devices=[0]).visible_devices
        (0,)
    """

    soft_placement: bool = True
    memory_growth: bool = False
    intra_op_threads: int | None = None
    inter_op_threads: int | None = None
    visible_devices: Sequence[int] | None = None

    def __post_init__(self) -> None:
        check_bool("session.soft_placement", self.soft_placement)
        check_bool("session.memory_growth", self.memory_growth)
        check_optional_int("session.intra_op_threads", self.intra_op_threads, minimum=1)
        check_optional_int("session.inter_op_threads", self.inter_op_threads, minimum=1)
        if self.visible_devices is not None:
            if isinstance(self.visible_devices, str | int):
                raise TypeError(
                    f"session.visible_devices ({self.visible_devices!r}) must be a list of GPU numbers, such as [0]"
                )
            for index in self.visible_devices:
                check_int("session.visible_devices", index, minimum=0)
            object.__setattr__(self, "visible_devices", tuple(self.visible_devices))
