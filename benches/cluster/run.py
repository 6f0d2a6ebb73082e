"""Trains in several processes and compares or times what comes out.

usage: python benches/cluster/run.py kills|exchange|efficiency --program PATH [--config FILE] [--set KEY=VALUE ...]

PROGRAM was built with the feature `mpi`. Run it in the project's folder, on an otherwise idle machine. README.md says what each
measurement does.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

MPIRUN = (
    "mpirun --allow-run-as-root --oversubscribe --mca btl self,vader "
    "--mca btl_vader_single_copy_mechanism none"
).split()
TABLE = """
[device]
backend = "flex"
[data]
type = "csv"
path = "datasets/breast-cancer/data.csv"
target = "diagnosis"
split = { train = 0.7, valid = 0.15, test = 0.15, stratify = true }
[model]
type = "mlp"
hidden = HIDDEN
norm = "layer"
dropout = 0.1
[task]
type = "classification"
[optimizer]
type = "OPTIMIZER"
learning_rate = 1e-3
[train]
max_steps = STEPS
batch_size = BATCH
[eval]
every_steps = 100
[checkpoint]
every_steps = 50
keep_last = 2
[cluster]
parts = 4
timeout = 60
"""


def table(folder, hidden, steps, batch, optimizer="adamw"):
    """A config of a network on a small table."""
    text = TABLE.replace("HIDDEN", str(hidden)).replace("STEPS", str(steps))
    text = text.replace("BATCH", str(batch)).replace("OPTIMIZER", optimizer)
    path = pathlib.Path(folder) / "run.toml"
    path.write_text(text)
    return str(path)


def command(args, world, *rest, bind="none"):
    """The command of so many processes; one is started without mpirun."""
    start = [] if world == 1 else [*MPIRUN, "--bind-to", bind, "-n", str(world)]
    sets = [part for key in args.set for part in ("--set", key)]
    return [*start, args.program, *rest, *(sets if rest[0] == "train" else [])]


def train(args, world, config, folder, *more, bind="none"):
    """What `train --json` says of a training."""
    output = f'output_dir="{folder}"'
    line = command(args, world, "train", config, "--json", "--set", output, *more, bind=bind)
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{line}\n{done.stderr}")
    return json.loads(done.stdout)


def hashes(run):
    """What a run ends with."""
    names = ("model.safetensors", "metrics.jsonl", "evaluation.json")
    return [hashlib.sha256((pathlib.Path(run) / name).read_bytes()).hexdigest()[:12] for name in names]


def ranks(mpirun):
    """The processes that mpirun has started."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "status").read_text()
            except OSError:
                continue
            if f"\nPPid:\t{mpirun}\n" in status:
                found.append(int(entry.name))
    return sorted(found)


def kills(args):
    """Kills a random process at a random time, and resumes with a random number of them."""
    choose = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        config = args.config or table(folder, [64, 64], 600, 32)
        whole = train(args, 1, config, f"{folder}/whole", "-q")
        expected, seconds = hashes(whole["run"]), whole["cost"]["seconds"]
        print(f"one process: {seconds:.1f} s, {expected}", flush=True)
        for number in range(args.count):
            runs = f"{folder}/{number}"
            world = choose.choice((2, 4))
            line = command(args, world, "train", config, "-q", "--set", f'output_dir="{runs}"')
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            training = subprocess.Popen(line, **quiet)
            records = lambda: list(pathlib.Path(runs).glob("*/1/metrics.jsonl"))
            while training.poll() is None and not (records() and records()[0].stat().st_size > 0):
                time.sleep(0.02)
            time.sleep(choose.uniform(0, 0.8 * seconds))
            processes = ranks(training.pid)
            victim = choose.randrange(world)
            if training.poll() is None and len(processes) == world:
                os.kill(processes[victim], signal.SIGKILL)
            else:
                victim = None
            code = training.wait()
            run = str(records()[0].parent)
            lines = records()[0].read_text().splitlines()
            again = choose.choice((1, 2, 4))
            resumed = subprocess.run(command(args, again, "resume", run, "-q"), capture_output=True, text=True, check=False)
            same = resumed.returncode == 0 and hashes(run) == expected
            print(
                f"{number + 1}: rank {victim} of {world} killed after {len(lines)} lines (exit {code}), resumed in {again}: "
                f"{'the same bits' if same else 'OTHER: ' + resumed.stderr}",
                flush=True,
            )
            if not same:
                sys.exit(1)


def exchange(args):
    """Times the exchange of gradients of several sizes."""
    print("numbers   world   step ms   exchange ms")
    with tempfile.TemporaryDirectory() as folder:
        for width in (256, 512, 1024, 2048, 4096):
            config = table(folder, [width, width], 20, 4, "sgd")
            for world in (1, 2, 4):
                found = train(args, world, config, f"{folder}/{width}-{world}", "-q")
                cost = found["cost"]
                steps = cost["steps"]
                phases = ("data_seconds", "compute_seconds", "exchange_seconds", "optimizer_seconds")
                step = sum(cost.get(phase, 0.0) for phase in phases) / steps
                waits = cost.get("exchange_seconds", 0.0) / steps
                print(f"{found['parameters']:9} {world:5} {1e3 * step:9.2f} {1e3 * waits:11.2f}", flush=True)


PHASES = ("data", "compute", "exchange", "optimizer")


def efficiency(args):
    """Times the steps of one process of two threads and of two processes of one, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        times = {1: [], 2: []}
        for turn in range(args.count):
            for world in (1, 2):
                # A core for each process, and both for one that is alone.
                os.environ["RAYON_NUM_THREADS"] = str(3 - world)
                threads = ("--set", f"train.cpu_shards={3 - world}")
                runs = f"{folder}/{turn}-{world}"
                found = train(args, world, args.config, runs, "-q", *threads, bind="core")
                cost = found["cost"]
                times[world].append([1e3 * cost.get(f"{phase}_seconds", 0.0) / cost["steps"] for phase in PHASES])
        best = {world: min(found, key=sum) for world, found in times.items()}
        for world, found in times.items():
            phases = ", ".join(f"{phase} {one:.2f}" for phase, one in zip(PHASES, best[world]))
            print(f"{world} processes: {', '.join(f'{sum(one):.2f}' for one in found)} ms a step; the best: {phases}")
        print(f"efficiency of two processes: {sum(best[1]) / sum(best[2]):.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("kills", "exchange", "efficiency"))
    parser.add_argument("--program", required=True)
    parser.add_argument("--config")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[])
    args = parser.parse_args()
    args.program = str(pathlib.Path(args.program).resolve())
    {"kills": kills, "exchange": exchange, "efficiency": efficiency}[args.what](args)


main()
