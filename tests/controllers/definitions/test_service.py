"""Section 1 of the format: what a definition may say, what it may not, and in which words."""

import pytest

from controllers.definitions.service import Fault, Reading, read_service
from resources.extension_service import (
    Container,
    Dependency,
    ExtensionServiceSpec,
    IDMapping,
    Mount,
    NetworkCheck,
    Restart,
    Security,
)

GOOD = "name: a\nrestart: always\ncontainer: {entrypoint: ./a}\n"
TOO_MANY = "yaml: more than 20000 values in one document"
MERROR = "error unmarshalling extension service config: "


def read(text: str) -> Reading:
    return read_service(text.encode())


def good(text: str) -> ExtensionServiceSpec:
    reading = read(text)
    assert reading.spec is not None, reading.message
    return reading.spec


def container(text: str) -> Container:
    """A container of an entrypoint and of what ``text`` says, indented by nothing."""
    lines = "".join(f"  {line}\n" for line in text.splitlines())
    return good(f"name: a\nrestart: always\ncontainer:\n  entrypoint: ./a\n{lines}").container


def problems(text: str) -> list[str]:
    return [str(problem) for problem in read(text).problems]


def test_talos_unmarshal() -> None:
    """Talos: services.TestUnmarshal."""
    assert good(
        """\
name: hello-world
container:
  entrypoint: hello-world
  args:
    - --development
    - --log=debug
  mounts:
    - source: /var/log/audit/containerd
      destination: /var/log/audit/containerd
      type: bind
      options:
        - rshared
        - bind
        - ro
depends:
  - service: cri
  - path: /system/run/machined/machined.sock
  - network:
      - addresses
restart: never
"""
    ) == ExtensionServiceSpec(
        name="hello-world",
        container=Container(
            entrypoint="hello-world",
            args=("--development", "--log=debug"),
            mounts=(
                Mount(
                    source="/var/log/audit/containerd",
                    destination="/var/log/audit/containerd",
                    type="bind",
                    options=("rshared", "bind", "ro"),
                ),
            ),
        ),
        depends=(
            Dependency(service="cri"),
            Dependency(path="/system/run/machined/machined.sock"),
            Dependency(network=(NetworkCheck.ADDRESSES,)),
        ),
        restart=Restart.NEVER,
    )


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        (
            "{}",
            (
                'name "" is invalid|restart kind is invalid: RestartKind(0)|'
                "container endpoint can't be empty"
            ),
        ),
        ("name: FOO\nrestart: always\ncontainer: {entrypoint: x}", 'name "FOO" is invalid'),
        (
            GOOD + "depends: [{}, {path: ./somefile}, {service: cri, time: true}]",
            (
                'no dependency specified|path is not absolute: "./somefile"|'
                "more than a single dependency is set"
            ),
        ),
        (
            GOOD + "depends: [{path: x, service: cri}]",
            'path is not absolute: "x"|more than a single dependency is set',
        ),
        (GOOD + "depends: [{time: false}]", "no dependency specified"),
        (GOOD + "depends: [{network: []}]", "no dependency specified"),
        (GOOD + "depends: [{foo: bar}]", "no dependency specified"),
        ('name: "a\\tb"\nrestart: always\ncontainer: {entrypoint: x}', 'name "a\\tb" is invalid'),
    ],
    ids=lambda value: value[:20],
)
def test_talos_validate(text: str, errors: str) -> None:
    """Talos: services.TestValidate, and the rules of section 1.1; texts of 1.2."""
    texts = errors.split("|")
    count = "1 error" if len(texts) == 1 else f"{len(texts)} errors"
    listed = "".join(f"\t* {text}\n" for text in texts)
    reading = read(text)
    assert reading.fault is Fault.INVALID
    assert reading.message == f"{count} occurred:\n{listed}\n"


@pytest.mark.parametrize(
    "name", ["a--b", "a-", "-a", "_a", "a_-b", "x" * 73, "-", "a__b"], ids=lambda name: name[:8]
)
def test_a_name_that_no_runtime_takes_is_refused_when_it_is_read(name: str) -> None:
    """Guards differences: Talos 3: Talos accepts it, and the container can never be made."""
    reading = read(f"name: '{name}'\nrestart: always\ncontainer: {{entrypoint: x}}\n")
    assert reading.fault is Fault.INVALID
    assert (reading.problems[0].line, reading.problems[0].column) == (1, 7)


