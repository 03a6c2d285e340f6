//! Catalogue of the gateway's problem kinds: a stable code, a sentence in two languages, the
//! meaning.
//!
//! `docs/reference/refusals.md` has the same table in words; a test compares the two.

use paihao_chassis::config::ConfigError;
use paihao_http_api::problem_kinds;
use schemars::JsonSchema;
use serde::Serialize;

pub use paihao_http_api::{Problem, ProblemKind};

problem_kinds! {
    counter: "paihao_gateway_refusals_total";
    UNKNOWN_ACCOUNT = "unknown_account", NOT_FOUND, "没有这个公众号", "There is no such account",
        "The path names an account that the configuration does not have.";
    BAD_CALLBACK_QUERY = "bad_callback_query", BAD_REQUEST, "缺少签名参数", "The signature's parameters are missing",
        "A callback without signature, timestamp or nonce, or with one of them twice.";
    WRONG_SIGNATURE = "wrong_signature", FORBIDDEN, "签名不对", "The signature is wrong",
        "The callback was not signed with the account's token. Nothing was read or changed.";
    STALE_CALLBACK = "stale_callback", FORBIDDEN, "时间戳超出允许范围", "The timestamp is outside the window",
        "The signed timestamp is further from this machine's clock than callback_window_seconds; an old callback was replayed, or a clock is wrong.";
    BODY_TOO_LARGE = "body_too_large", PAYLOAD_TOO_LARGE, "内容太大", "The body is too large",
        "The body has more bytes than this address takes.";
    UNKNOWN_PATH = "unknown_path", NOT_FOUND, "没有这个地址", "There is no such address",
        "Nothing is at this path; docs/reference/api.md and openapi.json say what there is.";
    METHOD_NOT_ALLOWED = "method_not_allowed", METHOD_NOT_ALLOWED, "请求方法不对", "The method is wrong",
        "The path is there, but not for this method; the Allow header says for which.";
    NO_REHEARSAL = "no_rehearsal", CONFLICT, "现在没有可以开始或结束的彩排", "There is no rehearsal to begin or to end now",
        "One is under way already, or none is; or there are none here: accounts or sites stand in the configuration file, or the system is more than one process.";
    REHEARSING = "rehearsing", CONFLICT, "彩排中不能连接真的公众号，请先结束彩排", "No real account is connected in a rehearsal: end it first",
        "WeChat is simulated until the rehearsal ends, and never stands beside a real account.";
    UNKNOWN_SITE = "unknown_site", NOT_FOUND, "没有这个门店", "There is no such site",
        "The site is not in the configuration.";
    UNKNOWN_QUEUE = "unknown_queue", NOT_FOUND, "没有这个业务", "There is no such queue",
        "The site has no queue of this id.";
    UNKNOWN_COUNTER = "unknown_counter", NOT_FOUND, "没有这个窗口", "There is no such counter",
        "The site has no counter of this id.";
    UNKNOWN_TICKET = "unknown_ticket", NOT_FOUND, "没有这个号", "There is no such ticket",
        "No ticket of this number was taken at the site today.";
    UNKNOWN_LINK = "unknown_link", NOT_FOUND, "没有这个号，或者已经过了保存时间", "There is no such number, or it is no longer kept",
        "The link to a ticket is not whole, is not this ticket's, or is older than the business day before. Which of them is not told.";
    MALFORMED_UUID = "malformed_uuid", BAD_REQUEST, "uuid 格式不对", "The uuid is malformed",
        "A scan session is named by a uuid: 32 hexadecimal digits, with or without dashes.";
    UNKNOWN_SESSION = "unknown_session", NOT_FOUND, "没有这个扫码会话", "There is no such scan session",
        "It was never made, or ended more than an hour ago.";
    SESSION_EXPIRED = "session_expired", GONE, "二维码已过期，请刷新", "The code has expired, please reload",
        "The session's code no longer works. Make a new session.";
    SESSION_TAKEN = "session_taken", CONFLICT, "这个 uuid 已用于别的业务", "This uuid is used for something else",
        "A session of this uuid exists for another queue or purpose.";
    MALFORMED_REQUEST = "malformed_request", BAD_REQUEST, "请求内容不对", "The request is malformed",
        "The body or the query is not what this address takes; the detail says where.";
    UNAUTHORISED = "unauthorised", UNAUTHORIZED, "请先登录", "Please log in",
        "There is neither a known bearer key in the Authorization header nor the cookie of a session that goes on; or whoever it belonged to no longer works here.";
    CROSS_SITE = "cross_site", FORBIDDEN, "请求不是从本系统的页面发出的", "A page of this system has to ask for this",
        "A browser's cookie counts for a request that changes something only with the header X-Paihao-Page, and not if Origin or Sec-Fetch-Site name another site. Codes of scan sessions are for pages of this system and of gateway.codes_shown_by.";
    NOT_YOUR_SITE = "not_your_site", FORBIDDEN, "您不能管理这个门店", "This site is not open to you",
        "The key or session is good, but does not open this site.";
    NOT_IN_SCOPE = "not_in_scope", FORBIDDEN, "这个密钥没有这项权限", "This key does not have the scope for this",
        "The program's key is good, but was made without the scope that the operation's x-scope names: read, feed, counter or manage.";
    NO_LOGO = "no_logo", NOT_FOUND, "这个门店没有标志", "The site has no logo",
        "No logo was uploaded for the site, or it was removed.";
    BAD_LOGO = "bad_logo", UNPROCESSABLE_ENTITY, "这张图片不能用作标志", "This picture cannot be the logo",
        "The logo is a whole PNG of 512 × 512 pixels at most, whose pixels take 40,000 bytes at most; the detail says what it is not. The page /manage makes such a one of any picture.";
    UNKNOWN_MEMBER = "unknown_member", NOT_FOUND, "没有这位工作人员", "There is no such member of staff",
        "Nobody of this id works here, or no longer.";
    UNKNOWN_KEY = "unknown_key", NOT_FOUND, "没有这个密钥", "There is no such key",
        "No key of this id was made through the API, or it was revoked. Keys of the configuration are taken out there.";
    UNKNOWN_KIOSK = "unknown_kiosk", NOT_FOUND, "没有这台取号机", "There is no such kiosk",
        "No kiosk of this id is paired with the site, or no longer.";
    UNKNOWN_PAIRING = "unknown_pairing", NOT_FOUND, "没有这个配对码，请看取号机上现在显示的数字", "No kiosk shows this code now, please look at the kiosk again",
        "No kiosk of the site shows this code. A code lasts for ten minutes, and pairs one kiosk.";
    KIOSK_NOT_PAIRED = "kiosk_not_paired", FORBIDDEN, "这台取号机还没有配对，请找工作人员", "This kiosk is not paired, please ask the staff",
        "paired_kiosks_only of the site is set, and the request has no cookie of a kiosk that a manager has paired with it. Codes at the door and words go on.";
    LAST_MANAGER = "last_manager", CONFLICT, "至少要留一位管理全部门店的管理员", "One manager of every site has to stay",
        "This is the last member who manages every site. Make somebody else one first.";
    TOO_MANY_REQUESTS = "too_many_requests", TOO_MANY_REQUESTS, "请求太多，请稍后再试", "Too many requests, please try again in a moment",
        "More came from this address within a minute than [gateway.limits] allows, or from this key or about this site than what reads the ledger may; Retry-After says when to go on.";
    CODES_RATIONED = "codes_rationed", TOO_MANY_REQUESTS, "现在要二维码的人太多，请扫门口的码，或稍后再试", "Too many codes were asked for: scan the code at the door, or try again later",
        "WeChat makes so many codes a day for the account, and what is not asked for by staff has a share of them, spread over the day ([gateway.codes]). Retry-After says when there is one more.";
    WRONG_BROWSER = "wrong_browser", FORBIDDEN, "这次登录不是在这个浏览器开始的", "This login was begun in another browser",
        "Only the browser that shows the code holds the secret with which its login is watched and taken. What is in the code, or in an address, is not enough.";
    LOGIN_PENDING = "login_pending", CONFLICT, "还没有在手机上确认", "It has not been confirmed on the phone yet",
        "Nobody has scanned the code, or whoever did has not answered yet.";
    WRONG_DIGITS = "wrong_digits", FORBIDDEN, "数字不对，请看手机上的数字", "These are not the digits on the phone",
        "The digits of a login or an invitation stand on the phone that scanned its code. After three wrong entries the code is of no use.";
    LOGIN_USED = "login_used", CONFLICT, "这次登录已经用过", "This login has been used",
        "A login is taken once. Begin another one.";
    LOGIN_REFUSED = "login_refused", FORBIDDEN, "已在手机上拒绝登录", "The login was refused on the phone",
        "Whoever scanned the code answered that it was not them, or the digits of the phone were entered wrongly three times.";
    NOT_STAFF = "not_staff", FORBIDDEN, "您不在工作人员名单中，请联系管理员", "You are not on the list of staff, please ask a manager",
        "Whoever scanned the code does not work here, or no longer; or an invitation was scanned by somebody who does already, was used or was revoked.";
    FIRST_CODE_USED = "first_code_used", GONE, "首位管理员已经产生，或此链接已过期", "There has been a first manager, or this link has ended",
        "The code of the link makes the first of all a manager, until one has scanned, for half an hour; `paihao first-manager` prints another. Others are invited.";
    UNKNOWN_CLIENT = "unknown_client", BAD_REQUEST, "没有登记过这个网站", "This site is not known here",
        "There is no [login.clients] of the client_id.";
    WRONG_REDIRECT = "wrong_redirect", BAD_REQUEST, "返回地址没有登记", "The address to go back to is not known here",
        "redirect_uri is not, to the letter, one of the client's redirects. Nobody is sent there, not even with an error.";
    INVALID_GRANT = "invalid_grant", BAD_REQUEST, "登录码无效或已用过", "The code is not good, or was used",
        "The code is unknown, older than a minute or used, or it was given for another client_id, redirect_uri or code_verifier. Any attempt uses it up.";
    LOGIN_UNADDRESSED = "login_unaddressed", SERVICE_UNAVAILABLE, "尚未设置本系统的公开地址", "The public address of this system is not set",
        "A token says who issued it: gateway.public has to be set.";
    MALFORMED_IDEMPOTENCY_KEY = "malformed_idempotency_key", BAD_REQUEST, "Idempotency-Key 格式不对", "The Idempotency-Key is malformed",
        "The header has 1 to 255 visible ASCII characters.";
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "Idempotency-Key 已用于别的请求", "The Idempotency-Key was used for another request",
        "The same key came within 15 minutes with another path or body. Nothing was changed.";
    KEY_MADE_BEFORE = "key_made_before", CONFLICT, "这个密钥已经生成，只显示一次；没有记下就吊销它，再生成一个", "The key was made before and is shown once; if it was not kept, revoke it and make another",
        "The same Idempotency-Key made a key already, whose id the detail names. The secret is kept nowhere, so it cannot be told again.";
    QUEUE_CLOSED = "queue_closed", CONFLICT, "现在不取号", "No numbers are given out now",
        "The queue is closed: nobody joins, nobody is called, and those in line keep their place.";
    QUEUE_PAUSED = "queue_paused", CONFLICT, "暂停取号", "No numbers are given out for now",
        "The queue is paused: those in line are called, nobody joins.";
    QUEUE_HALTED = "queue_halted", CONFLICT, "暂停叫号", "Nobody is called for now",
        "The queue is halted. Open it to go on.";
    QUEUE_FULL = "queue_full", CONFLICT, "名额已满", "The queue is full",
        "As many wait as the queue's capacity, or its numbers of the day are used up.";
    PERSON_LIMIT = "person_limit", CONFLICT, "今天取这个业务的号已到每人每天的上限，工作人员可以为您放开", "You have taken as many numbers here today as one person may; the staff can lift this",
        "One person has taken as many numbers of the queue today as its daily_per_person allows, those given up included. Staff may give a number all the same.";
    QUEUE_CLOSING = "queue_closing", CONFLICT, "今日号已发完，下班前办不到", "The next one's turn would come after closing",
        "By the forecast the queue does not come to the next person before its closing time. Staff may give a number all the same.";
    NO_SLIPS = "no_slips", FORBIDDEN, "这里不发纸号，请用微信扫码，或找工作人员取号", "No paper numbers are given here: scan with WeChat, or ask the staff",
        "Kiosks of the site give no numbers to people without WeChat: kiosk_slips in its settings is 0.";
    TOO_MANY_SLIPS = "too_many_slips", CONFLICT, "纸号已发得较多，请用微信扫码，或找工作人员取号", "Many paper numbers are out already: scan with WeChat, or ask the staff",
        "Of those who wait in the queue, as many hold a number without WeChat as the site's kiosk_slips allows. Staff may give a number all the same.";
    OUT_OF_HOURS = "out_of_hours", CONFLICT, "现在不是取号时间", "It is outside of the opening hours",
        "The queue's opening hours do not include this moment. Those in line are still called.";
    COUNTER_CLOSED = "counter_closed", CONFLICT, "窗口未开", "The counter is not open",
        "Open the counter before calling.";
    COUNTER_ON_BREAK = "counter_on_break", CONFLICT, "窗口暂停服务", "The counter has a break",
        "Open the counter again before calling.";
    COUNTER_TAKEN = "counter_taken", CONFLICT, "窗口已有人登录", "Somebody else is at this counter",
        "One login a counter: it has to be closed by whoever is there, or by a manager.";
    ELSEWHERE_LOGGED_IN = "elsewhere_logged_in", CONFLICT, "您已在另一个窗口", "You are at another counter",
        "One counter a login, unless the site's several_counters says otherwise.";
    WRONG_COUNTER = "wrong_counter", CONFLICT, "这个窗口不能办理这个号", "This counter cannot take this ticket",
        "The counter does not serve the ticket's queue, or the service was suspended for the counter where it began.";
    COUNTER_BUSY = "counter_busy", CONFLICT, "窗口还有客户", "The counter still has a customer",
        "Finish with the customer, or mark the number missed, first. Also when finish or missed names another number than the one at the counter.";
    COUNTER_IDLE = "counter_idle", CONFLICT, "窗口没有客户", "The counter has no customer",
        "There is nobody to recall, to serve or to finish with.";
    NOBODY_WAITING = "nobody_waiting", CONFLICT, "没有人排队", "Nobody is waiting",
        "No queue that this counter serves has anybody waiting.";
    TICKET_ENDED = "ticket_ended", CONFLICT, "这个号已结束", "This ticket has ended",
        "The ticket was served or closed before.";
    WRONG_STATE = "wrong_state", CONFLICT, "这个号现在不能这样操作", "The ticket is not in a state for this",
        "The detail says in which state the ticket was found.";
    NOT_ALLOWED = "not_allowed", FORBIDDEN, "没有权限", "Not for this role",
        "The key's role may not do this; docs/reference/transitions.md says which may.";
    NOT_YOUR_TICKET = "not_your_ticket", FORBIDDEN, "这不是您的号", "This is somebody else's ticket",
        "Customers touch their own ticket only.";
    NOT_YOUR_COUNTER = "not_your_counter", FORBIDDEN, "这不是您的窗口", "This is not your counter",
        "The key is for other counters, or somebody else is logged in at this one.";
    NOT_YOUR_QUEUE = "not_your_queue", FORBIDDEN, "这不是您窗口的业务", "This is not a queue of your counters",
        "None of the key's counters serves the queue.";
    REASON_NEEDED = "reason_needed", UNPROCESSABLE_ENTITY, "请填写原因", "A reason is needed",
        "This is not done without a reason in the body.";
    TOO_SOON = "too_soon", CONFLICT, "请稍候再操作", "Not yet",
        "The detail says in how many seconds: a person is called again after 15 at the earliest.";
    TOO_LATE = "too_late", CONFLICT, "已超过时限", "It is too late",
        "A call is put back within 60 seconds, an end is undone by whoever made it within 60 seconds, and a missed number returns before its deadline.";
    TOO_OFTEN = "too_often", CONFLICT, "次数已用完", "As often as may be already",
        "The queue's limit of calls, returns or letting others pass is reached.";
    NOTHING_TO_UNDO = "nothing_to_undo", CONFLICT, "没有可撤销的操作", "There is nothing to take back",
        "The ticket's end was on another day.";
    OUT_OF_RANGE = "out_of_range", UNPROCESSABLE_ENTITY, "数值超出范围", "The value is out of range",
        "The detail says which range.";
    NOT_DUE = "not_due", CONFLICT, "时间未到", "This is not due",
        "What the system does of itself when its time has come.";
    NOT_EVERY_SITE = "not_every_site", FORBIDDEN, "此密钥不能管理全部门店", "This key does not open every site",
        "What concerns all sites, such as a new one, an account's words or the whole book, needs a manager's key with sites = [\"*\"].";
    UNSOUND_SETUP = "unsound_setup", UNPROCESSABLE_ENTITY, "设置有误", "The set-up is not sound",
        "Something in it contradicts itself or cannot be; problems says where, what, and what to do. Nothing was changed.";
    REVISION_NEEDED = "revision_needed", PRECONDITION_REQUIRED, "缺少 If-Match", "If-Match is missing",
        "What is there is only changed by who has seen it: send the ETag that it was read with.";
    REVISION_CHANGED = "revision_changed", PRECONDITION_FAILED, "设置已被别人修改，请重新载入", "Somebody else has changed it, please load it again",
        "The If-Match is not the newest revision. Nothing was changed.";
    SET_BY_FILE = "set_by_file", CONFLICT, "这个公众号写在配置文件里，请在那里修改", "The configuration file has this account: change it there",
        "The credentials of an account that stands in the configuration file are read from there alone. So are the templates that it sets. Replies, texts and menu are changed here all the same.";
    NO_OPERATOR_KEY = "no_operator_key", CONFLICT, "没有可用的运维密钥，不能保存公众号的密钥", "There is no operator's key to store secrets with",
        "Secrets are stored sealed, under the operator's key. Set `[secrets] key`, the same for all processes; `paihao doctor` says which key is missing.";
    IN_USE = "in_use", CONFLICT, "正在使用，不能删除", "It is in use and cannot be taken away",
        "People are in the queue, or the counter is open; the detail says which. Clear or close it first.";
    UNKNOWN_WORDING = "unknown_wording", NOT_FOUND, "没有这种自定义文字", "There are no such words",
        "The site has no words of its own for this kind of notice.";
    MENU_NOT_SET = "menu_not_set", CONFLICT, "还没有设置菜单", "No menu is set",
        "There is nothing to push: set the account's menu first, on the manager's page or through the API.";
    MENU_REFUSED = "menu_refused", UNPROCESSABLE_ENTITY, "微信拒绝了这次菜单操作", "WeChat refused this about the menu",
        "The detail has WeChat's code and what to do.";
    MENU_NOT_PERMITTED = "menu_not_permitted", CONFLICT, "这个公众号不能用接口做菜单，要先认证：没有菜单时，顾客扫码、发关键词或打开页面取号", "This account may not make a menu by the API, which takes verification: without a menu people scan a code, write a word or open a page",
        "WeChat refused the call about the menu with 48001. Numbers are taken without a menu, too (docs/guide/without-codes.md).";
    UNKNOWN_TEMPLATE = "unknown_template", NOT_FOUND, "公众号里没有这个模板", "The account has no such template",
        "WeChat does not list a template of this id for the account, or not of this kind: read the list again.";
    TEMPLATE_REFUSED = "template_refused", UNPROCESSABLE_ENTITY, "微信拒绝了这次模板操作", "WeChat refused this about templates",
        "The detail has WeChat's code and what to do.";
    TEMPLATES_NOT_PERMITTED = "templates_not_permitted", CONFLICT, "这个公众号不能用这种模板，要先认证并开通：没有模板时，消息按客服消息发送", "This account may not use templates of this kind, which takes verification: without them notices are sent as customer-service texts",
        "WeChat refused the call about templates with 48001. Notices go out through the other channels as long as those are open.";
    NO_LIBRARY_TEMPLATE = "no_library_template", CONFLICT, "公众号的类目里没有合适的模板，请到公众平台添加", "The library has no fitting template in the account's categories: add one in WeChat's console",
        "No title of the public library in the account's categories has the keywords that this kind of notice needs. Another category of the account may have one.";
    MIGRATION_REFUSED = "migration_refused", UNPROCESSABLE_ENTITY, "微信拒绝了这次迁移操作", "WeChat refused this about the migration",
        "The detail has WeChat's code and what to do. 63178 and 63183: no migration led from the named account to this one, or more than fifteen days ago.";
    WRONG_SEAL = "wrong_seal", UNPROCESSABLE_ENTITY, "这个文件不完整，或不是这套系统写的", "This file is not whole, or another system wrote it",
        "The list of members is encrypted for the deployment that wrote it. Prepare the migration again, or invite the members.";
    CURSOR_GONE = "cursor_gone", GONE, "这个位置之后的事件已不完整", "Events after this cursor may be missing",
        "The ledger keeps 72 hours, and no longer holds the event that the cursor names (or never did: it was made anew). Begin again without a cursor: what was read before has the same ids.";
    PAST_GONE = "past_gone", GONE, "这个时间的记录已不完整", "What is kept no longer tells of this time",
        "The ledger keeps 72 hours. The time is before that, or its business day began before that, so that the line as it was cannot be made up again.";
    UNKNOWN_LETTER = "unknown_letter", NOT_FOUND, "没有这条未送达的消息", "There is no such dead letter",
        "It has aged out, or there never was one of this id.";
    LETTER_HANDLED = "letter_handled", CONFLICT, "这条消息已经处理过", "It has been dealt with already",
        "Somebody dropped it, or had it tried again: a letter is dealt with once.";
    NOT_REDRIVABLE = "not_redrivable", CONFLICT, "这条消息不能重发", "It cannot be tried again",
        "Only notices and messages of webhooks that this program can read are tried again.";
    UNKNOWN_WEBHOOK = "unknown_webhook", NOT_FOUND, "没有这个 webhook", "There is no such webhook",
        "The site has no webhook of this id in the configuration.";
    REPLAY_TOO_LARGE = "replay_too_large", UNPROCESSABLE_ENTITY, "这段时间的事件太多", "Too much happened in that time",
        "One wish has at most 10000 events told again. Nothing was queued: ask for less time at once.";
    TOO_MANY_WISHES = "too_many_wishes", TOO_MANY_REQUESTS, "操作太频繁，请稍后再试", "That is too often, please try again in a minute",
        "The page of one ticket asked for more than 20 acts in a minute, or is open more than 8 times.";
    TOO_MANY_FEEDS = "too_many_feeds", SERVICE_UNAVAILABLE, "连接太多，请稍后再试", "Too many streams are open, please try again later",
        "This replica serves 64 event streams at once, and 8 of them for a key or about a site. Share one among those who need it, or use pages.";
    TOO_MANY_STREAMS = "too_many_streams", SERVICE_UNAVAILABLE, "连接太多，请稍后再试", "Too many pages are open, please try again in a moment",
        "This address, or everybody together, has as many event streams open as [gateway.limits] allows this replica; Retry-After says when to try again.";
    DAY_TURNED = "day_turned", CONFLICT, "营业日刚刚更替，请刷新后再试", "The business day has just turned, please look again",
        "Between finding the ticket and deciding about it another business day began, on which the number may be somebody else's. Nothing was done.";
    DAY_UNCONFIRMED = "day_unconfirmed", SERVICE_UNAVAILABLE, "时钟未经确认，暂不进入新的营业日", "The clock is not confirmed, so no new day is begun",
        "By this machine's clock more than one business day has passed at the site, and no other clock confirms it. A manager can vouch for it (`paihao site reset-day --force`).";
    FORMS_HELD_BACK = "forms_held_back", CONFLICT, "所需的存储格式还没有启用", "The stored form that this needs is not allowed yet",
        "What was asked for is stored in a form that an older program cannot read. Once every process is updated, raise ledger.write_version to 2.";
    LEDGER_UNAVAILABLE = "ledger_unavailable", SERVICE_UNAVAILABLE, "系统繁忙，请重试", "Please try again",
        "The ledger did not take the command within four seconds. Repeat with the same Idempotency-Key: if it was written after all, the answer is the first one's.";
    NEWER_LEDGER = "newer_ledger", SERVICE_UNAVAILABLE, "程序版本太旧", "This program is too old",
        "A newer program wrote what the answer depends on, and this replica cannot read it. It does not decide or answer from the rest until it is updated; a newer replica does.";
    CACHE_UNAVAILABLE = "cache_unavailable", SERVICE_UNAVAILABLE, "暂时不能生成二维码，请扫门口的码", "No code can be made right now",
        "The cache does not answer, so no scan session can be kept. Door codes keep working.";
    NO_DOOR_CODE = "no_door_code", NOT_FOUND, "门口码还没有生成，请管理员先打开海报", "There is no door code yet: somebody of the staff has to open the poster first",
        "WeChat makes so many permanent codes for an account, ever, so one is made for the site's staff only. Afterwards everybody sees it.";
    DOOR_CODES_LIMITED = "door_codes_limited", CONFLICT, "这个门店或公众号的永久二维码已达上限", "The site, or its account, has as many permanent codes as it may have",
        "A site has gateway.codes.permanent_per_site codes of its account, and all sites together 95,000 of WeChat's 100,000; and no queue that was taken away has left one to be used again.";
    DOOR_CODE_PENDING = "door_code_pending", SERVICE_UNAVAILABLE, "门口码正在生成，请稍后刷新", "The door code is being made, please reload soon",
        "Another request is just having the permanent code made, or WeChat refused it a few seconds ago.";
    WECHAT_UNAVAILABLE = "wechat_unavailable", SERVICE_UNAVAILABLE, "微信暂时没有响应", "WeChat does not answer right now",
        "WeChat refused or did not answer the call that this needs; the detail or the log says why.";
    CODES_NOT_PERMITTED = "codes_not_permitted", CONFLICT, "这个公众号不能生成带参数的二维码：请在管理页把二维码改为本系统的页面码，顾客也可以发消息或扫页面取号", "This account may not make codes: set its codes to pages of this system, and numbers are taken there or by a message",
        "WeChat refused the call that makes the code with 48001: only verified service accounts may make codes. With codes = \"page\" everything works without (docs/guide/without-codes.md).";
    CODES_USED_UP = "codes_used_up", CONFLICT, "这个公众号的永久二维码已用完", "The account has all the permanent codes that WeChat makes",
        "WeChat refused with 45029: an account has 100,000 permanent codes, ever. The codes that there are keep working; with codes = \"page\" new ones are made here.";
}

