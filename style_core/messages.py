"""Messages to users, which keep their template and values for translation.

A front end in another language looks up the template; everyone else uses the message as a plain string.
"""

from typing import Any


class Message(str):
    """A message: `Message("{file} is empty; choose another picture.", file="a.png")`.

    It is a string: the template with its values filled in. `str(message)` keeps the template.

    Attributes:
        template: the sentence in English, with `{name}` or `{name:format}` for values.
        values: values by name. A value may be a Message.
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
    """Messages joined to one, without empty ones."""
    text = ""
    for sentence in filter(None, sentences):
        text = Message("{first} {second}", first=text, second=sentence) if text else sentence
    return text
