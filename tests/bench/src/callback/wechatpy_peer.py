"""Server of an account in plain mode as wechatpy's guide has it, on aiohttp: the signature is
checked, the push is read, and a text goes back. It keeps nothing, so that every number is the same.
"""

import ctypes
import os
import signal
import sys

from aiohttp import web
from wechatpy import parse_message
from wechatpy.exceptions import InvalidSignatureException
from wechatpy.replies import TextReply
from wechatpy.utils import check_signature

PORT, TOKEN, WORKERS = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])


async def receive(request):
    query = request.query
    try:
        check_signature(TOKEN, query["signature"], query["timestamp"], query["nonce"])
    except InvalidSignatureException:
        return web.Response(status=403)
    message = parse_message(await request.read())
    reply = TextReply(content="您的号码是 A007，前面还有 6 人。", message=message)
    return web.Response(text=reply.render(), content_type="text/xml")


PR_SET_PDEATHSIG = 1

for _ in range(WORKERS - 1):
    if os.fork() == 0:
        # It ends with the first process, however that ends.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        break
application = web.Application()
application.router.add_post("/wechat/{account}", receive)
web.run_app(
    application, host="127.0.0.1", port=PORT, reuse_port=True, access_log=None, print=None
)
