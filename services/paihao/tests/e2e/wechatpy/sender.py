"""wechatpy in the place of WeChat's servers: it signs and seals pushes, and opens the replies.

    sender.py CALLBACK ACCOUNT SCENE

The account is JSON with `appid`, `original_id`, `token`, `aes_key` and `mode`.
"""

import json
import random
import sys
import time
import xml.sax.saxutils

import requests
import xmltodict
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidAppIdException, InvalidSignatureException
from wechatpy.replies import deserialize_reply
from wechatpy.utils import WeChatSigner

CALLBACK, ACCOUNT, SCENE = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
crypto = WeChatCrypto(ACCOUNT["token"], ACCOUNT["aes_key"], ACCOUNT["appid"])
http = requests.Session()
http.trust_env = False
# A refused push ends its connection, which the next one must not find among the idle ones.
http.headers["Connection"] = "close"


def signed(token, timestamp, nonce):
    signer = WeChatSigner()
    signer.add_data(token, timestamp, nonce)
    return signer.signature


class Sender:
    """A sender with a token and seal of its own, to forge with, or with those of the account."""

    def __init__(self, token=ACCOUNT["token"], crypto=crypto):
        self.token, self.crypto = token, crypto

    def verify(self, echo):
        timestamp, nonce = str(int(time.time())), str(random.getrandbits(32))
        signature = signed(self.token, timestamp, nonce)
        query = {"signature": signature, "echostr": echo, "timestamp": timestamp, "nonce": nonce}
        return http.get(CALLBACK, params=query)

    def push(self, openid, fields):
        """Pushes these fields, and returns the answer of the gateway."""
        body = push_body(openid, fields)
        timestamp, nonce = str(int(time.time())), str(random.getrandbits(32))
        query = {
            "signature": signed(self.token, timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
            "openid": openid,
        }
        if ACCOUNT["mode"] != "plain":
            sealed = xmltodict.parse(self.crypto.encrypt_message(body, nonce, timestamp))["xml"]
            query |= {"encrypt_type": "aes", "msg_signature": sealed["MsgSignature"]}
            encrypt = f"<Encrypt><![CDATA[{sealed['Encrypt']}]]></Encrypt></xml>"
            if ACCOUNT["mode"] == "compatible":
                body = body.removesuffix("</xml>") + encrypt
            else:
                body = f"<xml><ToUserName>{ACCOUNT['original_id']}</ToUserName>{encrypt}"
        headers = {"Content-Type": "text/xml", "User-Agent": "Mozilla/4.0"}
        return http.post(CALLBACK, params=query, data=body.encode(), headers=headers)

    def answered(self, openid, fields):
        """Pushes, and returns the text that wechatpy reads in the reply; None for `success`."""
        answer = self.push(openid, fields)
        assert answer.status_code == 200, answer.text
        if answer.text == "success":
            return None
        body = answer.text
        outer = xmltodict.parse(body)["xml"]
        assert ("Encrypt" in outer) == (ACCOUNT["mode"] == "secure"), outer.keys()
        if "Encrypt" in outer:
            stamps = (outer["MsgSignature"], outer["TimeStamp"], outer["Nonce"])
            body = crypto.decrypt_message(body, *stamps)
            try:
                crypto.decrypt_message(answer.text, *stamps[:2], "0")
            except InvalidSignatureException:
                pass
            else:
                raise AssertionError("the signature does not cover the nonce")
            other = WeChatCrypto(ACCOUNT["token"], ACCOUNT["aes_key"], "wx9999999999999999")
            try:
                other.decrypt_message(answer.text, *stamps)
            except InvalidAppIdException:
                pass
            else:
                raise AssertionError("the seal does not name the account")
        reply = deserialize_reply(body)
        assert reply.target == openid and reply.source == ACCOUNT["original_id"], reply.source
        assert reply.type == "text", reply.type
        return reply.content


def push_body(openid, fields):
    head = {
        "ToUserName": ACCOUNT["original_id"],
        "FromUserName": openid,
        "CreateTime": int(time.time()),
    }
    lines = (
        f"<{name}>{value}</{name}>"
        if isinstance(value, int)
        else f"<{name}>{xml.sax.saxutils.escape(value)}</{name}>"
        for name, value in (head | fields).items()
    )
    return "<xml>" + "\n".join(lines) + "\n</xml>"


def text(content):
    return {"MsgType": "text", "Content": content, "MsgId": random.getrandbits(63)}


def event(name, key="", **more):
    return {"MsgType": "event", "Event": name, "EventKey": key, **more}


def verification(sender):
    echo = str(random.getrandbits(62))
    assert sender.verify(echo).text == echo
    assert Sender(token="another").verify(echo).status_code in (401, 403)


def a_visit(sender):
    greeting = sender.answered("oWechatpy", event("subscribe"))
    assert greeting.startswith("欢迎来到"), greeting
    assert "没有排队的号" in sender.answered("oWechatpy", text("排队"))
    assert sender.answered("oWechatpy", text("你好")) is None

    scan = event("SCAN", SCENE, Ticket="T" + str(random.getrandbits(62)))
    scan["CreateTime"] = int(time.time())
    taken = sender.answered("oWechatpy", scan)
    assert "A001" in taken, taken
    assert sender.answered("oWechatpy", scan) == taken, "a repeated push gets the first reply"
    status = sender.answered("oWechatpy", text(" 排队\n"))
    assert "您已取号 A001" in status, status
    assert "A001" in sender.answered("oWechatpy", event("CLICK", "MY"))
    new = event("subscribe", "qrscene_" + SCENE, Ticket="T" + str(random.getrandbits(62)))
    assert "A002" in sender.answered("oNew☺", new)
    assert "已取消 A001" in sender.answered("oWechatpy", text("退号"))
    assert sender.answered("oNew☺", event("unsubscribe")) is None
    receipt = {"MsgType": "event", "Event": "TEMPLATESENDJOBFINISH", "MsgID": 2**62}
    assert sender.answered("oWechatpy", {**receipt, "Status": "success"}) is None


def forgeries(sender):
    """What is not signed and sealed as the account's own is refused, and does nothing."""
    strangers = [Sender(token="another")]
    if ACCOUNT["mode"] != "plain":
        key = ACCOUNT["aes_key"]
        other_token = WeChatCrypto("another", key, ACCOUNT["appid"])
        strangers.append(Sender(crypto=other_token))
    for stranger in strangers:
        assert stranger.push("oForger", event("SCAN", SCENE)).status_code in (401, 403)
    if ACCOUNT["mode"] != "plain":
        # Rightly signed, and sealed for another account or with another key: not acted on.
        for odd in [
            WeChatCrypto(ACCOUNT["token"], key, "wx9999999999999999"),
            WeChatCrypto(ACCOUNT["token"], "Z" * 43, ACCOUNT["appid"]),
        ]:
            assert Sender(crypto=odd).answered("oForger", event("SCAN", SCENE)) is None
    assert "没有排队的号" in sender.answered("oForger", text("排队"))


if __name__ == "__main__":
    own = Sender()
    verification(own)
    a_visit(own)
    forgeries(own)
