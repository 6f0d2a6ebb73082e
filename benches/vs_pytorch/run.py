"""Runs fireclay and PyTorch in turn on the same models, data and cores, and prints the ratios.

Both are judged by one stopwatch from outside: a case is run with few steps and with many, each a process from its start
to the saved weights. The time of a step is the difference over the steps between; end to end is the longer run. What
either program says about its own speed is not asked. Figures are fireclay's over PyTorch's: below 1 fireclay needs less.

usage: python benches/vs_pytorch/run.py [CASE ...] [--rounds 5] [--program target/release/fireclay] [--markdown FILE]
"""

import argparse
import dataclasses
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent


@dataclasses.dataclass
class Case:
    """A config, and how many updates the two runs have."""

    config: str
    few: int
    many: int
    sets: tuple[str, ...] = ()


CASES = {
    "tabular": Case("configs/tabular/breast-cancer.toml", 20, 2000),
    "mlp-784": Case(f"{HERE}/cases/mlp-784.toml", 20, 520),
    "digits-cnn": Case("configs/vision/digits-cnn.toml", 60, 800),
    "resnet18": Case(f"{HERE}/cases/resnet18.toml", 3, 43),
    "vit-tiny": Case(f"{HERE}/cases/vit-tiny.toml", 3, 53),
    "nanogpt": Case("configs/language/shakespeare-char.toml", 101, 501),
    "bert-small": Case(f"{HERE}/cases/bert-small.toml", 3, 43),
}


@dataclasses.dataclass
class Cost:
    """What a process took: seconds of wall time, and its most memory in MiB."""

    seconds: float
    memory: float


def ours(case, steps, options, folder):
    settings = [
        f"train.max_steps={steps}",
        f"eval.every_steps={steps}",
        f"checkpoint.every_steps={steps}",
        "device.backend=flex",
        f"output_dir={folder}",
        *case.sets,
        *options.set,
    ]
    if "shakespeare" in case.config:
        settings.append(f"data.path={options.text}")
    return run([options.program, "train", case.config, *(word for setting in settings for word in ("--set", setting))], options)


def theirs(name, steps, options, folder):
    command = [sys.executable, str(HERE / "twins.py"), name, "--steps", str(steps), "--output", f"{folder}/weights.pt"]
    command += ["--threads", str(options.threads), "--text", options.text, "--tokenizer", f"{folder}/tokenizer.json"]
    return run(command, options)


def run(command, options):
    environment = {**os.environ, "RAYON_NUM_THREADS": str(options.threads), "OMP_NUM_THREADS": str(options.threads)}
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        if os.waitstatus_to_exitcode(status) != 0:
            output.seek(0)
            sys.exit(f"{' '.join(command)}\nfailed:\n{output.read().decode()[-3000:]}")
    return Cost(seconds, usage.ru_maxrss / 1024)


def measure(name, options):
    """The rows of a case, one a round: (ours, theirs) of a step in ms, end to end in s, memory in MiB."""
    case = CASES[name]
    rows = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            costs = []
            for steps in (case.few, case.many):
                mine = ours(case, steps, options, folder)
                keep_tokenizer(folder)
                costs.append((mine, theirs(name, steps, options, folder)))
            rows.append([figures(few, many, case) for few, many in zip(*costs)])
    return rows


def keep_tokenizer(folder):
    """The twin reads texts by the tokenizer that our run has trained."""
    for file in pathlib.Path(folder).glob("*/*/tokenizer.json"):
        pathlib.Path(folder, "tokenizer.json").write_bytes(file.read_bytes())


def figures(few, many, case):
    step = 1000 * (many.seconds - few.seconds) / (case.many - case.few)
    return step, many.seconds, many.memory


def summary(name, rows):
    """One line of the table: medians of both sides, and the median of the ratios with their spread."""
    cells = []
    for index, unit in enumerate(["ms", "s", "MiB"]):
        pairs = [(mine[index], other[index]) for mine, other in rows]
        ratios = sorted(mine / other for mine, other in pairs)
        mine, other = (statistics.median(side) for side in zip(*pairs))
        cells.append(f"{mine:.3g} / {other:.3g} {unit}: **{statistics.median(ratios):.2f}** ({ratios[0]:.2f}–{ratios[-1]:.2f})")
    return f"| {name} | " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; all unless given")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--program", default="target/release/fireclay")
    parser.add_argument("--text", default="data/tinyshakespeare/input.txt", help="Tiny Shakespeare, for nanogpt")
    parser.add_argument("--set", action="append", default=[], help="a setting of our side, as `fireclay train --set`")
    parser.add_argument("--markdown", help="append the table to this file too")
    options = parser.parse_args()
    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}; there are {', '.join(CASES)}")
    lines = ["| case | step | end to end | most memory |", "|---|---|---|---|"]
    print(*lines, sep="\n", flush=True)
    for name in options.cases or CASES:
        lines.append(summary(name, measure(name, options)))
        print(lines[-1], flush=True)
    if options.markdown:
        with open(options.markdown, "a", encoding="utf-8") as file:
            print(*lines, sep="\n", file=file)


if __name__ == "__main__":
    main()
