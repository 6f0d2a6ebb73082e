"""Writes the files in data/: tiny models in GGUF, and what the packages `gguf`, `transformers`, `tokenizers` and
`sentencepiece` make of them. Needs those packages and `torch`; no test does.

    python crates/fireclay-gguf/tests/make.py
"""

import io
import json
import pathlib
import tempfile

import gguf
import numpy as np
import sentencepiece
import torch
from gguf import GGMLQuantizationType as Kind
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

DATA = pathlib.Path(__file__).parent / "data"
TEXT = """The potter turns the wheel and the clay turns too, 3 times or 12 or 1048576.
Fire makes it hard; water couldn't. We've seen 40 kilns, they're all warm.
Zwei T\u00f6pfe stehen im Regal, und der Ofen ist hei\u00df. \u4f60\u597d, \u4e16\u754c!
    Indented lines, tabs\tand   many   spaces.

He'll fire it again, and again, and again: the wheel turns and the clay turns too.
""" * 4
PROBES = [
    "The potter turns the wheel",
    " and 1048576 kilns, 3.14!",
    "They're T\u00f6pfe, he'LL say; \u4f60\u597d \U0001f525",
    "a  b   c\n\n  d\t\r\ne",
    "",
    "Cafe\u0301 and caf\u00e9",
]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEMPLATE = "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"


