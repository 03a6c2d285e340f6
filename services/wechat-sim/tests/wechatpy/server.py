"""wechatpy as the server of an account: it checks, opens, reads and answers the simulator's pushes.

    server.py ACCOUNT

The account is JSON with `appid`, `token`, `aes_key` and `sealed`. The first line of the output is
the port. A reply names what wechatpy read, so that the chat shows it.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.replies import TransferCustomerServiceReply, create_reply
from wechatpy.utils import check_signature

ACCOUNT = json.loads(sys.argv[1])
crypto = WeChatCrypto(ACCOUNT["token"], ACCOUNT["aes_key"], ACCOUNT["appid"])


def description(message):
    """What a push says, in the terms of wechatpy."""
    parts = [type(message).__name__, message.source, message.target]
    for attribute in ["content", "scene_id", "ticket", "key", "template_id", "status"]:
        value = getattr(message, attribute, None)
        if value:
            parts.append(str(value))
    return " ".join(parts)


class Callback(BaseHTTPRequestHandler):
    def do_GET(self):
        query = self.signed_query()
        self.answer(query["echostr"])

    def do_POST(self):
        query = self.signed_query()
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if ACCOUNT["sealed"]:
            stamps = (query["msg_signature"], query["timestamp"], query["nonce"])
            body = crypto.decrypt_message(body, *stamps)
        message = parse_message(body)
        assert message.source == query["openid"]
        if getattr(message, "content", None) == "人工":
            reply = TransferCustomerServiceReply(message=message).render()
        elif getattr(message, "event", "").startswith("template"):
            print(description(message), flush=True)
            return self.answer("success")
        else:
            reply = create_reply(description(message), message).render()
        if ACCOUNT["sealed"]:
            reply = crypto.encrypt_message(reply, query["nonce"], query["timestamp"])
        self.answer(reply)

    def signed_query(self):
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        check_signature(ACCOUNT["token"], query["signature"], query["timestamp"], query["nonce"])
        return query

    def answer(self, text):
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Keeps openids out of the output."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Callback)
    print(server.server_port, flush=True)
    server.serve_forever()
