"""Texts as input: policies read their words, through the configuration alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import json

from serving.config import parse
from serving.hooks import Asked
from serving.inputs import decoder
from serving.texts import LONGEST, text
from tests.serving.front_end import FrontEnd

CONFIG = """
[models.mixtral]
runtime = "python"
artifact = "llms:Mixtral"
cost = 0.24

[models.gpt4]
runtime = "python"
artifact = "llms:GPT4"
cost = 30

[applications.questions]
models = ["mixtral", "gpt4"]
input = { datatype = "BYTES" }
policy = { name = "linucb", price = 0.01 }
features = "serving.texts:text"
"""
HARD, EASY = "prove that there are {} primes", "how many apples are {} apples"


@pytest.mark.parametrize(("given", "read"), [(b"caf\xc3\xa9", "café"), ("a string", "a string"), (b"\xff", "\ufffd")])
def test_the_text_is_a_feature(given: object, read: str) -> None:
    assert text(Asked(given, None, {})) == {"text": read}


def test_of_a_long_text_the_beginning_counts() -> None:
    assert text(Asked(b"a" * LONGEST + b"b", None, {})) == {"text": "a" * LONGEST}


def test_prompts_go_to_the_dear_model_where_their_words_say_that_it_is_worth_it(tmp_path: Path) -> None:
    """The cheap model is right on easy prompts, the dear one, which asks .3 of a reward, on all."""
    config = parse(CONFIG, tmp_path).applications["questions"]
    end = FrontEnd(
        tmp_path,
        {"gpt4:1": "right", "mixtral:1": "wrong"},
        config.policy,
        input=config.input,
        features=config.features,
    )
    decode = decoder(config.input)
    late = {HARD: list[str](), EASY: list[str]()}
    for i in range(300):
        prompt = (HARD, EASY)[i % 2]
        end.models["mixtral:1"].says = "wrong" if prompt is HARD else "right"
        answer = end.answer(input=decode(json.encode(prompt.format(i % 17))))
        end.observe(answer.query_id, label="right")
        if i >= 200:
            late[prompt] += answer.models
    end.close()
    assert late[HARD].count("gpt4:1") > 45
    assert late[EASY].count("mixtral:1") > 45
