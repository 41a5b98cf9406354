"""Objects that a config may name: parts of configs and modules of one's own, never programs of the machine."""

from __future__ import annotations

import functools
import os
import sys
import textwrap

import pytest

from tests.processes import python
from trainer.config.allowed_targets import Allowed, allowed_by, check_hydra, check_permissions, home_of
from trainer.config.check_arguments import check_arguments
from trainer.config.targets import find_object
from trainer.errors import RequestError

MAY = """
callbacks.checkpoint.Checkpoint
builtins.dict
keras.applications.MobileNetV2
keras.initializers.GlorotUniform
keras.layers.Dense
keras.layers.Lambda
keras.losses.SparseCategoricalCrossentropy
keras.losses.mean_squared_error
keras.metrics.MeanMetricWrapper
keras.models.Sequential
keras.optimizers.Adam
keras.optimizers.schedules.CosineDecay
keras.Sequential
keras.activations.relu
tensorflow.compat.v1.losses.mean_squared_error
tensorflow.compat.v1.glorot_uniform_initializer
tensorflow.compat.v1.train.AdamOptimizer
tensorflow.compat.v1.train.FtrlOptimizer
tensorflow.compat.v1.train.MomentumOptimizer
tensorflow.compat.v1.train.ProximalAdagradOptimizer
tensorflow.compat.v1.train.RMSPropOptimizer
tensorflow.compat.v1.train.exponential_decay
tensorflow.compat.v1.train.piecewise_constant
tensorflow.keras.optimizers.SGD
tensorflow.nn.relu
tests.helpers.Line
trainer.data.arrays.InMemory
trainer.model.FunctionModel
trainer.models.mlp.Mlp
trainer.Optimizers
trainer.trunks.trunk.Trunk
""".split()  # noqa: SIM905 - one name a line is easier to read

MAY_NOT = """
builtins.eval
builtins.exec
builtins.open
builtins.__import__
callbacks.checkpoint.log.info
ctypes.CDLL
functools.partial
hydra.utils.instantiate
importlib.import_module
keras.config.enable_unsafe_deserialization
keras.layers.TFSMLayer
keras.layers.deserialize
keras.losses.get
keras.models.clone_model
keras.models.load_model
keras.models.model_from_json
keras.Model.save
keras.saving.load_model
keras.utils.get_file
numpy.fromfile
numpy.load
numpy.save
omegaconf.OmegaConf.load
os.system
os.remove
pathlib.Path.write_text
pickle.loads
runpy.run_path
shutil.rmtree
socket.create_connection
subprocess.Popen
subprocess.run
sys.exit
tensorflow.io.gfile.rmtree
tensorflow.io.write_file
tensorflow.numpy_function
tensorflow.py_function
tensorflow.compat.v1.train.import_meta_graph
tensorflow.compat.v1.train.Saver
tensorflow.saved_model.load
tensorflow.raw_ops.WriteFile
tqdm.tqdm
trainer.checkpoints.prune
trainer.cli.command.contextlib.ExitStack
trainer.files.os.system
trainer.files.shutil.rmtree
trainer.files.write_atomically
trainer.export.freeze_checkpoint
""".split()  # noqa: SIM905 - one name a line is easier to read


@pytest.mark.parametrize("target", MAY)
def test_parts_of_configs_may_be_named(target) -> None:
    Allowed().check("node", target)
    found = find_object(target)
    assert found is not None
    Allowed().check_object("node", target, found)


@pytest.mark.parametrize("target", MAY_NOT)
def test_everything_else_is_refused_before_it_is_called(target) -> None:
    with pytest.raises(RequestError, match="is not one of the objects that a config may call") as refused:
        check_arguments("callbacks.mine", {"_target_": "builtins.dict", "value": {"_target_": target}})
    assert "callbacks.mine.value._target_" in str(refused.value)
    assert "allow=[" in str(refused.value)


