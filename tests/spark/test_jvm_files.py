"""Files that neither Python nor the JVM can reach: both their reasons are told."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sparkml.errors import ModelNotFound, SinkNotWritable
from sparkml.spark.jvm_files import fetched
from sparkml.spark.report import write_result
from tests.s3_environment import find_s3

pytestmark = pytest.mark.spark


@pytest.fixture
def closed(monkeypatch):
    """An S3 that refuses Python everything; the session's JVM knows no `s3://` at all."""

    class Handler(BaseHTTPRequestHandler):
        def refuse(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = do_PUT = do_POST = refuse  # noqa: N815

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    find_s3(monkeypatch, f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    server.server_close()


def test_a_model_that_neither_can_read_says_what_each_is_told(spark, closed, tmp_path):
    """On EMR the JVM has the step's role and Python the nodes': the JVM's refusal is the one."""
    with pytest.raises(ModelNotFound) as refused:
        fetched("s3://bucket/models/wine", tmp_path)
    assert 'No FileSystem for scheme "s3"' in refused.value.what
    assert "Python ACCESS_DENIED" in refused.value.what


def test_a_result_that_neither_can_write_says_what_each_is_told(spark, closed):
    """The same of the result file."""
    with pytest.raises(SinkNotWritable) as refused:
        write_result("s3://bucket/result.json", None)
    assert 'No FileSystem for scheme "s3"' in refused.value.what
    assert "Python: " in refused.value.what
