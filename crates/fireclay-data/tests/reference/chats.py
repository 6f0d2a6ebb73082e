"""Conversations as transformers writes and masks them, for the tests of chat templates: writes chats.json beside it.

The templates are in the style of those that are published. Each has {% generation %} around what the assistant says; the
test also takes the tags out and finds the same turns by what a text begins with.

usage: python chats.py
"""

import json
import re
from pathlib import Path

import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

# Turns have tokens of their own, a default system, tools as in Hermes.
CHATML = """{%- if tools %}
    {{- '<|im_start|>system\\n' + (messages[0].content if messages[0].role == 'system' else 'Be brief.') }}
    {{- '\\n\\n# Tools\\n' }}
    {%- for tool in tools %}{{- tool | tojson + '\\n' }}{%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- elif messages[0].role != 'system' %}
    {{- '<|im_start|>system\\nBe brief.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {{- '<|im_start|>assistant\\n' }}
        {%- generation %}
        {{- message.content or '' }}
        {%- for call in message.tool_calls or [] %}
            {{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
            {{- call.function.arguments | tojson + '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
        {%- endgeneration %}
    {%- elif message.role == 'tool' %}
        {{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
    {%- elif not (tools and loop.first and message.role == 'system') %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""

# Headers, and the date.
LLAMA3 = """{{- bos_token }}
{%- set today = strftime_now('%d %b %Y') if strftime_now is defined else '26 Jul 2024' %}
{%- if messages[0]['role'] == 'system' %}
    {%- set told = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set told = '' %}
{%- endif %}
{{- '<|start_header_id|>system<|end_header_id|>\\n\\nToday: ' + today + '\\n\\n' }}
{%- if tools is not none %}
    {%- for tool in tools %}
        {{- tool | tojson(indent=4) }}
        {{- '\\n\\n' }}
    {%- endfor %}
{%- endif %}
{{- told + '<|eot_id|>' }}
{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
        {%- generation %}
            {%- if 'tool_calls' in message %}
                {%- set call = message.tool_calls[0].function %}
                {{- '{"name": "' + call.name + '", "parameters": ' }}{{ call.arguments | tojson }}{{ '}<|eot_id|>' }}
            {%- else %}
                {{- message.content | trim + '<|eot_id|>' }}
            {%- endif %}
        {%- endgeneration %}
    {%- else %}
        {{- '<|start_header_id|>' + ('ipython' if message.role == 'tool' else message.role) + '<|end_header_id|>\\n\\n' }}
        {{- message.content | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

# No word for the assistant; turns have to alternate.
MISTRAL = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] + '\\n\\n' %}"
    "{% set rest = messages[1:] %}{% else %}{% set system = '' %}{% set rest = messages %}{% endif %}"
    "{% for message in rest %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + (system if loop.first else '') + message['content'].strip() + ' [/INST]' }}{% else %}"
    "{% generation %}{{ ' ' + message['content'].strip() + eos_token }}{% endgeneration %}{% endif %}{% endfor %}"
)

