"""The page of a report: self-contained, escaped, whole whatever the run left, and fit for every window."""

from __future__ import annotations

import io
import json
import re
from datetime import datetime, timezone
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tests.browser import BROWSER, HOW_TO_INSTALL, WIDTHS, sizes_of
from tests.report.runs_on_disk import DAMAGE, damaged_run, write_run
from trainer.report.labelled import Pairing, Tally
from trainer.report.summary_file import store_summary
from trainer.report.write import write_report

NOW = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
HEADINGS = ["Curves", "Where the time went", "Validation part", "History", "Artefacts", "Environment", "Config"]
EVIL = "<script>alert('x')</script>\"&\u202e$\\alpha$_"


class Reader(HTMLParser):
    """Headings, text, tags and addresses of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes) -> None:
        self.tags.add(tag)
        self._open.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href", "action", "data", "srcset")]
        assert not [name for name, _ in attributes if name.startswith("on")]

    def handle_data(self, data) -> None:
        if self._open[-1:] == ["h2"] and data.strip():
            self.headings.append(data)
        self.text += data


def page_of(*runs, target=None):
    target = target or runs[0] / "report.html"
    write_report(list(runs), target, NOW, verify=True)
    return Reader(target.read_text()), target


def check_contained(page: Reader, target) -> None:
    """No script, no frame, and no address outside the page."""
    text = target.read_text()
    assert not page.tags & {"script", "iframe", "object", "embed", "link", "base", "form"}
    assert all(each.startswith(("data:image/png;base64,", "#")) for each in page.addresses)
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", text)
    assert not re.search(r"@import|url\((?!#)", text)


def history(*starts: tuple[str, int]) -> list[dict[str, object]]:
    return [
        {"started": "2026-11-27T10:00:00+00:00", "status": s, "global_step": n, "epoch": n // 10} for s, n in starts
    ]


@pytest.fixture
def whole(tmp_path):
    """Run with everything: resumes, rollbacks, a summary with images."""
    run = write_run(
        tmp_path / "run",
        metrics={"learning_rate": 0.1, "secs_compute": 1.0, "secs_input": 2.0, "val_books_loss": 2.0},
        history=history(("killed", 0), ("finished", 20)),
        rollbacks=[{"step": 15, "rate_factor": 0.5, "to": "model-1", "reason": "loss is nan"}],
        exports=["export/frozen/model.pb"],
        best_checkpoint="checkpoints/model-2",
    )
    (run / "config-2.yaml").write_text("loop: {epochs: 9}\n")
    tally = Tally(Pairing("digit", "logits", "image"))
    rng = np.random.default_rng(0)
    tally.add(np.arange(30) % 3, rng.normal(size=(30, 3)), rng.random((30, 8, 8, 1)))
    store_summary(run, tally.summary(epoch=3))
    return run


def test_everything_of_a_run_is_on_the_page(whole) -> None:
    page, target = page_of(whole)
    assert page.headings == HEADINGS
    check_contained(page, target)
    for text in (
        *("epoch 3 of 3", "best val_loss", "0.5", "killed", "config-2.yaml: 2 settings changed", "loop.epochs"),
        *("loss is nan", "checkpoint", "rollback", "resume", "2 processes", "compute: 6.0 s, 75%", "input: 6.0 s, 67%"),
        *("training", "validation", "books", "learning rate", "Confusion matrix", "Worst examples", "it is not there"),
    ):
        assert text in page.text, text
    assert "checkpoint that is there" not in page.text
    assert len([each for each in page.addresses if each.startswith("data:")]) == 24
    with Image.open(target.with_suffix(".png")) as picture:
        assert picture.size[0] > 1000


def test_texts_of_a_run_are_escaped(tmp_path) -> None:
    run = write_run(tmp_path / "run", metrics={EVIL: 1.0}, name=EVIL, stop_reason=EVIL, versions={EVIL: EVIL})
    (run / "config.yaml").write_text(f"{json.dumps(EVIL)}: {json.dumps(EVIL)}\n")
    (run / "config-2.yaml").write_text("a: 1\n")
    other = write_run(tmp_path / "other", metrics={EVIL: 1.0}, name=f"{EVIL}2")
    for runs in ((run,), (run, other)):
        page, target = page_of(*runs, target=tmp_path / "report.html")
        check_contained(page, target)
        assert EVIL in page.text


@pytest.mark.parametrize(("name", "content"), DAMAGE)
def test_nothing_that_a_run_left_is_an_error(tmp_path, name, content) -> None:
    run = damaged_run(tmp_path / "run", name, content)
    page, target = page_of(run)
    assert page.headings == HEADINGS
    page, _ = page_of(run, write_run(tmp_path / "other"), target=target)
    assert page.headings == ["Runs, the best first", "Curves"]


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_run_without_or_with_one_epoch(tmp_path, epochs) -> None:
    page, target = page_of(write_run(tmp_path / "run", epochs, status="running", ended=None, epoch=None, secs=None))
    assert ("No epoch with numbers is complete yet." in page.text) == (epochs == 0)
    assert "killed" in page.text
    Image.open(io.BytesIO(target.with_suffix(".png").read_bytes())).verify()


def test_thousands_of_epochs_stay_small(tmp_path) -> None:
    noise = np.random.default_rng(0).random(30_000).tolist()
    run = write_run(tmp_path / "run", 1, history=history(*[("killed", 10 * i) for i in range(100)]))
    rows = [
        {"epoch": i + 1, "global_step": 10 * i + 10, "loss": each, "val_loss": each} for i, each in enumerate(noise)
    ]
    (run / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    _, target = page_of(run)
    assert target.stat().st_size < 200_000


@pytest.mark.parametrize("classes", [2, 30, 300])
def test_matrices_of_any_size_are_drawn(tmp_path, classes) -> None:
    run = write_run(tmp_path / "run")
    tally = Tally(Pairing("y", "p"))
    tally.add(np.arange(600) % classes, np.random.default_rng(0).normal(size=(600, classes)))
    store_summary(run, tally.summary(epoch=3))
    page, target = page_of(run)
    check_contained(page, target)
    assert "Not shown: no input of the model is an image." in page.text
    assert target.stat().st_size < 300_000


def test_numbers_are_scattered(tmp_path) -> None:
    run = write_run(tmp_path / "run")
    tally = Tally(Pairing("y", "p"))
    tally.add(np.linspace(0, 5, 100), np.linspace(0, 6, 100))
    store_summary(run, tally.summary(epoch=3))
    page, _ = page_of(run)
    assert "mean absolute error 0.5" in page.text


@pytest.mark.skipif(BROWSER is None, reason=HOW_TO_INSTALL)
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_stands_out_of_a_wide_or_narrow_window(whole, tmp_path, dark) -> None:
    info = json.loads((whole / "run.json").read_text())
    long = {"name": "a_very_long_name_" * 12, "error": "x" * 300, "status": "failed", "command": "y" * 400}
    (whole / "run.json").write_text(json.dumps({**info, **long}))
    pages = [
        page_of(whole)[1],
        page_of(whole, write_run(tmp_path / "b" / ("z" * 150)), target=tmp_path / "two.html")[1],
    ]
    grounds = set()
    for page in pages:
        for width in WIDTHS:
            found = sizes_of(page, width, dark=dark)
            assert found["scroll"] <= found["client"] == width
            assert found["wide"] == []
            assert found["images"]
            grounds.add(found["ground"])
    assert grounds == {"rgb(15, 19, 24)" if dark else "rgb(244, 246, 249)"}
