"""Writes preferences.jsonl and what TRL and PyTorch make of it, for the tests of preferences: numbers.json with the loss at
each step of a training with each loss, and rewards and log-probabilities after it. The model is that of the tests of
conversations.

What TRL has is computed by TRL, and by the equations of the papers in plain PyTorch, which must agree; the rest by the
equations alone.

usage: python make.py        (with torch, transformers and trl)
"""

import json
import math
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
import trl
from datasets import Dataset

here = Path(__file__).parent
hub = here / "../chats/hub"
tokenizer = transformers.AutoTokenizer.from_pretrained(hub)
TOWNS = dict(Bonn="Rhine", Prague="Moldau", Cairo="Nile", London="Thames", Vienna="Danube", Paris="Seine")
RIVERS = list(TOWNS.values())
PAIRS = [
    dict(
        prompt=[dict(role="user", content=f"Which river is in {town}?")],
        chosen=[dict(role="assistant", content=f"The {river}.")],
        rejected=[dict(role="assistant", content=f"I think that it may be the {RIVERS[(index + 1) % len(RIVERS)]}.")],
    )
    for index, (town, river) in enumerate(TOWNS.items())
]
STEPS, ROWS, RATE, BETA = 6, 2, 5e-3, 0.2


def model_of_tests():
    return transformers.AutoModelForCausalLM.from_pretrained(hub, dtype=torch.float32)


def batch(pairs):
    """Better answers and then the others, each after its prompt; 1 where a token is of the answer."""
    rows, starts = [], []
    for side in ("chosen", "rejected"):
        for pair in pairs:
            prompt = tokenizer.apply_chat_template(pair["prompt"], add_generation_prompt=True)["input_ids"]
            whole = tokenizer.apply_chat_template(pair["prompt"] + pair[side])["input_ids"]
            assert whole[: len(prompt)] == prompt
            rows.append(whole)
            starts.append(len(prompt))
    width = max(map(len, rows))
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    seen, answer = torch.zeros(len(rows), width), torch.zeros(len(rows), width)
    for row, (whole, start) in enumerate(zip(rows, starts)):
        ids[row, : len(whole)] = torch.tensor(whole)
        seen[row, : len(whole)] = 1
        answer[row, start : len(whole)] = 1
    return ids, seen, answer


def log_probabilities(model, pairs):
    ids, seen, answer = batch(pairs)
    logits = model(input_ids=ids, attention_mask=seen.long()).logits[:, :-1]
    logs = F.log_softmax(logits, -1).gather(-1, ids[:, 1:, None]).squeeze(-1)
    return (logs * answer[:, 1:]).sum(-1), answer[:, 1:].sum(-1)


def dpo(kind, smoothing=0.0, normalised=False):
    """Rafailov et al. 2023, equation 7; Azar et al. 2023, equation 17; conservative DPO, Mitchell 2023."""

    def loss(model, reference, pairs):
        logs, lengths = log_probabilities(model, pairs)
        with torch.no_grad():
            before, _ = log_probabilities(reference, pairs)
        gained = (logs - before) / lengths if normalised else logs - before
        chosen, rejected = gained.chunk(2)
        margin = chosen - rejected
        if kind == "ipo":
            losses = (margin - 1 / (2 * BETA)) ** 2
        else:
            losses = -F.logsigmoid(BETA * margin) * (1 - smoothing) - F.logsigmoid(-BETA * margin) * smoothing
        return losses.mean(), BETA * gained, logs

    return loss


def orpo(model, _, pairs):
    """Hong et al. 2024, equations 3 to 7."""
    logs, lengths = log_probabilities(model, pairs)
    means = logs / lengths
    log_odds = means - torch.log1p(-torch.exp(means))
    chosen, rejected = log_odds.chunk(2)
    learnt = -means.chunk(2)[0]
    losses = learnt - BETA * F.logsigmoid(chosen - rejected)
    return losses.mean(), BETA * means, means


def reward(model, _, pairs):
    """Ouyang et al. 2022, equation 1: the reward is the logit of the token that ends a text, after the last token."""
    ids, seen, _ = batch(pairs)
    logits = model(input_ids=ids, attention_mask=seen.long()).logits[..., tokenizer.eos_token_id]
    rewards = logits.gather(1, seen.sum(-1, keepdim=True).long() - 1).squeeze(-1)
    chosen, rejected = rewards.chunk(2)
    return -F.logsigmoid(chosen - rejected).mean(), rewards, None


