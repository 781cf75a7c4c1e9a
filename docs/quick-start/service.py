import json, os
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.request import Request, urlopen

def may(user, action, kind):
    question = {"subject": {"type": "user", "id": user}, "action": {"name": action}, "resource": {"type": kind, "id": "all"}}
    headers = {"Authorization": "Bearer " + os.environ["BAILIWICK_KEY"], "Content-Type": "application/json"}
    url = os.environ["BAILIWICK_URL"] + "/access/v1/evaluation"
    try:
        with urlopen(Request(url, json.dumps(question).encode(), headers)) as answer:
            return json.load(answer)["decision"] is True
    except OSError:  # No answer means no access.
        return False

class Posts(BaseHTTPRequestHandler):
    def do_GET(self):  # Your own sign-in knows who the user is. Here, a header says so.
        self.send_response(200 if may(self.headers.get("X-User", "nobody"), "read", "posts") else 403)
        self.end_headers()

HTTPServer(("127.0.0.1", int(os.environ.get("PORT", 3000))), Posts).serve_forever()
