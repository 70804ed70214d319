"""What a client gave, beside what the service says."""

import json


def plain(answer):
    """The JSON of what a client gave."""
    return json.loads(getattr(answer, "answer", answer).model_dump_json())