def untied():
    """The same model with a head of its own."""
    model = model_of_tests()
    config = transformers.LlamaConfig(**{**model.config.to_dict(), "tie_word_embeddings": False})
    other = transformers.LlamaForCausalLM(config)
    other.load_state_dict({**model.state_dict(), "lm_head.weight": model.lm_head.weight.detach().clone()})
    return other


def trained(loss_of, model=None):
    model, reference = (model or model_of_tests()).train(), model_of_tests().eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    losses = []
    for step in range(STEPS):
        first = step * ROWS % len(PAIRS)
        loss, _, _ = loss_of(model, reference, PAIRS[first : first + ROWS])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        loss, rewards, logs = loss_of(model, reference, PAIRS)
    chosen, rejected = rewards.chunk(2)
    after = dict(
        loss=loss.item(),
        reward_accuracy=(chosen > rejected).float().mean().item(),
        margin=(chosen - rejected).mean().item(),
        chosen_reward=chosen.mean().item(),
        rejected_reward=rejected.mean().item(),
    )
    if logs is not None:
        after["chosen_log_probability"] = logs.chunk(2)[0].mean().item()
        after["rejected_log_probability"] = logs.chunk(2)[1].mean().item()
    return dict(steps=losses, after=after)


HOW = dict(
    max_steps=STEPS, per_device_train_batch_size=ROWS, learning_rate=RATE, lr_scheduler_type="constant",
    optim="adamw_torch", weight_decay=0.0, max_grad_norm=0.0, logging_steps=1, use_cpu=True, bf16=False,
    gradient_checkpointing=False, report_to="none", train_sampling_strategy="sequential", save_strategy="no",
    disable_tqdm=True, max_length=None,
)


def reward_by_trl():
    """A reward model of transformers, whose last layer is the row of the head for the token that ends a text."""
    model = untied()
    config = transformers.LlamaConfig(**{**model.config.to_dict(), "num_labels": 1})
    scored = transformers.LlamaForSequenceClassification(config)
    scored.model.load_state_dict(model.model.state_dict())
    scored.score.weight.data[0] = model.lm_head.weight.data[tokenizer.eos_token_id]
    with tempfile.TemporaryDirectory() as folder:
        trainer = trl.RewardTrainer(
            model=scored, args=trl.RewardConfig(folder, disable_dropout=True, **HOW),
            train_dataset=Dataset.from_list(PAIRS), processing_class=tokenizer,
        )
        trainer.train()
        return [line["loss"] for line in trainer.state.log_history if "loss" in line]


def by_trl(loss_type):
    with tempfile.TemporaryDirectory() as folder:
        args = trl.DPOConfig(folder, beta=BETA, loss_type=[loss_type], **HOW)
        trainer = trl.DPOTrainer(
            model=model_of_tests(), ref_model=model_of_tests(), args=args, train_dataset=Dataset.from_list(PAIRS),
            processing_class=tokenizer,
        )
        trainer.train()
        return [line["loss"] for line in trainer.state.log_history if "loss" in line]


def main():
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    lines = [json.dumps(pair) for pair in PAIRS]
    (here / "preferences.jsonl").write_text("\n".join(lines) + "\n")
    losses = dict(
        sigmoid=dpo("sigmoid"),
        smoothed=dpo("sigmoid", smoothing=0.1),
        normalised=dpo("sigmoid", normalised=True),
        ipo=dpo("ipo"),
        ipo_normalised=dpo("ipo", normalised=True),
        orpo=orpo,
        reward=reward,
    )
    numbers = {name: trained(loss) for name, loss in losses.items()}
    for name, theirs in dict(sigmoid="sigmoid", normalised="sigmoid_norm", ipo_normalised="ipo").items():
        found = by_trl(theirs)
        print(name, numbers[name]["steps"], found)
        # TRL writes down its losses to a few digits.
        assert all(math.isclose(a, b, rel_tol=1e-4) for a, b in zip(numbers[name]["steps"], found, strict=True))
        numbers[name]["trl"] = found
    found, own = reward_by_trl(), trained(reward, untied())["steps"]
    print("reward, with a head of its own", own, found)
    assert all(math.isclose(a, b, rel_tol=1e-4) for a, b in zip(own, found, strict=True))
    (here / "numbers.json").write_text(json.dumps(numbers, indent=1) + "\n")


main()
