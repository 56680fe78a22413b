"""An API server of two pods, for a real kubectl: what the plugin asks is understood there as it is meant.

It knows as much as the plugin's questions take up to 'exec', which it refuses: discovery, reviews that say yes, pods, the
patch that adds a container, and a watch that tells of that container's states. What the stand-in is for containers,
this is for kubectl: its flags, its jsonpath, its ways to get, watch and fail are real here.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
NO_IMAGE = {"waiting": {"reason": "ErrImagePull", "message": "pull access denied | twice\nor more"}}
RESOURCES = {"pods": ("Pod", True), "pods/ephemeralcontainers": ("Pod", True), "pods/exec": ("PodExecOptions", True),
             "namespaces": ("Namespace", False), "nodes": ("Node", False)}
REVIEWS = {"selfsubjectaccessreviews": ("SelfSubjectAccessReview", False)}


def resource_list(version, resources):
    return {"kind": "APIResourceList", "groupVersion": version, "resources": [
        {"name": name, "singularName": "", "namespaced": namespaced, "kind": kind,
         "verbs": ["create", "delete", "get", "list", "patch", "watch"]} for name, (kind, namespaced) in resources.items()]}


AUTHORIZATION = {"groupVersion": "authorization.k8s.io/v1", "version": "v1"}
DISCOVERY = {
    "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
        {"name": "authorization.k8s.io", "versions": [AUTHORIZATION], "preferredVersion": AUTHORIZATION}]},
    "/api/v1": resource_list("v1", RESOURCES),
    "/apis/authorization.k8s.io/v1": resource_list("authorization.k8s.io/v1", REVIEWS),
}


def pod(name, ephemeral=()):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "resourceVersion": "5"},
            "spec": {"nodeName": "n1", "containers": [{"name": "app", "image": "x:1", "command": ["a", "b c"]}],
                     "ephemeralContainers": [{"name": one, "image": "tarcap:1", "command": ["tarcap", "hold"]}
                                             for one in ephemeral]},
            "status": {"phase": "Running",
                       "containerStatuses": [{"name": "app", "state": RUNNING, "containerID": "containerd://1"}],
                       "ephemeralContainerStatuses": [{"name": one, "state": RUNNING} for one in ephemeral]}}


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, what, status=200):
        text = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def refuse(self, status, reason, message):
        kind, name = (self.path.split("?")[0].split("/") + ["", ""])[-4:-2]
        self.answer({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason,
                     "details": {"name": name, "kind": kind}, "code": status}, status)

    def body(self):
        return self.rfile.read(int(self.headers["Content-Length"]))

    def do_GET(self):
        path, _, query = self.path.partition("?")
        words = path.strip("/").split("/")
        if path in DISCOVERY:
            self.answer(DISCOVERY[path])
        elif words[2:4] != ["namespaces", "default"]:
            what, name = words[-2:] if words[-2] != "pods" else ("pods", words[-1])
            self.refuse(404, "NotFound", f'{what} "{name}" not found')
        elif "watch=true" in query:
            self.watch(query)
        elif len(words) == 5:
            self.answer({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "5"},
                         "items": list(self.server.pods.values())})
        elif words[5] in self.server.pods:
            self.answer(self.server.pods[words[5]])
        else:
            self.refuse(404, "NotFound", f'pods "{words[5]}" not found')

    def watch(self, query):
        name = query.partition("fieldSelector=metadata.name%3D")[2].partition("&")[0]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        seen = ""
        with self.server.changed:
            while not self.server.closing:
                now = json.dumps({"type": "MODIFIED", "object": self.server.pods[name]}) + "\n"
                if now != seen:
                    try:
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(now), now.encode()))
                    except OSError:
                        return  # it has what it wants
                    seen = now
                self.server.changed.wait(0.1)

    def do_POST(self):
        text = self.body()
        if "selfsubjectaccessreviews" in self.path:  # asked in protobuf; JSON is understood
            self.answer({"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": {},
                         "status": {"allowed": True}}, 201)
        elif "/pods?" in self.path and "dryRun=All" in self.path:
            name = json.loads(text)["metadata"]["name"]
            self.refuse(403, "Forbidden", f'pods "{name}" is forbidden: User "x" cannot create resource "pods" in API '
                                          'group "" in the namespace "default"')
        else:
            self.refuse(400, "BadRequest", f"asked for {self.path}")

    def do_PATCH(self):
        name = self.path.split("/")[-2]
        [added] = json.loads(self.body())["spec"]["ephemeralContainers"]
        if added["image"] == "denied:1":
            self.refuse(403, "Forbidden", f'pods "{name}" is forbidden: User "x" cannot patch resource '
                                          '"pods/ephemeralcontainers" in API group "" in the namespace "default"')
            return
        one = self.server.pods[name]
        one["spec"]["ephemeralContainers"].append(added)
        self.answer(one)
        state = {"name": added["name"], "state": {"waiting": {"reason": "ContainerCreating"}}}
        one["status"]["ephemeralContainerStatuses"].append(state)
        if added["image"] != "never:1":
            threading.Timer(0.5, state.update, [{"state": NO_IMAGE if added["image"] == "none:1" else RUNNING}]).start()


def start():
    """The server, at work; its pods: web, and web-2 in which a hold runs. close() ends it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads, server.closing, server.changed = True, False, threading.Condition()
    server.pods = {"web": pod("web"), "web-2": pod("web-2", ["old"])}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def kubeconfig(server):
    return json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "c",
                       "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                       "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                       "users": [{"name": "u", "user": {}}]})
