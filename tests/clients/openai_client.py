"""Asks a server with OpenAI's own client, and prints what came of it, as JSON."""

import json
import sys

import openai

url, token, model = sys.argv[1:]
client = openai.OpenAI(base_url=url, api_key=token, max_retries=0)
asked = {"model": model, "prompt": "one", "max_tokens": 20, "temperature": 0.8, "seed": 3}
answer = client.completions.create(**asked)
streamed = list(client.completions.create(**asked, stream=True))
talk = {"model": model, "messages": [{"role": "user", "content": "two"}], "max_tokens": 20, "temperature": 0.8, "seed": 3}
chat = client.chat.completions.create(**talk)
chunks = list(client.chat.completions.create(**talk, stream=True, stream_options={"include_usage": True}))
assert chunks[-1].usage.completion_tokens == 20, chunks[-1]
assert chunks[0].choices[0].delta.role == "assistant"
errors = []
for wrong in ({"logprobs": 2}, {"model": "nobody"}):
    try:
        client.completions.create(**{**asked, **wrong})
    except openai.APIStatusError as error:
        errors.append(type(error).__name__)
try:
    openai.OpenAI(base_url=url, api_key="wrong", max_retries=0).models.list()
except openai.APIStatusError as error:
    errors.append(type(error).__name__)
json.dump(
    {
        "models": [known.id for known in client.models.list()],
        "text": answer.choices[0].text,
        "streamed": "".join(part.choices[0].text for part in streamed),
        "chat": chat.choices[0].message.content,
        "chat_streamed": "".join(part.choices[0].delta.content or "" for part in chunks if part.choices),
        "usage": [answer.usage.prompt_tokens, answer.usage.completion_tokens],
        "errors": errors,
    },
    sys.stdout,
)
