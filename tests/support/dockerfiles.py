"""Dockerfiles for a machine without a registry: what they are based on is in their repository."""

import gzip

from examples.demo.image import APPLICATION, layer
from examples.demo.interpreter import find_interpreter
from tests.support.buildkit_image import tools_archive

Files = dict[str, str | bytes | None]

#: A shell, and little else.
TOOLS = "FROM scratch AS tools\nADD tools.tar /\n"
RESULT = """
FROM scratch
ADD base.tar.gz /
COPY --from=build /built /built
COPY application.py /app/application.py
EXPOSE 8000
USER 65534
CMD ["/usr/local/bin/python", "-I", "-S", "-B", "/app/application.py"]
"""
DOCKERFILE = f"""{TOOLS}
FROM tools AS build
ARG GREETING=none
RUN --mount=type=secret,id=token read token < /run/secrets/token; echo "it has ${{#token}}"
RUN echo "greeting: $GREETING"; echo built > /built
{RESULT}"""


def tools_files() -> Files:
    """What `TOOLS` adds."""
    return {"tools.tar": tools_archive("sh", "sleep")}


def python_files() -> Files:
    """What `RESULT` adds and runs: the sample application, and a Python for it."""
    base = gzip.compress(layer(find_interpreter(APPLICATION)), compresslevel=1)
    return {"base.tar.gz": base, "application.py": APPLICATION.read_text()}
