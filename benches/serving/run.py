"""Serves the same weights by fireclay and by its peers in turn, asks all of them by one load generator, and prints a table.

Rows and images: each server is asked from 1 to 32 connections, each of which asks again when it has its answer. What
is compared is requests a second at equal tail latency: the peer's best number of connections says a 99th percentile,
and ours is the best number that keeps to it. Texts: eight clients at once ask a model of GPT-2's smallest size, and the
tokens that all of them get are counted by the second. All servers must give the same answers before they are asked.

Server and load generator share the processors unless --server-cpus and --load-cpus name some for each (as `taskset -c`).

usage: python benches/serving/run.py [--program target/release/fireclay] [--load target/release/examples/load]
           [--python PYTHON] [--only rows|images|texts ...] [--seconds 5] [--rounds 3] [--tokens 64] [--json FILE]
"""

import argparse
import collections
import concurrent.futures
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from servers import HERE, ROOT, ask, export, fireclay, free_port, fresh, grey_png, pinned, prepare, served, tokenizer_of

CONNECTIONS = [1, 2, 4, 8, 16, 32]
TABLE, DIGITS = "breast-cancer", "digits-cnn"
# A row of one request, many rows of one, and a picture: name, run, content type, file.
CASES = {
    "rows": [("a row", TABLE, "application/json", "one.json"), ("64 rows", TABLE, "application/json", "many.json")],
    "images": [("an image", DIGITS, "image/png", "image.png")],
}
WORDS, PROMPT, STREAMS = 50257, 32, 8
# GPT-2's smallest size, with weights as they are drawn: how good its texts are makes no difference to the time.
GPT2 = """
[device]
backend = "flex"
[data]
type = "text"
path = "words.txt"
split = { train = 0.5, valid = 0.5, test = 0.0 }
[tokenizer]
type = "file"
path = "tokenizer.json"
[model]
type = "gpt"
size = "gpt2"
[task]
type = "causal_lm"
[train]
max_steps = 1
batch_size = 1
[eval]
batch_size = 1
keep_predictions = false
"""


# --- rows and images ---


def answers_of(work, options):
    """Trains, exports, and writes the bodies of the requests."""
    prepare(work)
    for config in ["tabular/breast-cancer", "vision/digits-cnn"]:
        fireclay(options.program, work, "train", f"configs/{config}.toml", "-q", "--set", "device.backend=flex")
    for run in [TABLE, DIGITS]:
        export(options.program, work, f"runs/{run}", work / "exports" / run)
    with open(ROOT / "datasets/breast-cancer/data.csv") as file:
        rows = [{name: float(cell) for name, cell in row.items() if name != "diagnosis"} for row in csv.DictReader(file)]
    (work / "one.json").write_text(json.dumps(rows[:1]))
    (work / "many.json").write_text(json.dumps(rows[:64]))
    (work / "image.png").write_bytes(grey_png(8, 0))


def commands(work, options, port):
    """How each server is started for rows and images."""
    peer = [options.python, str(HERE / "peers.py")]
    more = [str(work / "exports"), str(port), "--workers", str(options.workers)]
    return {
        "fireclay": [options.program, "serve", *(str(work / "runs" / run) for run in [TABLE, DIGITS]), "--port", str(port), "--no-log"],
        "torch": [*peer, "torch", *more],
        "onnxruntime": [*peer, "onnx", *more],
    }


def measure(work, options):
    """The samples of (case, server, connections): (requests a second, 99th percentile in ms)."""
    found, said = collections.defaultdict(list), {}
    cases = [case for kind in options.only for case in CASES.get(kind, [])]
    for round in range(options.rounds):
        for server in commands(work, options, 0):
            port = free_port()
            with served(commands(work, options, port)[server], port, options.server_cpus, options.workers, work / f"{server}.log"):
                for name, run, kind, file in cases:
                    check(said, name, server, ask(port, f"/predict/{run}", kind, (work / file).read_bytes()))
                    for connections in CONNECTIONS:
                        asked = load(options, port, f"/predict/{run}", kind, work / file, connections)
                        found[name, server, connections].append((asked["per_second"], asked["ms_p99"]))
                        print(f"round {round + 1}, {name}, {server}: {json.dumps(asked)}", file=sys.stderr)
    return {key: tuple(map(statistics.median, zip(*samples))) for key, samples in found.items()}


def load(options, port, path, kind, file, connections):
    command = [options.load, f"127.0.0.1:{port}", path, kind, str(file), str(connections), str(options.seconds)]
    return json.loads(subprocess.run(pinned(command, options.load_cpus), check=True, stdout=subprocess.PIPE, text=True).stdout)


def check(said, name, server, answer):
    """Ends everything if two servers answer otherwise."""
    status, body = answer
    if status != 200:
        sys.exit(f"{server} answers {name} with {status}: {body}")
    expected = said.setdefault(name, body["predictions"])
    for one, other in zip(expected, body["predictions"], strict=True):
        for key, value in one.items():
            alike = abs(other[key] - value) < 1e-5 if isinstance(value, float) else str(other[key]) == str(value)
            if not alike:
                sys.exit(f"{server} answers {name} with {key} = {other[key]}, fireclay with {value}")


