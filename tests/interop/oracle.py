"""Go's own libraries answer questions: oracle_test.go in ./go holds the other end."""

import json
import os
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Question:
    """``what`` names an answer of oracle_test.go; the rest is what that answer reads."""

    what: str
    text: str
    data: str = ""
    id: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    version3: bool = False


@dataclass(frozen=True)
class Answer:
    """``error`` is empty where there is a value."""

    value: Any
    error: str


class Oracle:
    """The compiled Go program; each call runs it once for all questions."""

    def __init__(self, program: Path, directory: Path) -> None:
        self._program = program
        self._directory = directory

    def ask(self, questions: list[Question]) -> list[Answer]:
        """One answer for each question, in order."""
        asked, answered = self._directory / "questions.json", self._directory / "answers.json"
        asked.write_text(json.dumps([asdict(question) for question in questions]))
        environment = {"COSI_QUESTIONS": str(asked), "COSI_ANSWERS": str(answered)}
        done = subprocess.run(
            [self._program, "-test.run", "^TestOracle$"],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        answers = [Answer(a["Value"], a["Error"]) for a in json.loads(answered.read_text())]
        assert len(answers) == len(questions)
        return answers
