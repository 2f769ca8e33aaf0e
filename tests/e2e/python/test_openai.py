"""The official OpenAI SDK."""

import json
import math

import openai
import pydantic
import pytest

from citations import assert_openai_annotation
from conftest import API_KEY, URL

RAW_MODELS = [
    "openai/gpt-4o-mini",
    "anthropic/claude-sonnet-4-5",
    "gemini/gemini-2.5-flash",
    "local/llama",
]
ASSISTANTS = ["assistant", "support-openai", "support-anthropic", "support-gemini"]

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


def say(text):
    return [{"role": "user", "content": text}]


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def finish_of(chunks):
    reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert [reason for reason in reasons if reason] == reasons[-1:], "the last choice, and no other, says why it ends"
    return reasons[-1]


# === Chat ===


@pytest.mark.parametrize("model", RAW_MODELS)
def test_a_raw_model_answers(client, model):
    answer = client.chat.completions.create(model=model, messages=say("Hello there"))
    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-")
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content == "You said: Hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer._request_id


@pytest.mark.parametrize("model", RAW_MODELS)
def test_a_stream_carries_the_same_answer(client, model):
    with client.chat.completions.create(model=model, messages=say("Hello there"), stream=True) as stream:
        chunks = list(stream)
    assert text_of(chunks) == "You said: Hello there"
    assert finish_of(chunks) == "stop"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.choices for chunk in chunks), "usage was not asked for, so no chunk is without a choice"
    assert not any(chunk.usage for chunk in chunks)


@pytest.mark.parametrize("model", RAW_MODELS + ["assistant"])
def test_a_stream_ends_with_usage_when_asked(client, model):
    options = {"include_usage": True}
    with client.chat.completions.create(
        model=model, messages=say("How many suitcases?"), stream=True, stream_options=options
    ) as stream:
        chunks = list(stream)
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens > 0
    assert not any(chunk.usage for chunk in chunks[:-1])


@pytest.mark.parametrize("model", RAW_MODELS)
def test_the_limit_of_tokens_ends_an_answer(client, model):
    answer = client.chat.completions.create(model=model, messages=say("count to 50"), max_tokens=5)
    assert answer.choices[0].finish_reason == "length"
    assert answer.choices[0].message.content.startswith("1 2")


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash"])
def test_a_stop_text_ends_an_answer(client, model):
    answer = client.chat.completions.create(model=model, messages=say("count to 12"), stop=[" 4"])
    assert answer.choices[0].message.content == "1 2 3"
    assert answer.choices[0].finish_reason == "stop"


def test_several_choices(client):
    answer = client.chat.completions.create(model="openai/gpt-4o-mini", messages=say("Hello"), n=2)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert all(choice.message.content == "You said: Hello" for choice in answer.choices)


def test_a_schema_shapes_the_answer(client):
    class Trip(pydantic.BaseModel):
        city: str
        days: int

    answer = client.chat.completions.parse(
        model="openai/gpt-4o-mini", messages=say("A trip to Paris"), response_format=Trip
    )
    assert isinstance(answer.choices[0].message.parsed, Trip)
    assert answer.choices[0].message.parsed.city == "Paris"


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash"])
def test_a_picture_reaches_the_provider(client, stand_in, model):
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{pixel}"}}
    content = [{"type": "text", "text": "What is this?"}, picture]
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
    assert "What is this?" in answer.choices[0].message.content
    assert pixel in json.dumps(stand_in.wait_for(count=1)["requests"])


def test_fields_that_mainstay_does_not_know_reach_the_provider(client, stand_in):
    client.chat.completions.create(
        model="local/llama", messages=say("Hello"), extra_body={"repetition_penalty": 1.1}
    )
    assert "repetition_penalty" in json.dumps(stand_in.wait_for(count=1)["requests"])


# === Tools ===


@pytest.mark.parametrize("model", RAW_MODELS)
def test_a_tool_is_called_and_its_result_used(client, model):
    messages = say("What is the weather in Paris?")
    answer = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
    assert answer.choices[0].finish_reason == "tool_calls"
    [call] = answer.choices[0].message.tool_calls
    assert call.id
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Paris"}

    messages.append(answer.choices[0].message.model_dump(exclude_none=True))
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "21 degrees"})
    answer = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
    assert answer.choices[0].message.content == "The tool said: 21 degrees"


