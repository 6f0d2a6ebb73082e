"""Writes the small models of transformers that the tests of the encoders are compared with, each in a folder of its
own: config.json and model.safetensors as save_pretrained writes them, a small tokenizer, and io.safetensors with what the
model answers. Those in `sentence-*` are as the library sentence-transformers writes them, with the vectors of some texts.

usage: python make.py FOLDER
"""

import json
import shutil
import sys
from pathlib import Path

import tokenizers
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = [
    "A cracked bowl, number 3",
    "a smooth VASE",
    "An even plate and a lovely cup, number 5, which is longer than the other texts and so is cut somewhere",
    "two  blanks",
    "naïve café: 100 %",
]
SIZES = dict(
    vocab_size=300,
    hidden_size=24,
    intermediate_size=40,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=32,
    bos_token_id=None,
    eos_token_id=None,
    pad_token_id=0,
)
DISTIL = dict(dim=24, hidden_dim=40, n_layers=2, n_heads=4)
MODERN = dict(num_hidden_layers=4, local_attention=6, cls_token_id=None, sep_token_id=None)

MODELS = {
    "roberta-masked": ("Roberta", "MaskedLM", dict(pad_token_id=1, hidden_act="gelu_new", layer_norm_eps=1e-5)),
    "roberta-classes": ("Roberta", "SequenceClassification", dict(pad_token_id=2, type_vocab_size=1)),
    "xlm-roberta-masked": ("XLMRoberta", "MaskedLM", dict(pad_token_id=1, type_vocab_size=1)),
    "distilbert-masked": ("DistilBert", "MaskedLM", dict(activation="relu")),
    "distilbert-classes": ("DistilBert", "SequenceClassification", dict(sinusoidal_pos_embds=True)),
    "modernbert-masked": ("ModernBert", "MaskedLM", MODERN),
    "modernbert-classes": ("ModernBert", "SequenceClassification", dict(MODERN, classifier_activation="silu")),
    "modernbert-mean": (
        "ModernBert",
        "SequenceClassification",
        dict(
            MODERN,
            classifier_pooling="mean",
            layer_types=["sliding_attention", "full_attention", "full_attention", "sliding_attention"],
            rope_parameters={
                "full_attention": {"rope_type": "default", "rope_theta": 500.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
            },
        ),
    ),
}


def build(kind, head, keys):
    sizes = {**SIZES, **keys, "num_labels": 3}
    if kind == "DistilBert":
        sizes = {key: value for key, value in sizes.items() if key not in SIZES or key.endswith("_id")}
        sizes |= DISTIL | {key: SIZES[key] for key in ["vocab_size", "max_position_embeddings"]}
    if head == "MaskedLM":
        del sizes["num_labels"]
    model = getattr(transformers, f"{kind}For{head}")(getattr(transformers, f"{kind}Config")(**sizes))
    model.set_attn_implementation("eager")
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            weight.data.normal_(0, 0.25)
        elif "norm" in name.lower() and name.endswith("weight"):
            weight.data.normal_(1, 0.1)
        else:
            weight.data.normal_(0, 0.1)
    return model.eval()


def answers(model, head):
    """Two texts, of which the second is shorter by five."""
    padding = model.config.pad_token_id
    ids = torch.randint(3, SIZES["vocab_size"], (2, 14))
    mask = torch.ones_like(ids)
    mask[1, 9:], ids[1, 9:] = 0, padding
    labels = torch.tensor([2, 0])
    if head == "MaskedLM":
        labels = torch.where(torch.rand(ids.shape) < 0.4, ids, -100).masked_fill(mask == 0, -100)
    out = model(ids, attention_mask=mask, labels=labels, output_hidden_states=True)
    out.loss.backward()
    last = model.base_model(ids, attention_mask=mask).last_hidden_state
    tensors = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    tensors |= {"logits": out.logits, "hidden": last, "loss": out.loss.reshape(1)}
    # Of two names of one tensor the file has the latter.
    tied = {"lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight"}
    named = [(tied.get(name, name), weight) for name, weight in model.named_parameters()]
    gradients = {name: weight.grad for name, weight in named if weight.grad is not None}
    tensors |= {f"gradient.{name}": gradient.norm().reshape(1) for name, gradient in gradients.items()}
    return {name: x.detach().contiguous().clone() for name, x in tensors.items()}


def made(model, trainer, **parts):
    tokenizer = tokenizers.Tokenizer(model)
    for key, part in parts.items():
        setattr(tokenizer, key, part)
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    return tokenizer


def tokenizer_of(kind):
    """WordPiece as BERT has it, or the bytes of RoBERTa, with 300 tokens at most."""
    if kind in ["RobertaConfig", "XLMRobertaConfig"]:
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
        made_of = made(
            models.BPE(), trainer, pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False), decoder=decoders.ByteLevel()
        )
        made_of.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
        names = dict(bos_token="<s>", cls_token="<s>", eos_token="</s>", sep_token="</s>", pad_token="<pad>")
        names |= dict(unk_token="<unk>", mask_token="<mask>")
    else:
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=special, show_progress=False)
        made_of = made(
            models.WordPiece(unk_token="[UNK]"),
            trainer,
            normalizer=normalizers.BertNormalizer(),
            pre_tokenizer=pre_tokenizers.BertPreTokenizer(),
            decoder=decoders.WordPiece(),
        )
        made_of.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
        names = dict(cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]")
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made_of, **names)


def write_sentences(folder, model, pooling, scaled, length, prompt):
    """A folder of sentence-transformers, and the vectors that the library makes of the texts."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules as parts

    bare = folder / "bare"
    model.base_model.save_pretrained(bare)
    tokenizer_of(type(model.config).__name__).save_pretrained(bare)
    first = parts.Transformer(str(bare), max_seq_length=length)
    chain = [first, parts.Pooling(model.config.hidden_size, pooling_mode=pooling)] + [parts.Normalize()] * scaled
    prompts = dict(prompts={"query": prompt}, default_prompt_name="query") if prompt else {}
    whole = SentenceTransformer(modules=chain, device="cpu", **prompts)
    whole.save(str(folder), create_model_card=False)
    shutil.rmtree(bare)
    vectors = whole.encode(TEXTS, batch_size=2)
    again = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    assert abs(vectors - again).max() < 1e-5
    found = [dict(text=text, vector=vector.tolist()) for text, vector in zip(TEXTS, vectors)]
    (folder / "vectors.json").write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n")


torch.set_num_threads(1)
for name, (kind, head, keys) in MODELS.items():
    torch.manual_seed(7)
    model = build(kind, head, keys)
    found = answers(model, head)
    folder = Path(sys.argv[1]) / name
    model.save_pretrained(folder)
    save_file(found, folder / "io.safetensors")
    tokenizer_of(type(model.config).__name__).save_pretrained(folder)
    print(name, sum(weight.numel() for weight in model.parameters()))
for name, kind, keys, answer in [
    ("sentence-bert", "Bert", dict(hidden_act="gelu"), ("mean", True, 16, None)),
    ("sentence-roberta", "Roberta", dict(pad_token_id=1, type_vocab_size=1), ("cls", False, 20, "query: ")),
    ("sentence-distilbert", "DistilBert", {}, ("max", True, 12, None)),
    ("sentence-modernbert", "ModernBert", MODERN, ("mean_sqrt_len_tokens", False, None, None)),
]:
    torch.manual_seed(7)
    write_sentences(Path(sys.argv[1]) / name, build(kind, "MaskedLM", keys), *answer)
