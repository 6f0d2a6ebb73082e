"""Runs fireclay along one dimension at a time and prints how step time, start and memory grow.

Each point is a run of the real program in a folder of its own. The time of a step is the median over the later half of
the steps in the run's trace.json; the start is everything from the start of the process to the first step; the end is the
whole run, with its evaluations where something is held out; the most memory is what the system says of the process. The
exponent beside a number is the slope since the row above, both axes logarithmic: 1 is linear, 2 quadratic, 0 constant.

usage: python benches/scaling/run.py [CURVE ...] [--rounds 1] [--program target/release/fireclay] [--markdown FILE]
"""

import argparse
import collections
import dataclasses
import json
import math
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib

HERE = pathlib.Path(__file__).parent
TABLE = f"{HERE}/cases/table.toml"
TOKENS = f"{HERE}/cases/tokens.toml"
GPT = "configs/language/shakespeare-char.toml"
CNN = "configs/vision/digits-cnn.toml"
NOTHING_HELD_OUT = ("data.split.train=1", "data.split.valid=0", "data.split.test=0")
GPT_SETS = (*NOTHING_HELD_OUT, "lr_scheduler.warmup_steps=1")
COLUMNS = 10


@dataclasses.dataclass
class Curve:
    """A config, what is varied in it, and the settings that every point has."""

    config: str
    axis: str
    values: tuple[int, ...]
    steps: int
    vary: collections.abc.Callable[[int], tuple[str, ...]] = lambda value: ()
    sets: tuple[str, ...] = ()
    rows: int = 100_000


CURVES = {
    "batch-mlp": Curve(
        TABLE, "batch size", (32, 128, 512, 2048, 8192), 200, lambda size: (f"train.batch_size={size}",)
    ),
    "batch-gpt": Curve(GPT, "batch size", (4, 8, 16, 32, 64), 16, lambda size: (f"train.batch_size={size}",), GPT_SETS),
    "width": Curve(
        GPT, "width", (64, 128, 256, 512), 16, lambda width: (f"model.width={width}", f"model.heads={width // 32}"), GPT_SETS
    ),
    "depth": Curve(GPT, "layers", (2, 4, 8, 16), 16, lambda layers: (f"model.layers={layers}",), GPT_SETS),
    "context": Curve(
        GPT, "context", (64, 128, 256, 512, 1024), 12, lambda length: (f"model.context_length={length}", "train.batch_size=4"), GPT_SETS
    ),
    "threads": Curve(
        CNN,
        "loader threads",
        (0, 1, 2, 4),
        150,
        lambda threads: (f"train.loader_threads={threads}",),
        ("lr_scheduler.warmup_steps=1", "data.image_size=64", "model.widths=[8]"),
    ),
    "rows": Curve(TABLE, "rows", (1_000, 10_000, 100_000, 1_000_000, 10_000_000), 200),
    "tokens": Curve(TOKENS, "MB of tokens", (10, 100, 1_000, 10_000), 60, sets=NOTHING_HELD_OUT),
}


@dataclasses.dataclass
class Point:
    """Milliseconds of a step, seconds to the first one and to the end, MiB at most."""

    step: float
    start: float
    end: float
    memory: float


def measure(curve, value, options):
    settings = [
        f"train.max_steps={curve.steps}",
        f"eval.every_steps={curve.steps}",
        f"checkpoint.every_steps={curve.steps}",
        "device.backend=flex",
        *curve.sets,
        *curve.vary(value),
        *data(curve, value, options),
        *options.set,
    ]
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        command = [options.program, "train", curve.config, "--quiet", "--profile"]
        for setting in (*settings, f"output_dir={folder}"):
            command += ["--set", setting]
        seconds, memory = run(command, options)
        (lock,) = pathlib.Path(folder).glob("*/*/run.lock")
        cost = tomllib.loads(lock.read_text())["cost"]
        spans = json.loads(lock.with_name("trace.json").read_text())
    spans = [span for span in spans if span["ph"] == "X"]
    start = seconds - cost["seconds"] + spans[0]["ts"] / 1e6
    return Point(step_time(spans, curve.steps), start, seconds, memory)


