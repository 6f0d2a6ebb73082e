"""Writes the small models of transformers that the tests of the decoders are compared with, each in a folder of its
own: config.json and model.safetensors as save_pretrained writes them, and io.safetensors with what the model answers.

usage: python make.py FOLDER
"""

import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

SIZES = dict(
    vocab_size=61,
    hidden_size=24,
    intermediate_size=40,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=32,
    bos_token_id=None,
    eos_token_id=None,
    pad_token_id=0,
)
SHORT, LONG = [1.0, 1.3], [2.0, 9.0]


def rope(kind, theta=10_000.0, **keys):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=theta, **keys))


MODELS = {
    "llama-linear": ("Llama", rope("linear", factor=4.0)),
    "llama-dynamic": ("Llama", rope("dynamic", factor=4.0)),
    "llama-llama3": (
        "Llama",
        rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16),
    ),
    "llama-yarn": ("Llama", rope("yarn", 500.0, factor=4.0, original_max_position_embeddings=8)),
    "mistral": ("Mistral", dict(sliding_window=5, head_dim=8)),
    "qwen2": ("Qwen2", dict(tie_word_embeddings=True)),
    "qwen2-window": ("Qwen2", dict(use_sliding_window=True, sliding_window=5, max_window_layers=1)),
    "qwen3": ("Qwen3", dict(head_dim=8)),
    "gemma2": ("Gemma2", dict(sliding_window=5, head_dim=8, query_pre_attn_scalar=6)),
    "gemma3": (
        "Gemma3",
        dict(
            num_hidden_layers=3,
            sliding_window=5,
            head_dim=8,
            query_pre_attn_scalar=6,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"],
            rope_parameters={
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1_000_000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
            },
        ),
    ),
    "phi3": ("Phi3", dict(sliding_window=5)),
    "phi3-longrope": (
        "Phi3",
        dict(
            max_position_embeddings=64,
            original_max_position_embeddings=32,
            partial_rotary_factor=0.75,
            **rope("longrope", short_factor=SHORT, long_factor=LONG),
        ),
    ),
    "smollm3": ("SmolLM3", dict(no_rope_layers=[1, 0])),
    "olmo2": ("Olmo2", {}),
    "mixtral": ("Mixtral", dict(sliding_window=None, num_local_experts=4)),
    "qwen3_moe": (
        "Qwen3Moe",
        dict(head_dim=8, moe_intermediate_size=20, num_experts=4, num_experts_per_tok=2, norm_topk_prob=True),
    ),
    "gpt_neox": ("GPTNeoX", dict(hidden_size=32, rotary_pct=0.5)),
    "gpt_neox-serial": ("GPTNeoX", dict(hidden_size=32, rotary_pct=0.5, use_parallel_residual=False)),
}


def build(kind, keys):
    config_class = getattr(transformers, f"{kind}{'Text' if kind == 'Gemma3' else ''}Config")
    sizes = {**SIZES, **keys}
    if kind == "GPTNeoX":
        del sizes["num_key_value_heads"]
    model = getattr(transformers, f"{kind}ForCausalLM")(config_class(**sizes))
    model.set_attn_implementation("eager")
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            weight.data.normal_(0, 0.25)
        elif "norm" in name and name.endswith("weight"):
            # Gemma adds one to the weight.
            weight.data.normal_(0 if "Gemma" in kind else 1, 0.1)
        else:
            weight.data.normal_(0, 0.1)
    return model.eval()


def in_file(name, model_type):
    """What the file calls a parameter; of all experts of a block only the norm of all their gradients is kept."""
    if model_type == "gpt_neox":
        name = name.replace("lm_head", "embed_out")
    if model_type == "mixtral":
        name = name.replace(".mlp.", ".block_sparse_moe.")
    return name.split(".experts.")[0]


def answers(model):
    ids = torch.randint(1, SIZES["vocab_size"], (2, 12))
    out = model(ids, labels=ids)
    out.loss.backward()
    tensors = {"input_ids": ids, "labels": ids, "logits": out.logits, "loss": out.loss.reshape(1)}
    squares = {}
    for name, weight in model.named_parameters():
        name = in_file(name, model.config.model_type)
        squares[name] = squares.get(name, 0) + weight.grad.square().sum()
    tensors |= {f"gradient.{name}": square.sqrt().reshape(1) for name, square in squares.items()}
    with torch.no_grad():
        # The second row is shorter by four.
        for side, real in [("left", slice(4, 12)), ("right", slice(0, 8))]:
            mask = torch.zeros_like(ids)
            mask[0], mask[1, real] = 1, 1
            padded = torch.zeros_like(ids)
            padded[0], padded[1, real] = ids[0], ids[1, :8]
            positions = (mask.cumsum(1) - 1).clamp(min=0)
            out = model(padded, attention_mask=mask, position_ids=positions)
            tensors |= {f"{side}_ids": padded, f"{side}_mask": mask, f"{side}_logits": out.logits}
        prompt = ids[:1, :5]
        written = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=20, do_sample=False)
        tensors |= {"greedy_prompt_ids": prompt, "greedy_output_ids": written}
        # Where the best two are near, another order of sums would give another text; one word says little.
        best = model(written).logits[0, 4:-1].topk(2).values
        if (best[:, 0] - best[:, 1]).min() < 1e-3 or len(set(written[0, 5:].tolist())) < 4:
            return None
    return {name: x.detach().contiguous().clone() for name, x in tensors.items()}


torch.set_num_threads(1)
for name, (kind, keys) in MODELS.items():
    for seed in range(100):
        torch.manual_seed(seed)
        model = build(kind, keys)
        found = answers(model)
        if found is not None:
            break
    else:
        sys.exit(f"{name}: no seed gives a text that says something")
    folder = Path(sys.argv[1]) / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink()
    save_file(found, folder / "io.safetensors")
    print(name, seed, sum(weight.numel() for weight in model.parameters()))
