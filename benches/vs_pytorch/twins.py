"""Twins in PyTorch of the configs that the bench runs: the same model, data, batch, optimizer and number of steps.

Each twin does what `fireclay train` does for its config: reads the data from the same files, trains, evaluates once on
the validation split, and writes the weights. What it prints is one line of JSON.

usage: python benches/vs_pytorch/twins.py CASE --steps N --output FILE [--threads 2] [--text FILE] [--tokenizer FILE]
"""

import argparse
import csv
import io
import json
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


# --- data: each is (batch of training, iterator of the batches of validation) ---


def split(count, seed=42):
    order = np.random.default_rng(seed).permutation(count)
    train, valid = int(0.7 * count), int(0.15 * count)
    return order[:train], order[train : train + valid]


def rows(x, y, batch_size, augment=None):
    """Batches of whole rows in memory, shuffled each epoch; a last short batch is kept as ours is."""
    train, valid = split(len(x))
    generator = torch.Generator().manual_seed(42)

    def endless():
        while True:
            order = torch.as_tensor(train)[torch.randperm(len(train), generator=generator)]
            for rows in order.split(batch_size):
                images = x[rows]
                yield (augment(images) if augment else images), y[rows]

    batches = endless()
    held_out = [(x[rows], y[rows]) for rows in torch.as_tensor(valid).split(batch_size)]
    return lambda: next(batches), held_out


def breast_cancer():
    with open("datasets/breast-cancer/data.csv") as file:
        table = list(csv.DictReader(file))
    names = [name for name in table[0] if name != "diagnosis"]
    x = np.array([[float(row[name]) for name in names] for row in table], np.float32)
    labels = sorted({row["diagnosis"] for row in table})
    y = [labels.index(row["diagnosis"]) for row in table]
    return standardized(np.log1p(x)), torch.tensor(y)


def digits_784():
    import pyarrow.parquet as pq

    table = pq.read_table("data/bench/digits-784.parquet")
    y = torch.tensor([int(label) for label in table["digit"].to_pylist()])
    x = np.stack([column.to_numpy() for column in table.drop(["digit"]).columns], axis=1)
    return standardized(x.astype(np.float32)), y


def standardized(x):
    train, _ = split(len(x))
    mean, std = x[train].mean(0), x[train].std(0)
    return torch.from_numpy((x - mean) / np.where(std > 0, std, 1))


def digits(side, channels):
    import pyarrow.parquet as pq
    from PIL import Image

    table = pq.read_table("datasets/digits/data.parquet")
    scans = [Image.open(io.BytesIO(image["bytes"])).resize((side, side), Image.BILINEAR) for image in table["image"].to_pylist()]
    x = torch.from_numpy(np.stack([np.asarray(scan.convert("L"), np.float32) / 255 for scan in scans]))[:, None]
    x = ((x - x.mean()) / x.std()).expand(-1, channels, -1, -1).contiguous()
    return x, torch.tensor(table["label"].to_pylist()).long()