@pytest.mark.parametrize("model", RAW_MODELS)
def test_parallel_tool_calls_stream_in_fragments(client, model):
    with client.chat.completions.create(
        model=model, messages=say("What is the weather in both Paris and London?"), tools=[WEATHER], stream=True
    ) as stream:
        chunks = list(stream)
    calls = {}
    for chunk in chunks:
        for fragment in chunk.choices[0].delta.tool_calls or []:
            if fragment.index not in calls:
                assert fragment.id and fragment.function.name == "get_weather", "the first fragment names the call"
                calls[fragment.index] = {"id": fragment.id, "arguments": ""}
            calls[fragment.index]["arguments"] += fragment.function.arguments or ""
    assert finish_of(chunks) == "tool_calls"
    assert sorted(calls) == [0, 1]
    assert calls[0]["id"] != calls[1]["id"]
    assert [json.loads(calls[index]["arguments"])["city"] for index in (0, 1)] == ["Paris", "London"]


@pytest.mark.parametrize("model", RAW_MODELS)
def test_a_named_tool_is_called(client, model):
    other = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}
    answer = client.chat.completions.create(
        model=model,
        messages=say("What now?"),
        tools=[WEATHER, other],
        tool_choice={"type": "function", "function": {"name": "get_time"}},
    )
    [call] = answer.choices[0].message.tool_calls
    assert call.function.name == "get_time"


# === Grounded answers ===


@pytest.mark.parametrize("model", ASSISTANTS)
def test_an_assistant_answers_from_the_documents_with_citations(client, model):
    answer = client.chat.completions.create(model=model, messages=say("How long is lost luggage kept?"))
    message = answer.choices[0].message
    assert "ninety days" in message.content
    annotations = message.model_dump()["annotations"]
    assert annotations, "a grounded answer has citations"
    for annotation in annotations:
        assert_openai_annotation(annotation, message.content)
    assert annotations[0]["doc_id"] == "luggage.md"
    assert "ninety days" in annotations[0]["quote"]


@pytest.mark.parametrize("model", ASSISTANTS)
def test_citations_come_with_a_stream_too(client, model):
    with client.chat.completions.create(
        model=model, messages=say("What is refunded when a storm cancels a crossing?"), stream=True
    ) as stream:
        chunks = list(stream)
    text = text_of(chunks)
    deltas = [chunk.choices[0].delta.model_dump() for chunk in chunks if chunk.choices]
    annotations = [annotation for delta in deltas for annotation in delta.get("annotations") or []]
    assert "full price" in text
    assert annotations
    for annotation in annotations:
        assert_openai_annotation(annotation, text)
    assert finish_of(chunks) == "stop"


def test_a_question_in_german_finds_the_german_document(client):
    answer = client.chat.completions.create(model="assistant", messages=say("Wie lang ist die Fähre?"))
    message = answer.choices[0].message
    assert "62 Meter" in message.content
    [*annotations] = message.model_dump()["annotations"]
    assert annotations[0]["doc_id"] == "schiff.md"
    for annotation in annotations:
        assert_openai_annotation(annotation, message.content)


def test_a_citation_of_no_source_is_removed(client):
    answer = client.chat.completions.create(
        model="support-openai", messages=say("How long is lost luggage kept? cite wrongly")
    )
    message = answer.choices[0].message
    assert "[9]" not in message.content
    assert not message.model_dump().get("annotations")
    assert answer.model_dump()["mainstay"]["citations_removed"] == 1


def test_what_the_documents_do_not_say_is_not_cited(client):
    answer = client.chat.completions.create(
        model="assistant", messages=say("Which quantum chromodynamics lattice spacing did Wilson use?")
    )
    assert answer.choices[0].message.content
    assert not answer.choices[0].message.model_dump().get("annotations")


# === Embeddings and models ===


@pytest.mark.parametrize("model", ["builtin/static", "openai/text-embedding-3-small", "gemini/gemini-embedding-001"])
def test_embeddings_keep_the_order_of_the_texts(client, model):
    texts = ["ferries and harbours", "interest rates and bonds", "ferry harbours"]
    answer = client.embeddings.create(model=model, input=texts)
    assert [item.index for item in answer.data] == [0, 1, 2]
    ferries, bonds, ferry = [item.embedding for item in answer.data]
    assert math.isclose(sum(x * x for x in ferries), 1, abs_tol=1e-3)
    dot = lambda one, other: sum(x * y for x, y in zip(one, other))
    assert dot(ferries, ferry) > dot(ferries, bonds)


