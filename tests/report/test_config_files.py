"""Stored configs and what changed between them."""

from __future__ import annotations

from trainer.report.config_files import read_configs, setting_changes


def test_configs_are_in_the_order_of_the_processes_and_damaged_ones_are_shown_as_they_are(tmp_path) -> None:
    for name, text in {
        "config.yaml": "loop: {epochs: 3}\nresume: never\n",
        "config-2.yaml": "loop: {epochs: 4}\nresume: auto\nnew: [a, b]\n",
        "config-10.yaml": "a: [1\n",
        "config-x.yaml": "",
        "other.yaml": "",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "config-11.yaml").mkdir()
    first, second, damaged, folder = read_configs(tmp_path)
    assert [(each.key, each.before, each.after) for each in setting_changes(first, second)] == [
        ("loop.epochs", "3", "4"),
        ("new", None, "[a, b]"),
    ]
    assert (damaged.text, damaged.settings) == ("a: [1\n", {})
    assert folder.text.startswith("cannot be read")
    assert read_configs(tmp_path / "none") == ()


def test_objects_of_python_in_a_config_are_never_made(tmp_path) -> None:
    (tmp_path / "config.yaml").write_text("a: !!python/object/apply:os.abort []\n")
    assert read_configs(tmp_path)[0].settings == {}