/// Problem details of the gateway.
pub(crate) type ProblemDetails = paihao_http_api::ProblemDetails<ProblemMembers>;

/// Members that only some problems of the gateway have.
#[derive(Default, Serialize, JsonSchema)]
pub(crate) struct ProblemMembers {
    /// Errors of a set-up that contradicts itself, each with its place in the set-up.
    #[serde(skip_serializing_if = "<[InvalidSetting]>::is_empty")]
    problems: Vec<InvalidSetting>,
    /// Error code of OAuth (RFC 6749, 5.2); only for the exchange of codes for tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// Opening hours of a queue that gives no numbers now, in the site's time zone, in Chinese.
    #[serde(skip_serializing_if = "String::is_empty")]
    hours: String,
    /// The same in English.
    #[serde(skip_serializing_if = "String::is_empty")]
    hours_en: String,
}

/// Error in a set-up.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InvalidSetting {
    /// Path of the setting: `sites.hall.queues.cash.prefix`.
    pub key: String,
    /// Error.
    pub what: String,
    /// Advice.
    pub advice: String,
    /// Stable code of a conflict between settings, from the table in docs/guide/settings.md.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
}

/// Problem of a request whose body or query is not what the operation takes.
pub(crate) fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(&MALFORMED_REQUEST).with_detail(detail)
}

