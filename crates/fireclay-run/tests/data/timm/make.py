"""Writes what the test of timm's images is compared with: image.png, and in a folder for each model config.json as timm
writes it and pixels.json, what timm's transform makes of the image.

usage: python make.py FOLDER
"""

import json
import sys
from pathlib import Path

import numpy
import timm
import torch
from PIL import Image
from timm.models._hub import save_config_for_hf

MODELS = {
    "square": dict(input_size=(3, 24, 24), crop_pct=0.875, interpolation="bicubic"),
    "wide": dict(input_size=(3, 16, 26), crop_pct=0.8, interpolation="bilinear", mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3)),
}

out = Path(sys.argv[1])
rows, columns = numpy.mgrid[0:61, 0:97]
waves = [numpy.sin(rows / 5 + columns / 7), numpy.cos(rows / 3 - columns / 11), numpy.sin(rows * columns / 400)]
levels = numpy.stack(waves, -1) * 110 + 128
image = Image.fromarray(levels.astype(numpy.uint8))
image.save(out / "image.png")
torch.set_num_threads(1)
for name, images in MODELS.items():
    folder = out / name
    folder.mkdir(exist_ok=True)
    model = timm.create_model("efficientnet_b0", num_classes=5, pretrained_cfg_overlay=images)
    save_config_for_hf(model, folder / "config.json")
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    pixels = transform(image)
    print(name, tuple(pixels.shape), transform)
    (folder / "pixels.json").write_text(json.dumps([round(value, 4) for value in pixels.flatten().tolist()]) + "\n")
