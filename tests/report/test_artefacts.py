"""Files of a run, compared with what vouches for them."""

from __future__ import annotations

import pytest

from trainer.checkpoints.stored_checkpoint import stored_checkpoints
from trainer.report.artefacts import artefacts_of
from trainer.runs.directory import RunDirectory


def verdicts(run, *, verify: bool = True) -> dict[str, tuple[str, str]]:
    exports = RunDirectory(run).info().exports
    found = artefacts_of(run, stored_checkpoints(run / "checkpoints"), exports, verify=verify)
    return {each.name: (each.verdict, each.check) for each in found}


@pytest.mark.parametrize("verify", [False, True])
def test_all_of_a_run_is_good(trained, verify) -> None:
    found = verdicts(trained, verify=verify)
    assert {name for name in found if found[name][0] == "good"} == {
        *(f"checkpoints/model-{i}" for i in (1, 2, 3, 4)),
        "export/frozen/best.pb",
        "export/saved_model/1",
    }
    assert "from checkpoints/model-1" in found["export/frozen/best.pb"][1]


def test_a_flipped_byte_is_seen_where_every_byte_is_read(copy) -> None:
    for name in ("checkpoints/model-2.data-00000-of-00001", "export/frozen/best.pb"):
        content = bytearray((copy / name).read_bytes())
        content[len(content) // 2] ^= 1
        (copy / name).write_bytes(content)
    assert verdicts(copy, verify=False)["checkpoints/model-2"][0] == "good"
    found = verdicts(copy)
    assert found["checkpoints/model-2"][0] == found["export/frozen/best.pb"][0] == "bad"
    assert "another SHA-256 than best.json says" in found["export/frozen/best.pb"][1]


def test_what_is_missing_or_not_vouched_for_is_said(copy) -> None:
    (copy / "export/saved_model/1/saved_model.pb").unlink()
    (copy / "export/frozen/best.json").write_text("{")
    (copy / "checkpoints/model-3.index").unlink()
    (copy / "checkpoints/model-4.json").unlink()
    found = verdicts(copy, verify=False)
    assert found["export/saved_model/1"] == ("bad", "saved_model.pb is not there")
    assert found["export/frozen/best.pb"] == ("unchecked", "no manifest to compare with")
    assert found["checkpoints/model-3"][0] == "bad"
    assert found["checkpoints/model-4"] == ("unchecked", "no commit record to compare with")


def test_names_that_lead_out_of_the_run_are_not_followed(tmp_path) -> None:
    assert artefacts_of(tmp_path, (), ("/etc/passwd", "../x.pb"), verify=True) == ()
    assert artefacts_of(tmp_path, (), ("gone.pb",), verify=True)[0].verdict == "bad"
