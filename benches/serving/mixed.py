"""An hour of clients of all kinds, and whether the server is as it was before.

One process serves a table, images and a small language model. Good clients ask for rows, images and texts, and compare
every answer with what `predict` and `generate` have written to a file before: the classes and texts exactly, the numbers to
1e-6. Bad clients leave before their answer or in the middle of a text, send garbage, stall in a head or in a body, and say
that more will come than does. The memory of the server is sampled meanwhile. At the end: what was asked, what became of it,
and how the memory of the last quarter is to that of the second. An answer that is lost, late, wrong or somebody else's is
an error, and so is growth.

usage: python benches/serving/mixed.py [--minutes 60] [--program target/release/fireclay] [--server-cpus 0] [--memory FILE.csv]
"""

import argparse
import collections
import contextlib
import csv
import http.client
import json
import pathlib
import random
import socket
import statistics
import sys
import tempfile
import threading
import time

from servers import ROOT, fireclay, free_port, grey_png, prepare, served

PICTURES, PROMPTS, WRITTEN = 60, 24, 40
CLOSE = 1e-6
# How often each kind of client is there, and how many of them at once.
GOOD = {"rows": 6, "csv": 2, "images": 4, "texts": 1, "streams": 1}
BAD = {"leaves": 3, "leaves in a text": 1, "half a body": 2, "garbage": 3, "stalls": 1, "wrong": 3, "huge": 1}
CLIENTS = {"good": 8, "bad": 8}
PATIENCE = 120  # seconds in which an answer has to be there
SAMPLE = 5  # seconds between two looks at the memory
# More in the last quarter of the time than in the second is a leak, if it is both.
GROWTH, LEAST = 0.05, 16 * 2**20


class Wrong(Exception):
    """An answer that is not what it has to be."""


class Expected:
    """What is asked, and what the verbs of the command line answer."""

    def __init__(self, program, work):
        prepare(work)
        train = lambda config, *more: fireclay(program, work, "train", f"configs/{config}.toml", "-q", "--set", "device.backend=flex", *more)
        train("tabular/breast-cancer")
        train("vision/digits-cnn", "--set", "train.epochs=5")
        train("language/own-source", "--set", "train.max_steps=60", "--set", "lr_scheduler.warmup_steps=0")
        with open(ROOT / "datasets/breast-cancer/data.csv") as file:
            rows = [{name: float(cell) for name, cell in row.items() if name != "diagnosis"} for row in csv.DictReader(file)]
        written = lambda *words: [json.loads(line) for line in fireclay(program, work, *words).splitlines()]
        table = written("predict", "runs/breast-cancer", "datasets/breast-cancer/data.csv", "-o", "-", "--format", "jsonl")
        self.rows = list(zip(rows, table, strict=True))
        (work / "pictures").mkdir()
        for number in range(PICTURES):
            (work / f"pictures/{number}.png").write_bytes(grey_png(8, number))
        classes = written("predict", "runs/digits-cnn", "pictures", "-o", "-", "--format", "jsonl")
        self.pictures = [((work / answer["image"]).read_bytes(), answer) for answer in classes]
        prompts = [f"fn step_{number}(" for number in range(PROMPTS)]
        (work / "prompts.txt").write_text("\n".join(prompts))
        texts = written("generate", "runs/own-source", "--prompts", "prompts.txt", "-t", "0", "-n", WRITTEN)
        self.texts = list(zip(prompts, (answer["text"] for answer in texts), strict=True))


def same(answer, expected, *without):
    """Whether an answer is what was written to a file."""
    for key, value in expected.items():
        if key in without:
            continue
        if isinstance(value, float):
            alike = isinstance(answer.get(key), (int, float)) and abs(answer[key] - value) < CLOSE
        else:
            alike = answer.get(key) == value
        if not alike:
            raise Wrong(f"{key} is {answer.get(key)!r} and not {value!r}")


