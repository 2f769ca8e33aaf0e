"""The official Anthropic SDK."""

import anthropic
import pytest

from citations import assert_anthropic_citation
from conftest import API_KEY, URL

MODELS = ["anthropic/claude-sonnet-4-5", "openai/gpt-4o-mini", "gemini/gemini-2.5-flash"]

WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def say(text):
    return [{"role": "user", "content": text}]


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


@pytest.mark.parametrize("model", MODELS)
def test_a_message_is_answered(claude, model):
    message = claude.messages.create(model=model, max_tokens=200, messages=say("Hello there"))
    assert message.type == "message"
    assert message.role == "assistant"
    assert text_of(message) == "You said: Hello there"
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens > 0
    assert message._request_id


@pytest.mark.parametrize("model", MODELS)
def test_a_stream_carries_the_same_message(claude, model):
    with claude.messages.stream(model=model, max_tokens=200, messages=say("Hello there")) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text == "You said: Hello there"
    assert text_of(message) == text
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_events_of_a_stream_come_in_order_and_blocks_do_not_overlap(claude, model):
    kinds, open_block = [], None
    question = say("What is the weather in both Paris and London?")
    with claude.messages.create(
        model=model, max_tokens=200, messages=question, tools=[WEATHER], stream=True
    ) as stream:
        for event in stream:
            kinds.append(event.type)
            if event.type == "content_block_start":
                assert open_block is None
                open_block = event.index
            elif event.type == "content_block_delta":
                assert event.index == open_block
            elif event.type == "content_block_stop":
                assert event.index == open_block
                open_block = None
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert open_block is None


@pytest.mark.parametrize("model", MODELS)
def test_a_tool_is_called_and_its_result_used(claude, model):
    messages = say("What is the weather in Paris?")
    message = claude.messages.create(model=model, max_tokens=200, messages=messages, tools=[WEATHER])
    assert message.stop_reason == "tool_use"
    [call] = [block for block in message.content if block.type == "tool_use"]
    assert (call.name, call.input) == ("get_weather", {"city": "Paris"})

    messages.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}
    messages.append({"role": "user", "content": [result]})
    message = claude.messages.create(model=model, max_tokens=200, messages=messages, tools=[WEATHER])
    assert text_of(message) == "The tool said: 21 degrees"


@pytest.mark.parametrize("model", MODELS)
def test_parallel_tools_stream(claude, model):
    question = say("What is the weather in both Paris and London?")
    with claude.messages.stream(model=model, max_tokens=200, messages=question, tools=[WEATHER]) as stream:
        message = stream.get_final_message()
    calls = [block for block in message.content if block.type == "tool_use"]
    assert [call.input["city"] for call in calls] == ["Paris", "London"]
    assert len({call.id for call in calls}) == 2
    assert message.stop_reason == "tool_use"


@pytest.mark.parametrize("model", MODELS)
def test_the_limit_of_tokens_ends_a_message(claude, model):
    message = claude.messages.create(model=model, max_tokens=5, messages=say("count to 50"))
    assert message.stop_reason == "max_tokens"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
def test_every_version_of_the_api_is_answered(claude, model, version):
    message = claude.messages.create(
        model=model,
        max_tokens=200,
        messages=say("Hello there"),
        # The SDK of the newer version no longer has it, and callers of the older one still send it.
        extra_body={"temperature": 0.2},
        extra_headers={"anthropic-version": version},
    )
    assert text_of(message) == "You said: Hello there"


@pytest.mark.parametrize("model", ["assistant", "support-anthropic", "support-openai"])
def test_an_assistant_cites_its_documents(claude, model):
    message = claude.messages.create(model=model, max_tokens=500, messages=say("How long is lost luggage kept?"))
    assert "ninety days" in text_of(message)
    citations = [citation for block in message.content for citation in block.citations or []]
    assert citations
    for citation in citations:
        assert_anthropic_citation(citation.model_dump(), text_of(message))


def test_citations_come_with_a_stream_too(claude):
    with claude.messages.stream(
        model="assistant", max_tokens=500, messages=say("How long is lost luggage kept?")
    ) as stream:
        message = stream.get_final_message()
    citations = [citation for block in message.content for citation in block.citations or []]
    assert citations
    for citation in citations:
        assert_anthropic_citation(citation.model_dump(), text_of(message))


def test_tokens_are_counted(claude):
    short = claude.messages.count_tokens(model="anthropic/claude-sonnet-4-5", messages=say("Hello"))
    long = claude.messages.count_tokens(model="anthropic/claude-sonnet-4-5", messages=say("Hello " * 100))
    assert 0 < short.input_tokens < long.input_tokens


def test_a_wrong_key_is_an_authentication_error():
    with anthropic.Anthropic(base_url=URL, api_key=API_KEY + "x", max_retries=0) as stranger:
        with pytest.raises(anthropic.AuthenticationError) as refused:
            stranger.messages.create(model="assistant", max_tokens=10, messages=say("Hello"))
    assert refused.value.body["type"] == "error"
    assert refused.value.body["error"]["type"] == "authentication_error"
    assert refused.value.request_id


def test_an_unknown_model_is_not_found(claude):
    with pytest.raises(anthropic.NotFoundError) as refused:
        claude.messages.create(model="claude-imaginary", max_tokens=10, messages=say("Hello"))
    assert refused.value.body["error"]["type"] == "not_found_error"


@pytest.mark.parametrize(
    "wrong",
    [{"messages": []}, {"messages": say("Hello"), "max_tokens": 0}, {"messages": [{"role": "wizard", "content": "x"}]}],
    ids=["no messages", "no tokens", "unknown role"],
)
def test_a_bad_request_says_what_is_wrong(claude, wrong):
    with pytest.raises(anthropic.BadRequestError) as refused:
        claude.messages.create(**{"model": "assistant", "max_tokens": 10, **wrong})
    assert refused.value.body["error"]["type"] == "invalid_request_error"
    assert refused.value.body["error"]["message"]


@pytest.mark.parametrize("model", MODELS)
def test_an_overloaded_provider_says_so(claude, stand_in, model):
    stand_in.fail_next("529" if model.startswith("anthropic") else "503")
    with pytest.raises(anthropic.APIStatusError) as failed:
        claude.messages.create(model=model, max_tokens=10, messages=say("Hello"))
    assert failed.value.status_code == 529
    assert failed.value.body["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fault", ["cut", "ends-early", "stream-error"])
def test_a_stream_that_breaks_off_never_looks_finished(claude, stand_in, model, fault):
    stand_in.fail_next(fault)
    kinds = []
    with pytest.raises(anthropic.APIError):
        with claude.messages.create(
            model=model, max_tokens=2000, messages=say("count to 200"), stream=True
        ) as stream:
            kinds.extend(event.type for event in stream)
    assert "message_stop" not in kinds
