"""Writes the two tables that the bench needs and the project does not ship, from files which it ships.

usage: python benches/vs_pytorch/prepare.py      (from the project's folder; writes data/bench/)
"""

import csv
import io
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

FOLDER = pathlib.Path("data/bench")
KINDS = ["rs", "toml", "md"]


def digits_784():
    """The digits on 28x28 pixels: 784 columns of numbers and the label."""
    table = pq.read_table("datasets/digits/data.parquet")
    scans = [Image.open(io.BytesIO(image["bytes"])).resize((28, 28), Image.BILINEAR) for image in table["image"].to_pylist()]
    pixels = np.stack([np.asarray(scan, np.float32).ravel() / 255 for scan in scans])
    columns = {f"p{index:03}": pixels[:, index] for index in range(pixels.shape[1])}
    labels = [str(label) for label in table["label"].to_pylist()]
    pq.write_table(pa.table({**columns, "digit": labels}), FOLDER / "digits-784.parquet")


def lines():
    """Lines of the project's files that say something, each with the kind of its file: 2000 of each at most."""
    rows = []
    for kind in KINDS:
        files = sorted(path for top in ["crates", "configs", "docs", "tests", "."] for path in glob(top, kind))
        texts = [line.strip() for file in dict.fromkeys(files) for line in file.read_text(encoding="utf-8").splitlines()]
        texts = [text for text in dict.fromkeys(texts) if len(text) >= 20]
        rows += [(text, kind) for text in texts[:2000]]
    with open(FOLDER / "lines.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "kind"])
        writer.writerows(rows)


def glob(top, kind):
    return pathlib.Path(top).glob(f"*.{kind}" if top == "." else f"**/*.{kind}")


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    digits_784()
    lines()
