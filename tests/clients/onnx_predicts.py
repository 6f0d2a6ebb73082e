"""Answers for the rows of a table with onnxruntime, and prints the largest difference from the probabilities that
another table has in columns of the names of the classes."""

import csv
import json
import sys

import numpy
import onnxruntime


def cells(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def inputs(known, rows):
    if "fireclay.columns" in known:
        names = json.loads(known["fireclay.columns"])
        table = [[float(row[name]) if row[name] else float("nan") for name in names] for row in rows]
        return {"columns": numpy.array(table)}
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(known["fireclay.tokenizer"])
    tokenizer.enable_padding()
    texts = tokenizer.encode_batch([row["text"] for row in rows])
    return {
        "input_ids": numpy.array([text.ids for text in texts]),
        "attention_mask": numpy.array([text.attention_mask for text in texts]),
    }


model, rows, answers = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
known = session.get_modelmeta().custom_metadata_map
rows, answers = cells(rows), cells(answers)
(found,) = session.run(["probabilities"], inputs(known, rows))
classes = json.loads(known["fireclay.classes"])
expected = numpy.array([[float(answer[f"probability_{name}"]) for name in classes] for answer in answers])
assert found.shape == expected.shape, (found.shape, expected.shape)
print(json.dumps({"rows": len(rows), "difference": float(numpy.abs(found - expected).max())}))
