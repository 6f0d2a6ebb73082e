"""An image that is higher than wide as classes for images of transformers see it, before their numbers are scaled: writes
squashed.json beside it.

usage: python squashed.py
"""

import json
from pathlib import Path

import numpy
from transformers import BitImageProcessor, ConvNextImageProcessor, DeiTImageProcessor, ViTImageProcessor

WIDTH, HEIGHT = 17, 32


def written(pixels):
    return {"width": pixels.shape[1], "height": pixels.shape[0], "channels": 3, "data": pixels.tobytes().hex()}


def main():
    draws = numpy.random.default_rng(7)
    rows, columns = numpy.mgrid[:HEIGHT, :WIDTH]
    waves = numpy.stack([127 + 100 * numpy.sin(rows / 3 + c) * numpy.cos(columns / (2 + c)) for c in range(3)], 2)
    source = (waves + draws.integers(0, 20, waves.shape)).clip(0, 255).astype(numpy.uint8)
    plain = {"do_rescale": False, "do_normalize": False}
    made = [
        ("ViT", 10, 10, 2, "squash", ViTImageProcessor(size={"height": 10, "width": 10}, resample=2, **plain)),
        (
            "DeiT", 16, 12, 3, "squash",
            DeiTImageProcessor(
                size={"height": 16, "width": 16}, crop_size={"height": 12, "width": 12}, resample=3, **plain
            ),
        ),
        (
            "Bit (DINOv2)", 16, 12, 3, "cover",
            BitImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 12, "width": 12}, resample=3, **plain),
        ),
        (
            "ConvNext", 16, 14, 3, "cover",
            ConvNextImageProcessor(size={"shortest_edge": 14}, crop_pct=0.875, resample=3, **plain),
        ),
    ]
    modes = {2: "bilinear", 3: "bicubic"}
    cases = []
    for name, resized, seen, mode, resize, processor in made:
        pixels = processor(source, return_tensors="np", input_data_format="channels_last")["pixel_values"][0]
        pixels = numpy.asarray(pixels).transpose(1, 2, 0).round().astype(numpy.uint8)
        case = {"class": name, "resized": resized, "seen": seen, "mode": modes[mode], "resize": resize}
        cases.append({**case, "result": written(numpy.ascontiguousarray(pixels))})
    text = json.dumps({"image": written(source), "cases": cases})
    Path(__file__).with_name("squashed.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