def affine(images):
    """Ten degrees, a tenth of the side, a scale of 0.9 to 1.1: `augment` of digits-cnn.toml, a batch at a time."""
    n = len(images)
    angle = (torch.rand(n) * 2 - 1) * math.radians(10)
    scale = 0.9 + 0.2 * torch.rand(n)
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    shift = (torch.rand(n, 2) * 2 - 1) * 0.2
    theta = torch.stack([torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1)
    grid = F.affine_grid(theta, images.shape, align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def characters(path, block, batch_size):
    """nanoGPT's: the first 90 % train, windows begin anywhere."""
    text = open(path, encoding="utf-8").read()
    letters = sorted(set(text))
    index = {letter: i for i, letter in enumerate(letters)}
    data = torch.tensor([index[letter] for letter in text])
    cut = int(0.9 * len(data))
    train, valid = data[:cut], data[cut:]
    generator = torch.Generator().manual_seed(1337)

    def window(data, start):
        return data[start : start + block], data[start + 1 : start + 1 + block]

    def batch():
        starts = torch.randint(len(train) - block, (batch_size,), generator=generator)
        x, y = zip(*(window(train, start) for start in starts))
        return torch.stack(x), torch.stack(y)

    windows = [window(valid, start) for start in range(0, len(valid) - block, block)]
    held_out = [tuple(torch.stack(side) for side in zip(*windows[i : i + 12])) for i in range(0, len(windows), 12)]
    return batch, held_out, len(letters)


def lines(tokenizer, batch_size, longest=64):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(tokenizer)
    with open("data/bench/lines.csv", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    kinds = sorted({row["kind"] for row in table})
    tokens = [tokenizer.encode(row["text"]).ids[:longest] for row in table]
    y = torch.tensor([kinds.index(row["kind"]) for row in table])
    padded = nn.utils.rnn.pad_sequence([torch.tensor(ids) for ids in tokens], batch_first=True)
    lengths = torch.tensor([len(ids) for ids in tokens])
    train, valid = split(len(y))
    generator = torch.Generator().manual_seed(42)

    def batch(rows):
        longest = int(lengths[rows].max())
        mask = torch.arange(longest)[None] < lengths[rows][:, None]
        return (padded[rows][:, :longest], mask), y[rows]

    def endless():
        while True:
            for rows in torch.as_tensor(train)[torch.randperm(len(train), generator=generator)].split(batch_size):
                yield batch(rows)

    batches = endless()
    held_out = [batch(rows) for rows in torch.as_tensor(valid).split(batch_size)]
    return lambda: next(batches), held_out, tokenizer.get_vocab_size()


# --- models ---


def mlp(widths, norm=False, dropout=0.0):
    layers = []
    for inputs, outputs in zip(widths[:-2], widths[1:-1]):
        layers.append(nn.Linear(inputs, outputs))
        if norm:
            layers.append(nn.BatchNorm1d(outputs))
        layers.append(nn.ReLU())
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))


def cnn(widths, classes, dropout):
    layers, channels = [], 1
    for width in widths:
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels, classes))


