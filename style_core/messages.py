"""Sentences for people, which keep the template and the values that they were made from.

A front end that speaks other languages looks a sentence up by its template; everyone else reads it as the text it is.
"""

from typing import Any


class Message(str):
    """A sentence: `Message("{file} is empty; choose another picture.", file="a.png")`.

    It is a string, and reads as the template with its values filled in. `str(message)` keeps the template.

    Attributes:
        template: the sentence in English, with `{name}` or `{name:format}` where a value goes.
        values: what goes there, by name. A value may be a Message.
    """

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> "Message":
        message = super().__new__(cls, template.format(**values) if values else template)
        message.template, message.values = template, values
        return message

    def __str__(self) -> "Message":
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.template,), self.values


def joined(*sentences: str) -> str:
    """Sentences in a row, without those that are empty."""
    text = ""
    for sentence in filter(None, sentences):
        text = Message("{first} {second}", first=text, second=sentence) if text else sentence
    return text
