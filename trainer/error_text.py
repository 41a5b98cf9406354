"""The cause of an error, taken from the long texts that TensorFlow, Keras and Python wrap around it."""

from __future__ import annotations

import re
from pathlib import Path

MAX_LINES = 6
"""Maximum number of lines of a cause."""

MAX_LINE = 500
"""Maximum number of characters of a line; a tensor in a message may have thousands."""

FRAME = (
    " ",
    "\t",
    "Graph execution error",
    "Detected at node",
    "Node:",
    "Errors may have originated",
    "Hint:",
    "0 successful operations",
    "0 derived errors",
    "Exception encountered when calling",
)
"""Beginnings of the lines of TensorFlow's and Keras's errors that do not tell the cause."""

TRACEBACK = "Traceback (most recent call last):"
END = re.compile(r"^(?:Original stack trace for|Colocation Debug Info|(?:Call a|A)rguments received)", re.MULTILINE)
"""Beginnings of the lines after which an error tells only where its op was made, or with what it was called."""

ORIGINAL = "Original error:"
"""Last words of the sentences that a Saver puts before the cause of an error."""

MARKS = re.compile(r"\{\{(?:function_node|node|colocation_node) (\S+)\}\}")
FUNCTION = re.compile(r"\{\{function_node \S+\}\}\s*")
ROOT_ERROR = re.compile(r"^(?:\d+ root error\(s\) found\.|\(\d+\) [A-Z_ ]+: )", re.MULTILINE)
IN_DATA = re.compile(
    r"Error in user-defined function passed to (\w+?)(?:Dataset)?(?:V\d+)?:\d+ transformation with iterator: \S+: "
)
DEBUG = re.compile(r" This could mean that the variable has been deleted\..*")
ANSI = re.compile(r"\x1b\[[\d;]*m")
FILE = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in')
OURS = re.escape(str(Path(__file__).parent.parent))
LIBRARY = re.compile(
    rf"[/\\](?:site-packages|dist-packages|lib[/\\]python3\.\d+)[/\\]|^<|^{OURS}[/\\](?:trainer|callbacks)[/\\]"
)
OP = re.compile(r"\[\[\{\{node ([^}]+)\}\}\]\]")
NAMELESS_OPS = re.compile(r"(?:^|/)(?:Eager)?PyFunc|IteratorGetNext|^save")
"""Ops that tell nothing of the model: those that call Python, read a data set, or belong to a Saver."""

PLACEMENT = re.compile(
    r"Cannot assign a device for operation (?P<op>\S+?): .*?(?P<device>/(?:job|replica|task|device)[^'\s]*)'.*?"
    r"available devices \[(?P<devices>[^\]]*)\]",
    re.DOTALL,
)
OUT_OF_MEMORY = re.compile(r"OOM when allocating tensor with shape(?P<shape>\[[\d,]*\]) and type (?P<dtype>\w+)")


def cause(text: str) -> str:
    r"""Returns the lines of an error's text that tell its cause.

    Args:
        text: Text of an error of TensorFlow or Keras, often a screen long.

    Example:
        >>> cause("Graph execution error:\n\nNode: 'a/div'\nInteger division by zero\n\t [[{{node a/div}}]]")
        'Integer division by zero (op a/div)'
    """
    found = special_cause(text)
    if found is None:
        found = python_cause(text) if TRACEBACK in text else plain_cause(text)
    return shortened(found)


def special_cause(text: str) -> str | None:
    """Returns the words for an error whose remedy is known: a missing device, a lack of memory; else None."""
    if match := PLACEMENT.search(text):
        devices = ", ".join(each.strip().rpartition("device:")[2] for each in match["devices"].split(","))
        return (
            f"the op {match['op']} is pinned to the device {match['device']}, which there is not here; there are: "
            f"{devices} (session.soft_placement=true runs it on one of them)"
        )
    if match := OUT_OF_MEMORY.search(text):
        op = op_of(text)
        return (
            f"out of memory for a tensor of shape {match['shape']} and type {match['dtype']}"
            f"{f' (op {op})' if op else ''}; set a smaller data.batch_size, or make the model smaller"
        )
    return None


def plain_cause(text: str) -> str:
    """Returns the cause without the frame that tells where the op was made."""
    lines = _telling_lines(END.split(text)[0])
    kept = "\n".join(dict.fromkeys(lines)) or text.strip().partition("\n")[0]
    op = op_of(text)
    return kept if op is None or op in kept else f"{kept} (op {op})"


def python_cause(text: str) -> str:
    """Returns the exception that Python raised inside an op, with the place in the user's code."""
    head, _, rest = text.partition(TRACEBACK)
    place = user_place(END.split(rest)[0])
    return "\n".join(_telling_lines(head)) + (f" ({place})" if place else "")


def user_place(traceback: str) -> str:
    r"""Returns the innermost place of a traceback that is neither a library's nor the trainer's, or "".

    Example:
        >>> user_place('  File "/home/me/data.py", line 7, in rows\n  File "/x/site-packages/np.py", line 1, in f')
        '/home/me/data.py:7'
    """
    places = [match for match in FILE.finditer(traceback) if not LIBRARY.search(match["file"])]
    return f"{places[-1]['file']}:{places[-1]['line']}" if places else ""


def op_of(text: str) -> str | None:
    """Returns the name of the op that failed, or None where it says nothing about the model."""
    names = [name for name in OP.findall(text) if not NAMELESS_OPS.search(name)]
    return names[0] if names else None


def shortened(text: str) -> str:
    """Returns a text in at most ``MAX_LINES`` lines, each with its beginning and its end."""
    lines = text.strip().splitlines()
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], f"... and {len(lines) - MAX_LINES + 1} more lines (-v shows them)"]
    cut = [line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 160]} ... {line[-150:]}" for line in lines]
    return "\n".join(cut)


def _telling_lines(text: str) -> list[str]:
    """Returns the lines that tell the cause, without TensorFlow's marks of nodes and its sentences before a cause."""
    text = ANSI.sub("", text).rpartition(ORIGINAL)[2]
    for pattern, replacement in (
        (FUNCTION, ""),
        (MARKS, r"\1"),
        (ROOT_ERROR, ""),
        (IN_DATA, r"in \1 of the data set: "),
        (DEBUG, ""),
    ):
        text = pattern.sub(replacement, text)
    return [line for line in text.splitlines() if line.strip() and not line.startswith(FRAME)]
