"""What the core says, in another language, by the template of each sentence.

The core speaks English, in the shell and to programs, in Messages that keep their templates and values. The page passes
what it says through `translated`. A test reads the core's code for templates that a language lacks.
"""

from collections.abc import Mapping

from style_core.messages import Message


def translated(sentence: str, known: Mapping[str, str]) -> str:
    """A sentence of the core in the words of `known`, with the sentences that it holds; one that is unknown stays as it is."""
    if not isinstance(sentence, Message) or not sentence.values:
        return known.get(sentence, sentence)
    values = {name: translated(value, known) if isinstance(value, str) else value for name, value in sentence.values.items()}
    return known.get(sentence.template, sentence.template).format(**values)
