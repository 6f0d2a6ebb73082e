"""Writes what transformers answers for an image with two of the small classifiers in crates/fireclay-models/tests/data/images
(make.py there): NAME.json has the preprocessor_config.json that goes with the model, and the probabilities of its classes.

usage: python make.py (in the root of the repository)
"""

import json
import tempfile
from pathlib import Path

import torch
import transformers
from PIL import Image

MODELS = {
    # Squashed to the size of the model.
    "vit": transformers.ViTImageProcessor(size={"height": 32, "width": 32}),
    # The middle of what is a little larger.
    "convnext": transformers.ConvNextImageProcessor(size={"shortest_edge": 64}, crop_pct=0.875),
}

torch.set_num_threads(1)
image = Image.open("crates/fireclay-run/tests/data/timm/image.png").convert("RGB")
for name, processor in MODELS.items():
    with tempfile.TemporaryDirectory() as folder:
        processor.save_pretrained(folder)
        written = json.loads((Path(folder) / "preprocessor_config.json").read_text())
        # By Pillow, as images are resized here.
        processor = transformers.AutoImageProcessor.from_pretrained(folder, use_fast=False)
    model = f"crates/fireclay-models/tests/data/images/{name}"
    model = transformers.AutoModelForImageClassification.from_pretrained(model).eval()
    with torch.no_grad():
        probabilities = model(**processor(image, return_tensors="pt")).logits.softmax(-1)[0]
    found = {"preprocessor": written, "probabilities": probabilities.tolist()}
    (Path("tests/classifiers") / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    print(name, probabilities.tolist())
