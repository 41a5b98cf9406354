"""Package ``callbacks`` of this trainer beside one of the same name in the working directory."""

from __future__ import annotations

import pytest

MINE = """from trainer.callback import Callback


class Mine(Callback):
    def __init__(self, *, word="mine"):
        print(f"{word} was made")
"""


@pytest.fixture
def package(tmp_path):
    """The user's own package, which Python finds before the shipped one."""
    (tmp_path / "callbacks").mkdir()
    (tmp_path / "callbacks/mine.py").write_text(MINE)
    return tmp_path / "callbacks"


@pytest.mark.parametrize("init", [None, "", "from callbacks.mine import Mine\n"], ids=["none", "empty", "imports"])
def test_both_packages_are_found(trainer, package, init) -> None:
    if init is not None:
        (package / "__init__.py").write_text(init)
    done = trainer("+experiment=linear", "loop.epochs=1", "+callbacks.mine={_target_: callbacks.mine.Mine}")
    assert done.returncode == 0, done.stderr
    assert "mine was made" in done.stdout
    assert "checkpoints/model-1" in done.stdout
    assert done.stderr == ""


def test_a_name_in_the_package_itself_is_found(trainer, package) -> None:
    (package / "__init__.py").write_text("from callbacks.mine import Mine\n")
    done = trainer("+experiment=linear", "loop.epochs=1", "+callbacks.mine={_target_: callbacks.Mine}")
    assert (done.returncode, "mine was made" in done.stdout) == (0, True), done.stderr


def test_a_module_of_a_shipped_name_is_named(trainer, package) -> None:
    (package / "__init__.py").touch()
    (package / "mine.py").rename(package / "checkpoint.py")
    assert trainer("+experiment=linear", "loop.epochs=1").returncode == 0
    done = trainer("+experiment=linear", "+callbacks.mine={_target_: callbacks.checkpoint.Mine}")
    assert done.returncode == 2
    assert f"a module of this trainer hides {package / 'checkpoint.py'}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_plain_module_is_named(trainer, tmp_path) -> None:
    (tmp_path / "callbacks.py").write_text(MINE)
    done = trainer("+experiment=linear")
    assert done.returncode == 2
    assert f"{tmp_path / 'callbacks.py'} hides the package callbacks of this trainer" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_plain_module_does_no_harm_where_no_shipped_callback_is_wanted(trainer, tmp_path) -> None:
    (tmp_path / "callbacks.py").write_text(MINE)
    shipped = ["nan_guard", "evaluate", "metrics", "progress", "checkpoint", "freeze", "saved_model"]
    without = [f"~callbacks.{name}" for name in shipped]
    done = trainer("+experiment=linear", "loop.epochs=1", *without, "+callbacks.mine={_target_: callbacks.Mine}")
    assert (done.returncode, "mine was made" in done.stdout) == (0, True), done.stderr


def test_help_imports_neither(trainer, package, no_tensorflow) -> None:
    (package / "__init__.py").write_text("raise SystemExit(7)\n")
    assert trainer("--help", **no_tensorflow).returncode == 0