/// Problem of settings that contradict each other, with every error in them.
pub fn invalid_settings(error: &ConfigError) -> Problem {
    let problems = error.problems().iter().map(|problem| InvalidSetting {
        key: problem.key.clone(),
        what: problem.message.clone(),
        advice: problem.advice.clone(),
        code: problem.code,
    });
    let members = ProblemMembers { problems: problems.collect(), ..ProblemMembers::default() };
    let sentences: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
    let detail = sentences.join("; ").replace('\n', " ");
    Problem::new(&UNSOUND_SETUP).with_detail(detail).with_members(&members)
}

/// Adds the error code of OAuth 2.0 (RFC 6749, 5.2).
#[must_use]
pub(crate) fn with_oauth_error(problem: Problem, error: &'static str) -> Problem {
    problem.with_members(&ProblemMembers { error: Some(error), ..ProblemMembers::default() })
}

/// Adds the opening hours of a queue, in Chinese and English.
#[must_use]
pub(crate) fn with_hours(problem: Problem, (hours, hours_en): (String, String)) -> Problem {
    problem.with_members(&ProblemMembers { hours, hours_en, ..ProblemMembers::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_is_unique_and_described() {
        let codes: BTreeSet<_> = ALL.iter().map(|kind| kind.code).collect();
        assert_eq!(codes.len(), ALL.len());
        for kind in ALL {
            assert!(!kind.zh.is_empty() && !kind.en.is_empty() && !kind.meaning.is_empty());
            assert!(kind.status.is_client_error() || kind.status.is_server_error());
        }
    }

    #[test]
    fn the_documentation_is_this_table() {
        let documented = include_str!("../../../../docs/reference/refusals.md");
        for kind in ALL {
            let row = format!(
                "| `{}` | {} | {} / {} | {} |",
                kind.code,
                kind.status.as_u16(),
                kind.zh,
                kind.en,
                kind.meaning
            );
            assert!(documented.contains(&row), "docs/reference/refusals.md lacks this row:\n{row}");
        }
        let rows = documented.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(
            rows,
            ALL.len(),
            "docs/reference/refusals.md has rows that the program does not know"
        );
    }
}