class Block(nn.Module):
    """A block of ResNet-18."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        narrow = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.downsample = narrow if stride > 1 else nn.Identity()

    def forward(self, x):
        inner = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(inner)) + self.downsample(x))


def resnet18(classes):
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    widths = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)]
    blocks = [Block(*width) for width in widths]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


class Attention(nn.Module):
    """Multi-head self-attention by the fused operation."""

    def __init__(self, width, heads, bias):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.out = nn.Linear(width, width, bias=bias)

    def forward(self, x, **mask):
        batch, time, width = x.shape
        q, k, v = self.qkv(x).view(batch, time, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, **mask)
        return self.out(mixed.transpose(1, 2).reshape(batch, time, width))


class PreNorm(nn.Module):
    """A block of GPT and of ViT: a norm before each branch."""

    def __init__(self, width, heads, bias=True, approximate="none"):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, bias=bias), nn.LayerNorm(width, bias=bias)
        self.attention = Attention(width, heads, bias)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width, bias=bias), nn.GELU(approximate), nn.Linear(4 * width, width, bias=bias)
        )

    def forward(self, x, **mask):
        x = x + self.attention(self.norm1(x), **mask)
        return x + self.mlp(self.norm2(x))


class Gpt(nn.Module):
    def __init__(self, vocabulary, block, layers, heads, width):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(block, width)
        self.blocks = nn.ModuleList(PreNorm(width, heads, False, "tanh") for _ in range(layers))
        self.norm = nn.LayerNorm(width, bias=False)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.apply(gpt2_weights)
        self.head.weight = self.tokens.weight

    def forward(self, tokens):
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x, is_causal=True)
        return self.head(self.norm(x)).flatten(0, 1)


def gpt2_weights(module):
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)


class Vit(nn.Module):
    def __init__(self, side, patch, width, layers, heads, classes):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, (side // patch) ** 2 + 1, width) * 0.02)
        self.blocks = nn.ModuleList(PreNorm(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, images):
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, 0]))


class PostNorm(nn.Module):
    """A block of BERT: a norm after each branch."""

    def __init__(self, width, heads, dropout):
        super().__init__()
        self.attention, self.dropout = Attention(width, heads, True), nn.Dropout(dropout)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.rate = dropout

    def forward(self, x, mask):
        rate = self.rate if self.training else 0.0
        x = self.norm1(x + self.dropout(self.attention(x, attn_mask=mask, dropout_p=rate)))
        return self.norm2(x + self.dropout(self.mlp(x)))


class Bert(nn.Module):
    def __init__(self, vocabulary, block, layers, heads, width, classes, dropout=0.1):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(block, width)
        self.kinds, self.norm = nn.Embedding(2, width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(PostNorm(width, heads, dropout) for _ in range(layers))
        self.pooler, self.head = nn.Linear(width, width), nn.Linear(width, classes)
        self.apply(gpt2_weights)

    def forward(self, input):
        tokens, mask = input
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]] + self.kinds.weight[0]
        x = self.dropout(self.norm(x))
        for block in self.blocks:
            x = block(x, mask[:, None, None])
        return self.head(self.dropout(torch.tanh(self.pooler(x[:, 0]))))


# --- cases: name → (model, batch, validation, options of the loop) ---


def case_tabular(args):
    x, y = breast_cancer()
    return mlp([x.shape[1], 64, 32, 2], norm=True, dropout=0.2), *rows(x, y, 32), dict(rate=1e-3, warmup=20)


def case_mlp_784(args):
    return mlp([784, 512, 512, 10]), *rows(*digits_784(), 128), dict(rate=1e-3)


def case_digits_cnn(args):
    data = rows(*digits(8, 1), 64, affine)
    return cnn([32, 64, 128], 10, 0.2), *data, dict(rate=2e-3, decay=0.05, warmup=40, smoothing=0.05, average=0.99)


def case_resnet18(args):
    return resnet18(10), *rows(*digits(64, 3), 16), dict(rate=1e-3)


def case_vit_tiny(args):
    return Vit(64, 8, 192, 12, 3, 10), *rows(*digits(64, 3), 16), dict(rate=1e-3)


def case_nanogpt(args):
    batch, held_out, vocabulary = characters(args.text, 64, 12)
    loop = dict(rate=1e-3, least=1e-4, decay=0.1, betas=(0.9, 0.99), warmup=100, clip=1.0)
    return Gpt(vocabulary, 64, 4, 4, 128), batch, held_out, loop


def case_bert_small(args):
    batch, held_out, vocabulary = lines(args.tokenizer, 16)
    return Bert(vocabulary, 128, 4, 8, 512, 3), batch, held_out, dict(rate=1e-4, clip=1.0)


CASES = {name.removeprefix("case_").replace("_", "-"): case for name, case in list(globals().items()) if name.startswith("case_")}


# --- the loop ---


def optimizer_of(model, rate, decay, betas):
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    others = [weight for weight in model.parameters() if weight.ndim <= 1]
    groups = [dict(params=matrices, weight_decay=decay), dict(params=others, weight_decay=0.0)]
    return torch.optim.AdamW(groups, lr=rate, betas=betas)


def scheduled(step, steps, warmup, least):
    """The factor of the learning rate: linear warmup, then a cosine."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if not warmup:
        return 1.0
    share = (step - warmup) / max(1, steps - warmup)
    return least + (1 - least) * 0.5 * (1 + math.cos(math.pi * share))


def fit(model, batch, held_out, steps, rate, decay=0.01, betas=(0.9, 0.999), warmup=0, least=0.0, clip=0.0, smoothing=0.0, average=0.0):
    optimizer = optimizer_of(model, rate, decay, betas)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: scheduled(step, steps, warmup, least / rate))
    averaged = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(average)) if average else None
    model.train()
    for _ in range(steps):
        x, y = batch()
        loss = F.cross_entropy(model(x), y.flatten(), label_smoothing=smoothing)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        schedule.step()
        if averaged:
            averaged.update_parameters(model)
    return evaluate(averaged or model, held_out)


@torch.inference_mode()
def evaluate(model, held_out):
    model.eval()
    total = count = 0
    for x, y in held_out:
        total += F.cross_entropy(model(x), y.flatten(), reduction="sum").item()
        count += y.numel()
    return total / count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--output", required=True, help="where to write the weights")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--text", help="the text of nanogpt")
    parser.add_argument("--tokenizer", help="the tokenizer.json of bert-small")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(42)
    model, batch, held_out, loop = CASES[args.case](args)
    loss = fit(model, batch, held_out, args.steps, **loop)
    torch.save(model.state_dict(), args.output)
    weights = sum(weight.numel() for weight in model.parameters())
    print(json.dumps({"loss": loss, "weights": weights}))


if __name__ == "__main__":
    main()
