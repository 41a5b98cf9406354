"""What the files of a directory say about its checkpoints, those of TensorFlow before 0.12 included."""

from __future__ import annotations

import pytest
import tensorflow as tf

from tests.checkpoints.references import save_plain
from trainer.checkpoints.catalog import list_checkpoints
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.checkpoints.stored_checkpoint import stored_checkpoints
from trainer.errors import CheckpointError, RequestError

V1 = tf.compat.v1.train.SaverDef.V1


@pytest.mark.parametrize("with_graph", [True, False])
def test_a_checkpoint_of_one_file(with_graph, tmp_path) -> None:
    save_plain(tmp_path / "old", (1, 2, 10), write_meta_graph=None if with_graph else (), write_version=V1)
    (tmp_path / "old/checkpoint").unlink()
    found = list_checkpoints(tmp_path / "old")
    assert [(each.name, each.number, each.one_file) for each in found] == [
        ("model.ckpt-1", 1, True),
        ("model.ckpt-2", 2, True),
        ("model.ckpt-10", 10, True),
    ]
    names = ["model.ckpt-10", "model.ckpt-10.meta"] if with_graph else ["model.ckpt-10"]
    assert [path.name for path in found[-1].files] == names
    assert found[-1].size == sum((tmp_path / "old" / name).stat().st_size for name in names)
    assert found[-1].saved_at == max((tmp_path / "old" / name).stat().st_mtime for name in names)


def test_one_that_lost_its_end_is_damaged_where_a_graph_says_what_it_was(tmp_path) -> None:
    save_plain(tmp_path / "old", write_version=V1)
    file = tmp_path / "old/model.ckpt-2"
    file.write_bytes(file.read_bytes()[:-20])
    assert resolve_checkpoint(tmp_path / "old").name == "model.ckpt-1"
    with pytest.raises(CheckpointError, match=r"model.ckpt-2 does not end like a checkpoint in the one-file format"):
        resolve_checkpoint(file)
    (tmp_path / "old/model.ckpt-2.meta").unlink()
    with pytest.raises(RequestError, match=r"model.ckpt-2 is not a checkpoint"):
        resolve_checkpoint(file)


def test_other_files_are_no_checkpoints(tmp_path) -> None:
    save_plain(tmp_path / "new")
    data = (tmp_path / "new/model.ckpt-2.index").read_bytes()
    for name in ("graph.pb", ".tmp-1-model", "model.ckpt-3.tempstate12", "table.ldb", "model.ckpt-4-00000-of-00002"):
        (tmp_path / "new" / name).write_bytes(data)
    (tmp_path / "new/notes").write_text("a text\n")
    (tmp_path / "new/empty").touch()
    assert [each.name for each in stored_checkpoints(tmp_path / "new")] == ["model.ckpt-1", "model.ckpt-2"]


def test_the_only_shard_of_the_old_format_is_the_checkpoint(tmp_path, tool) -> None:
    save_plain(tmp_path / "old", write_version=V1, sharded=True)
    found = resolve_checkpoint(tmp_path / "old")
    assert (found.name, found.number, found.name_prefix) == ("model.ckpt-2-00000-of-00001", 2, "model.ckpt")
    code, text = tool("freeze", tmp_path / "old", "--outputs", "op", "-o", tmp_path / "m.pb")
    assert code == 0, text


def test_a_missing_data_file_is_seen_at_a_glance(tmp_path) -> None:
    save_plain(tmp_path / "new")
    (tmp_path / "new/model.ckpt-2.data-00000-of-00001").unlink()
    with pytest.raises(CheckpointError, match="0 of its data files are there"):
        resolve_checkpoint(tmp_path / "new/model.ckpt-2")


@pytest.mark.parametrize("suffix", ["index", "data-00000-of-00001", "meta"])
def test_a_link_to_a_place_outside_is_none_of_its_files(tmp_path, suffix) -> None:
    save_plain(tmp_path / "here", (1,))
    file = tmp_path / f"here/model.ckpt-1.{suffix}"
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match=rf"{suffix} is a link to .*elsewhere, outside its directory"):
        resolve_checkpoint(tmp_path / "here/model.ckpt-1")


def test_links_within_a_directory_and_to_a_directory_are_followed(tmp_path) -> None:
    save_plain(tmp_path / "here", (1,))
    file = tmp_path / "here/model.ckpt-1.index"
    (tmp_path / "here/blobs").mkdir()
    file.rename(tmp_path / "here/blobs/1")
    file.symlink_to("blobs/1")
    (tmp_path / "linked").symlink_to(tmp_path / "here")
    for folder in ("here", "linked"):
        assert resolve_checkpoint(tmp_path / folder).name == "model.ckpt-1"


def test_a_state_file_names_nothing_outside_its_directory(tmp_path) -> None:
    save_plain(tmp_path / "there", (7,))
    save_plain(tmp_path / "here", (1,))
    (tmp_path / "here/checkpoint").write_text('model_checkpoint_path: "../there/model.ckpt-7"\n')
    assert resolve_checkpoint(tmp_path / "here").prefix == tmp_path / "here/model.ckpt-1"
