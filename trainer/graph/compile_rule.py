"""Rule that decides from the graph alone whether XLA compiles the steps.

A decision by timing would differ from run to run. Compiled and plain steps differ in their last
bits, and the same seed must give the same bits in every run. Use ``measure`` to decide by timing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from trainer.errors import RequestError

MAX_PARAMETERS = 1_000_000
"""Upper bound for compiling: a larger model spends its time in large products, which XLA does not speed up on a CPU."""

# Ops of small dense nets and their optimizers. Convolutions, pooling, random ops, strings, look-ups and
# calls into Python are excluded, because they ran slower compiled or cannot be compiled.
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

# Ops that frame a function; they do not affect the decision.
FRAME_OPS = frozenset({"Placeholder", "_Arg", "_Retval", "PartitionedCall", "StatefulPartitionedCall"})


@dataclass(frozen=True)
class Mode:
    """Compile mode of the steps.

    Args:
        name: Mode ``xla`` or ``off``, recorded and kept on resume; ``measure`` until it is decided.
        reason: Reason for the mode, for messages to the user.
    """

    name: str
    reason: str


def choose(setting: str, op_types: Collection[str], parameters: int, *, in_memory: bool) -> Mode:
    """Returns the compile mode of the steps.

    Args:
        setting: Setting ``auto``, ``off``, ``xla`` or ``measure``.
        op_types: Types of the ops in an update.
        parameters: Number of scalars in the trained variables.
        in_memory: Whether the batches are gathered from memory, which a compiled loop requires.

    Raises:
        RequestError: The setting is ``xla``, but the data is not in memory.
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
