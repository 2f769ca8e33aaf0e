"""LangChain's OpenAI classes."""

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from conftest import API_KEY, URL

MODELS = ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash"]


def chat(model):
    return ChatOpenAI(model=model, base_url=f"{URL}/v1", api_key=API_KEY, max_retries=0, timeout=60)


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"21 degrees in {city}"


@pytest.mark.parametrize("model", MODELS)
def test_invoke(model):
    message = chat(model).invoke("Hello there")
    assert message.content == "You said: Hello there"
    assert message.usage_metadata["output_tokens"] > 0


@pytest.mark.parametrize("model", MODELS)
def test_stream(model):
    pieces = list(chat(model).stream("Hello there"))
    assert len(pieces) > 2
    assert "".join(piece.text for piece in pieces) == "You said: Hello there"


@pytest.mark.parametrize("model", MODELS)
def test_tools(model):
    with_tools = chat(model).bind_tools([get_weather])
    question = HumanMessage("What is the weather in Paris?")
    answer = with_tools.invoke([question])
    [call] = answer.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})
    result = ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"])
    final = with_tools.invoke([question, answer, result])
    assert final.content == "The tool said: 21 degrees in Paris"


@pytest.mark.parametrize("model", MODELS)
def test_streamed_tools(model):
    total = None
    for piece in chat(model).bind_tools([get_weather]).stream("What is the weather in both Paris and London?"):
        total = piece if total is None else total + piece
    assert [call["args"]["city"] for call in total.tool_calls] == ["Paris", "London"]


def test_an_assistant_answers_with_citations():
    answer = chat("assistant").invoke("How long is lost luggage kept?")
    assert "ninety days" in answer.text
    assert "[1]" in answer.text


def test_an_assistant_streams():
    pieces = list(chat("assistant").stream("How long is lost luggage kept?"))
    assert "ninety days" in "".join(piece.text for piece in pieces)


def test_embeddings():
    embeddings = OpenAIEmbeddings(
        model="builtin/static", base_url=f"{URL}/v1", api_key=API_KEY, check_embedding_ctx_length=False
    )
    ferry, bonds, question = embeddings.embed_documents(["ferry harbour", "interest rates", "harbour of the ferry"])
    dot = lambda one, other: sum(x * y for x, y in zip(one, other))
    assert dot(question, ferry) > dot(question, bonds)