@pytest.mark.parametrize("name", ["a", "a-b", "a_b", "0", "x" * 72])
def test_a_name_that_runtimes_take_is_taken(name: str) -> None:
    assert good(f"name: {name}\nrestart: always\ncontainer: {{entrypoint: x}}").name == name


def test_every_problem_has_its_place() -> None:
    assert problems(
        """\
name: FOO
container:
  args: [x]
  mounts:
    - source: /dev
    - {destination: /x}
  environment: [=x]
  security:
    rootfsPropagation: shard
depends:
  - service: cri
  - path: run
  - time: false
"""
    ) == [
        (
            "1:1: error: restart kind is invalid: RestartKind(0); "
            "restart is one of always, never, untilSuccess"
        ),
        '1:7: error: name "FOO" is invalid',
        "3:3: error: container endpoint can't be empty",
        "5:7: error: mount destination can't be empty",
        "6:7: error: mount source can't be empty",
        '7:17: error: environment item "=x" has no name',
        (
            '9:24: error: rootfs propagation "shard" is not one of private, rprivate, slave, '
            "rslave, shared, rshared, unbindable, runbindable"
        ),
        '12:11: error: path is not absolute: "run"',
        "13:5: error: no dependency specified",
    ]


# -- 1.3: what the reader takes --------------------------------------------------------------------


def test_scalars_keep_their_spelling() -> None:
    assert container("args: [1, true, 1.50, 0x10, 1:30, yes, .inf, 0o17, 2020-13-45]").args == (
        "1", "true", "1.50", "0x10", "1:30", "yes", ".inf", "0o17", "2020-13-45",
    )  # fmt: skip


@pytest.mark.parametrize(
    "date", ["2020-01-01", "2020-1-1", "2020-01-01T10:00:00Z", "2020-01-01 10:00:00"]
)
def test_a_date_is_no_string_unless_it_is_quoted(date: str) -> None:
    reading = read(GOOD.replace("./a", date))
    assert reading.fault is Fault.UNREADABLE
    shown = date if len(date) <= 10 else date[:7] + "..."
    assert reading.message == (
        MERROR + "yaml: construct errors: line 3: "
        f"cannot construct !!timestamp `{shown}` into string"
    )
    assert container(f"args: ['{date}']").args == (date,)


def test_nulls_in_lists_are_dropped() -> None:
    assert good(GOOD + "depends: [~, {service: cri}, null]").depends == (Dependency(service="cri"),)
    assert container("args: [~, a, null]").args == ("a",)
    assert container("mounts:\n - # OCI Mount Spec").mounts == ()


def test_a_null_leaves_what_is_there_without_it() -> None:
    spec = good(GOOD + "depends: ~\nlogToConsole: ~\n")
    assert (spec.depends, spec.log_to_console) == ((), False)
    assert container("security:\nmounts: ~").security == Security()


@pytest.mark.parametrize(
    ("text", "paths"),
    [("", None), ("maskedPaths: ~", None), ("maskedPaths: ", None), ("maskedPaths: []", ()),
     ("maskedPaths: [~]", ()), ("maskedPaths: [/x]", ("/x",))],
)  # fmt: skip
def test_masked_paths_that_are_unset_and_empty_and_given_are_three_things(
    text: str, paths: tuple[str, ...] | None
) -> None:
    assert container(f"security: {{{text}}}").security.masked_paths == paths
    other = text.replace("masked", "readonly")
    assert container(f"security: {{{other}}}").security.readonly_paths == paths


