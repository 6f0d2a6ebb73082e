"""Writes what the tests of timm's and torchvision's models for images are compared with: for each model its config.json as
timm writes it, and io.json with the names and shapes of its tensors and with its logits.

The models have their published sizes. Their weights are not kept: every number is a function of the tensor's place and of
its own, which the tests compute too (`src/vision/hub/timm.rs`).

usage: python make.py FOLDER
"""

import json
import sys
from pathlib import Path

import numpy
import timm
import torch
import torchvision
from timm.models._hub import save_config_for_hf

# The model, height and width of the images that it answers for, and the size of its weights, with which its features
# neither vanish nor explode.
MODELS = {
    "mobilenetv3_small_050": ([64, 48], 2.8),
    "mobilenetv3_large_100": ([64, 48], 2.4),
    "tf_mobilenetv3_small_075": ([65, 46], 2.8),
    "efficientnet_b0": ([64, 48], 2.8),
    "tf_efficientnet_b0": ([65, 46], 2.8),
    "resnet18": ([64, 48], 2.0),
    "vit_tiny_patch16_224": ([224, 224], 2.0),
}
TORCHVISION = {"efficientnet_b0": ([64, 48], 2.8)}
LABELS = ["ash", "beech", "cedar", "elm", "oak"]


def mix(x):
    """SplitMix64."""
    x = x + numpy.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return x ^ (x >> numpy.uint64(31))


def numbers(place, shape):
    """Numbers in [-1, 1) for the tensor at this place."""
    with numpy.errstate(over="ignore"):
        start = mix(numpy.array([place], numpy.uint64))
        bits = mix(start + numpy.arange(numpy.prod(shape, dtype=int), dtype=numpy.uint64))
    return ((bits >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-52 - 1.0).reshape(shape)


def value(name, place, shape, scale):
    draws = numbers(place, shape)
    if name.endswith("running_var"):
        return 1.25 + 0.75 * draws
    if len(shape) > 1:
        return draws * (scale / numpy.sqrt(float(numpy.prod(shape[1:]))))
    if name.endswith("weight"):
        return 1.0 + 0.25 * draws
    return 0.125 * draws


def fill(model, scale):
    tensors = model.state_dict()
    for place, (name, tensor) in enumerate(tensors.items()):
        if tensor.dtype == torch.float32:
            tensor.copy_(torch.tensor(value(name, place, list(tensor.shape), scale), dtype=torch.float32))
    return [[name, list(tensor.shape)] for name, tensor in tensors.items()]


def write(model, size, scale, folder):
    folder.mkdir(exist_ok=True, parents=True)
    names = fill(model.eval(), scale)
    pixels = torch.tensor(2.0 * numbers(1 << 20, [2, 3, *size]), dtype=torch.float32)
    with torch.no_grad():
        logits = model(pixels)
    io = {"size": size, "scale": scale, "tensors": names, "logits": logits.tolist()}
    (folder / "io.json").write_text(json.dumps(io, separators=(",", ":")) + "\n")
    print(folder.name, sum(weight.numel() for weight in model.parameters()), logits.abs().max().item(), (logits[0] - logits[1]).abs().max().item())


torch.set_num_threads(1)
out = Path(sys.argv[1])
for name, (size, scale) in MODELS.items():
    model = timm.create_model(name, num_classes=len(LABELS))
    write(model, size, scale, out / name)
    save_config_for_hf(model, out / name / "config.json", {"label_names": LABELS})
for name, (size, scale) in TORCHVISION.items():
    model = getattr(torchvision.models, name)(num_classes=len(LABELS))
    write(model, size, scale, out / f"torchvision_{name}")
