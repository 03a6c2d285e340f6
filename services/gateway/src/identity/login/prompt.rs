//! Texts that a person reads on their phone while logging in.

use paihao_contracts::session::LoginRequest;

/// Question that asks the person to confirm the login. The answer is a text message, which works
/// for every kind of account: a menu needs a certified one, and a link a domain that WeChat knows.
/// It says if the target is told the person's unionid.
pub(crate) fn confirmation_prompt(target: &str, unionid: bool, request: &LoginRequest) -> String {
    let LoginRequest { browser, address, .. } = request;
    let [zh, en] = unionid_notice(unionid);
    format!(
        "登录确认\n您正在登录「{target}」\n浏览器：{browser}\n来自：{address}{zh}\n\n是您本人，请回复 1；不是，请回复 0。\n\nLogging in to {target} from {browser}, {address}.{en} Reply 1 to confirm, 0 if it is not you."
    )
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
    let (zh, en) = if manager { ("管理员", "a manager") } else { ("工作人员", "staff") };
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
