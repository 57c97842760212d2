"""Payloads for the tests of the runtime."""

from __future__ import annotations

from cosi import Spec


class Number(Spec, type="Numbers.test.dev"):
    value: int = 0


class Text(Spec, type="Texts.test.dev"):
    text: str = ""


class Sentence(Spec, type="Sentences.test.dev"):
    sentence: str = ""
