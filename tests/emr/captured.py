"""An HTTP server that takes any request of EMR's protocol, and keeps what came."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS = {
    "RunJobFlow": {"JobFlowId": "j-1", "ClusterArn": "arn:aws:elasticmapreduce:x:1:cluster/j-1"},
    "AddJobFlowSteps": {"StepIds": ["s-1"]},
    "DescribeCluster": {"Cluster": {"Id": "j-1", "ReleaseLabel": "emr-spark-8.1.0"}},
    "CreateSecurityConfiguration": {"Name": "n", "CreationDateTime": 1.0},
}


@contextmanager
def capturing():
    """The server's address, and the list that every (operation, request) is added to."""
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            operation = self.headers["X-Amz-Target"].partition(".")[2]
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append((operation, json.loads(body)))
            answer = json.dumps(ANSWERS[operation]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", came
        server.shutdown()
        thread.join()
