"""Asks models that ONNX's checker accepts for their answers with onnxruntime: each folder has a model and the inputs and
outputs of its tests, as ONNX keeps those of its operations. Prints the largest difference of each model, and the
largest number that was expected."""

import json
import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime


def read(path):
    return onnx.numpy_helper.to_array(onnx.load_tensor(str(path)))


def judge(folder):
    if (folder / "error").exists():
        return (folder / "error").read_text()
    try:
        return compare(folder)
    except Exception as error:
        return str(error)


def compare(folder):
    path = str(folder / "model.onnx")
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    difference, largest = 0.0, 0.0
    for case in sorted(folder.glob("test_data_set_*")):
        inputs = {each.name: read(case / f"input_{at}.pb") for at, each in enumerate(session.get_inputs())}
        (found,) = session.run(["logits"], inputs)
        expected = read(case / "output_0.pb")
        assert found.shape == expected.shape, f"{case}: {found.shape} for {expected.shape}"
        assert numpy.isfinite(found).all(), f"{case}: not finite"
        difference = max(difference, float(numpy.abs(found - expected).max()))
        largest = max(largest, float(numpy.abs(expected).max()))
    return [difference, largest]


onnxruntime.set_default_logger_severity(3)
print(json.dumps({folder.name: judge(folder) for folder in sorted(Path(sys.argv[1]).iterdir())}))
