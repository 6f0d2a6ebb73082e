"""Writes the small T5s of transformers that the tests are compared with, each in a folder of its own: config.json and
model.safetensors as save_pretrained writes them, a small tokenizer, io.safetensors with what the model answers, and
texts.json with what it writes. Beside them buckets.json has the buckets of distances.

usage: python make.py FOLDER
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

TEXTS = [
    "translate English to German: The house is old.",
    "summarize: a cup and a bowl, number 5",
    "two  blanks",
    "A lovely plate!",
    "The old cup is on the plate, and the bowl is in the house. Is the house old? The house is old and lovely.",
]
BACK = [" ".join(reversed(text.split())) for text in TEXTS]
SIZES = dict(
    vocab_size=100,
    d_model=16,
    d_kv=6,
    d_ff=24,
    num_layers=2,
    num_heads=4,
    relative_attention_num_buckets=8,
    relative_attention_max_distance=20,
    decoder_start_token_id=0,
)
MODELS = {
    # As the first paper has it.
    "relu-tied": dict(num_decoder_layers=3),
    # As the version 1.1 and Flan-T5 have it, with the keys of their files.
    "gated-untied": dict(
        feed_forward_proj="gated-gelu", num_decoder_layers=2, tie_word_embeddings=False, layer_norm_epsilon=1e-5
    ),
}


def build(keys):
    model = transformers.T5ForConditionalGeneration(transformers.T5Config(**SIZES, **keys))
    if not model.config.scale_decoder_outputs:
        # Files of this version have a head of their own, which transformers keeps where it differs from the embedding.
        model.lm_head = torch.nn.Linear(SIZES["d_model"], SIZES["vocab_size"], bias=False)
        model.all_tied_weights_keys.pop("lm_head.weight")
    model.set_attn_implementation("eager")
    for name, weight in model.named_parameters():
        if "norm" in name:
            weight.data.normal_(1, 0.1)
        else:
            weight.data.normal_(0, 1.0 if "relative" in name or "shared" in name else 0.35)
    return model


def pair_loss(model, tokenizer):
    """The mean loss of a token of the targets: each text again, from its end to its start."""
    sources, targets = [tokenizer(texts, padding=True, return_tensors="pt") for texts in (TEXTS, BACK)]
    labels = targets["input_ids"].masked_fill(targets["attention_mask"] == 0, -100)
    return model.eval()(**sources, labels=labels).loss


def trained(model, tokenizer):
    """A little, so that what it writes is of some use."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(250):
        optimizer.zero_grad()
        pair_loss(model, tokenizer).backward()
        optimizer.step()
    optimizer.zero_grad()
    return model


def answers(model):
    """Two pairs, of which the second is shorter on both sides."""
    ids = torch.randint(3, 90, (2, 33))
    mask = torch.ones_like(ids)
    mask[1, 20:], ids[1, 20:] = 0, 0
    labels = torch.randint(3, 90, (2, 27))
    labels[:, -1] = 1
    labels[1, 14], labels[1, 15:] = 1, -100
    target = model.prepare_decoder_input_ids_from_labels(labels)
    target_mask = (labels != -100).long()
    out = model(ids, attention_mask=mask, decoder_input_ids=target, decoder_attention_mask=target_mask, labels=labels)
    out.loss.backward()
    tensors = {"input_ids": ids, "attention_mask": mask, "labels": labels, "decoder_input_ids": target}
    tensors |= {"decoder_attention_mask": target_mask, "logits": out.logits, "loss": out.loss.reshape(1)}
    tensors["memory"] = out.encoder_last_hidden_state
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    tensors |= {f"gradient.{name}": gradient for name, gradient in gradients.items()}
    return {name: x.detach().contiguous().clone() for name, x in tensors.items()}


def tokenizer():
    """Unigram, as SentencePiece has it: a blank before each word, and a mark at the end of a text."""
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=90, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    made.train_from_iterator(TEXTS * 3, trainer)
    made.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    names = dict(pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, **names)


def write(model, tokenizer, text, target):
    ids = tokenizer(text, return_tensors="pt")
    most = ids["input_ids"].shape[1] + 50
    # The cache of transformers 5.24 has as many layers as the encoder, which may be fewer than the decoder has.
    out = model.generate(**ids, max_new_tokens=most, do_sample=False, num_beams=1, use_cache=False)
    written = tokenizer.decode(out[0], skip_special_tokens=True)
    return dict(text=text, target=target, tokens=out[0, 1:].tolist(), written=written)


def buckets(count, most, both):
    distance = torch.arange(-150, 151)
    find = transformers.models.t5.modeling_t5.T5Attention._relative_position_bucket
    found = find(distance, bidirectional=both, num_buckets=count, max_distance=most)
    return dict(count=count, most=most, both=both, first=-150, buckets=found.tolist())


torch.set_num_threads(1)
folder = Path(sys.argv[1])
words = tokenizer()
for name, keys in MODELS.items():
    torch.manual_seed(11)
    model = trained(build(keys), words)
    found = answers(model)
    model.save_pretrained(folder / name)
    save_file(found, folder / name / "io.safetensors")
    words.save_pretrained(folder / name)
    if "tie_word_embeddings" in keys:
        # As the published files say it.
        config = json.loads((folder / name / "config.json").read_text())
        del config["scale_decoder_outputs"]
        config["tie_word_embeddings"] = False
        (folder / name / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    again = transformers.T5ForConditionalGeneration.from_pretrained(folder / name)
    texts = [write(again, words, *pair) for pair in zip(TEXTS, BACK)]
    print(name, sum(weight.numel() for weight in model.parameters()), [len(text["tokens"]) for text in texts])
    written = dict(loss=pair_loss(again, words).item(), texts=texts)
    (folder / name / "texts.json").write_text(json.dumps(written, ensure_ascii=False) + "\n")
    tensors = {name: x for name, x in found.items() if not name.startswith(("gradient.", "logits", "loss", "memory"))}
    error = (again(**tensors).logits - found["logits"]).abs()
    assert error[found["decoder_attention_mask"] == 1].max() < 1e-4
found = [buckets(*keys) for keys in [(8, 20, True), (8, 20, False), (32, 128, True), (32, 128, False), (10, 37, True)]]
(folder / "buckets.json").write_text(json.dumps(found) + "\n")