TRUE = ["true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "'yes'", '"y"']
FALSE = ["false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF", "'no'"]


@pytest.mark.parametrize(
    ("word", "flag"), [(word, True) for word in TRUE] + [(word, False) for word in FALSE]
)
def test_booleans_of_both_yamls(word: str, flag: bool) -> None:
    assert good(f"{GOOD}logToConsole: {word}").log_to_console is flag


@pytest.mark.parametrize(
    ("word", "shown"),
    [('"true"', "!!str `true`"), ("1", "!!int `1`"), ("yES", "!!str `yES`"), ("[]", "!!seq"),
     ("{}", "!!map"), ("1.0", "!!float `1.0`"), ("tRue", "!!str `tRue`")],
)  # fmt: skip
def test_what_is_no_boolean(word: str, shown: str) -> None:
    assert read(f"{GOOD}logToConsole: {word}").message == (
        f"{MERROR}yaml: construct errors: line 4: cannot construct {shown} into bool"
    )


@pytest.mark.parametrize(
    ("word", "restart"),
    [("always", Restart.ALWAYS), ("ALWAYS", Restart.ALWAYS), ("never", Restart.NEVER),
     ("UntilSuccess", Restart.UNTIL_SUCCESS), ("untilsuccess", Restart.UNTIL_SUCCESS),
     ("'never'", Restart.NEVER)],
)  # fmt: skip
def test_enums_in_any_case(word: str, restart: Restart) -> None:
    assert good(GOOD.replace("always", word)).restart is restart


def test_network_checks_in_any_case() -> None:
    (dependency,) = good(GOOD + "depends: [{network: [Addresses, EtcFiles]}]").depends
    assert dependency.network == (NetworkCheck.ADDRESSES, NetworkCheck.ETCFILES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("restart: random", "line 1: random does not belong to RestartKind values"),
        ("restart: 1", "line 1: 1 does not belong to RestartKind values"),
        ("depends: [{network: [bogus]}]", "line 1: bogus does not belong to Status values"),
        (
            "depends: [{network: addresses}]",
            "line 1: cannot construct !!str `addresses` into []nethelpers.Status",
        ),
        ("depends: [cri]", "line 1: cannot construct !!str `cri` into services.Dependency"),
        ("container: {args: {}}", "line 1: cannot construct !!map into []string"),
        ("restart: [always]", ("line 1: cannot construct !!seq into services.RestartKind"
         " (TextUnmarshaler)")),
        ("container: {args: 12345678901}", ("line 1: cannot construct !!int `1234567...`"
         " into []string")),
        ("container: {args: [[]]}", "line 1: cannot construct !!seq into string"),
        ("container: []", "line 1: cannot construct !!seq into services.Container"),
        ("[]", "line 1: cannot construct !!seq into services.Spec"),
        ("hello", "line 1: cannot construct !!str `hello` into services.Spec"),
        ("name: a\nname: b", 'line 2: mapping key "name" already defined at line 1'),
        ("name: 2020-01-01\nrestart: x", ("line 1: cannot construct !!timestamp `2020-01-01` into "
         "string; line 2: x does not belong to RestartKind values")),
        ("<<: 1", "line 1: map merge requires map or sequence of maps as the value"),
        ("[a]: b", "line 1: cannot construct !!seq into string"),
    ],
    ids=lambda text: text[:24],
)  # fmt: skip
def test_type_errors_are_gathered_in_talos_words(text: str, message: str) -> None:
    reading = read(text)
    assert reading.fault is Fault.UNREADABLE
    assert reading.message == f"{MERROR}yaml: construct errors: {message}"


def test_what_follows_from_a_wrong_type_is_not_said_twice() -> None:
    text = "name: a\nrestart: x\ncontainer: {entrypoint: [a]}\ndepends: [{network: x}, cri]\n"
    assert [line.split(": ", 2)[2] for line in problems(text)] == [
        "x does not belong to RestartKind values: always, never, untilSuccess",
        "cannot construct !!seq into string",
        "cannot construct !!str `x` into []nethelpers.Status",
        "cannot construct !!str `cri` into services.Dependency",
    ]


def test_the_skeleton_of_the_documentation_is_refused() -> None:
    """Section 1.5/1: it shows alternatives, not values."""
    text = GOOD.replace("always", "never|always|untilSuccess") + "logToConsole: true|false\n"
    assert "never|always|untilSuccess does not belong to RestartKind values" in read(text).message
    assert "cannot construct !!str `true|false` into bool" in read(text).message


def test_only_the_first_document_is_read_and_the_second_is_warned_about() -> None:
    assert good(GOOD + "---\nname: FOO\n").name == "a"
    assert problems(GOOD + "---\nname: FOO\n") == [
        "5:1: warning: only the first document of a definition file is read"
    ]
    assert good(GOOD + "---\n]").name == "a"
    assert problems(GOOD + "---\n") == []


