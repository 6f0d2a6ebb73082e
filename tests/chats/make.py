"""Writes a small model with a chat template and what transformers and PyTorch make of it, for the tests of conversations:
hub/ as save_pretrained writes it, chats.jsonl, and losses.json with the loss at each step of a training and of all
conversations before it.

usage: python make.py        (with torch and transformers; the tokenizer is that of the tests of fireclay-data)
"""

import json
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer

here = Path(__file__).parent
reference = json.loads((here / "../../crates/fireclay-data/tests/reference/chats.json").read_text())
TEMPLATE = reference["templates"]["chatml"]
tokenizer = transformers.PreTrainedTokenizerFast(
    tokenizer_object=Tokenizer.from_str(json.dumps(reference["tokenizers"]["bytes"])), bos_token="<s>", eos_token="</s>"
)
tokenizer.chat_template = TEMPLATE

TOWNS = dict(Bonn="Rhine", Prague="Moldau", Cairo="Nile", London="Thames", Vienna="Danube", Paris="Seine")
TALKS = [
    [
        dict(role="user", content=f"Which river is in {town}?"),
        dict(role="assistant", content=f"The {river}."),
        *(
            [dict(role="user", content="And is it long?"), dict(role="assistant", content="It is, as rivers go.")]
            if index % 3 == 0
            else []
        ),
    ]
    for index, (town, river) in enumerate(TOWNS.items())
]
STEPS, ROWS, RATE = 6, 2, 5e-3


def labelled(talks):
    """Conversations side by side, with the tokens of the assistant as labels."""
    made = [
        tokenizer.apply_chat_template(talk, return_dict=True, return_assistant_tokens_mask=True) for talk in talks
    ]
    width = max(len(each["input_ids"]) for each in made)
    ids = torch.zeros(len(made), width, dtype=torch.long)
    seen = torch.zeros(len(made), width, dtype=torch.long)
    labels = torch.full((len(made), width), -100)
    for row, each in enumerate(made):
        length = len(each["input_ids"])
        ids[row, :length] = torch.tensor(each["input_ids"])
        seen[row, :length] = 1
        mask = torch.tensor(each["assistant_masks"], dtype=torch.bool)
        labels[row, :length][mask] = ids[row, :length][mask]
    return ids, seen, labels


def loss_of(model, talks):
    ids, seen, labels = labelled(talks)
    return model(input_ids=ids, attention_mask=seen, labels=labels).loss


def main():
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=256, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=None, tie_word_embeddings=True,
    )
    model = transformers.LlamaForCausalLM(config).train()
    model.save_pretrained(here / "hub")
    tokenizer.save_pretrained(here / "hub")
    lines = [json.dumps(dict(messages=talk)) for talk in TALKS]
    (here / "chats.jsonl").write_text("\n".join(lines) + "\n")
    with torch.no_grad():
        before = loss_of(model, TALKS).item()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    losses = []
    for step in range(STEPS):
        first = step * ROWS % len(TALKS)
        loss = loss_of(model, TALKS[first : first + ROWS])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        after = loss_of(model, TALKS).item()
    (here / "losses.json").write_text(json.dumps(dict(before=before, steps=losses, after=after)) + "\n")
    print(before, losses, after)


main()
