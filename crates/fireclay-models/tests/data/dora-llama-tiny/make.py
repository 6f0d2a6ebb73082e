"""Writes what PEFT computes with DoRA on ../llama-tiny: start.safetensors, the adapters at their beginning;
losses.safetensors, the losses of five steps of SGD from there at a rate of 0.5; adapters.safetensors, those after it, moved
at random; and with these, PLACE-io.safetensors (logits) and PLACE-grads.safetensors (of the mean square of the logits). PLACE
is `plain`, `dropout`, where the inputs of adapters are left out with a probability of 0.25 by the masks that
fireclay draws, or `lora-dropout`, the same without magnitudes. With transformers 5.24.0 and PEFT 0.21.2 on the CPU."""


import pathlib

import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent
BASE = HERE.parent / "llama-tiny"
INPUTS = load_file(BASE / "io.safetensors")["input_ids"]
TARGETS = ["q_proj", "v_proj"]


def adapted(dora=True, dropout=0.0):
    torch.manual_seed(0)
    base = transformers.AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    config = peft.LoraConfig(r=4, lora_alpha=6, target_modules=TARGETS, use_dora=dora, lora_dropout=dropout)
    return peft.get_peft_model(base, config)


def named(model):
    """The trained parameters under the names of PEFT's files."""
    parameters = model.named_parameters()
    short = lambda name: name.replace(".default.weight", ".weight").replace("_vector.weight", "_vector")
    return {short(name): parameter for name, parameter in parameters if parameter.requires_grad}


def write(model, place):
    logits = model(input_ids=INPUTS).logits
    model.zero_grad()
    logits.square().mean().backward()
    grads = {name: parameter.grad.contiguous() for name, parameter in named(model).items()}
    save_file({"logits": logits.detach().contiguous()}, HERE / f"{place}-io.safetensors")
    save_file(grads, HERE / f"{place}-grads.safetensors")


def mix(value):
    """SplitMix64, as crates/fireclay-models/src/layers/draws.rs has it."""
    bits = (1 << 64) - 1
    value = (value + 0x9E3779B97F4A7C15) & bits
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & bits
    value = (value ^ value >> 27) * 0x94D049BB133111EB & bits
    return value ^ value >> 31


class Drawn(torch.nn.Module):
    """Dropout whose mask is number `turn` of those that are drawn for the key 3."""

    def __init__(self, turn, keep):
        super().__init__()
        self.turn, self.keep = turn, keep

    def forward(self, x):
        stream = mix(3 ^ mix(self.turn))
        word = lambda at: mix(stream + at // 2 * 0x9E3779B97F4A7C15 & (1 << 64) - 1) >> 32 * (at % 2) & 0xFFFFFFFF
        kept = [word(at) < self.keep * 2**32 for at in range(x.numel())]
        return x * torch.tensor(kept).reshape(x.shape) / self.keep


model = adapted().eval()
start = {name: parameter.detach().clone() for name, parameter in named(model).items()}
losses = []
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for step in range(5):
    loss = model(input_ids=INPUTS, labels=INPUTS).loss
    losses.append(loss.detach())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
save_file(start, HERE / "start.safetensors")
save_file({"losses": torch.stack(losses)}, HERE / "losses.safetensors")
torch.manual_seed(1)
for parameter in named(model).values():
    parameter.data += 0.1 * torch.randn_like(parameter)
adapters = {name: parameter.detach().clone() for name, parameter in named(model).items()}
saved = peft.get_peft_model_state_dict(model)
assert saved.keys() == adapters.keys(), (saved.keys(), adapters.keys())
save_file(adapters, HERE / "adapters.safetensors")
write(model, "plain")
for place, dora in [("dropout", True), ("lora-dropout", False)]:
    model = adapted(dora, 0.25).train()
    own = {name: value for name, value in adapters.items() if dora or "magnitude" not in name}
    peft.set_peft_model_state_dict(model, own)
    layers = [module for module in model.modules() if hasattr(module, "lora_dropout")]
    for turn, layer in enumerate(layers):
        layer.lora_dropout["default"] = Drawn(turn, 0.75)
    write(model, place)
print({name: tuple(value.shape) for name, value in adapters.items()}, losses)