# Lines of the template itself are lines of the text.
ZEPHYR = """{% for message in messages %}
{% if message['role'] != 'assistant' %}
{{ '<|' + message['role'] + '|>\\n' + message['content'] + eos_token }}
{% else %}
{{ '<|assistant|>' }}
{% generation %}
{{ message['content'] + eos_token }}
{% endgeneration %}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""

# What ends a text is at the end of a conversation.
PHI3 = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' }}{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|end|>\\n' }}{% if loop.last and not add_generation_prompt %}"
    "{{ eos_token }}{% endif %}{% endgeneration %}{% else %}{{ message['content'] + '<|end|>\\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}"
    "{% elif messages[-1]['role'] != 'assistant' %}{{ eos_token }}{% endif %}"
)

# Another name for the assistant, and no system.
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
    "{% for message in messages %}{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\\n' }}{% if role == 'model' %}{% generation %}"
    "{{ message['content'] | trim + '<end_of_turn>\\n' }}{% endgeneration %}{% else %}"
    "{{ message['content'] | trim + '<end_of_turn>\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)

TEMPLATES = dict(chatml=CHATML, llama3=LLAMA3, mistral=MISTRAL, zephyr=ZEPHYR, phi3=PHI3, gemma=GEMMA)
SPECIAL = [
    "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|end|>",
    "<|user|>", "<|assistant|>", "<|system|>", "<start_of_turn>", "<end_of_turn>",
]


def user(text):
    return dict(role="user", content=text)


def answer(text):
    return dict(role="assistant", content=text)


WEATHER = dict(
    type="function",
    function=dict(
        name="weather",
        description="Weather at a place, <b>now</b>",
        parameters=dict(type="object", properties=dict(place=dict(type="string"), days=dict(type="integer")), required=["place"]),
    ),
)
TALKS = {
    "one": [user("What is two and two?"), answer("Four.")],
    "two": [user("Name a river."), answer("The Rhine, which is 1230 km long."), user("Another?"), answer("The Elbe.")],
    "told": [dict(role="system", content="Answer in a word."), user("Up?"), answer("Down."), user("Left?"), answer("Right.")],
    "blanks": [user("  Two lines? \n"), answer("\nfirst\n\n  second  "), user("And a tab?"), answer("\ta\tb\n")],
    "letters": [user("Grüße, 你好 \U0001f642"), answer("ça va? Ünïcödé — \U0001f9ea\U0001f9ea ok")],
    "unanswered": [user("One?"), answer("1"), user("Two?")],
}
CALLED = [
    user("Weather in Bonn?"),
    dict(
        role="assistant",
        content=None,
        tool_calls=[dict(id="a1", type="function", function=dict(name="weather", arguments=dict(place="Bonn", days=2)))],
    ),
    dict(role="tool", tool_call_id="a1", content='{"sky": "grey"}'),
    answer("Grey."),
]
TEXT = " ".join(message["content"] or "" for talk in [*TALKS.values(), CALLED] for message in talk) * 4


def of_bytes():
    """In the manner of GPT-2 and Llama 3, whose offsets leave the blank before a word out."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.ByteLevel(trim_offsets=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator([TEXT], trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False))
    return inner


def of_pieces():
    """In the manner of SentencePiece, which writes blanks as a sign of their own and puts one before a text."""
    inner = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    inner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    special = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=special, show_progress=False, limit_alphabet=60)
    inner.train_from_iterator([TEXT], trainer)
    return inner


def published(inner):
    inner.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIAL])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>")


def main():
    tokenizers = dict(bytes=published(of_bytes()), pieces=published(of_pieces()))
    cases = []
    for style, template in TEMPLATES.items():
        for kind, tokenizer in tokenizers.items():
            talks = {**TALKS, **({"called": CALLED} if style in ("chatml", "llama3") else {})}
            for talk, messages in talks.items():
                if style == "gemma" and talk == "told" or style == "phi3" and talk == "unanswered":
                    continue
                tools = [WEATHER] if talk == "called" else None
                # The day that data.today names where nobody says another.
                fixed = template.replace("strftime_now('%d %b %Y') if strftime_now is defined else ", "")
                made = tokenizer.apply_chat_template(
                    messages, tools=tools, chat_template=fixed, return_dict=True, return_assistant_tokens_mask=True
                )
                plain = re.sub(r"\{%(-?)\s*(end)?generation\s*(-?)%\}", r"{%\1 \2if\3 %}", fixed)
                plain = re.sub(r"\{%(-?) if(-?) %\}", r"{%\1 if true \2%}", plain)
                text = tokenizer.apply_chat_template(messages, tools=tools, chat_template=plain, tokenize=False)
                cases.append(
                    dict(
                        style=style, kind=kind, talk=talk, text=text, ids=made["input_ids"], mask=made["assistant_masks"],
                        line=json.dumps(dict(messages=messages, **(dict(tools=tools) if tools else {}))),
                    )
                )
    known = {kind: json.loads(tokenizer.backend_tokenizer.to_str()) for kind, tokenizer in tokenizers.items()}
    found = dict(templates=TEMPLATES, tokenizers=known, cases=cases)
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, ensure_ascii=False) + "\n")
    print(len(cases), "cases")


main()
