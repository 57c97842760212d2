"""What Go's own libraries make of what is written here: yaml.v3 and v4, Kubernetes' JSONPath, and
the English of its port of pluralize.js. The other end is oracle_test.go in ./go."""

import random
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from cosi import AnySpec, FrozenMap, Metadata, Phase, Resource, Spec
from cosi.cli.documents import as_yaml
from cosi.cli.go_json import go_json
from cosi.cli.json_path import JSONPath, as_text
from cosi.errors import InvalidResource
from cosi.resource._yaml_form import spec_to_yaml
from cosi.resource._yaml_writing import compact
from cosi.state import to_yaml
from cosi.state._meta import english
from tests.interop.oracle import Oracle, Question
from tests.interop.toolchain import DOWNLOAD_AND_COMPILE_SECONDS, compiled
from tests.soak import quantity

pytestmark = [
    pytest.mark.go,
    pytest.mark.lengthy,
    pytest.mark.timeout(DOWNLOAD_AND_COMPILE_SECONDS),
]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Note(Spec, type="Notes.interop.example.org"):
    text: str = ""
    texts: tuple[str, ...] = ()


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    directory = tmp_path_factory.mktemp("oracle")
    return Oracle(compiled(Path(__file__).parent / "go", directory), directory)


# -- YAML -------------------------------------------------------------------------------------

NUMBERS = ["0", "1", "7", "8", "9", "00", "0x", "0X", "0b", "0B", "0o", "0O", "_", ".", "-", "+"]
NUMBERS += ["e", "E", "1F", "ff", ":", "inf", "nan", "5", "Inf"]
TIMES = ["2001", "1", "12", "-", "-", "T", "t", " ", "  ", "3", ":", "4", "Z", "+01:00", ".5", ",5"]
WORDS = ["word", "longer words here", "a", "b ", "é", "x: y", "- z", "#c", "'q'", '"d"', "\\", "{"]
WORDS += [
    "[",
    ", ",
    "y",
    "no",
    "",
    "  ",
    " ",
    "loooooooooooooooooooooong",
    "~",
    "<<",
    "!t",
    "&a",
    "*a",
]
BREAKS = [
    "\n",
    "\n\n",
    "\t",
    "\r",
    "\x85",
    "\u2028",
    "\ufeff",
    "\U0001f600",
    "\x00",
    "\x1b",
    "\xa0",
]
KNOWN = ["0X1F", "0B11", "0_8", "-0o17", "0o1_7", "1_0e1", "2001-1-2", "2001-1-2 3:4:5", "\x85", ""]
KNOWN += ["2001-01-02T03:04:05Z", "2001-1-2t3:4:5,5+01:00", "0b-1", "0o-7", "+0x1F", "1__0", "-_1"]
KNOWN += ["190:20:30", "yes", "n", "null", "Null", "~", ".5", "+.inf", ".NaN", "-0", "=", "true"]
KNOWN += ["no\n", "null\n", "5\n", "1.5\n", "~\n", "\n"]


