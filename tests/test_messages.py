import copy
import pickle

import pytest

from style_core.errors import RequestError
from style_core.messages import Message, joined


def test_a_message_reads_as_its_sentence_and_keeps_what_it_was_made_from():
    message = Message("{file} is {size:.1f} MB.", file="a {braces}.png", size=2.04)
    assert message == "a {braces}.png is 2.0 MB." == f"{message}"
    assert message.template == "{file} is {size:.1f} MB."
    assert message.values == {"file": "a {braces}.png", "size": 2.04}


def test_a_message_without_values_may_hold_braces():
    assert Message("Write {this}.") == "Write {this}."


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, str, lambda message: pickle.loads(pickle.dumps(message))])
def test_a_message_survives_copying_pickling_and_str(again):
    message = again(Message("{file} is empty.", file="a.png"))
    assert (message, message.template, message.values) == ("a.png is empty.", "{file} is empty.", {"file": "a.png"})


def test_joined_leaves_out_what_is_empty_and_keeps_templates():
    first, second = Message("{count} done.", count=3), "The rest follows."
    assert joined() == joined("", "") == ""
    assert joined("", first).template == "{count} done."
    both = joined(first, "", second)
    assert both == "3 done. The rest follows."
    assert both.values["first"].values == {"count": 3}


def test_an_error_carries_its_template_and_values():
    error = RequestError("size is {value}; it must be {allowed}.", value=9, allowed="between 64 and 128 px")
    assert str(error) == "size is 9; it must be between 64 and 128 px."
    assert (error.template, error.values) == ("size is {value}; it must be {allowed}.", {"value": 9, "allowed": "between 64 and 128 px"})
    assert RequestError(str(error)).values == error.values
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.values) == (str(error), error.values)


def test_a_plain_error_is_its_own_template():
    error = RequestError("There is no photo {here}.")
    assert (str(error), error.template, error.values) == ("There is no photo {here}.", "There is no photo {here}.", {})
