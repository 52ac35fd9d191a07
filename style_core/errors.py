"""The error for requests that can't be carried out."""

from typing import Any

from style_core.messages import Message


class RequestError(ValueError):
    """A request that can't be carried out. The message says what is wrong and how to fix it.

    `RequestError("size is {value}; it must be {allowed}.", value=9, allowed="between 64 and 4096 px")`: `str(error)` is the
    whole sentence, a `Message` that keeps the template and the values for translation.

    This is the only exception whose message is shown to users: with exit status 2 in the shell, as `gr.Error` in the app, and
    with the same text in the API.
    """

    def __init__(self, template: str, /, **values: Any):
        self.message = template if isinstance(template, Message) and not values else Message(template, **values)
        super().__init__(self.message)

    @property
    def template(self) -> str:
        """The sentence in English, with `{name}` where a value goes."""
        return self.message.template

    @property
    def values(self) -> dict[str, Any]:
        """Values for the template, by name."""
        return self.message.values

    def __str__(self) -> Message:
        return self.message


class RunFailed(RequestError):
    """A run that failed on its way. What it has made so far is kept: a picture, or the frames of a film."""
