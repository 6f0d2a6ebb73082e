"""A twin in PyTorch of configs/language/translate-de-en.toml: the same tokenizer, model, batches by tokens, loss,
optimizer and schedule; judged by sacreBLEU on the test's translations, which a beam of 4 finds.

usage: python benches/vs_pytorch/translate.py FOLDER TOKENIZER --steps 600 [--seconds 1200] [--threads 2]

FOLDER has Multi30k's files ({train,val,test_2016_flickr}.{de,en}.gz), TOKENIZER is the tokenizer.json of a run.
"""

import argparse
import gzip
import json
import math
import pathlib
import random
import time

import sacrebleu
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import nn

WIDTH, HEADS, LAYERS, MLP, DROPOUT, BATCH_TOKENS = 256, 4, 3, 512, 0.1, 4096


class Translator(nn.Module):
    """Attention Is All You Need, with one embedding for source, target and head."""

    def __init__(self, vocabulary):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, WIDTH)
        nn.init.normal_(self.embedding.weight, std=WIDTH**-0.5)
        self.transformer = nn.Transformer(WIDTH, HEADS, LAYERS, LAYERS, MLP, DROPOUT, batch_first=True)
        self.transformer.encoder.norm = self.transformer.decoder.norm = None
        self.dropout = nn.Dropout(DROPOUT)
        self.register_buffer("positions", sinusoids(512), persistent=False)

    def embed(self, tokens):
        return self.dropout(self.embedding(tokens) * WIDTH**0.5 + self.positions[: tokens.shape[1]])

    def encode(self, source, padding):
        return self.transformer.encoder(self.embed(source), src_key_padding_mask=padding)

    def decode(self, memory, padding, target, target_padding=None):
        later = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
        x = self.transformer.decoder(
            self.embed(target), memory, later, None, target_padding, padding, tgt_is_causal=True
        )
        return F.linear(x, self.embedding.weight)


def sinusoids(length):
    angles = torch.arange(length)[:, None] * torch.exp(-math.log(10000.0) * torch.arange(0, WIDTH, 2) / WIDTH)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def read(folder, split):
    sides = [gzip.open(pathlib.Path(folder, f"{split}.{language}.gz"), "rt", encoding="utf-8") for language in ("de", "en")]
    return [[line.strip() for line in side] for side in sides]


def groups(source, target):
    """Pairs of similar lengths together, padded to BATCH_TOKENS at most."""
    order = sorted(range(len(source)), key=lambda i: (len(source[i]), len(target[i]), random.random()))
    batches, batch, longest = [], [], [0, 0]
    for i in order:
        widest = [max(longest[0], len(source[i])), max(longest[1], len(target[i]))]
        if batch and sum(widest) * (len(batch) + 1) > BATCH_TOKENS:
            batches.append(batch)
            batch, widest = [], [len(source[i]), len(target[i])]
        batch, longest = batch + [i], widest
    random.shuffle(batches := batches + [batch])
    return batches


def pad(rows):
    padded = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    lengths = torch.tensor([len(row) for row in rows])
    return padded, torch.arange(padded.shape[1])[None] >= lengths[:, None]


def fit(model, source, target, steps, seconds):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step, steps))
    began, step = time.perf_counter(), 0
    model.train()
    while step < steps:
        for batch in groups(source, target):
            if step == steps or time.perf_counter() - began > seconds:
                return step, time.perf_counter() - began
            src, src_padding = pad([source[i] for i in batch])
            tgt, tgt_padding = pad([target[i] for i in batch])
            memory = model.encode(src, src_padding)
            logits = model.decode(memory, src_padding, tgt[:, :-1], tgt_padding[:, :-1])
            following = tgt[:, 1:].masked_fill(tgt_padding[:, 1:], -100)
            loss = F.cross_entropy(logits.flatten(0, 1), following.flatten(), label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
    return step, time.perf_counter() - began


def factor(step, steps, warmup=150):
    """Of the learning rate: linear warmup, then a cosine."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


@torch.inference_mode()
def beam(model, tokens, begin, end, size=4, penalty=0.6):
    """The best of `size` translations by log-probability over the length penalty of Wu et al. 2016."""
    memory = model.encode(torch.tensor([tokens]), None)
    beams, done = [([begin], 0.0)], []
    for _ in range(min(126, len(tokens) + 50)):
        rows = torch.tensor([row for row, _ in beams])
        logits = model.decode(memory.expand(len(beams), -1, -1), None, rows)[:, -1]
        scores = F.log_softmax(logits, -1) + torch.tensor([score for _, score in beams])[:, None]
        best, which = scores.flatten().topk(2 * size)
        following = [(beams[w // scores.shape[1]][0] + [int(w % scores.shape[1])], float(b)) for b, w in zip(best, which)]
        done += [(row, score / ((5 + len(row) - 1) / 6) ** penalty) for row, score in following if row[-1] == end]
        beams = [(row, score) for row, score in following if row[-1] != end][:size]
        if len(done) >= size:
            break
    return max(done, key=lambda pair: pair[1], default=(beams[0][0], 0.0))[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("tokenizer")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--end", default="<|endoftext|>", help="the token that ends, and for the target begins, a text")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(42)
    random.seed(42)
    tokenizer = Tokenizer.from_file(args.tokenizer)
    end = tokenizer.token_to_id(args.end)

    def encode(texts, before):
        return [before + tokenizer.encode(text).ids + [end] for text in texts]

    source, target = read(args.folder, "train")
    model = Translator(tokenizer.get_vocab_size())
    steps, seconds = fit(model, encode(source, []), encode(target, [end]), args.steps, args.seconds)
    cpu_seconds = time.process_time()
    model.eval()
    source, target = read(args.folder, "test_2016_flickr")
    found = [tokenizer.decode([token for token in beam(model, tokens, end, end) if token != end]) for tokens in encode(source, [])]
    scores = {"bleu": sacrebleu.corpus_bleu(found, [target]).score, "chrf": sacrebleu.corpus_chrf(found, [target]).score}
    weights = sum(weight.numel() for weight in model.parameters())
    print(json.dumps({"steps": steps, "seconds": seconds, "cpu_seconds": cpu_seconds, "weights": weights, **scores}))


if __name__ == "__main__":
    main()
