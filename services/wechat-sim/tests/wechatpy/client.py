"""wechatpy as a client of the simulator: each of its calls that the simulator serves.

    client.py BASE_URL ACCOUNT FORMER_ACCOUNT

The accounts are JSON with `appid`, `secret` and `original_id`.
"""

import json
import sys
from contextlib import contextmanager

import requests
from wechatpy import WeChatClient
from wechatpy.exceptions import APILimitedException, WeChatClientException, WeChatOAuthException
from wechatpy.oauth import WeChatOAuth

from simulator import Control, lead

BASE_URL, ACCOUNT, FORMER = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4

control = Control(BASE_URL)
client = lead(WeChatClient(ACCOUNT["appid"], ACCOUNT["secret"]), BASE_URL)


@contextmanager
def refused(errcode, kind=WeChatClientException):
    """Expects the error code from WeChat, in wechatpy's own exception."""
    try:
        yield
    except kind as error:
        assert error.errcode == errcode, error
    else:
        raise AssertionError(f"{errcode} was expected")


def tokens():
    assert client.access_token == client.access_token
    control.post("tokens/kill")
    assert client.misc.get_wechat_ips() == ["127.0.0.1"], "wechatpy fetched another token"
    lost = lead(WeChatClient(ACCOUNT["appid"], "0" * 32), BASE_URL)
    with refused(40125):
        lost.fetch_access_token()


def codes():
    def create(action, scene, **more):
        return client.qrcode.create(
            {"action_name": action, "action_info": {"scene": scene}, **more}
        )

    made = create("QR_STR_SCENE", {"scene_str": "s" * 64}, expire_seconds=2592000)
    assert made["expire_seconds"] == 2592000 and made["url"].startswith("http://weixin.qq.com/q/")
    # Its own way to fetch it, `qrcode.show`, leaves the client's session and goes to WeChat.
    picture = client._http.get(client.qrcode.get_url(made))
    assert picture.headers["content-type"] == "image/jpg" and picture.content[:2] == b"\xff\xd8"
    assert "expire_seconds" not in create("QR_LIMIT_STR_SCENE", {"scene_str": "table-7"})
    create("QR_SCENE", {"scene_id": 2**32 - 1})
    create("QR_LIMIT_SCENE", {"scene_id": 100000})
    for action, scene, more, errcode in [
        ("QR_STR_SCENE", {"scene_str": ""}, {}, 40053),
        ("QR_STR_SCENE", {"scene_str": "s" * 65}, {}, 40053),
        ("QR_STR_SCENE", {"scene_str": "s"}, {"expire_seconds": 2592001}, 40053),
        ("QR_STR_SCENE", {"scene_str": "s"}, {"expire_seconds": 0}, 40053),
        ("QR_SCENE", {"scene_id": 0}, {}, 40053),
        ("QR_LIMIT_SCENE", {"scene_id": 100001}, {}, 40053),
        ("QR_LIMIT_SCENE", {"scene_id": 0}, {}, 40053),
        ("QR_OTHER", {"scene_id": 1}, {}, 40052),
    ]:
        with refused(errcode):
            create(action, scene, **more)
    return made


def followers(code):
    control.post("scan", openid="oScanned", url=code["url"])
    control.post("follow", openid="oFollowed")
    control.post("follow", openid="oLeft")
    control.post("unfollow", openid="oLeft")

    user = client.user.get("oScanned")
    assert user["subscribe"] == 1 and user["qr_scene_str"] == "s" * 64, user
    assert user["subscribe_scene"] == "ADD_SCENE_QR_CODE" and user["unionid"], user
    assert client.user.get("oLeft") == {"subscribe": 0, "openid": "oLeft"}
    with refused(40003):
        client.user.get("oNobody")

    page = client.user.get_followers()
    assert page["data"]["openid"] == ["oScanned", "oFollowed"], page
    assert (page["total"], page["count"], page["next_openid"]) == (2, 2, "oFollowed")
    assert client.user.get_followers("oScanned")["data"]["openid"] == ["oFollowed"]
    assert "data" not in client.user.get_followers("oFollowed")
    assert list(client.user.iter_followers()) == ["oScanned", "oFollowed"]
    with refused(40003):
        client.user.get_followers("oNobody")

    client.user.update_remark("oFollowed", "常客")
    batch = client.user.get_batch(["oFollowed", "oLeft"])
    assert batch[0]["remark"] == "常客" and batch[1]["subscribe"] == 0, batch
    with refused(40032):
        client.user.get_batch([f"o{i}" for i in range(101)])
    with refused(40003):
        client.user.get_batch(["oFollowed", "oNobody"])