@pytest.mark.parametrize("name", ["system", "also", "bound", "partial"])
def test_the_object_counts_and_not_its_name(tmp_path, monkeypatch, name) -> None:
    (tmp_path / "ownmodule.py").write_text(
        "import functools, os, subprocess\nfrom os import system\nalso = subprocess.run\n"
        "bound = os.environ.setdefault\npartial = functools.partial(system, 'true')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with pytest.raises(RequestError, match="is not one of the objects that a config may call"):
            check_arguments("model", {"_target_": f"ownmodule.{name}"})
    finally:
        del sys.modules["ownmodule"]


def test_a_module_is_not_imported_to_be_refused() -> None:
    sys.modules.pop("antigravity", None)
    with pytest.raises(RequestError, match="antigravity"):
        check_arguments("model", {"_target_": "antigravity.fly"})
    assert "antigravity" not in sys.modules


def test_what_a_person_types_is_allowed() -> None:
    allowed = allowed_by(
        ["data.examples._target_=sklearn.datasets.load_digits", "+callbacks.x={_target_: tqdm.tqdm, a: 1}"]
    )
    for target in ("sklearn.datasets.load_digits", "tqdm.tqdm"):
        allowed.check("data", target)
        allowed.check_object("data", target, find_object(target))
    with pytest.raises(RequestError, match=r"sklearn\.datasets\.load_iris"):
        allowed.check("data", "sklearn.datasets.load_iris")
    for target in ("os.system", "trainer.files.os.system", "builtins.eval"):
        with pytest.raises(RequestError, match="is not one of the objects"):
            check_arguments("model", {"_target_": target}, allowed_by([f"model._target_={target}"]))
    with pytest.raises(RequestError, match="is not one of the objects"):
        check_arguments("a", {"_target_": "keras.models.load_model"}, allowed_by(["b._target_=keras.optimizers.Adam"]))
    assert allowed_by([], ["os"]).modules == {"os"}
    Allowed(frozenset({"os", "posix"})).check("model", "os.system")
    Allowed(frozenset({"os", "posix"})).check_object("model", "os.system", os.system)


TRUNK = {"_target_": "trainer.trunks.trunk.Trunk", "trust": True}
NOTIFY = {"notify": {"_target_": "callbacks.notify.Notify", "command": ["rm", "x"]}}


@pytest.mark.parametrize(
    ("config", "typed", "key"),
    [
        ({"trust": True}, [], "trust"),
        ({"allow": ["os"]}, [], "allow"),
        ({"model": {"trunk": TRUNK}}, [], "model.trunk.trust"),
        ({"model": {"trunk": TRUNK}}, ["model.trunk.path=x"], "model.trunk.trust"),
        ({"callbacks": NOTIFY}, ["+callbacks=notify"], "callbacks.notify.command"),
        ({"callbacks": NOTIFY}, ["callbacks.notify.command=[rm,x]"], ""),
        ({"callbacks": NOTIFY}, ["+callbacks={notify: {_target_: callbacks.notify.Notify, command: [rm, x]}}"], ""),
        ({"callbacks": NOTIFY}, ["trust=true"], ""),
        ({"trust": True}, ["trust=true"], ""),
        ({"allow": ["os"]}, ["+allow=[os]"], ""),
        ({"model": {"trunk": TRUNK}}, ["trust=true"], ""),
        ({"model": {"trunk": TRUNK}}, ["model.trunk.trust=true"], ""),
        ({"model": {"trunk": TRUNK}}, ["model.trunk={_target_: trainer.trunks.trunk.Trunk, trust: true}"], ""),
        ({"trust": False, "data": {"trust": True}}, [], ""),
    ],
)
def test_what_opens_files_of_others_counts_only_as_typed(config, typed, key) -> None:
    if not key:
        check_permissions(config, typed)
        return
    with pytest.raises(RequestError, match=rf"^{key} is set in a file of configs"):
        check_permissions(config, typed)


@pytest.mark.parametrize(
    "node",
    [
        {"callbacks": {"x": {"_target_": "os.system"}}},
        {"launcher": {"_target_": "subprocess.run"}},
        {"job_logging": {"handlers": {"x": {"class": "logging.handlers.SocketHandler"}}}},
        {"job_logging": {"formatters": {"x": {"()": "os.system"}}}},
        {"sweeper": {"more": [{"_target_": "os.system"}]}},
    ],
)
def test_what_hydra_would_call_is_held_against_a_list_too(node) -> None:
    with pytest.raises(RequestError, match="is no part of Hydra"):
        check_hydra(node)


def test_hydras_own_parts_are_no_matter() -> None:
    check_hydra({"launcher": {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}})
    check_hydra({"job_logging": {"handlers": {"x": {"class": "logging.StreamHandler"}}}})


def test_homes() -> None:
    assert home_of(functools.partial(functools.partial(os.system), "x")) == ("posix", "system")
    assert home_of(os.environ) == ("os", "_Environ")
    assert home_of(dict.fromkeys)[0] == "builtins"


CANARY = "{_target_: os.system, command: touch canary}"


@pytest.mark.parametrize(
    "text",
    [
        f"model: {CANARY}",
        f"data: {{_target_: trainer.data.arrays.InMemory, examples: {CANARY}}}",
        f"callbacks: {{mine: {CANARY}}}",
        f"optimizer: {{learning_rate: {CANARY}}}",
        f"hydra: {{callbacks: {{mine: {CANARY}}}}}",
        f"hydra: {{launcher: {CANARY}}}",
        f"allow: [os, posix]\nmodel: {CANARY}",
        'model: {_target_: builtins.eval, _args_: [\'open("canary", "w")\']}',
        "model: {_target_: trainer.files.os.system, command: touch canary}",
    ],
)
def test_a_config_of_somebody_else_calls_nothing(tmp_path, text) -> None:
    folder = tmp_path / "theirs/experiment"
    folder.mkdir(parents=True)
    body = f"# @package _global_\ndefaults:\n  - /model: linear\n  - /data: line\nloop: {{epochs: 1}}\n{text}\n"
    (folder / "theirs.yaml").write_text(body)
    done = python("-m", "trainer", "--config-dir", "theirs", "+experiment=theirs", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "canary").exists()
    assert not (tmp_path / "outputs").exists()


def test_the_config_of_a_run_of_somebody_else_calls_nothing(tmp_path) -> None:
    python("-m", "trainer", "+experiment=linear", "loop.epochs=1", "run.dir=run", cwd=tmp_path)
    config = tmp_path / "run/config.yaml"
    config.write_text(
        config.read_text().replace(
            "_target_: trainer.data.synthetic.line", "_target_: os.system\n    command: touch canary"
        )
    )
    done = python("-m", "trainer", "checkpoints", "freeze", "run", "--from-config", "-o", "x.pb", cwd=tmp_path)
    assert (done.returncode, "os.system" in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "canary").exists()


def test_an_installed_module_is_allowed_on_the_command_line(tmp_path) -> None:
    folder = tmp_path / "mine/data"
    folder.mkdir(parents=True)
    (folder / "theirs.yaml").write_text(
        textwrap.dedent("""\
            _target_: trainer.data.arrays.InMemory
            examples: {_target_: xxhash.xxh64, input: a}
            batch_size: 8
            """)
    )
    words = ("-m", "trainer", "--config-dir", "mine", "+experiment=linear", "data=theirs")
    refused = python(*words, cwd=tmp_path)
    assert (refused.returncode, "allow=[xxhash]" in refused.stderr) == (2, True), refused.stderr
    allowed = python(*words, "allow=[xxhash]", cwd=tmp_path)
    assert "is not one of the objects" not in allowed.stderr
