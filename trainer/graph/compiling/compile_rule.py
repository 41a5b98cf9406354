"""Rule that decides from the graph alone whether XLA compiles the steps.

A decision by timing would differ from run to run. Compiled and plain steps differ in their last
bits, and the same seed must give the same bits in every run. Use ``measure`` to decide by timing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from trainer.errors import RequestError
from trainer.graph.compiling.checked_functions import NESTING
from trainer.graph.compiling.range_checks import CHECKS

MAX_PARAMETERS = 1_000_000
"""Upper bound for compiling: a larger model spends its time in large products, which XLA does not speed up on a CPU."""

EXPLICIT = frozenset({"xla", "measure"})
"""Settings that compile what XLA can compile with all checks, whether or not it is expected to be faster."""

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
    ResourceApplyGradientDescent ResourceApplyKerasMomentum ResourceApplyMomentum ResourceApplyRMSProp ResourceGather
    Round Rsqrt RsqrtGrad Select SelectV2 Selu SeluGrad Shape ShapeN Sigmoid SigmoidGrad Sign Sin Size Slice Softmax
    SoftmaxCrossEntropyWithLogits Softplus SoftplusGrad Softsign SoftsignGrad
    SparseSoftmaxCrossEntropyWithLogits Split SplitV Sqrt SqrtGrad Square SquaredDifference Squeeze StopGradient
    StridedSlice StridedSliceGrad Sub Sum Tanh TanhGrad Tile Transpose Unpack ZerosLike
    """.split()  # noqa: SIM905 - one name a line would fill two screens
)

# Ops that frame a function; they do not affect the decision.
FRAME_OPS = frozenset({"Placeholder", "_Arg", "_Retval", "PartitionedCall", "StatefulPartitionedCall"})

# Further ops that XLA compiles and whose CPU kernels check nothing that XLA drops: what they require of their
# inputs is a matter of shapes and constants, known to both before the first step. Not among them are ops whose
# output has as many elements as its values say (Where), since XLA compares no shapes after them, and ops that
# find out in the middle of their work that they cannot be computed (MatrixInverse). Optional values are in branches
# with gradients, and only where XLA does not compile them.
OTHER_OPS = frozenset(
    """
    AccumulateNV2 Acos Acosh AdjustContrastv2 AdjustHue AdjustSaturation All Angle Any ApproximateEqual
    ArgMin Asin Asinh Atan Atan2 Atanh AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad BatchMatMul BatchMatMulV3
    BatchToSpace BatchToSpaceND Betainc BiasAddV1 BitwiseAnd BitwiseOr BitwiseXor BroadcastArgs Bucketize
    Cholesky Complex ComplexAbs ConcatOffset Conj ConjugateTranspose ControlTrigger Conv2D
    Conv2DBackpropFilter Conv2DBackpropInput Conv3D Conv3DBackpropFilterV2 Conv3DBackpropInputV2 Cosh Cross
    Cumprod Cumsum CumulativeLogsumexp DataFormatDimMap DataFormatVecPermute DepthToSpace
    DepthwiseConv2dNative DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Diag
    DiagPart Digamma DynamicStitch Einsum EmptyTensorList EnsureShape Erfc Erfinv ExtractImagePatches FFT
    FFT2D FFT3D FakeQuantWithMinMaxArgs FakeQuantWithMinMaxArgsGradient FakeQuantWithMinMaxVars
    FakeQuantWithMinMaxVarsGradient FusedBatchNorm FusedBatchNormGrad FusedBatchNormGradV2
    FusedBatchNormGradV3 FusedBatchNormV2 FusedBatchNormV3 HSVToRGB IFFT IFFT2D IFFT3D IRFFT IRFFT2D IRFFT3D
    Igamma IgammaGradA Igammac Imag InTopK InTopKV2 Inv Invert IsInf IsNan L2Loss LRN LRNGrad LeftShift
    Lgamma LinSpace LowerBound MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2
    MatrixDiagV3 MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MatrixTriangularSolve MaxPool MaxPool3D
    MaxPool3DGrad MaxPool3DGradGrad MaxPoolGrad MaxPoolGradGrad MaxPoolGradGradV2 MaxPoolGradV2 MaxPoolV2
    MirrorPad MirrorPadGrad MulNoNan Multinomial NextAfter OneHot OptionalFromValue OptionalGetValue
    OptionalNone Pad PadV2 ParallelDynamicStitch Polygamma Qr RFFT RFFT2D RFFT3D RGBToHSV RandomShuffle
    RandomStandardNormal RandomUniform Real ResizeBilinear ResizeBilinearGrad ResizeNearestNeighbor
    ResizeNearestNeighborGrad ResourceApplyAdagrad ResourceApplyAdagradDA ResourceApplyAddSign
    ResourceApplyCenteredRMSProp ResourceApplyFtrl ResourceApplyFtrlV2 ResourceApplyPowerSign
    ResourceApplyProximalAdagrad ResourceApplyProximalGradientDescent Reverse ReverseV2 RightShift Rint Roll
    Sinh SpaceToBatch SpaceToBatchND SpaceToDepth StatelessMultinomial StatelessRandomGetAlg
    StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg StatelessRandomNormal
    StatelessRandomNormalV2 StatelessRandomUniform StatelessRandomUniformFullInt
    StatelessRandomUniformFullIntV2 StatelessRandomUniformV2 StatelessTruncatedNormal
    StatelessTruncatedNormalV2 Svd Tan TensorListConcatV2 TensorListElementShape TensorListFromTensor
    TensorListLength TensorListPopBack TensorListPushBack TensorListReserve TensorListStack TruncatedNormal
    Unique UniqueV2 UpperBound VarIsInitializedOp VariableShape Xdivy Xlog1py Xlogy Zeta
    """.split()  # noqa: SIM905 - one name a line would fill five screens
)


@dataclass(frozen=True)
class Mode:
    """Compile mode of the steps.

    Args:
        name: Mode ``xla`` or ``off``, recorded and kept on resume; ``measure`` until it is decided.
        reason: Reason for the mode, for messages to the user.
    """

    name: str
    reason: str


def without_xla(what: str) -> Mode:
    """Returns the mode of a model that XLA would compile without the checks of TensorFlow's kernels, or not at all."""
    return Mode("off", f"XLA cannot compile this model with TensorFlow's checks ({what}); its steps run without XLA")


def choose(
    setting: str,
    op_types: Collection[str],
    parameters: int,
    *,
    in_memory: bool,
    update_types: Collection[str] | None = None,
) -> Mode:
    """Returns the compile mode of the steps.

    Args:
        setting: Setting ``auto``, ``off``, ``xla`` or ``measure``.
        op_types: Types of the ops in all functions of the graph.
        parameters: Number of scalars in the trained variables.
        in_memory: Whether the batches are gathered from memory, which a compiled loop requires.
        update_types: Types of the ops in an update; None for ``op_types``.

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
    if setting in EXPLICIT:
        known = DENSE_OPS | FRAME_OPS | OTHER_OPS | NESTING | CHECKS.keys()
        unknown = sorted(set(op_types if update_types is None else update_types) - known)
        return without_xla(", ".join(unknown[:3])) if unknown else Mode(setting, f"compile={setting!r}")
    others = sorted(set(op_types) - DENSE_OPS - FRAME_OPS)
    if others:
        return Mode("off", f"the model has ops outside small dense nets ({', '.join(others[:3])})")
    if parameters > MAX_PARAMETERS:
        return Mode("off", f"{parameters:,} parameters are more than {MAX_PARAMETERS:,}")
    return Mode("xla", "a small dense net on data in memory")