@pytest.mark.parametrize("text", ["", "# nothing", "\n\n", "\ufeff"])
def test_an_empty_file_is_the_end_of_file(text: str) -> None:
    assert read(text).message == MERROR + "EOF"


@pytest.mark.parametrize("text", ["---", "~", "--- ~\n---\nname: a", "null"])
def test_a_null_document_is_an_empty_definition(text: str) -> None:
    assert read(text).message.startswith("3 errors occurred:")


def test_anchors_aliases_and_merge_keys() -> None:
    spec = good(
        """\
base: &base
  entrypoint: ./base
  args: &args [a, b]
name: x
container:
  <<: *base
  entrypoint: ./x
  environment: *args
restart: always
"""
    )
    assert spec.container == Container(entrypoint="./x", args=("a", "b"), environment=("a", "b"))
    many = "a: &a {path: /a}\nb: &b {path: /b}\ndepends: [{<<: [*a, *b]}]\n"
    assert good(many + GOOD).depends == (Dependency(path="/a"),)


def test_bom_and_crlf_are_fine() -> None:
    assert good("\ufeff" + GOOD.replace("\n", "\r\n")).name == "a"
    assert read_service(GOOD.encode("utf-16")).spec == good(GOOD)


@pytest.mark.parametrize(
    ("data", "place", "text"),
    [
        (b"name: a\nx: \xff\n", (2, 4), "yaml: invalid Unicode character"),
        (b"name: a\nx: y\x07\n", (2, 5), "yaml: control characters are not allowed"),
        (b"name: a\nx: \x7f", (2, 4), "yaml: control characters are not allowed"),
        (b"name: [\n", (2, 1), "yaml: did not find expected node content"),
        (b"a: b: c", (1, 5), "yaml: mapping values are not allowed in this context"),
        (b"\tname: a", (1, 1), "yaml: found character that cannot start any token"),
        (b"name: *x", (1, 7), "yaml: unknown anchor 'x' referenced"),
        (b"x: &x\n  y: *x", (2, 6), "yaml: anchor 'x' value contains itself"),
        (b"x: " + b"[" * 101, (1, 103), "yaml: exceeded max depth of 100"),
        (b"x: [" + b"a," * 20_000 + b"]", (1, 39_999), TOO_MANY),
        (b"x: " + b"a" * (1 << 20), (1, 1), "yaml: file is larger than 1 MiB"),
    ],
    ids=lambda value: str(value)[:24],
)  # fmt: skip
def test_what_is_not_read_is_an_error_with_its_place(
    data: bytes, place: tuple[int, int], text: str
) -> None:
    reading = read_service(data)
    (problem,) = reading.problems
    assert reading.fault is Fault.UNREADABLE
    assert problem.text == text
    assert (problem.line, problem.column) == place


def test_a_bomb_of_aliases_does_not_go_off() -> None:
    lines = ["name: a", "restart: always", "a0: &a0 {service: cri}"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    assert read("\n".join([*lines, "container: {entrypoint: x, args: *a9}"])).spec is None
    lines = ["x: &x [" + ", ".join(["y"] * 2_000) + "]", "y: &y {args: *x, entrypoint: z}"]
    lines += ["m: &m [" + ", ".join(["{destination: /d, source: /s, options: *x}"] * 100) + "]"]
    reading = read("\n".join([*lines, "container: {entrypoint: x, mounts: *m}"]))
    assert reading.problems[0].text == "yaml: document contains excessive aliasing"
    merges = "a: &a {" + ", ".join(f"k{n}: v" for n in range(5_000)) + "}\n"
    reading = read(merges + "<<: [" + ", ".join(["*a"] * 5_000) + "]")
    assert reading.problems[0].text == "yaml: document contains excessive aliasing"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('container: {entrypoint: "a\\0"}', "3:25"),
        ('container: {entrypoint: x/, args: [a, "\\0"]}', "3:39"),
        ('container: {entrypoint: x/, mounts: [{source: /a, destination: "/\\0"}]}', "3:64"),
        ('container: {entrypoint: x/}\ndepends: [{path: "/\\0"}]', "4:18"),
    ],
)
def test_a_text_that_no_system_call_takes_is_refused(text: str, place: str) -> None:
    found = problems(f"name: a\nrestart: always\n{text}\n")
    assert [line.partition(": ")[0] for line in found] == [place]
    assert "a text has a NUL character: " in found[0]