def kinds(random):
    """A tensor of every kind, and all kinds of metadata; the numbers are those of `gguf.dequantize`."""
    writer = gguf.GGUFWriter(DATA / "kinds.gguf", "llama")
    for name, value in [("u8", 200), ("i8", -3), ("u16", 60000), ("i16", -300), ("u32", 4_000_000_000), ("i32", -5)]:
        writer.add_key_value(f"test.{name}", value, getattr(gguf.GGUFValueType, {"u": "UINT", "i": "INT"}[name[0]] + name[1:]))
    writer.add_uint64("test.u64", 2**63 + 1)
    writer.add_float32("test.f32", 1e-5)
    writer.add_float64("test.f64", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_string("test.text", "h\u00e9llo")
    writer.add_array("test.texts", ["a", "", "\u00fc"])
    writer.add_array("test.integers", [1, -2, 3])
    writer.add_array("test.numbers", [0.5, -1.5])
    expected = {}
    for kind in [Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q4_0, Kind.Q4_1, Kind.Q5_0, Kind.Q5_1, Kind.Q4_K, Kind.Q5_K, Kind.Q6_K]:
        data = blocks(random, kind, 2, 256) if "_K" in kind.name else gguf.quantize(random.normal(size=(2, 256)).astype(np.float32), kind)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        numbers = gguf.dequantize(data, kind).astype("<f4").reshape(2, 256)
        # Sums of the bits say all of them; the first ones say where it goes wrong.
        bits = numbers.view("<u4").ravel()
        expected[kind.name] = {"first": bits[:40].tolist(), "sum": int(bits.astype(np.uint64).sum()), "weighted": int((bits.astype(np.uint64) * np.arange(1, 513, dtype=np.uint64)).sum())}
    finish(writer)
    write_json("kinds.json", expected)


def blocks(random, kind, rows, columns):
    """Rows of blocks of a kind for which the package has no quantization: any bytes, with small scales."""
    size, count = gguf.GGML_QUANT_SIZES[kind][1], rows * columns // 256
    data = random.integers(0, 256, size=(count, size), dtype=np.uint8)
    half = lambda value: np.frombuffer(np.float16(value).tobytes(), dtype=np.uint8)
    for block in data:
        if kind == Kind.Q6_K:
            block[208:210] = half(random.uniform(0.5, 1) * 2e-5)
        else:
            block[0:2] = half(random.uniform(0.5, 1) * 1e-4)
            block[2:4] = half(random.uniform(0.5, 1) * 8e-4)
    return data.reshape(rows, -1)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_json(name, value):
    (DATA / name).write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


def pieces():
    """A vocabulary of SentencePiece, with bytes for what it lacks."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.split("\n")), model_writer=model, vocab_size=360, model_type="bpe", byte_fallback=True,
        character_coverage=0.98, remove_extra_whitespaces=False, normalization_rule_name="identity", split_digits=True,
        allow_whitespace_only_pieces=True, unk_id=0, bos_id=1, eos_id=2, pad_id=-1,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def add_pieces(writer, spm):
    tokens, scores, types = [], [], []
    for id in range(spm.vocab_size()):
        kind = gguf.TokenType.NORMAL
        if spm.is_unknown(id):
            kind = gguf.TokenType.UNKNOWN
        elif spm.is_control(id):
            kind = gguf.TokenType.CONTROL
        elif spm.is_byte(id):
            kind = gguf.TokenType.BYTE
        tokens.append(spm.id_to_piece(id))
        scores.append(spm.get_score(id))
        types.append(kind)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(TEMPLATE)


SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def cut(pre):
    byte_level = lambda cuts: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=cuts)
    split = lambda pattern: pre_tokenizers.Split(Regex(pattern), "isolated")
    return {
        "gpt-2": byte_level(True),
        "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)]),
        "llama-bpe": pre_tokenizers.Sequence([split(LLAMA3), byte_level(False)]),
        "qwen2": pre_tokenizers.Sequence([split(QWEN2), byte_level(False)]),
    }[pre]


def merges(pre):
    tokenizer = Tokenizer(models.BPE(ignore_merges=pre == "llama-bpe"))
    tokenizer.pre_tokenizer = cut(pre)
    tokenizer.decoder = decoders.ByteLevel()
    if pre == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator([TEXT], trainer)
    return tokenizer


def add_merges(writer, tokenizer, pre):
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if token in SPECIAL else gguf.TokenType.NORMAL for token in tokens])
    writer.add_token_merges(pairs)
    writer.add_eos_token_id(2)
    writer.add_bos_token_id(1)
    writer.add_eot_token_id(0)
    writer.add_chat_template(TEMPLATE)


def tokenizers():
    """Vocabularies alone, and the tokens of the probes."""
    expected = {}
    spm = pieces()
    writer = gguf.GGUFWriter(DATA / "pieces.gguf", "llama")
    add_pieces(writer, spm)
    finish(writer)
    expected["pieces"] = [[text, spm.encode(text), spm.decode(spm.encode(text))] for text in PROBES]
    for pre in ["gpt-2", "smollm", "llama-bpe", "qwen2"]:
        tokenizer = merges(pre)
        writer = gguf.GGUFWriter(DATA / f"{pre}.gguf", "llama")
        add_merges(writer, tokenizer, pre)
        finish(writer)
        encoded = [tokenizer.encode(text).ids for text in PROBES]
        expected[pre] = [[text, ids, tokenizer.decode(ids)] for text, ids in zip(PROBES, encoded)]
    write_json("tokenizers.json", expected)


def paired(weight, heads):
    """The order of rows in which llama.cpp's converter writes queries and keys."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


LLAMA = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}
GPT2 = {
    "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}


def llama(name, kinds, width, layers, tie):
    spm = pieces()
    config = LlamaConfig(
        vocab_size=spm.vocab_size(), hidden_size=width, intermediate_size=width, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, rope_theta=5000.0, rms_norm_eps=1e-5, tie_word_embeddings=tie,
        initializer_range=0.15,
    )
    model = LlamaForCausalLM(config)
    writer = gguf.GGUFWriter(DATA / f"{name}.gguf", "llama")
    writer.add_block_count(layers)
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(width)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_rope_freq_base(5000.0)
    writer.add_rope_dimension_count(width // 4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(spm.vocab_size())
    add_pieces(writer, spm)
    random, kinds = np.random.default_rng(5), iter(kinds * 20)
    for key, tensor in model.state_dict().items():
        data = tensor.detach().numpy().astype(np.float32)
        for theirs, ours in [("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output"), ("model.layers.", "blk."), *LLAMA.items()]:
            key = key.replace(theirs, ours)
        if key == "output.weight" and tie:
            continue
        if "attn_q.weight" in key:
            data = paired(data, 4)
        if "attn_k.weight" in key:
            data = paired(data, 2)
        add(writer, random, key, data, Kind.F32 if data.ndim == 1 else next(kinds))
    finish(writer)
    return reference(loaded(name))


def qwen(name, config, model):
    """A tiny Qwen: queries and keys as `transformers` lay them, biases in Qwen2, heads wider than usual and norms of them in Qwen3."""
    torch.manual_seed(11)
    tokenizer = merges("qwen2")
    sizes = dict(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, rope_theta=20000.0, rms_norm_eps=1e-6, initializer_range=0.2,
    )
    is_third = name == "qwen3"
    config = config(**sizes, tie_word_embeddings=not is_third, **({"head_dim": 16} if is_third else {}))
    model = model(config)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, 0.5, 0.3)
    writer = gguf.GGUFWriter(DATA / f"{name}-model.gguf", name)
    writer.add_block_count(2)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(48)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_rope_freq_base(20000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    if is_third:
        writer.add_key_length(16)
        writer.add_value_length(16)
    add_merges(writer, tokenizer, "qwen2")
    norms = {"self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm"}
    for key, tensor in model.state_dict().items():
        if tensor.ndim == 2:
            tensor.copy_(tensor.half().float())
        if key == "lm_head.weight" and not is_third:
            continue
        for theirs, ours in [("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output"), ("model.layers.", "blk."), *norms.items(), *LLAMA.items()]:
            key = key.replace(theirs, ours)
        add(writer, None, key, tensor.detach().numpy().astype(np.float32), Kind.F32 if tensor.ndim == 1 else Kind.F16)
    finish(writer)
    return reference(model.eval())


def add(writer, random, key, data, kind):
    data = blocks(random, kind, *data.shape) if "_K" in kind.name else gguf.quantize(data, kind)
    writer.add_tensor(key, data, raw_dtype=kind)


def gpt2(name):
    tokenizer = merges("gpt-2")
    config = GPT2Config(vocab_size=tokenizer.get_vocab_size(), n_embd=32, n_layer=2, n_head=4, n_positions=64, n_inner=128, initializer_range=0.2)
    model = GPT2LMHeadModel(config)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, 0.5, 0.3)
    writer = gguf.GGUFWriter(DATA / f"{name}.gguf", "gpt2")
    writer.add_block_count(2)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(128)
    writer.add_head_count(4)
    writer.add_layer_norm_eps(1e-5)
    add_merges(writer, tokenizer, "gpt-2")
    for key, tensor in model.state_dict().items():
        if tensor.ndim == 2:
            tensor.copy_(tensor.half().float())
        data = tensor.detach().numpy().astype(np.float32)
        if key.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
            data = np.ascontiguousarray(data.T)
        if key == "lm_head.weight" or key.endswith((".attn.bias", ".attn.masked_bias")):
            continue
        for theirs, ours in [("transformer.wte", "token_embd"), ("transformer.wpe", "position_embd"), ("transformer.ln_f", "output_norm"), ("transformer.h.", "blk."), *GPT2.items()]:
            key = key.replace(theirs, ours)
        add(writer, None, key, data, Kind.F32 if data.ndim == 1 else Kind.F16)
    finish(writer)
    # `transformers` reads no GPT-2 with sizes of its own from a GGUF: the model that was written stands for it.
    return reference(model.eval())


def loaded(name):
    return AutoModelForCausalLM.from_pretrained(DATA, gguf_file=f"{name}.gguf", dtype=torch.float32).eval()


def reference(model):
    """The logits after some tokens, and the tokens that follow greedily, by `transformers`."""
    tokens = torch.tensor([[1, 300, 270, 305, 280, 9, 311, 290]])
    with torch.no_grad():
        logits = model(tokens).logits[0, -1]
        greedy = model.generate(tokens, max_new_tokens=12, do_sample=False, eos_token_id=None, pad_token_id=0)
    return {"tokens": tokens[0].tolist(), "logits": [round(value, 6) for value in logits.tolist()], "greedy": greedy[0, 8:].tolist()}


def main():
    torch.manual_seed(3)
    DATA.mkdir(exist_ok=True)
    kinds(np.random.default_rng(7))
    tokenizers()
    mixed = [Kind.Q8_0, Kind.F16, Kind.Q4_0, Kind.Q4_1, Kind.BF16, Kind.Q5_0, Kind.Q5_1, Kind.F32]
    write_json("models.json", {
        "llama": llama("llama", mixed, 64, 2, True),
        "llama-k": llama("llama-k", [Kind.Q6_K, Kind.Q4_K, Kind.Q5_K], 256, 1, False),
        "gpt2": gpt2("gpt2"),
        "qwen2-model": qwen("qwen2", Qwen2Config, Qwen2ForCausalLM),
        "qwen3-model": qwen("qwen3", Qwen3Config, Qwen3ForCausalLM),
    })


main()