def tags():
    tag = client.tag.create("熟客")["id"]
    client.tag.update(tag, "老顾客")
    client.tag.tag_user(tag, ["oScanned", "oFollowed"])
    client.tag.untag_user(tag, "oFollowed")
    assert client.tag.get_user_tag("oScanned") == [tag]
    assert client.user.get("oScanned")["tagid_list"] == [tag]
    assert client.tag.get_tag_users(tag)["data"]["openid"] == ["oScanned"]
    assert list(client.tag.iter_tag_users(tag)) == ["oScanned"]
    assert {"id": tag, "name": "老顾客", "count": 1} in client.tag.get()
    with refused(45157):
        client.tag.create("老顾客")
    with refused(45158):
        client.tag.create("长" * 11)
    with refused(45058):
        client.tag.delete(2)
    with refused(45159):
        client.tag.tag_user(999, "oScanned")
    with refused(40003):
        client.tag.tag_user(tag, ["oScanned", "oNobody"])
    with refused(40032):
        client.tag.tag_user(tag, ["oScanned"] * 51)
    client.tag.delete(tag)
    assert client.tag.get_user_tag("oScanned") == []


def pictures():
    picture = client.media.upload("image", ("hall.png", PNG, "image/png"))["media_id"]
    got = client.media.download(picture)
    assert got.content == PNG and got.headers["content-type"] == "image/png"
    with refused(40004):
        client.media.upload("voice", ("a.amr", PNG, "audio/amr"))
    with refused(40005):
        client.media.upload("image", ("a.png", b"no picture", "image/png"))
    with refused(40007):
        client.media.download("none")
    return picture


def texts(picture):
    control.post("people", openid="oSilent", follows=True)
    with refused(45015):
        client.message.send_text("oSilent", "您好")
    control.post("text", openid="oScanned", text="你好")
    client.message.send_text("oScanned", "号" * 682)
    client.message.send_image("oScanned", picture)
    with refused(45002):
        client.message.send_text("oScanned", "号" * 683)
    with refused(44004):
        client.message.send_text("oScanned", "")
    with refused(40007):
        client.message.send_image("oScanned", "none")
    with refused(40008):
        client.message.send_voice("oScanned", picture)
    lines = [line for line in control.get("chat?openid=oScanned") if line["kind"] == "service"]
    assert [line["text"] for line in lines] == ["号" * 682, "[image]"], lines


def templates():
    listed = client.template.get_all_private_template()["template_list"]
    called = next(one for one in listed if one["title"] == "叫号通知")
    assert "{{character_string2.DATA}}" in called["content"]
    data = {
        "thing1": {"value": "和平门诊"},
        "thing3": {"value": "3号窗口"},
        "character_string2": {"value": "A012"},
        "time4": {"value": "10:20"},
    }
    template = called["template_id"]
    sent = client.message.send_template(
        "oScanned",
        template,
        data,
        url="https://example.test/t",
        mini_program={"appid": "wx0123456789abcdef", "pagepath": "pages/ticket?id=1"},
    )
    assert sent["msgid"] > 2**53
    arrived = control.get("messages?openid=oScanned")[-1]
    assert arrived["msgid"] == str(sent["msgid"]) and arrived["url"] == "https://example.test/t"
    assert arrived["miniprogram"]["pagepath"] == "pages/ticket?id=1", arrived
    with refused(47003):
        client.message.send_template("oScanned", template, {**data, "thing1": {"value": "长" * 21}})
    with refused(40037):
        client.message.send_template("oScanned", "none", data)
    with refused(43004):
        client.message.send_template("oLeft", template, data)
    # A template of subscription notices is another one, and a category's has keywords.
    with refused(40037):
        client.message.send_subscribe_message("oScanned", template, data)
    with refused(40246):
        client.template.add("43522")
    notice = "SIMsub01_the_number_is_called_0000000000001"
    with refused(43101):
        client.message.send_subscribe_message("oScanned", notice, data)
    control.post("agree", openid="oScanned", template_id=notice)
    client.message.send_subscribe_message("oScanned", notice, data)