class Texts:
    """Texts of which someone may make something else."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def joined(self, parts: list[str], most: int) -> str:
        chosen = self._random.choices(parts, k=self._random.randint(1, most))
        return self._random.choice(["", "", " "]).join(chosen)

    def any(self) -> str:
        kind = self._random.randrange(4)
        if kind == 0:
            return self.joined(NUMBERS, 5)
        if kind == 1:
            return self.joined(TIMES, 12)
        return self.joined(WORDS + BREAKS if kind == 2 else WORDS, self._random.choice([1, 3, 30]))

    def value(self, depth: int = 0) -> Any:
        kind = self._random.random()
        if kind < 0.5 or depth > 3:
            return self.calm()
        if kind < 0.6:
            return self._random.choice([1, True, None, 1.5, {}, []])
        if kind < 0.8:
            return [self.value(depth + 1) for _ in range(self._random.randrange(4))]
        return {self.key(): self.value(depth + 1) for _ in range(self._random.randrange(4))}

    def key(self) -> str:
        return self.calm() if self._random.random() < 0.2 else self._random.choice("abcde") * 3

    def calm(self) -> str:
        """Without what Go itself writes so that it reads something else (see below)."""
        text = self.joined([*WORDS, "\n"], self._random.choice([1, 3, 30]))
        return text.strip("\n\t ")


def test_go_reads_every_text_as_it_was(oracle: Oracle) -> None:
    texts = Texts(14)
    wanted = [*KNOWN, *(texts.any() for _ in range(quantity(2_000, 50_000)))]
    questions = []
    for text in wanted:
        note = Note(text=text, texts=(text, f"{text} {text}"))
        whole: Resource[Any] = Resource.new("x", note, labels={"l": text})
        for version3 in False, True:
            questions.append(Question("read", spec_to_yaml(note), version3=version3))
            questions.append(Question("read", to_yaml(whole), version3=version3))

    answers = oracle.ask(questions)

    for number, text in enumerate(wanted):
        payload = {"text": text, "texts": [text, f"{text} {text}"]}
        for answer in answers[4 * number : 4 * number + 4]:
            assert not answer.error, (text, answer.error)
            assert answer.value.get("spec", answer.value) == payload
            label = answer.value.get("metadata", {"labels": {"l": text}})["labels"]["l"]
            # Numbers are plain in metadata, which is read as text; Go writes them so, too.
            assert label == text or label.startswith("<")


def test_keys_are_read_as_they_were(oracle: Oracle) -> None:
    texts = Texts(15)
    wanted = [{text: "v", f"{text}x": "v"} for text in KNOWN]
    wanted += [{texts.any(): "v", "b": "w"} for _ in range(quantity(500, 10_000))]

    answers = oracle.ask([Question("read", compact(keys)) for keys in wanted])

    assert [answer.value for answer in answers] == wanted


def test_get_writes_the_yaml_that_talosctl_writes(oracle: Oracle) -> None:
    """Layout, quotes, folding at 80 columns.

    What Go writes wrongly is not among the texts: it says that a text is indented by 4 where it is
    2, closes a quote at column 0 after a line break, and drops a label that is ``<<``.
    """
    texts = Texts(16)
    dumps = (
        compact,
        lambda value: yaml.safe_dump(value, default_style='"', width=1000),
        lambda value: yaml.safe_dump(value, default_flow_style=True, allow_unicode=True),
    )
    questions, shown = [], []
    for number in range(quantity(600, 20_000)):
        payload = dumps[number % len(dumps)](texts.value()).removesuffix("...\n")
        labels = {"l": re.sub("<+", "<", texts.calm()), "m": texts.joined(NUMBERS, 4)}
        metadata = Metadata(
            "default",
            "Things.example.org",
            "x",
            1,
            "",
            Phase.RUNNING,
            NOON,
            NOON,
            FrozenMap(labels),
        )
        shown.append(as_yaml("n", Resource(metadata, AnySpec(payload))))
        questions.append(Question("resource", payload, id="x", labels=labels))

    for text, answer in zip(shown, oracle.ask(questions), strict=True):
        assert text == f"node: n\n{answer.value}"


# -- JSONPath ---------------------------------------------------------------------------------

DATA: dict[str, Any] = {
    "a": {"b": [1, 2, 3], "c": "text", "1d": True, "e f": None, "x.y": "dot"},
    "items": [
        {"name": "p", "n": 1, "up": True, "l": [1]},
        {"name": "q", "n": 2, "up": False, "l": []},
        {"name": "r"},
    ],
    "f": [1.5, 1e6, 1e21, 1e-5, 1e-7, -3e-9, 0.0, -2.5, 999999.5, 1234567.5, 2.0, 1e20],
    "nil": None,
    "s": "<&>é",
    "node": "n",
}
# No `.*` and `..`: Go visits maps in any order. No range over nothing: see JSONPath.
INSIDE = [".a", ".b", ".c", ".1d", ".items", ".name", ".n", ".up", ".f", ".nil", ".s", "[*]", "[0]"]
INSIDE += ["[1]", "[-1]", "[0:2]", "[:]", "[::2]", "[5]", "[0,1]", "['a']", "['x.y']", ".x\\.y"]
INSIDE += ["@", "$", '[?(@.name=="q")]', "[?(@.n>1)]", "[?(@.up==true)]", "[?(@.l)]", "[?(@.n!=2)]"]
INSIDE += ["1", "-2", "1.5", "true", "foo", "[", "]", "(", "#", "\\", "'", '"', "[?(", "==", " "]
OUTSIDE = ["{", "}", "{range .items[*]}", "{end}", "{.name}", "{.n}", '{"\\n"}', "{'t'}", " text "]
OUTSIDE += ["{range .f[*]}", "{@}", "{.a.b}", "{.items}", "{.f[*]}", "{.nil}", "{range .a.b[*]}"]
TEMPLATES = [
    "{@}",
    "{}",
    "{.items[*]['name','n']}",
    "{.a.1d}",
    "{.}",
    "{.a.e f}",
    "{.f}",
    "{.f[*]}",
]
TEMPLATES += [
    "{range .items[*]}{.name}={.n}{end}",
    "{.items[*].l[0]}",
    "{.a.b[0:3:0]}",
    "{.a['c']}",
]
TEMPLATES += ["{range .items[*]}{.name}{range .a}{end}{end}", '{"\\x41\\u00e9\\U0001F600\\101"}']


def templates(count: int) -> list[str]:
    """Random ones; each has a brace, for without one it is an expression here."""
    chance, found = random.Random(17), list(TEMPLATES)
    while len(found) < count:
        if chance.random() < 0.5:
            found.append("{" + "".join(chance.choices(INSIDE, k=chance.randint(1, 4))) + "}")
        else:
            found.append("".join(chance.choices(OUTSIDE + INSIDE[:8], k=chance.randint(1, 6))))
    return [template for template in found if "{" in template]


def printed(template: str) -> str | None:
    try:
        found = JSONPath(template).find(DATA)
    except InvalidResource:
        return None
    lines = (go_json(v, indent=4) if isinstance(v, dict | list) else as_text(v) for v in found)
    return "".join(f"{line}\n" for line in lines)


def test_templates_find_what_talosctl_finds(oracle: Oracle) -> None:
    wanted, data = templates(quantity(2_000, 50_000)), yaml.safe_dump(DATA, sort_keys=False)

    answers = oracle.ask([Question("jsonpath", template, data=data) for template in wanted])

    found = 0
    for template, answer in zip(wanted, answers, strict=True):
        assert printed(template) == (None if answer.error else answer.value), template
        found += not answer.error
    assert found > len(wanted) / 10


def test_cells_are_those_of_talosctl_and_empty_where_it_fails(oracle: Oracle) -> None:
    wanted, data = templates(quantity(2_000, 50_000)), yaml.safe_dump(DATA, sort_keys=False)

    answers = oracle.ask([Question("cell", template, data=data) for template in wanted])

    for template, answer in zip(wanted, answers, strict=True):
        try:
            cell = JSONPath(template).cell(DATA)
        except InvalidResource:
            cell = ""
        if template.count("{range") > 1 and printed(template) is None:
            continue  # a range over nothing, which is nothing here: see JSONPath
        assert cell == ("" if answer.error else answer.value), template


# -- English ----------------------------------------------------------------------------------

STEMS = "Service Status Address Alias Bus Virus Sms Canvas Atlas Gas Lens Axis Test Datum Index Key"
STEMS += " Policy Box Dish Match Class Quiz Leaf Knife Roof Hero Photo Echo Child Person Man Mouse"
STEMS += " Fish Sheep Series Species Media Criterion Schema Matrix Vertex Analysis Movie Cookie Tie"
STEMS += " Money Monkey Human Thief Valve Goose Tooth Ox Octopus Radius Alga Bureau Seraph Yes News"
ENDINGS = [
    "",
    "s",
    "es",
    "ies",
    "ves",
    "us",
    "i",
    "a",
    "ae",
    "um",
    "men",
    "ice",
    "ices",
    "eaux",
    "ss",
]


def words() -> list[str]:
    """Stems in all numbers, what both ports list as exceptions, and names of Talos's types."""
    from pluralizer import pluralizer_rules as rules

    listed = [word for pair in rules.irregular_rules for word in pair]
    listed += [word for word in rules.uncountable_rules if isinstance(word, str)]
    made = [stem + ending for stem in STEMS.split() for ending in ENDINGS]
    made += [stem[:-1] + ending for stem in STEMS.split() for ending in ENDINGS]
    titled = [word.title() for word in (*listed, *made)]
    joined = [f"Machine{word}" for word in titled]
    return [
        *listed,
        *made,
        *titled,
        *joined,
        *(word.upper() for word in made),
        "sms",
        "SMS",
        "Smss",
    ]


def test_singulars_and_plurals_are_those_of_go(oracle: Oracle) -> None:
    """``Sms`` was the singular of ``Sm`` here, and of itself there."""
    wanted = words()

    singulars = oracle.ask([Question("singular", word) for word in wanted])
    plurals = oracle.ask([Question("plural", word) for word in wanted])

    assert {w: english().singular(w) for w in wanted} == {
        w: answer.value for w, answer in zip(wanted, singulars, strict=True)
    }
    assert {w: english().is_plural(w) for w in wanted} == {
        w: answer.value for w, answer in zip(wanted, plurals, strict=True)
    }
