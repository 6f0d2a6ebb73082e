"""Writes the small models of transformers that the tests of the models for images are compared with, each in a folder of
its own: config.json and model.safetensors as save_pretrained writes them, and io.safetensors with what the model answers.

usage: python make.py FOLDER
"""

import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

VIT = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40, image_size=32, patch_size=8)
MODELS = {
    "vit": ("ViT", VIT),
    "vit-loose": ("ViT", dict(VIT, image_size=[32, 48], layer_norm_eps=1e-2)),
    "deit": ("DeiT", VIT),
    "dinov2": ("Dinov2", {key: value for key, value in VIT.items() if key != "intermediate_size"} | dict(mlp_ratio=2)),
    "resnet-basic": ("ResNet", dict(embedding_size=6, hidden_sizes=[6, 12, 24], depths=[2, 1, 1], layer_type="basic")),
    "resnet-bottleneck": ("ResNet", dict(embedding_size=4, hidden_sizes=[16, 32, 64, 128], depths=[1, 1, 2, 1])),
    "convnext": ("ConvNext", dict(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 2, 1], image_size=64, layer_norm_eps=1e-2)),
}


def build(kind, keys):
    config = getattr(transformers, f"{kind}Config")(**keys, num_labels=5)
    teacher = "WithTeacher" if kind == "DeiT" else ""
    model = getattr(transformers, f"{kind}ForImageClassification{teacher}")(config)
    for name, weight in [*model.named_parameters(), *model.named_buffers()]:
        if "num_batches" in name:
            continue
        if name.endswith("running_var"):
            weight.data.uniform_(0.5, 2)
        elif "norm" in name.lower() and name.endswith("weight"):
            weight.data.normal_(1, 0.1)
        else:
            weight.data.normal_(0, 0.25 if weight.dim() > 1 else 0.1)
    return model.eval()


torch.set_num_threads(1)
for name, (kind, keys) in MODELS.items():
    torch.manual_seed(7)
    model = build(kind, keys)
    size = keys.get("image_size", 48)
    height, width = size if isinstance(size, list) else (size, size)
    pixels = torch.randn(2, 3, height, width)
    with torch.no_grad():
        logits = model(pixels).logits
    folder = Path(sys.argv[1]) / name
    model.save_pretrained(folder)
    save_file({"pixel_values": pixels, "logits": logits}, folder / "io.safetensors")
    print(name, sum(weight.numel() for weight in model.parameters()))