def step_time(spans, steps):
    totals = collections.Counter()
    for span in spans:
        if span["name"] in ("data", "forward and backward", "optimizer"):
            totals[span["args"]["step"]] += span["dur"] / 1000
    # What is counted as the last step is only the update that ends the one before.
    return statistics.median(totals[step] for step in range(steps // 2, steps))


def run(command, options):
    """Seconds of wall time and the most memory in MiB."""
    environment = {**os.environ, "RAYON_NUM_THREADS": str(options.threads)}
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        if os.waitstatus_to_exitcode(status) != 0:
            output.seek(0)
            sys.exit(f"{' '.join(command)}\nfailed:\n{output.read().decode()[-3000:]}")
    return seconds, usage.ru_maxrss / 1024


def data(curve, value, options):
    """The setting that names the data, which is written where it is not there yet."""
    if curve.config == CNN:
        return ()
    if curve.config == GPT:
        return (f"data.path={options.text}",)
    size = value if curve.axis in ("rows", "MB of tokens") else curve.rows
    name, write = (f"rows-{size}.csv", write_rows) if curve.config == TABLE else (f"tokens-{size}.bin", write_tokens)
    path = pathlib.Path(options.folder, name)
    if not path.exists():
        part = path.with_suffix(".part")
        write(part, size)
        part.rename(path)
    return (f"data.path={path}",)


def write_rows(path, rows):
    """Numbers between 0 and 1, and whether a weighted sum of them, with noise, is above its mean."""
    draw = random.Random(1).random
    weights = [(-1) ** column * (column + 1) / COLUMNS for column in range(COLUMNS)]
    line = ",".join(["%.4f"] * COLUMNS) + ",%s\n"
    with open(path, "w", encoding="ascii") as file:
        file.write(",".join(f"x{column}" for column in range(COLUMNS)) + ",label\n")
        for _ in range(rows):
            cells = [draw() for _ in range(COLUMNS)]
            above = sum(map(float.__mul__, weights, cells)) - sum(weights) / 2 + draw() - 0.5
            file.write(line % (*cells, "yes" if above > 0 else "no"))


def write_tokens(path, megabytes):
    """Random tokens below 256 in two bytes each, as nanoGPT writes them; ten megabytes, over and over."""
    tokens = bytearray(10_000_000)
    tokens[::2] = random.Random(1).randbytes(len(tokens) // 2)
    with open(path, "wb") as file:
        for _ in range(megabytes // 10):
            file.write(tokens)


def lines(curve, points):
    """The rows of the table, from the smallest value to the largest."""
    before = None
    for value, point in points:
        cells = [f"{value:,}"]
        for name, number in dataclasses.asdict(point).items():
            cells.append(f"{number:.3g}" if number < 1000 else f"{number:.0f}")
            cells.append(slope(before, (value, point), name))
        before = value, point
        yield "| " + " | ".join(cells) + " |"


def slope(before, after, name):
    if before is None or before[0] == 0:
        return ""
    growth = getattr(after[1], name) / getattr(before[1], name)
    return f"{math.log(growth) / math.log(after[0] / before[0]):.2f}"


def table(name, options):
    curve = CURVES[name]
    points = []
    for value in curve.values:
        if options.largest is None or value <= options.largest:
            rounds = [measure(curve, value, options) for _ in range(options.rounds)]
            points.append((value, Point(*map(statistics.median, zip(*map(dataclasses.astuple, rounds))))))
            print(name, f"{value:,}", points[-1][1], file=sys.stderr, flush=True)
    head = f"| `{name}`: {curve.axis} | step, ms | | start, s | | end, s | | most memory, MiB | |"
    return [head, "|---" * 9 + "|", *lines(curve, points), ""]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", nargs="*", help=f"of {', '.join(CURVES)}; all unless given")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each point, whose median counts")
    parser.add_argument("--largest", type=int, help="leave out what is larger, such as 1000000 rows")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--program", default="target/release/fireclay")
    parser.add_argument("--text", default="data/tinyshakespeare/input.txt", help="Tiny Shakespeare, for the GPTs")
    parser.add_argument("--folder", help="where to write what is large, and keep it; a temporary folder unless given")
    parser.add_argument("--set", action="append", default=[], help="a setting of every run, as `fireclay train --set`")
    parser.add_argument("--markdown", help="append the tables to this file too")
    options = parser.parse_args()
    unknown = [name for name in options.curves if name not in CURVES]
    if unknown:
        parser.error(f"no such curve: {', '.join(unknown)}; there are {', '.join(CURVES)}")
    with tempfile.TemporaryDirectory() as temporary:
        options.folder = options.folder or temporary
        pathlib.Path(options.folder).mkdir(parents=True, exist_ok=True)
        for name in options.curves or CURVES:
            rows = table(name, options)
            print(*rows, sep="\n", flush=True)
            if options.markdown:
                with open(options.markdown, "a", encoding="utf-8") as file:
                    print(*rows, sep="\n", file=file)


if __name__ == "__main__":
    main()
