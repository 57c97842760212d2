"""How far the limit of open files is raised; that it is: tests/controllers/test_few_files.py."""

from resource import RLIM_INFINITY

import pytest

from cosi.api.open_files import LEAST, MOST, TooFewOpenFiles, raised


@pytest.mark.parametrize(
    ("soft", "hard", "wanted"),
    [
        (1_024, 4_096, 4_096),
        (1_024, 1_024, 1_024),
        (64, LEAST, LEAST),
        (1_024, 524_288, MOST),
        (1_024, RLIM_INFINITY, MOST),
        (200_000, 524_288, 200_000),
        (200_000, RLIM_INFINITY, 200_000),
        (RLIM_INFINITY, RLIM_INFINITY, RLIM_INFINITY),
    ],
)
def test_the_soft_limit_is_raised_to_the_hard_one_but_not_without_end(
    soft: int, hard: int, wanted: int
) -> None:
    assert raised(soft, hard) == wanted


def test_too_low_a_limit_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(TooFewOpenFiles, match=f"64 files open, but needs {LEAST} or more") as low:
        raised(16, 64)

    assert "`ulimit -n 1024`" in str(low.value)
    assert "LimitNOFILE=" in str(low.value)
