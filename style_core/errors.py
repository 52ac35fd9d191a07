"""What can go wrong, and how it is told."""


class RequestError(ValueError):
    """Something asked for cannot be done as asked; the message says what is wrong and what would be right.

    The only exception that reaches a person as a sentence: exit status 2 in the shell, `gr.Error` in the app, the
    same words in the API.
    """
