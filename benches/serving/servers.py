"""What the scripts of this folder share: runs to serve, servers to ask, and one request."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def fireclay(program, work, *words):
    """Runs the program in the folder `work`, and returns what it printed."""
    done = subprocess.run([program, *map(str, words)], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"fireclay {' '.join(map(str, words))}\nfailed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def prepare(work):
    """A folder from which the shipped configs train."""
    for name in ["configs", "datasets", "crates"]:
        (work / name).symlink_to(ROOT / name)


def grey_png(side, shift):
    """A PNG of side by side grey pixels."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((x * 30 + y * 17 + shift * 53) % 256 for x in range(side)) for y in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tokenizer_of(words):
    """A `tokenizer.json` of so many words w0, w1, ... with spaces between them."""
    return {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": {f"w{n}": n for n in range(words)}, "unk_token": "w0"},
    }


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pinned(command, processors):
    return ["taskset", "-c", processors, *command] if processors else command


def environment(threads):
    return {**os.environ, **{name: str(threads) for name in ["OMP_NUM_THREADS", "RAYON_NUM_THREADS", "MKL_NUM_THREADS"]}}


@contextlib.contextmanager
def served(command, port, processors="", threads=1, log=None, grace=300):
    """A server that is there while the block runs. It may take `grace` seconds to come."""
    output = open(log, "wb") if log else subprocess.DEVNULL
    # A group of its own, so that its workers end with it.
    child = subprocess.Popen(pinned(command, processors), env=environment(threads), stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        until = time.monotonic() + grace
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            if child.poll() is not None or time.monotonic() > until:
                sys.exit(f"{' '.join(command)}\ndid not come up: {pathlib.Path(log).read_text()[-2000:] if log else ''}")
            time.sleep(0.1)
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if log:
            output.close()


def ask(port, path, kind, body, timeout=300):
    """The status and the JSON of one answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None
    finally:
        connection.close()


def export(program, work, run, folder):
    """A run in both forms that peers read, in one folder."""
    fireclay(program, work, "export", run, "--output", folder)
    fireclay(program, work, "export", run, "--output", folder / "model.onnx", "--format", "onnx")


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
