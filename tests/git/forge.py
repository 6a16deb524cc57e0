"""The API of GitHub and of GitLab, as far as it is used, for tests. Prints its port, and serves until it is killed.

usage: forge.py DIRECTORY CERTIFICATE KEY [PORT]

DIRECTORY has `pulls.json` (what is listed), `state.json` (comments and statuses), `calls.jsonl` (every call), and `limit.json`
(answers that come first: [[status, {header: value}], …]).
"""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

import tls

root, certificate, key = sys.argv[1:4]
port = int(sys.argv[4]) if len(sys.argv) > 4 else 0
lock = threading.Lock()
US = {"id": 5, "login": "landfast"}


def load(name, default):
    try:
        with open(os.path.join(root, name)) as file:
            return json.load(file)
    except FileNotFoundError:
        return default


def save(name, value):
    with open(os.path.join(root, name + ".new"), "w") as file:
        json.dump(value, file)
    os.rename(os.path.join(root, name + ".new"), os.path.join(root, name))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, value, headers={}):
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def page(self, values, query):
        size, page = int(query["per_page"][0]), int(query["page"][0])
        return self.answer(200, values[size * (page - 1) : size * page])

    def serve(self):
        with lock:
            self.locked()

    def locked(self):
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        limits = load("limit.json", [])
        with open(os.path.join(root, "calls.jsonl"), "a") as file:
            call = {"at": time.time(), "method": self.command, "path": self.path, "body": body, "limited": bool(limits)}
            file.write(json.dumps({**call, "authorization": self.headers.get("Authorization")}) + "\n")
        if limits:
            status, headers = limits.pop(0)
            save("limit.json", limits)
            return self.answer(status, {"message": "You have exceeded a secondary rate limit"}, headers)
        state = load("state.json", {"statuses": {}, "comments": {}, "next": 100})
        parts = [unquote(part) for part in address.path.split("/")[1:]]
        assert parts[0] == "api"
        status, value = (self.github if parts[1] == "v3" else self.gitlab)(parts[2:], query, body, state)
        save("state.json", state)
        if isinstance(value, list):
            return self.page(value, query)
        return self.answer(status, value)

    def comment(self, state, number, body, name):
        state["next"] += 1
        one = {"id": state["next"], "body": body, name: US}
        if self.headers.get("Authorization") == "Bearer canary-app":
            one |= {name: {"id": 77}, "performed_via_github_app": {"id": 12345}}
        state["comments"].setdefault(number, []).append(one)
        return 201, one

    def github(self, parts, query, body, state):
        match (self.command, *parts):
            case ("GET", "user"):
                return 200, US
            case ("POST", "app", "installations", "5", "access_tokens"):
                assert self.headers.get("Authorization").startswith("Bearer ey")
                end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
                return 201, {"token": "canary-app", "expires_at": end}
            case ("GET", "repos", "o", "m"):
                return 200, {"default_branch": "main"}
            case ("GET", "repos", "o", "m", "commits", sha, "statuses"):
                return 200, state["statuses"].get(sha, [])[::-1]
            case ("POST", "repos", "o", "m", "statuses", sha):
                assert len(body["description"]) <= 140
                state["statuses"].setdefault(sha, []).append(body)
                return 201, body
            case ("GET", "repos", "o", "m", "pulls"):
                assert query["base"] == ["main"] and query["state"] == ["open"]
                return 200, load("pulls.json", [])
            case ("GET", "repos", "o", "m", "issues", number, "comments"):
                return 200, state["comments"].get(number, [])
            case ("POST", "repos", "o", "m", "issues", number, "comments"):
                return self.comment(state, number, body["body"], "user")
            case ("PATCH", "repos", "o", "m", "issues", "comments", identity):
                for one in sum(state["comments"].values(), []):
                    if str(one["id"]) == identity:
                        one["body"] = body["body"]
                        return 200, one
        return 404, {"message": "Not Found"}

    def gitlab(self, parts, query, body, state):
        match (self.command, *parts):
            case ("GET", "user"):
                return 200, US
            case ("GET", "projects", "o/m", "repository", "commits", sha, "statuses"):
                newest = {one["name"]: one for one in state["statuses"].get(sha, [])}
                return 200, [one for name, one in newest.items() if query["name"] == [name]]
            case ("POST", "projects", "o/m", "statuses", sha):
                of_it = [one for one in state["statuses"].get(sha, []) if one["name"] == body["name"]]
                if of_it and of_it[-1]["status"] == body["state"]:
                    return 400, {"message": f"Cannot transition status via :run from :{body['state']} (Reason(s): …)"}
                one = {"name": body["name"], "status": body["state"], "description": body["description"]}
                state["statuses"].setdefault(sha, []).append(one)
                return 201, one
            case ("GET", "projects", "o/m", "merge_requests"):
                assert query["target_branch"] == ["main"] and query["state"] == ["opened"]
                return 200, load("pulls.json", [])
            case ("GET", "projects", "o/m", "merge_requests", number, "notes"):
                return 200, state["comments"].get(number, [])
            case ("POST", "projects", "o/m", "merge_requests", number, "notes"):
                return self.comment(state, number, body["body"], "author")
            case ("PUT", "projects", "o/m", "merge_requests", number, "notes", identity):
                for one in state["comments"][number]:
                    if str(one["id"]) == identity:
                        one["body"] = body["body"]
                        return 200, one
        return 404, {"message": "404 Not Found"}

    do_GET = do_POST = do_PATCH = do_PUT = serve


tls.serve(Handler, certificate, key, port)