def pages():
    ticket = client.jsapi.get_jsapi_ticket()
    assert ticket == client.jsapi.get_jsapi_ticket() and client.jsapi.get_jsapi_card_ticket()

    def visit(scope):
        oauth = WeChatOAuth(
            ACCOUNT["appid"], ACCOUNT["secret"], "https://example.test/back", scope, "s1"
        )
        lead(oauth, BASE_URL)
        url = oauth.authorize_url.replace("#", "&sim_openid=oScanned#")
        page = oauth._http.get(url, allow_redirects=False)
        back = requests.utils.urlparse(page.headers["location"])
        query = dict(pair.split("=") for pair in back.query.split("&"))
        assert query["state"] == "s1"
        token = oauth.fetch_access_token(query["code"])
        assert token["openid"] == "oScanned" and token["scope"] == scope, token
        assert token["unionid"] == client.user.get("oScanned")["unionid"]
        with refused(40163, WeChatOAuthException):
            oauth.fetch_access_token(query["code"])
        assert oauth.check_access_token()
        oauth.refresh_access_token(token["refresh_token"])
        return oauth

    user = visit("snsapi_userinfo").get_user_info()
    assert user["openid"] == "oScanned" and user["unionid"], user
    with refused(48001, WeChatOAuthException):
        visit("snsapi_base").get_user_info()


def migration():
    for openid in ["oOld1", "oOld2"]:
        control.post("follow", appid=FORMER["appid"], openid=openid)
    with refused(63183):
        client.user.change_openid(FORMER["original_id"], ["oOld1"])
    moved = control.post("migrate", **{"from": FORMER["appid"], "to": ACCOUNT["appid"]})["people"]
    for former in [FORMER["original_id"], FORMER["appid"]]:
        told = client.user.change_openid(former, ["oOld2", "oNobody"])
        assert told[0] == {
            "ori_openid": "oOld2",
            "new_openid": moved[1]["to"],
            "err_msg": "ok",
        }, told
        assert told[1] == {"ori_openid": "oNobody", "err_msg": "ori_openid error"}, told
    assert client.user.get(moved[0]["to"])["subscribe"] == 1
    with refused(63178):
        client.user.change_openid("gh_none", ["oOld1"])
    with refused(63182):
        client.user.change_openid(FORMER["appid"], [])
    with refused(40032):
        client.user.change_openid(FORMER["appid"], ["oOld1"] * 101)
    control.post("clock/advance", seconds=15 * 24 * 3600)
    with refused(63183):
        client.user.change_openid(FORMER["appid"], ["oOld1"])


def what_is_not_served():
    with refused(43002):
        client.get("qrcode/create")
    with refused(43001):
        client.post("user/get")
    with refused(48001):
        client.datacube.get_user_summary("2026-11-01", "2026-11-02")
    with refused(48001):
        client.material.get_count()
    with refused(40066):
        client.get("tools/shorturl")
    control.post("faults", path="/cgi-bin/user/get", effect="errcode", errcode=45009, times=1)
    with refused(45009, APILimitedException):
        client.user.get_followers()


if __name__ == "__main__":
    tokens()
    followers(codes())
    tags()
    texts(pictures())
    templates()
    pages()
    what_is_not_served()
    migration()
