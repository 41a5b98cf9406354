"""Whether to compile the steps with XLA: a rule over the graph, never a clock.

A clock would choose differently from run to run, and compiled and plain steps differ in their last
bits; the same seed must give the same bits in every run. Who prefers a clock asks for ``measure``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from trainer.errors import RequestError

MAX_PARAMETERS = 1_000_000
"""Above it a step spends its time inside large products, which XLA does not make faster on a CPU."""

# What small dense nets and their optimizers are made of. Not here, for they ran slower compiled or
# cannot be: convolutions, pooling, random ops, strings, look-ups, whatever calls back into Python.
DENSE_OPS = frozenset(
    """
    Abs Add AddN AddV2 ArgMax AssignAddVariableOp AssignSubVariableOp AssignVariableOp BatchMatMulV2 BiasAdd
    BiasAddGrad BroadcastGradientArgs BroadcastTo Cast Ceil ClipByValue ConcatV2 Const Cos DivNoNan Elu EluGrad
    Equal Erf Exp ExpandDims Expm1 Fill Floor FloorDiv FloorMod GatherV2 Gelu Greater GreaterEqual Identity
    IdentityN InvGrad IsFinite LeakyRelu LeakyReluGrad Less LessEqual Log Log1p LogSoftmax LogicalAnd LogicalNot
    LogicalOr MatMul Max Maximum Mean Min Minimum Mul Neg NoOp NotEqual OnesLike Pack PlaceholderWithDefault Pow
    PreventGradient Prod Range Rank ReadVariableOp RealDiv Reciprocal ReciprocalGrad Relu Relu6 Relu6Grad
    ReluGrad Reshape ResourceApplyAdaMax ResourceApplyAdadelta ResourceApplyAdagradV2 ResourceApplyAdam
    ResourceApplyGradientDescent ResourceApplyKerasMomentum ResourceApplyMomentum ResourceApplyRMSProp Round
    Rsqrt RsqrtGrad Select SelectV2 Selu SeluGrad Shape ShapeN Sigmoid SigmoidGrad Sign Sin Size Slice Softmax
    SoftmaxCrossEntropyWithLogits Softplus SoftplusGrad Softsign SoftsignGrad
    SparseSoftmaxCrossEntropyWithLogits Split SplitV Sqrt SqrtGrad Square SquaredDifference Squeeze StopGradient
    StridedSlice StridedSliceGrad Sub Sum Tanh TanhGrad Tile Transpose Unpack ZerosLike
    """.split()  # noqa: SIM905 - one name a line would fill two screens
)

# Neither of the net nor in the way: the frame of a function.
FRAME_OPS = frozenset({"Placeholder", "_Arg", "_Retval", "PartitionedCall", "StatefulPartitionedCall"})


@dataclass(frozen=True)
class Mode:
    """How the steps run.

    Args:
        name: ``xla`` or ``off``; recorded, and kept on resume. ``measure`` until that is decided.
        reason: why, for people.
    """

    name: str
    reason: str


def choose(setting: str, op_types: Collection[str], parameters: int, *, in_memory: bool) -> Mode:
    """Returns how to run the steps.

    Args:
        setting: ``auto``, ``off``, ``xla`` or ``measure``.
        op_types: of the update.
        parameters: numbers in the trained variables.
        in_memory: whether the batches are gathered from memory; only then can a loop be compiled.

    Raises:
        RequestError: xla is asked for and cannot be.
    """
    if setting == "off":
        return Mode("off", "compile='off'")
    if setting == "xla" and not in_memory:
        raise RequestError(
            "compile='xla' needs data in memory; XLA cannot read from a tf.data pipeline", argument="compile"
        )
    if not in_memory:
        return Mode("off", "the data comes from a tf.data pipeline, which XLA cannot read")
    if setting == "xla":
        return Mode("xla", "compile='xla'")
    if setting == "measure":
        return Mode("measure", "compile='measure'")
    others = sorted(set(op_types) - DENSE_OPS - FRAME_OPS)
    if others:
        return Mode("off", f"the model has ops outside small dense nets ({', '.join(others[:3])})")
    if parameters > MAX_PARAMETERS:
        return Mode("off", f"{parameters:,} parameters are more than {MAX_PARAMETERS:,}")
    return Mode("xla", "a small dense net on data in memory")
