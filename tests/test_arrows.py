"""Imports between rooms, and of TensorFlow: the table in CONTRIBUTING.md is the rule."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT
from trainer.lazy_face import names_in_stub

FILES = sorted([*(ROOT / "trainer").rglob("*.py"), *(ROOT / "callbacks").rglob("*.py")])
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}
STUBS = sorted((ROOT / "trainer").rglob("__init__.pyi"))

ROW = re.compile(
    r"^\| `(?P<rooms>[^|]+)` \|[^|]*\| (?P<lines>[\d,]+) \|(?P<imports>[^|]*)\|(?P<tensorflow>[^|]*)\|$", re.MULTILINE
)
KNOWS_HYDRA = {"cli", "config"}


def table() -> dict[str, tuple[set[str], bool, set[str]]]:
    """Returns the rows of the table by room, from the top: imports, whether TensorFlow, exceptions."""
    rows = {}
    for match in ROW.finditer((ROOT / "CONTRIBUTING.md").read_text()):
        imports = set(re.findall(r"[\w/]+", match["imports"]))
        tensorflow = match["tensorflow"].split()
        exceptions = set(re.findall(r"`(\w+)`", match["tensorflow"]))
        for room in match["rooms"].split("`, `"):
            rows[room] = (imports, tensorflow[0] == "yes", exceptions)
    return rows


TABLE = table()
GROUND = {room for room, (imports, _, _) in TABLE.items() if imports == {"ground"}}


def lines_by_row() -> dict[str, tuple[int, int]]:
    """Returns the lines of each row of the table: those that it says, and those that are there."""
    sizes: dict[str, int] = dict.fromkeys(TABLE, 0)
    for module, path in MODULES.items():
        if (room := room_of(module)) in sizes:
            sizes[room] += len(path.read_text().splitlines())
    rows = ROW.finditer((ROOT / "CONTRIBUTING.md").read_text())
    return {
        row["rooms"]: (int(row["lines"].replace(",", "")), sum(sizes[room] for room in row["rooms"].split("`, `")))
        for row in rows
    }


def room_of(module: str) -> str:
    """Returns the room of a module: a folder, a subfolder with its own row, or a module outside folders."""
    parts = module.split(".")
    if parts[0] == "callbacks" or len(parts) == 1:
        return parts[0]
    sub_room = "/".join(parts[1:3])
    return sub_room if sub_room in TABLE else parts[1]


def imported(path: Path) -> set[str]:
    """Returns the modules of this project that a file imports, except imports for type checkers."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def arrows() -> dict[str, set[str]]:
    """Returns the rooms that each room imports."""
    found: dict[str, set[str]] = {room: set() for room in TABLE}
    for module, path in MODULES.items():
        if (room := room_of(module)) in found:
            names = {name for name in imported(path) if name in MODULES}
            found[room] |= {room_of(name) for name in names if name != "trainer"}
    return {room: targets - {room} for room, targets in found.items()}


