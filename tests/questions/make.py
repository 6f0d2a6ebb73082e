"""Writes two small random models, files of questions in each format, and what lm-evaluation-harness makes of them, for the
tests of questions: llama/ (its tokenizer begins texts, and it has a chat template) and gpt2/ as save_pretrained writes them,
FORMAT.jsonl and FORMAT-examples.jsonl, and expected.json with metrics, standard errors and log-likelihoods.

usage: python make.py        (with torch, transformers and lm-eval 0.4.13)
"""

import json
import random
import tempfile
from pathlib import Path

import lm_eval
import torch
import transformers
import yaml
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

here = Path(__file__).parent
draw = random.Random(7)
NOUNS = "river town lamp engine garden winter letter señor straße café bridge kettle window forest märz".split()
VERBS = "opens carries follows breaks finds paints lifts counts turns keeps".split()
ADJECTIVES = "small red quiet broken early heavy young distant warm empty".split()


def thing():
    return f"{draw.choice(ADJECTIVES)} {draw.choice(NOUNS)}"


def sentence():
    return f"the {thing()} {draw.choice(VERBS)} a {thing()}"


# Tokenizers and models.


def tokenizer(start):
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([f"Question: {sentence()}. {sentence()}?\nAnswer: {thing()}\n" for _ in range(300)], trainer)
    if start:
        raw.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>" if start else "</s>", eos_token="</s>"
    )


CHAT = (
    "{{ bos_token }}{% for m in messages %}{{ '<' + m['role'] + '>\n' + m['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<assistant>\n' }}{% endif %}"
)


def save(name, model, tokens):
    for weight in model.parameters():
        weight.data = weight.data.float()
    model.save_pretrained(here / name)
    tokens.save_pretrained(here / name)


torch.manual_seed(3)
tokens = tokenizer(True)
tokens.chat_template = CHAT
config = transformers.LlamaConfig(
    vocab_size=len(tokens), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    intermediate_size=48, max_position_embeddings=400, initializer_range=0.25, tie_word_embeddings=True,
    bos_token_id=0, eos_token_id=1,
)  # fmt: skip
model = transformers.LlamaForCausalLM(config)
# Some words are often the most probable ones, so that a guess is right sometimes.
for word in ["river", "lamp", "letter"]:
    [token] = tokens.encode(f" {word}", add_special_tokens=False)
    model.model.embed_tokens.weight.data[token] *= 4
save("llama", model, tokens)
tokens = tokenizer(False)
config = transformers.GPT2Config(
    vocab_size=len(tokens), n_embd=24, n_layer=2, n_head=2, n_positions=64, initializer_range=0.25,
    bos_token_id=1, eos_token_id=1,
)  # fmt: skip
save("gpt2", transformers.GPT2LMHeadModel(config), tokens)


# Questions.


def labelled(count):
    letters = "ABCDE"[:count] if draw.random() < 0.7 else "12345"[:count]
    return dict(text=[thing() for _ in range(count)], label=list(letters)), draw.choice(letters)


def plain():
    choices = draw.sample([thing() + draw.choice(["", " and " + thing(), "!"]) for _ in range(8)], draw.choice([2, 3, 4]))
    key = draw.choice(["question", "context"])
    text = f"What {draw.choice(VERBS)} {thing()}?" if key == "question" else draw.choice(["", sentence(), sentence() + "  "])
    answer = draw.randrange(len(choices))
    return {key: text, "choices": choices, "answer": draw.choice([answer, "ABCD"[answer]])}


def arc():
    choices, answer = labelled(draw.choice([3, 4, 5]))
    return dict(id="q", question=f"Which {draw.choice(VERBS)} {thing()}?", choices=choices, answerKey=answer)


def openbookqa():
    choices, answer = labelled(4)
    return dict(id="q", question_stem=sentence(), choices=choices, answerKey=answer)


def hellaswag():
    endings = [f"[substeps] {thing()}. [title] The {thing()}  {draw.choice(VERBS)}." for _ in range(4)]
    return dict(
        ind=1, activity_label="Having a " + thing(), ctx_a=f"[header] {sentence()} [title] {sentence()}.",
        ctx_b=draw.choice(["", "the LAMP"]), endings=endings, label=str(draw.randrange(4)), split="val",
    )  # fmt: skip


def piqa():
    return dict(goal=f"How to get {thing()}?", sol1=sentence() + ".", sol2=thing(), label=draw.randrange(2))


def mmlu(subject=None):
    return dict(
        question=f" {sentence()}? ", subject=subject or draw.choice(["high_school_towns", "rivers"]),
        choices=[thing() for _ in range(4)], answer=draw.randrange(4),
    )  # fmt: skip


def winogrande():
    return dict(
        sentence=f"{sentence()}, because _ is {draw.choice(ADJECTIVES)}.", option1=draw.choice(NOUNS), option2=draw.choice(NOUNS),
        answer=draw.choice("12"),
    )  # fmt: skip


def boolq():
    return dict(passage=f"{sentence()}. {sentence()}.", question=f"does {sentence()}", label=draw.randrange(2), idx=1)


def lambada():
    return dict(text=f"{sentence()}. {sentence()} {draw.choice(['river', 'lamp', 'letter'])}")


