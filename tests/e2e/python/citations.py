"""What a citation must be, in both shapes."""

from conftest import DOCUMENTS


def assert_quoted(citation, text):
    """`citation`: Mainstay's own fields; `text`: the whole answer."""
    document = (DOCUMENTS / citation["doc_id"]).read_bytes()
    quoted = document[citation["start_byte"] : citation["end_byte"]].decode()
    assert quoted == citation["quote"], "the quote is exactly the bytes of its range"
    assert quoted.strip(), "a quote is not empty"
    marker = text[citation["start_index"] : citation["end_index"]]
    assert marker == f"[{citation['index']}]", "the marker stands where the citation says"


def assert_openai_annotation(annotation, text):
    assert annotation["type"] == "url_citation"
    official = annotation["url_citation"]
    assert official["url"].startswith("/v1/documents/")
    assert official["title"]
    places = {"start_index": official["start_index"], "end_index": official["end_index"]}
    assert_quoted({**annotation, **places}, text)


def assert_anthropic_citation(citation, text):
    assert citation["type"] == "search_result_location"
    assert_quoted({**citation, "quote": citation["cited_text"]}, text)