def test_the_table_says_about_how_large_a_room_is() -> None:
    wrong = {row: sizes for row, sizes in lines_by_row().items() if abs(sizes[0] - sizes[1]) > 50 + sizes[1] // 5}
    assert wrong == {}


def test_every_room_is_in_the_table() -> None:
    rooms = {room_of(module) for module in MODULES} - {"trainer", "__main__"}
    assert rooms == set(TABLE)
    loose = [path for path in (ROOT / "trainer").glob("*.py") if not path.name.startswith("__")]
    assert len(loose) <= 13


@pytest.mark.parametrize("room", TABLE)
def test_a_room_imports_what_the_table_says_and_nothing_above_it(room) -> None:
    declared = TABLE[room][0] - {"ground"}
    found = arrows()[room] - (GROUND if room not in GROUND else set())
    if room in GROUND:
        assert found <= GROUND
    else:
        assert found == declared
    order = list(TABLE)
    assert all(order.index(target) > order.index(room) for target in declared)


def test_the_ground_floor_has_no_circle() -> None:
    left = {room: arrows()[room] for room in GROUND}
    while leaves := [room for room, targets in left.items() if not targets & set(left)]:
        for room in leaves:
            del left[room]
    assert left == {}


def test_no_module_imports_itself_by_way_of_others() -> None:
    left = {
        name: {each for each in imported(path) if each in MODULES and each not in ("trainer", name)}
        for name, path in MODULES.items()
    }
    while leaves := [name for name, targets in left.items() if not targets & set(left)]:
        for name in leaves:
            del left[name]
    assert left == {}


def test_rooms_without_tensorflow_import_none() -> None:
    names = [
        module
        for module in MODULES
        if not module.endswith("__main__")
        and room_of(module) in TABLE
        and not TABLE[room_of(module)][1]
        and module.split(".")[-1] not in TABLE[room_of(module)][2]
    ]
    code = (
        f"import importlib, sys\n"
        f"for name in {sorted(names)!r}: importlib.import_module(name)\n"
        f"print(sorted({{'tensorflow', 'keras', 'sklearn', 'grandalf'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", MODULES)
def test_imports_stand_at_the_top(module) -> None:
    """Late loading goes through the lazy names of a package, except for the quiet import of TensorFlow."""
    functions = [node for node in ast.walk(ast.parse(MODULES[module].read_text())) if isinstance(node, ast.FunctionDef)]
    inside = [node for each in functions for node in ast.walk(each) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not inside or module == "trainer.tensorflow_import"


@pytest.mark.parametrize("stub", STUBS, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_lazy_names_come_from_the_room_itself_but_for_the_two_public_faces(stub) -> None:
    package = ".".join(stub.parent.relative_to(ROOT).parts)
    own = [module for module, _ in names_in_stub(stub).values() if module.startswith(f"{package}.")]
    others = {module.split(".")[0] for module, _ in names_in_stub(stub).values() if module not in own}
    if package not in ("trainer", "trainer.checkpoints"):
        assert "trainer" not in others
    assert not {name for name in names_in_stub(stub) if (stub.parent / f"{name}.py").exists()}


def test_the_trainer_never_imports_a_callback_and_a_callback_no_other() -> None:
    for module, path in MODULES.items():
        assert not [each for each in imported(path) if each.split(".")[0] == "callbacks"], module


def test_only_the_way_in_knows_the_config() -> None:
    knowing = {
        module for module, path in MODULES.items() if {"hydra", "omegaconf"} & {e.split(".")[0] for e in imported(path)}
    }
    assert {module for module in knowing if room_of(module) not in KNOWS_HYDRA} == {"trainer.runs.stored_config"}


def makes_a_default_graph(path: Path) -> bool:
    """Returns whether the code of a file makes a default graph, outside its examples."""
    return any(
        isinstance(node, ast.Attribute) and node.attr == "as_default" for node in ast.walk(ast.parse(path.read_text()))
    )


def test_only_one_place_makes_a_graph_the_default_of_a_run() -> None:
    makers = {name for name, path in MODULES.items() if makes_a_default_graph(path)}
    allowed = {"trainer.graph.ops.devices", "trainer.training.session"}
    # Devices are opened in a separate graph; each thread has its own default graph, and saves run in another thread.
    allowed |= {"trainer.tensorflow_import", "trainer.checkpoints.writing.writer"}
    # A failed step is looked into in separate graphs; checks are added to the bodies of functions.
    allowed |= {"trainer.training.inquiry", "trainer.training.nan_origin", "trainer.graph.compiling.checked_functions"}
    # A call of a function of graph mode is made in a graph of its own, of which an update takes what it needs.
    calls = ("forward.function_calls", "forward.isolated_graph", "ops.known_values", "forward.program_calls")
    allowed |= {f"trainer.graph.{name}" for name in calls}
    # These make separate graphs that no run uses.
    apart = ("export", "convert", "inspection", "models", "predict", "trunks", "checkpoints.analysis")
    assert makers <= allowed | {name for name in makers if name.removeprefix("trainer.").startswith(apart)}
