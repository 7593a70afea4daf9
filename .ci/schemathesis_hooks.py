"""What schemathesis cannot be told in its configuration."""

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode


@schemathesis.hook
def filter_failure(context, failure, case, response) -> bool:
    """A part of a form is bytes: a file in which stands null, or 7, is as good as any."""
    if not isinstance(failure, AcceptedNegativeData) or case.media_type != "multipart/form-data":
        return True
    wrong = {where for where, part in case.meta.components.items() if part.mode == GenerationMode.NEGATIVE}
    return wrong != {ParameterLocation.BODY}