SETS = dict(
    plain=(plain, 100), arc=(arc, 40), openbookqa=(openbookqa, 20), hellaswag=(hellaswag, 20), piqa=(piqa, 20),
    mmlu=(mmlu, 20), winogrande=(winogrande, 20), boolq=(boolq, 20), lambada=(lambada, 20),
)  # fmt: skip


def write(name, rows):
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (here / f"{name}.jsonl").write_text(text)


for name, (make, count) in SETS.items():
    write(name, [make() for _ in range(count)])
    examples = [mmlu(s) for s in ["rivers", "high_school_towns"] * 4] if name == "mmlu" else [make() for _ in range(30)]
    write(f"{name}-examples", examples)


# What the harness makes of them.

PLAIN = dict(
    output_type="multiple_choice",
    doc_to_text="{{ context if context else ('' if question is none else 'Question: ' + question + '\nAnswer:') }}",
    doc_to_choice="{{choices}}",
    doc_to_target="{{ 'ABCD'.index(answer) }}",
    metric_list=[dict(metric="acc"), dict(metric="acc_norm"), dict(metric="acc_bytes")],
)
OWN = dict(
    arc="arc/arc_easy.yaml", openbookqa="openbookqa/openbookqa.yaml", hellaswag="hellaswag/hellaswag.yaml", piqa="piqa/piqa.yaml",
    winogrande="winogrande/default.yaml", boolq="super_glue/boolq/default.yaml", lambada="lambada/lambada_openai.yaml",
)  # fmt: skip
published = Path(lm_eval.__file__).parent / "tasks"


def rows(name):
    return [json.loads(line) for line in (here / f"{name}.jsonl").read_text().splitlines()]


def task(folder, name, subject=None):
    """The task of the harness, on the files."""
    data = {}
    for split, file in [("test", name), ("train", f"{name}-examples")]:
        found = [row for row in rows(file) if subject is None or row["subject"] == subject]
        if name == "plain":
            # A column has one type there, and no key is left out.
            found = [
                dict(
                    context=row.get("context"), question=row.get("question"), choices=row["choices"],
                    answer=row["answer"] if isinstance(row["answer"], str) else "ABCD"[row["answer"]],
                )
                for row in found
            ]  # fmt: skip
        data[split] = str(folder / f"{name}-{subject}-{split}.json")
        Path(data[split]).write_text("".join(json.dumps(row) + "\n" for row in found))
    called = f"own_{name}" + (f"_{subject}" if subject else "")
    keys = dict(
        task=called, tag=None, dataset_path="json", dataset_name=None, dataset_kwargs=dict(data_files=data),
        test_split="test", validation_split=None, training_split="train", fewshot_split="train",
    )  # fmt: skip
    if name == "plain":
        config = PLAIN
    elif name == "mmlu":
        about = subject.replace("_", " ")
        config = dict(
            include=str(published / "mmlu/default/_default_template_yaml"),
            description=f"The following are multiple choice questions (with answers) about {about}.\n\n",
        )
    else:
        config = dict(include=str(published / OWN[name]))
    (folder / f"{called}.yaml").write_text(yaml.safe_dump(config | keys))
    return called


def asked(model, name, shots, chat, subject=None):
    with tempfile.TemporaryDirectory() as folder:
        called = task(Path(folder), name, subject)
        found = lm_eval.simple_evaluate(
            model=HFLM(pretrained=str(here / model), device="cpu", batch_size=4, dtype="float32"),
            tasks=[called], num_fewshot=shots, apply_chat_template=chat, log_samples=True, bootstrap_iters=0 if name == "lambada" else 1,
            task_manager=TaskManager(include_path=folder, include_defaults=False),
        )  # fmt: skip
    result = found["results"][called]
    named = {key.removesuffix(",none"): value for key, value in result.items() if key.endswith(",none")}
    metrics = {key: value for key, value in named.items() if not key.endswith("_stderr")}
    errors = {key.removesuffix("_stderr"): value for key, value in named.items() if key.endswith("_stderr")}
    scores = [[round(float(response[0][0]), 6) for response in sample["resps"]] for sample in found["samples"][called]]
    return dict(metrics=metrics, stderr={k: v for k, v in errors.items() if isinstance(v, float)}, scores=scores)


CASES = [("llama", name, 0, False) for name in SETS] + [
    ("gpt2", "plain", 0, False), ("gpt2", "lambada", 0, False), ("gpt2", "boolq", 0, False),
    ("llama", "plain", 3, False), ("llama", "arc", 5, False), ("llama", "winogrande", 2, False), ("llama", "lambada", 1, False),
    ("llama", "mmlu", 2, False), ("llama", "plain", 0, True), ("llama", "arc", 2, True), ("llama", "mmlu", 1, True),
    ("llama", "winogrande", 1, True),
]  # fmt: skip
expected = []
for model, name, shots, chat in CASES:
    case = dict(model=model, format=name, shots=shots, chat=chat)
    if name == "mmlu":
        case["subjects"] = {each: asked(model, name, shots, chat, each) for each in ["high_school_towns", "rivers"]}
    else:
        case |= asked(model, name, shots, chat)
    expected.append(case)
    print(case["model"], name, shots, chat, case.get("metrics"))
(here / "expected.json").write_text(json.dumps(expected) + "\n")