def compare(found):
    """The lines of the table: each case against each peer."""
    lines = ["| request | against | requests a second | 99th percentile, ms | ratio |", "|---|---|---|---|---|"]
    for name, peer in dict.fromkeys((name, server) for name, server, _ in found if server != "fireclay"):
        best = max((found[name, peer, n] for n in CONNECTIONS), key=lambda sample: sample[0])
        ours = [found[name, "fireclay", n] for n in CONNECTIONS]
        kept = [sample for sample in ours if sample[1] <= best[1]]
        # Where even one connection waits longer than the peer's, that is said by its own number.
        mine = max(kept, key=lambda sample: sample[0]) if kept else min(ours, key=lambda sample: sample[1])
        ratio = f"{mine[0] / best[0]:.2f}" + ("" if kept else " at a longer tail")
        lines.append(f"| {name} | {peer} | {mine[0]:.0f} / {best[0]:.0f} | {mine[1]:.2f} / {best[1]:.2f} | {ratio} |")
    return lines


# --- texts ---


def texts_of(work, options):
    folder = fresh(work / "language")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_of(WORDS)))
    words = [f"w{n * 7919 % WORDS}" for n in range(5000)]
    (folder / "words.txt").write_text("\n".join(" ".join(words[at : at + 50]) for at in range(0, len(words), 50)))
    (folder / "gpt2.toml").write_text(GPT2)
    fireclay(options.program, folder, "train", "gpt2.toml", "-q", "--force")
    fireclay(options.program, folder, "export", "runs/gpt2", "--output", folder / "export")
    return folder


def prompts():
    return [" ".join(f"w{(stream * 997 + n * 31) % WORDS}" for n in range(PROMPT)) for stream in range(STREAMS)]


def write(port, streams, tokens):
    """Seconds until so many clients at once have their texts, their tokens, and the texts."""
    def one(prompt):
        body = json.dumps({"model": "gpt2", "prompt": prompt, "max_tokens": tokens, "temperature": 0})
        status, answer = ask(port, "/v1/completions", "application/json", body, 1800)
        if status != 200:
            sys.exit(f"a text is answered with {status}: {answer}")
        return answer["choices"][0]["text"], answer["usage"]["completion_tokens"]

    with concurrent.futures.ThreadPoolExecutor(streams) as pool:
        began = time.perf_counter()
        done = list(pool.map(one, prompts()[:streams]))
    seconds = time.perf_counter() - began
    return seconds, sum(tokens for _, tokens in done), [text for text, _ in done]


def measure_texts(work, options):
    folder = texts_of(work, options)
    threads = options.workers
    servers = {
        "fireclay": lambda port: [options.program, "serve", str(folder / "runs/gpt2"), "--port", str(port), "--no-log", "--deadline", "1800"],
        "transformers": lambda port: [
            options.python, str(HERE / "peers.py"), "generate", str(folder / "export"), str(port), "--threads", str(threads)
        ],
    }
    rates, said = collections.defaultdict(list), {}
    for round in range(options.rounds):
        for server, command in servers.items():
            port = free_port()
            with served(command(port), port, options.server_cpus, threads, folder / f"{server}.log"):
                write(port, 1, 8)
                for streams in [1, STREAMS]:
                    seconds, tokens, texts = write(port, streams, options.tokens)
                    rates[server, streams].append(tokens / seconds)
                    print(f"round {round + 1}, {streams} texts, {server}: {tokens} tokens in {seconds:.2f} s", file=sys.stderr)
                said[server] = texts
    return {key: statistics.median(samples) for key, samples in rates.items()}, alike(said)


def alike(said):
    """The share of words that both wrote. Logits that differ in the seventh digit may choose another word, and all after it."""
    pairs = list(zip(*(" ".join(texts).split() for texts in said.values())))
    share = sum(mine == other for mine, other in pairs) / len(pairs)
    if share < 0.5:
        sys.exit(f"only {share:.0%} of the words are those of the other: {json.dumps(said)[:500]}")
    return share


def compare_texts(rates, share):
    lines = ["| texts at once | tokens a second: fireclay / transformers | ratio |", "|---|---|---|"]
    for streams in [1, STREAMS]:
        mine, other = rates["fireclay", streams], rates["transformers", streams]
        lines.append(f"| {streams} | {mine:.1f} / {other:.1f} | {mine / other:.2f} |")
    return [*lines, "", f"{share:.1%} of the words are the same"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "target/release/fireclay"))
    parser.add_argument("--load", default=str(ROOT / "target/release/examples/load"), help="the example `load` of fireclay-serve")
    parser.add_argument("--python", default=sys.executable, help="one with the packages of requirements.txt")
    parser.add_argument("--only", nargs="+", choices=["rows", "images", "texts"], default=["rows", "images", "texts"])
    parser.add_argument("--seconds", type=int, default=5, help="seconds of each number of connections")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64, help="tokens of each text")
    parser.add_argument("--server-cpus", default="")
    parser.add_argument("--load-cpus", default="")
    parser.add_argument("--json", help="a file for all numbers")
    options = parser.parse_args()
    options.program, options.load = (str(pathlib.Path(path).resolve()) for path in [options.program, options.load])
    options.workers = processors(options.server_cpus)
    numbers = {}
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        if set(options.only) & set(CASES):
            answers_of(work, options)
            found = measure(work, options)
            numbers["answers"] = [[*key, *sample] for key, sample in found.items()]
            print("\n".join(compare(found)), end="\n\n")
        if "texts" in options.only:
            rates, share = measure_texts(work, options)
            numbers["texts"] = [[*key, rate] for key, rate in rates.items()]
            print("\n".join(compare_texts(rates, share)))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(numbers, indent=1))


def processors(named):
    """How many a server has."""
    if not named:
        return len(os.sched_getaffinity(0))
    return int(subprocess.run(["taskset", "-c", named, "nproc"], check=True, stdout=subprocess.PIPE, text=True).stdout)


if __name__ == "__main__":
    main()
