"""Another system of the owner's, written with wechatpy: answers what WeChat pushes to it.

Arguments: port, Token, EncodingAESKey, AppID.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from wechatpy import create_reply, parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidSignatureException
from wechatpy.utils import check_signature

PORT, TOKEN, AES_KEY, APP_ID = sys.argv[1:]


def answer(message):
    """The reply to a message: what the CRM knows of."""
    if message.type == "text" and message.content == "优惠":
        return create_reply("CRM: 满一百减二十", message)
    if message.type == "event" and message.event in ("scan", "subscribe_scan"):
        return create_reply(f"CRM: {message.scene_id}", message)
    if message.type == "event" and message.event == "click":
        return create_reply(f"CRM: {message.key}", message)
    return None


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = (query["timestamp"], query["nonce"])
        try:
            check_signature(TOKEN, query["signature"], *signed)
        except InvalidSignatureException:
            return self.send_error(403)
        is_sealed = query.get("encrypt_type") == "aes"
        crypto = WeChatCrypto(TOKEN, AES_KEY, APP_ID)
        if is_sealed:
            body = crypto.decrypt_message(body, query["msg_signature"], *signed)
        reply = answer(parse_message(body))
        text = reply.render() if reply else "success"
        if reply and is_sealed:
            text = crypto.encrypt_message(text, query["nonce"], query["timestamp"])
        encoded = text.encode()
        self.send_response(200)
        self.send_header("content-type", "application/xml")
        self.send_header("content-length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(PORT)), Handler).serve_forever()
