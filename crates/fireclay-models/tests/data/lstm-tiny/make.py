"""Writes the numbers that the tests of the LSTM are compared with: rows of unequal length through torch.nn.LSTM."""

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

VOCABULARY, WIDTH, HIDDEN, OUTPUTS = 29, 6, 5, 3
LENGTHS = [7, 1, 4, 6]


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.lstm = nn.LSTM(WIDTH, HIDDEN, num_layers=2, batch_first=True, bidirectional=True)
        self.classifier = nn.Linear(2 * HIDDEN, OUTPUTS)

    def forward(self, tokens, lengths):
        packed = pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
        packed, (h_n, _) = self.lstm(packed)
        states, _ = pad_packed_sequence(packed, batch_first=True)
        real = (torch.arange(states.shape[1]) < lengths[:, None])[..., None]
        pooled = {
            "final": torch.cat([h_n[-2], h_n[-1]], 1),
            "mean": states.sum(1) / lengths[:, None],
            "max": states.masked_fill(~real, -torch.inf).amax(1),
        }
        return states, {name: self.classifier(x) for name, x in pooled.items()}


torch.manual_seed(11)
torch.set_num_threads(1)
model = Classifier()
lengths = torch.tensor(LENGTHS)
real = torch.arange(max(LENGTHS)) < lengths[:, None]
tokens = torch.randint(1, VOCABULARY, real.shape) * real
labels = torch.tensor([0, 2, 1, 0])
states, logits = model(tokens, lengths)
# One sum, so that the gradients of every kind of pooling are in it.
loss = sum(nn.functional.cross_entropy(x, labels) for x in logits.values())
loss.backward()
tensors = {
    "input_ids": tokens,
    "attention_mask": real.long(),
    "labels": labels,
    "states": states,
    "loss": loss.reshape(1),
    **{f"logits.{name}": x for name, x in logits.items()},
}
save_file({name: x.detach().contiguous() for name, x in tensors.items()}, "io.safetensors")
save_file(model.state_dict(), "model.safetensors")
save_file({name: p.grad for name, p in model.named_parameters()}, "grads.safetensors")
