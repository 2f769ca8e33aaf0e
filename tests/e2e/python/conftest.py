"""The Mainstay under test. `cargo xtask test` starts it and says by the environment where it is."""

import os
import pathlib

import anthropic
import httpx
import openai
import pytest

URL = os.environ["MAINSTAY_URL"]
API_KEY = os.environ["MAINSTAY_API_KEY"]
STAND_IN_URL = os.environ["MAINSTAY_STAND_IN_URL"]
DOCUMENTS = pathlib.Path(os.environ["MAINSTAY_DOCUMENTS"])


@pytest.fixture
def client():
    # Without repetitions: a test sees the first answer.
    with openai.OpenAI(base_url=f"{URL}/v1", api_key=API_KEY, max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture
def claude():
    with anthropic.Anthropic(base_url=URL, api_key=API_KEY, max_retries=0, timeout=60) as client:
        yield client


class StandIn:
    """The providers behind Mainstay: what they were asked, and how they fail next."""

    def __init__(self):
        self.http = httpx.Client(base_url=STAND_IN_URL, timeout=30)

    def fail_next(self, *faults):
        self.http.post("/control", json={"faults": list(faults)}).raise_for_status()

    def wait_for(self, **counts):
        """What was received since the test began, once so many requests ended in this way."""
        answer = self.http.get("/control/requests", params=counts)
        assert answer.status_code == 200, f"waited in vain for {counts}: {answer.text}"
        return answer.json()

    def reset(self):
        self.http.delete("/control").raise_for_status()
        self.http.delete("/control/requests").raise_for_status()


@pytest.fixture
def stand_in():
    stand_in = StandIn()
    stand_in.reset()
    yield stand_in
    stand_in.reset()
