"""The grammar of environment files, as go-envparse 0.1.0 has it."""

import pytest

from controllers.oci.environment_file import EnvironmentFileError, parse_environment_file


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ("A=b", {"A": "b"}),
        ("A=", {"A": ""}),
        ("", {}),
        ("   ", {}),
        ("# A=b", {}),
        ("  A = b  ", {"A": "b"}),
        ("export A=b", {"A": "b"}),
        ("export=b", {"export": "b"}),
        ("A=b=c", {"A": "b=c"}),
        ("A=b#c", {"A": "b"}),
        ("A=b # c", {"A": "b"}),
        ("A=#c", {"A": ""}),
        ("A='b # c'", {"A": "b # c"}),
        ('A="b # c" # d', {"A": "b # c"}),
        (r"A='\n'", {"A": r"\n"}),
        (r'A="\"\\\/\b\f\n\r\t"', {"A": '"\\/\b\f\n\r\t'}),
        (r'A="\u00e9\uD83D\uDE00"', {"A": "é😀"}),
        ('A=ab"cd"ef', {"A": "abcdef"}),
        ("A='b'\"c\"d", {"A": "bcd"}),
        ("A=b c", {"A": "b c"}),
        ("a.b/c_D9=x", {"a.b/c_D9": "x"}),
        ("_=x", {"_": "x"}),
        ("A=ü", {"A": "ü"}),
        ("A=b\r", {"A": "b"}),
        ("A=1\nA=2", {"A": "2"}),
        ("A=$B", {"A": "$B"}),
    ],
)
def test_a_line_is_read(line: str, pairs: dict[str, str]) -> None:
    assert parse_environment_file(line.encode()) == pairs


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("A", "missing ="),
        ("=b", "empty key"),
        (" = b", "empty key"),
        ("1A=b", "key must start with [A-Za-z_] but found '1'"),
        ("A-B=c", "key characters must be [A-Za-z0-9/_.] but found '-'"),
        ("A B=c", "key characters must be [A-Za-z0-9/_.] but found ' '"),
        ("A=b\tc", "0x09 is an invalid value character"),
        ("A='b\tc'", "0x09 is an invalid value character"),
        ('A="b\tc"', "0x09 is an invalid value character"),
        (r'A="\q"', 'invalid escape sequence: "q"'),
        ('A="b', 'unmatched "'),
        ("A='b", "unmatched '"),
        ('A="\\', "incomplete escape sequence"),
        (r'A="\u12', "incomplete hex sequence"),
        (r'A="\uD83D"', "incomplete Unicode surrogate pair"),
    ],
)
def test_a_wrong_line_rejects_the_file(line: str, text: str) -> None:
    with pytest.raises(EnvironmentFileError) as caught:
        parse_environment_file(b"OK=1\n# fine\n" + line.encode())
    assert str(caught.value) == f"error on line 3: {text}"


def test_a_line_is_shorter_than_64_kib() -> None:
    assert len(parse_environment_file(b"A=" + b"x" * 65533)["A"]) == 65533
    with pytest.raises(EnvironmentFileError, match="token too long"):
        parse_environment_file(b"A=" + b"x" * 65534)
