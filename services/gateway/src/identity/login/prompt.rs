//! Texts that a person reads on their phone while logging in.

use paihao_contracts::session::{DigitChallenge, LoginRequest};

/// Question that asks the person to confirm the login. With digits they are entered at the page;
/// without, the answer is a text message, which works for every kind of account: a menu needs a
/// certified one, and a link a domain that WeChat knows. It says if the target is told the person's
/// unionid.
pub(crate) fn confirmation_prompt(
    target: &str,
    unionid: bool,
    request: &LoginRequest,
    time: &str,
    digits: Option<&str>,
) -> String {
    let LoginRequest { browser, address, .. } = request;
    let [zh, en] = unionid_notice(unionid);
    let (ask_zh, ask_en) = match digits {
        Some(digits) => (
            format!(
                "只有登录页是您自己打开的，才在那一页输入数字 {digits}。不是，请回复 0，也不要把数字告诉任何人。"
            ),
            format!(
                "Only if you opened the login page yourself, enter {digits} there. If not, reply 0, and tell nobody the digits."
            ),
        ),
        None => (
            "只有登录页是您自己打开的，才回复 1；不是，请回复 0。".to_owned(),
            "Only if you opened the login page yourself, reply 1. If not, reply 0.".to_owned(),
        ),
    };
    format!(
        "登录确认\n您正在登录「{target}」\n浏览器：{browser}\n来自：{address}\n时间：{time}{zh}\n\n{ask_zh}\n\nLogging in to {target} from {browser}, {address}, at {time}.{en} {ask_en}"
    )
}

/// Question that asks a person to tell the manager who invited them the digits of their phone.
pub(crate) fn membership_prompt(
    name: &str,
    manager: bool,
    time: &str,
    challenge: &DigitChallenge,
) -> String {
    let (zh, en) = role_words(manager);
    let DigitChallenge { digits, tag, .. } = challenge;
    format!(
        "邀请确认\n您被邀请为{zh}「{name}」\n时间：{time}，标记：{tag}\n\n请把数字 {digits} 告诉邀请您的管理员，由管理员输入后您就加入了。\n\nYou are invited as {en}, {name}, at {time} (tag {tag}). Tell {digits} to the manager who invited you: once they enter it, you have joined."
    )
}

fn role_words(manager: bool) -> (&'static str, &'static str) {
    if manager { ("管理员", "a manager") } else { ("工作人员", "staff") }
}

/// Sentence about the unionid, in Chinese and in English; empty if it is not told.
fn unionid_notice(unionid: bool) -> [&'static str; 2] {
    if unionid {
        [
            "\n该网站会收到您的 unionid，与本主体其他公众号里的是同一个",
            " It is told your unionid, the same at all accounts of this owner.",
        ]
    } else {
        [""; 2]
    }
}

/// Notice that the browser is logged in, and whether the target is told the person's unionid.
pub(crate) fn login_succeeded(target: &str, unionid: bool, request: &LoginRequest) -> String {
    let LoginRequest { browser, address, .. } = request;
    let [zh, en] = unionid_notice(unionid);
    format!(
        "登录成功\n「{target}」\n浏览器：{browser}\n来自：{address}{zh}\n\nLogged in to {target} from {browser}, {address}.{en}"
    )
}

/// Notice that the login is refused.
pub(crate) fn login_refused() -> String {
    "已拒绝这次登录。\n\nThe login is refused.".into()
}

/// Notice to a person who is not staff.
pub(crate) fn not_staff() -> String {
    "没有登录：您不在工作人员名单中，请联系管理员邀请您。\n\nNot logged in: you are not on the list of staff. Ask a manager to invite you.".into()
}

/// Notice that another person has scanned the code.
pub(crate) fn code_already_scanned() -> String {
    "这个二维码已有人扫过，请刷新页面后再扫。\n\nSomebody else has scanned this code. Reload the page and scan again.".into()
}

/// Welcome to a new member.
pub(crate) fn welcome_member(name: &str, manager: bool) -> String {
    let (zh, en) = role_words(manager);
    format!(
        "欢迎，{name}。您现在是{zh}，可以在登录页扫码登录。\n\nWelcome, {name}. You are {en} now, and log in by scanning."
    )
}

/// Notice that an invitation cannot be used: it was used, or the person is a member already.
pub(crate) fn invitation_unusable() -> String {
    "这个邀请不能再用：您已是工作人员，或邀请已被使用。\n\nThis invitation is of no use: you work here already, or it was used.".into()
}

/// Notice that an answer came when no login waited for one any more.
pub(crate) fn answer_too_late() -> String {
    "没有等待确认的登录：时间已过，或已处理。请刷新网页，重新扫码。\n\nNo login waits for your answer any more. Reload the page and scan again.".into()
}
