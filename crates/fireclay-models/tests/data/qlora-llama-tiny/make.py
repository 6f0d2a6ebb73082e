"""Writes what PEFT computes with the adapters of ../lora-llama-tiny beside the base ../llama-tiny in NF4 with double
quantization: io.safetensors (logits) and grads.safetensors (of the mean square of the logits), with transformers, PEFT and
bitsandbytes 0.50.2 on the CPU. The codes and scales are those of bitsandbytes, the numbers that they stand for the products
of its tables in single precision."""

import pathlib

import bitsandbytes.functional as F
import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
BASE, ADAPTERS = HERE.parent / "llama-tiny", HERE.parent / "lora-llama-tiny"


def rounded(weight):
    codes, state = F.quantize_nf4(weight, blocksize=64, compress_statistics=True)
    codes = codes.flatten().long()
    indices = torch.stack([codes >> 4, codes & 15], 1).flatten()[: weight.numel()]
    scales = state.state2.code[state.absmax.long()]
    scales = scales * state.state2.absmax.repeat_interleave(256)[: len(scales)] + state.offset
    values = state.code[indices] * scales.repeat_interleave(64)[: weight.numel()]
    return values.reshape(weight.shape)


base = transformers.AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
for name, module in base.named_modules():
    if isinstance(module, torch.nn.Linear) and name != "lm_head":
        module.weight.data = rounded(module.weight.data)
model = peft.get_peft_model(base, peft.LoraConfig(r=4, lora_alpha=6, target_modules=["q_proj", "v_proj"]))
adapters = load_file(ADAPTERS / "adapters.safetensors")
peft.set_peft_model_state_dict(model, adapters)
inputs = load_file(BASE / "io.safetensors")["input_ids"]
logits = model(input_ids=inputs).logits
logits.square().mean().backward()
named = dict(model.named_parameters())
grads = {name: named[name.replace(".weight", ".default.weight")].grad for name in adapters}
save_file({"logits": logits.detach().contiguous()}, HERE / "io.safetensors")
save_file(grads, HERE / "grads.safetensors")
print(logits.shape, len(grads))