def test_an_embedding_as_numbers_is_the_one_in_base64(client):
    ask = lambda encoding: client.embeddings.create(model="builtin/static", input="harbour", encoding_format=encoding)
    plain = ask("float").data[0].embedding
    packed = client.embeddings.create(model="builtin/static", input="harbour").data[0].embedding
    assert len(plain) == len(packed)
    assert all(math.isclose(one, other, abs_tol=1e-6) for one, other in zip(plain, packed))


def test_models_lists_assistants_and_raw_models(client):
    ids = [model.id for model in client.models.list()]
    for expected in ASSISTANTS + ["openai/gpt-4o-mini"]:
        assert expected in ids
    assert client.models.retrieve("assistant").owned_by == "mainstay"
    assert client.models.retrieve("openai/gpt-4o-mini").id == "openai/gpt-4o-mini"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


# === Errors ===


def test_a_wrong_key_is_an_authentication_error():
    with openai.OpenAI(base_url=f"{URL}/v1", api_key=API_KEY + "x", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as refused:
            stranger.chat.completions.create(model="assistant", messages=say("Hello"))
        assert refused.value.request_id
        with pytest.raises(openai.AuthenticationError):
            stranger.models.list()
        with pytest.raises(openai.AuthenticationError):
            stranger.embeddings.create(model="builtin/static", input="Hello")


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="assistent", messages=say("Hello"))
    assert refused.value.body["param"] == "model"
    assert "assistent" in refused.value.body["message"]
    assert refused.value.code


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": []},
        {"messages": [{"role": "wizard", "content": "Hello"}]},
        {"messages": [{"role": "user"}]},
        {"messages": say("Hello"), "temperature": "hot"},
        {"messages": say("Hello"), "stream": "yes"},
    ],
    ids=["no messages", "unknown role", "no content", "temperature as text", "stream as text"],
)
def test_a_bad_request_says_what_is_wrong(client, wrong):
    body = {"model": "assistant", **wrong}
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/chat/completions", body=body, cast_to=object)
    error = refused.value.body
    assert error["message"] and error["type"]
    assert set(error) >= {"message", "type", "param", "code"}


def test_an_empty_question_to_an_assistant_is_a_bad_request(client):
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="assistant", messages=say("  "))


@pytest.mark.parametrize("model", RAW_MODELS)
def test_a_limited_provider_is_a_rate_limit_error_with_patience(client, stand_in, model):
    stand_in.fail_next("429:7")
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model=model, messages=say("Hello"))
    assert refused.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("model", RAW_MODELS)
@pytest.mark.parametrize("fault", ["500", "html", "truncated-json", "empty", "nothing"])
def test_a_broken_provider_is_a_server_error(client, stand_in, model, fault):
    stand_in.fail_next(fault)
    with pytest.raises(openai.InternalServerError) as failed:
        client.chat.completions.create(model=model, messages=say("Hello"))
    assert failed.value.request_id
    assert failed.value.code


@pytest.mark.parametrize("model", RAW_MODELS)
@pytest.mark.parametrize("fault", ["cut", "reset-midway", "ends-early", "malformed-chunk", "stream-error"])
def test_a_stream_that_breaks_off_never_looks_finished(client, stand_in, model, fault):
    stand_in.fail_next(fault)
    received = []
    with pytest.raises(openai.APIError):
        with client.chat.completions.create(model=model, messages=say("count to 200"), stream=True) as stream:
            received.extend(stream)
    assert not any(chunk.choices and chunk.choices[0].finish_reason for chunk in received)


def test_the_sdk_repeats_a_failed_call_by_itself(stand_in):
    stand_in.fail_next("503")
    with openai.OpenAI(base_url=f"{URL}/v1", api_key=API_KEY, max_retries=1) as patient:
        answer = patient.chat.completions.create(model="openai/gpt-4o-mini", messages=say("Hello"))
    assert answer.choices[0].message.content == "You said: Hello"


# === Going away ===


@pytest.mark.parametrize("model", RAW_MODELS)
def test_leaving_a_stream_cancels_the_provider(client, stand_in, model):
    stand_in.fail_next("slow:50")
    with client.chat.completions.create(model=model, messages=say("count to 2000"), stream=True) as stream:
        next(iter(stream))
    stand_in.wait_for(cancelled=1)
