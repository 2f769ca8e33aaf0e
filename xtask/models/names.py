"""Makes the lists of names by which `mainstay-pii` tells people and places from other words, and the sentences that its
tagger is taught with.

Usage: names.py OUT_DIR [SENTENCES...]      (run it by `cargo xtask names`)

The lists are those of Faker (https://github.com/joke2k/faker, MIT): first and family names, places and words for streets of
all its locales. `names.bin` holds, for each of the four, how many there are and the FNV-1a hashes of their lower case, in
ascending order, as little-endian u32.

SENTENCES are files of lines of JSON with `text` and `spans` (`start`, `end` in code points, `type`). Each is written into
`sentences.jsonl` as it is, and COPIES times more with other people and places in the place of those that are marked: taken
from the lists of one locale, and now and then in capitals or in small letters, as people write. What a sentence says around
a name is what the tagger shall learn, and not the names. The sentences of `sentences.txt`, beside this file, are filled
FILLINGS times each with names, companies and addresses that Faker makes for one locale.
"""

import importlib
import json
import pkgutil
import random
import re
import struct
import sys
from pathlib import Path

import faker.providers.address
import faker.providers.person
from faker.config import AVAILABLE_LOCALES

COPIES = 3
FILLINGS = 30
PLACES = ("cities", "city_names", "towns", "countries", "states", "provinces", "regions", "counties", "departments", "municipalities")


def texts(value):
    """The texts in one of Faker's lists, which may be weighted, or have codes beside the names."""
    if isinstance(value, dict):
        value = value.keys()
    for entry in value:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, (list, tuple)):
            yield from (text for text in entry if isinstance(text, str) and len(text) > 3)


def lists_of(package, kinds):
    """For each locale of a package of providers, the texts of the lists of each kind."""
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        provider = importlib.import_module(f"{package.__name__}.{module.name}").Provider
        found = {kind: [] for kind in kinds}
        for attribute in sorted(dir(provider)):
            value = getattr(provider, attribute)
            if attribute.startswith("__") or not isinstance(value, (list, tuple, dict)):
                continue
            for kind, is_of in kinds.items():
                if is_of(attribute):
                    found[kind].extend(text for text in texts(value) if "{" not in text)
        yield module.name, {kind: list(dict.fromkeys(names)) for kind, names in found.items()}


def fnv(text):
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def filled(sentences):
    """The sentences with names of Faker in their braces."""
    faker.Faker.seed(7)
    makers = [faker.Faker(locale) for locale in sorted(AVAILABLE_LOCALES)]
    kinds = {
        "person": ("PERSON", lambda maker: f"{maker.first_name()} {maker.last_name()}"),
        "first": ("PERSON", lambda maker: maker.first_name()),
        "last": ("PERSON", lambda maker: maker.last_name()),
        "place": ("LOCATION", lambda maker: random.choice([maker.city, maker.city, maker.country])()),
        "org": ("ORGANIZATION", lambda maker: maker.company()),
        "address": ("ADDRESS", lambda maker: maker.address()),
        "street": ("ADDRESS", lambda maker: maker.street_address()),
    }
    for sentence in sentences:
        pieces = re.split(r"\{(\w+)\}", sentence.replace("\\n", "\n"))
        for _ in range(FILLINGS if len(pieces) > 1 else FILLINGS // 3):
            maker = random.choice(makers)
            case = random.choice([str] * 8 + [str.lower, str.upper])
            text, spans = "", []
            for at, piece in enumerate(pieces):
                if at % 2 == 1:
                    mark, make = kinds[piece]
                    piece = make(maker).strip()
                    spans.append({"start": len(text), "end": len(text) + len(piece), "type": mark})
                text += piece
            if len(case(text)) == len(text):
                text = case(text)
            yield {"text": text, "spans": spans, "source": "sentences.txt"}


def main():
    out, sentences = Path(sys.argv[1]), sys.argv[2:]
    out.mkdir(parents=True, exist_ok=True)
    people = list(lists_of(faker.providers.person, {
        "first": lambda name: "first_name" in name,
        "last": lambda name: "last_name" in name,
    }))
    places = list(lists_of(faker.providers.address, {
        "place": lambda name: name.strip("_") in PLACES,
        "street": lambda name: "street_suffix" in name or "street_prefix" in name,
    }))
    with open(out / "names.bin", "wb") as file:
        for source, kind in ((people, "first"), (people, "last"), (places, "place"), (places, "street")):
            names = {text.lower().strip(" .,") for _, lists in source for text in lists[kind]}
            # A name of several words is one that each of them is; places are looked up as a whole.
            if kind != "place":
                names = {word for text in names for word in text.replace("-", " ").split() if len(word) > 1}
            hashes = sorted({fnv(name) for name in names})
            file.write(struct.pack(f"<{len(hashes) + 1}I", len(hashes), *hashes))
            print(kind, len(hashes))

    random.seed(7)
    people = [lists for _, lists in people if len(lists["first"]) > 20 and len(lists["last"]) > 20]
    places = [lists["place"] for _, lists in places if len(lists["place"]) > 20]

    def other(span_type, text):
        if span_type == "PERSON":
            lists = random.choice(people)
            first, last = random.choice(lists["first"]), random.choice(lists["last"])
            if " " not in text:
                return random.choice([first, first, last])
            return random.choice([f"{first} {last}"] * 5 + [f"{last}, {first}", f"{first} {first[0]}. {last}", f"{last} {first}"])
        if span_type == "LOCATION":
            return random.choice(random.choice(places))
        return text

    with open(out / "sentences.jsonl", "w") as file:
        lines = (Path(__file__).parent / "sentences.txt").read_text().splitlines()
        for row in filled(line for line in lines if not line.startswith("#")):
            print(json.dumps(row), file=file)
        for path in sentences:
            for line in open(path):
                row = json.loads(line)
                print(json.dumps(row), file=file)
                if not any(span["type"] in ("PERSON", "LOCATION") for span in row["spans"]):
                    continue
                for _ in range(COPIES):
                    text, spans, at = "", [], 0
                    case = random.choice([str] * 8 + [str.lower, str.upper])
                    for span in sorted(row["spans"], key=lambda span: span["start"]):
                        text += row["text"][at:span["start"]]
                        put = other(span["type"], row["text"][span["start"]:span["end"]])
                        spans.append({"start": len(text), "end": len(text) + len(put), "type": span["type"]})
                        text, at = text + put, span["end"]
                    text += row["text"][at:]
                    if len(case(text)) == len(text):
                        text = case(text)
                    print(json.dumps({"text": text, "spans": spans, "source": row.get("source", "")}), file=file)


main()