class Clients:
    def __init__(self, port, expected):
        self.port, self.expected = port, expected
        self.counts, self.slowest, self.mistakes = collections.Counter(), collections.Counter(), []
        self.lock, self.over = threading.Lock(), threading.Event()

    def count(self, kind, took=0.0, mistake=None):
        with self.lock:
            self.counts[kind] += 1
            self.slowest[kind] = max(self.slowest[kind], took)
            if mistake:
                self.mistakes.append(f"{kind}: {mistake}")

    def work(self, kinds, seed):
        """One client after the other, until the time is over."""
        draw = random.Random(seed)
        names, weights = zip(*kinds.items())
        while not self.over.is_set():
            kind = draw.choices(names, weights)[0]
            began = time.monotonic()
            try:
                outcome = getattr(self, kind.replace(" ", "_"))(draw)
                self.count(f"{kind}: {outcome}" if outcome else kind, time.monotonic() - began)
            except Wrong as wrong:
                self.count(kind, mistake=str(wrong))
            except (OSError, http.client.HTTPException) as lost:
                # Who behaves badly may be hung up on.
                self.count(kind, mistake=None if kinds is BAD else f"lost: {lost!r}")

    # --- good clients: what came of it, or Wrong ---

    def ask(self, path, kind, body, headers={}):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("POST", path, body, {"Content-Type": kind, **headers})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status in (429, 503) and answer.headers["Retry-After"]:
                time.sleep(min(5, float(answer.headers["Retry-After"])))
                return None
            if answer.status != 200:
                raise Wrong(f"{answer.status}: {text[:300]!r}")
            return text

    def answered(self, text, expected, *without):
        if text is None:
            return "told to come again"
        answers = json.loads(text)["predictions"]
        if len(answers) != len(expected):
            raise Wrong(f"{len(answers)} answers for {len(expected)}")
        for answer, wanted in zip(answers, expected):
            same(answer, wanted, *without)
        return "answered"

    def rows(self, draw):
        chosen = draw.choices(self.expected.rows, k=draw.choice([1, 1, 1, 3, 20, 100]))
        text = self.ask("/predict/breast-cancer", "application/json", json.dumps([row for row, _ in chosen]))
        return self.answered(text, [answer for _, answer in chosen], "row")

    def csv(self, draw):
        chosen = draw.choices(self.expected.rows, k=draw.choice([1, 10, 64]))
        names = list(chosen[0][0])
        lines = [",".join(names)] + [",".join(repr(row[name]) for name in names) for row, _ in chosen]
        text = self.ask("/predict/breast-cancer", "text/csv", "\n".join(lines) + "\n")
        return self.answered(text, [answer for _, answer in chosen], "row")

    def images(self, draw):
        image, answer = draw.choice(self.expected.pictures)
        return self.answered(self.ask("/predict/digits-cnn", "image/png", image), [answer], "image")

    def texts(self, draw):
        prompt, expected = draw.choice(self.expected.texts)
        text = self.ask("/v1/completions", "application/json", self.completion(prompt))
        return self.written(text and json.loads(text)["choices"][0]["text"], expected)

    def streams(self, draw):
        prompt, expected = draw.choice(self.expected.texts)
        text = self.ask("/v1/completions", "application/json", self.completion(prompt, stream=True))
        if text is None:
            return self.written(None, expected)
        events = [line.removeprefix("data: ") for line in text.decode().splitlines() if line.startswith("data: ")]
        if events[-1:] != ["[DONE]"]:
            raise Wrong(f"a stream ends with {events[-1:]}")
        parts = [json.loads(event)["choices"] for event in events[:-1]]
        return self.written("".join(choices[0]["text"] for choices in parts if choices), expected)

    def completion(self, prompt, **more):
        return json.dumps({"model": "own-source", "prompt": prompt, "max_tokens": WRITTEN, "temperature": 0, **more})

    def written(self, text, expected):
        if text is None:
            return "told to come again"
        if text != expected:
            raise Wrong(f"the text is {text!r} and not {expected!r}")
        return "answered"

    # --- bad clients ---

    def connect(self):
        return contextlib.closing(socket.create_connection(("127.0.0.1", self.port), PATIENCE))

    def request(self, path, kind, body, length=None):
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: {kind}\r\nContent-Length: {length or len(body)}\r\n\r\n"
        return head.encode() + body

    def some(self, draw):
        rows = json.dumps([row for row, _ in draw.choices(self.expected.rows, k=200)]).encode()
        text = self.completion(draw.choice(self.expected.texts)[0]).encode()
        image = draw.choice(self.expected.pictures)[0]
        return draw.choice(
            [("/predict/breast-cancer", "application/json", rows), ("/predict/digits-cnn", "image/png", image), ("/v1/completions", "application/json", text)]
        )

    def leaves(self, draw):
        with self.connect() as stream:
            stream.sendall(self.request(*self.some(draw)))
            time.sleep(draw.choice([0, 0.001, 0.02]))

    def leaves_in_a_text(self, draw):
        body = self.completion(draw.choice(self.expected.texts)[0], stream=True).encode()
        with self.connect() as stream:
            stream.sendall(self.request("/v1/completions", "application/json", body))
            stream.recv(200)

    def half_a_body(self, draw):
        path, kind, body = self.some(draw)
        with self.connect() as stream:
            stream.sendall(self.request(path, kind, body[: len(body) // 2], len(body)))
            time.sleep(draw.choice([0, 0.1]))

    def garbage(self, draw):
        with self.connect() as stream:
            stream.sendall(draw.randbytes(draw.choice([1, 50, 5000])) + b"\r\n\r\n")
            stream.settimeout(1)
            with contextlib.suppress(TimeoutError):
                stream.recv(1000)

    def stalls(self, draw):
        path, kind, body = self.some(draw)
        whole = self.request(path, kind, body)
        with self.connect() as stream:
            stream.sendall(whole[: draw.randrange(len(whole))])
            # Longer than the server waits, unless the time is over.
            self.over.wait(draw.choice([1, 5, 30]))

    def wrong(self, draw):
        path, kind, body = draw.choice(
            [
                ("/predict/breast-cancer", "application/json", b"[{]"),
                ("/predict/breast-cancer", "application/json", b'[{"mean_radius": 1}]'),
                ("/predict/breast-cancer", "text/csv", b"\xff\xfe,,,\n1"),
                ("/predict/digits-cnn", "image/png", draw.randbytes(300)),
                ("/predict/nobody", "application/json", b"[]"),
                ("/v1/completions", "application/json", b'{"model": "own-source", "prompt": "x", "logprobs": 3}'),
                ("/v2/models/breast-cancer/infer", "application/json", b'{"inputs": []}'),
            ]
        )
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("POST", path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            answer.read()
        if not 400 <= answer.status < 500:
            raise Wrong(f"{path} answers {body[:40]!r} with {answer.status}")
        return "refused"

    def huge(self, draw):
        with self.connect() as stream:
            stream.sendall(self.request("/predict/breast-cancer", "application/json", b"[" * 1000, draw.choice([10**8, 10**12])))
            answer = stream.recv(100)
        if b" 413 " not in answer:
            raise Wrong(f"a body that is too large is answered with {answer!r}")
        return "refused"


def memory(process):
    """The resident memory of a process in bytes."""
    with open(f"/proc/{process}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def run(server, port, expected, options):
    """Lets the clients in for the time, and looks at the memory meanwhile."""
    clients = Clients(port, expected)
    kinds = [GOOD] * CLIENTS["good"] + [BAD] * CLIENTS["bad"]
    threads = [threading.Thread(target=clients.work, args=(kind, seed)) for seed, kind in enumerate(kinds)]
    for thread in threads:
        thread.start()
    began, samples = time.monotonic(), []
    while (at := time.monotonic() - began) < options.minutes * 60 and server.poll() is None:
        samples.append((at, memory(server.pid)))
        time.sleep(min(SAMPLE, options.minutes * 60 / 40))
    clients.over.set()
    for thread in threads:
        thread.join(PATIENCE + 60)
    if any(thread.is_alive() for thread in threads):
        clients.mistakes.append("a client still waits")
    return clients, samples


def report(clients, samples, server):
    """Prints what was found. Whether all is well."""
    for kind, count in sorted(clients.counts.items()):
        print(f"{kind:32} {count:9}  slowest {clients.slowest[kind]:7.2f} s")
    quarter = len(samples) // 4
    early, late = (statistics.median(size for _, size in part) for part in [samples[quarter : 2 * quarter], samples[3 * quarter :]])
    most = max(size for _, size in samples)
    print(f"memory: {early / 2**20:.1f} MiB in the second quarter, {late / 2**20:.1f} MiB in the last, {most / 2**20:.1f} MiB at most")
    grew = late - early > max(GROWTH * early, LEAST)
    if grew:
        print("the memory has grown")
    print(f"{len(clients.mistakes)} lost or wrong")
    for mistake in clients.mistakes[:20]:
        print(f"  {mistake}")
    ended = server.poll() is not None
    if ended:
        print(f"the server has ended by itself: {server.returncode}")
    return not (grew or clients.mistakes or ended)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--program", default=str(ROOT / "target/release/fireclay"))
    parser.add_argument("--server-cpus", default="", help="as for taskset -c")
    parser.add_argument("--memory", help="a CSV file for the samples: seconds, bytes")
    options = parser.parse_args()
    options.program = str(pathlib.Path(options.program).resolve())
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        expected, port = Expected(options.program, work), free_port()
        runs = [str(work / "runs" / name) for name in ["breast-cancer", "digits-cnn", "own-source"]]
        command = [options.program, "serve", *runs, "--port", str(port), "--no-log"]
        with served(command, port, options.server_cpus, 2, work / "server.log") as server:
            clients, samples = run(server, port, expected, options)
            if options.memory:
                with open(options.memory, "w", newline="") as file:
                    csv.writer(file).writerows([("seconds", "bytes"), *samples])
            well = report(clients, samples, server)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