def test_messages_are_short_and_harmless_to_a_terminal() -> None:
    long = "x" * 1_000
    text = f'{GOOD}"\\e[31m": x\n{long}: y\nlogToConsole: "\\a\\a"\n'
    found = problems(text.replace("always", long))
    assert all(len(line) < 200 and line.isprintable() for line in found)
    assert 'unknown key "\\x1b[31m" is ignored' in found[1]


# -- warnings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("depend: []", '4:1: warning: unknown key "depend" is ignored; did you mean "depends"?'),
        ("Name: x", '4:1: warning: unknown key "Name" is ignored; did you mean "name"?'),
        ("log: true", '4:1: warning: unknown key "log" is ignored; did you mean "logToConsole"?'),
        ("colour: red", '4:1: warning: unknown key "colour" is ignored'),
        ("depends: [{service: a, when: up}]", '4:24: warning: unknown key "when" is ignored'),
        ("1: x", '4:1: warning: unknown key "1" is ignored'),
    ],
)
def test_unknown_keys_load_and_are_warned_about(text: str, warning: str) -> None:
    """Guards differences: Talos 2: typos in keys vanish silently."""
    assert read(GOOD + text).spec is not None
    assert problems(GOOD + text) == [warning]


def test_the_oci_spelling_of_id_mappings_is_unknown_as_on_talos() -> None:
    """Guards differences: Talos 2: ``uidMappings`` is ignored, without a message."""
    mount = "mounts: [{destination: /a, source: /b, uidMappings: [{containerID: 1}]}]"
    text = GOOD.replace("./a}", f"./a, {mount}}}")
    assert good(text).container.mounts == (Mount(destination="/a", source="/b"),)
    assert 'unknown key "uidMappings" is ignored; did you mean "uidmappings"?' in problems(text)[0]


def test_the_spelling_of_id_mappings_that_talos_reads() -> None:
    mapping = "{containerid: 1, hostid: 0x10, size: 010}"
    mount = f"mounts: [{{destination: /a, source: /b, uidmappings: [{mapping}]}}]"
    (mounted,) = container(mount).mounts
    assert mounted.uid_mappings == (IDMapping(container_id=1, host_id=16, size=8),)


@pytest.mark.parametrize("size", ["-1", "4294967296", "x", "1.5", "'1'", "09"])
def test_what_is_no_size(size: str) -> None:
    text = GOOD.replace("./a}", f"./a, mounts: [{{gidmappings: [{{size: {size}}}]}}]}}")
    assert read(text).fault is Fault.UNREADABLE


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("entrypoint: x", ("an entrypoint without a slash is looked up in PATH, which the "
         "environment lacks")),
        ("environmentFile: /etc/x", ("environmentFile is deprecated; use an ExtensionServiceConfig "
         "document")),
        ("mounts: [{source: /a, destination: a}]", 'destination is not absolute: "a"'),
        ("mounts: [{type: tmpfs, destination: /a}]", "on Talos, every mount needs a source"),
    ],
)  # fmt: skip
def test_what_will_hardly_be_meant_is_a_warning(text: str, warning: str) -> None:
    entry = "" if text.startswith("entry") else "entrypoint: ./a, "
    reading = read(f"name: a\nrestart: always\ncontainer: {{{entry}{text}}}")
    assert reading.spec is not None
    assert [problem.text for problem in reading.problems] == [warning]


def test_a_binary_scalar_is_its_bytes() -> None:
    assert container("args: [!!binary aGk=, !!str 1, !local x]").args == ("hi", "1", "x")
    assert read(GOOD.replace("./a", "!!binary /w==")).fault is Fault.UNREADABLE


def test_the_number_of_problems_is_bounded() -> None:
    text = GOOD + "".join(f"k{n}: x\n" for n in range(5_000))
    reading = read(text)
    assert reading.spec is not None
    assert len(reading.problems) == 101
    assert reading.problems[-1].text == "and 4900 more problems"
