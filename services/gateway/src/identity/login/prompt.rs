//! Texts that a person reads on their phone while logging in.

use paihao_contracts::session::LoginRequest;

/// Question that asks the person to confirm the login. The answer is a text message, which works
/// for every kind of account: a menu needs a certified one, and a link a domain that WeChat knows.
pub(crate) fn confirmation_prompt(target: &str, request: &LoginRequest) -> String {
    let LoginRequest { browser, address, .. } = request;
    format!(
        "登录确认\n您正在登录「{target}」\n浏览器：{browser}\n来自：{address}\n\n是您本人，请回复 1；不是，请回复 0。\n\nLogging in to {target} from {browser}, {address}. Reply 1 to confirm, 0 if it is not you."
    )
}

/// Notice that the browser is logged in.
pub(crate) fn login_succeeded(target: &str, request: &LoginRequest) -> String {
    let LoginRequest { browser, address, .. } = request;
    format!(
        "登录成功\n「{target}」\n浏览器：{browser}\n来自：{address}\n\nLogged in to {target} from {browser}, {address}."
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
