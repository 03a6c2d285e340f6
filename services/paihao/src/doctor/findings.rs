//! Table of every kind of finding: its code, level, text and advice.
//!
//! docs/guide/doctor.md has the same rows, and a test compares them.

use serde::Serialize;

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing to do.
    Ok,
    /// Works now, but may fail later.
    Warning,
    /// Fails for customers on opening day.
    Bad,
}

impl Level {
    /// Name in JSON and in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Bad => "bad",
        }
    }
}

/// Kind of finding, with its texts in two languages.
#[derive(Debug, PartialEq, Eq)]
pub struct FindingKind {
    /// Stable name, such as `disk_full`.
    pub code: &'static str,
    /// Severity.
    pub level: Level,
    /// Sentence in Chinese.
    pub zh: &'static str,
    /// Sentence in English.
    pub en: &'static str,
    /// Advice in Chinese; empty if there is nothing to do.
    pub advice_zh: &'static str,
    /// Advice in English; empty if there is nothing to do.
    pub advice_en: &'static str,
}

macro_rules! findings {
    ($($name:ident = $code:literal, $level:ident, $zh:literal, $en:literal, $advice_zh:literal, $advice_en:literal;)*) => {
        $(
            #[doc = $en]
            pub const $name: &FindingKind = &FindingKind {
                code: $code, level: Level::$level, zh: $zh, en: $en,
                advice_zh: $advice_zh, advice_en: $advice_en,
            };
        )*
        /// All kinds, in the order of the documentation.
        pub const ALL: &[&FindingKind] = &[$($name),*];
    };
}

findings! {
    CREDENTIALS_OK = "credentials_ok", Ok, "微信接受 AppID 和 AppSecret", "WeChat accepts AppID and AppSecret",
        "", "";
    CREDENTIALS_REFUSED = "credentials_refused", Bad, "微信不接受 AppID 或 AppSecret", "WeChat does not accept AppID or AppSecret",
        "按微信后台改正 appid 和 secret（被冻结时先解冻）", "correct appid and secret as in WeChat's console (unfreeze the secret if it is frozen)";
    ADDRESS_NOT_LISTED = "address_not_listed", Bad, "本机的出口 IP 不在白名单里", "The address this machine calls from is not on the IP allow list",
        "在微信后台的 IP 白名单里加入所示的 IP；token 服务所在的机器都要加", "add the address named here to the IP allow list in WeChat's console, and that of every machine that calls WeChat";
    WECHAT_REFUSED = "wechat_refused", Bad, "微信拒绝了这个调用", "WeChat refused this call",
        "见 docs/reference/wechat-codes.md 中该返回码", "see the code in docs/reference/wechat-codes.md";
    WECHAT_UNREACHABLE = "wechat_unreachable", Bad, "连不上微信，或没有及时应答", "WeChat cannot be reached, or did not answer in time",
        "检查出站网络、DNS 和 wechat.api", "look at the outgoing network, DNS and wechat.api";
    TOKEN_KEPT = "token_kept", Ok, "token 服务保存着有效的 access_token", "The token service holds a valid access token",
        "", "";
    TOKEN_NOT_KEPT = "token_not_kept", Warning, "缓存里没有 access_token", "The cache holds no access token",
        "启动 token 服务（paihao token），并看它的日志", "start the token service (paihao token), and look at its log";
    TOKEN_REFUSED = "token_refused", Bad, "微信拒绝了 token 服务保存的 access_token", "WeChat refuses the access token that the token service holds",
        "找出另一个在取 token 的程序，让它改从 paihao 读取（docs/guide/token-server.md）", "find the other program that fetches tokens of this account and let it read paihao's (docs/guide/token-server.md)";
    CALLS_OK = "calls_ok", Ok, "带 access_token 的调用可用，本机 IP 在白名单里", "Calls with the access token work, and this machine's address is on the allow list",
        "", "";
    CALL_NOT_PERMITTED = "call_not_permitted", Warning, "这个公众号没有所示接口的权限，其他功能照常", "The account may not make the call named here; everything else works",
        "见 docs/guide/without-codes.md：每项能力没有时怎么办", "see docs/guide/without-codes.md for how to go on without each ability";
    CODES_OK = "codes_ok", Ok, "可以生成带参数的二维码", "The account may make codes with a scene",
        "", "";
    CODES_NOT_PERMITTED = "codes_not_permitted", Bad, "这个公众号不能生成带参数的二维码（只有认证服务号可以），海报和取号机没有码", "The account may not make codes with a scene (only verified service accounts may), so posters and kiosks have none",
        "设 codes = \"page\"：用页面码、菜单扫码和「取号」一词取号（docs/guide/without-codes.md）", "set codes = \"page\": numbers are taken by codes of pages, by scanning from the menu and by the word 取号 (docs/guide/without-codes.md)";
    CODES_BY_PAGE = "codes_by_page", Ok, "二维码指向本系统的页面，不需要生成二维码的权限", "Codes lead to pages of this system, and need no permission of WeChat's",
        "", "";
    TEMPLATES_OK = "templates_ok", Ok, "模板及其字段与微信后台一致", "The template and its fields are those of WeChat's console",
        "", "";
    TEMPLATE_UNBOUND = "template_unbound", Warning, "这种通知没有模板消息，只能走所示的渠道", "This kind of notice has no template message, and goes through the channels named here only",
        "客服消息只到得了刚互动过的人，订阅通知只到得了同意过的人；要让每位顾客都收到，配置 template_id", "a text reaches only those who have just interacted, a subscription notice only those who have agreed; to reach everybody set template_id";
    CHANNELS_OK = "channels_ok", Ok, "这种通知可以走所示的渠道", "This kind of notice can go through the channels named here",
        "", "";
    NO_CHANNEL = "no_channel", Warning, "这种通知没有可用的渠道，顾客收不到微信消息", "This kind of notice has no channel that can work, so customers get no message in WeChat",
        "在 accounts.NAME 的这一节里配置 template_id、text 或 subscription，并在 channels 里列出", "set template_id, text or subscription in its section of accounts.NAME, and name it in channels";
    TEMPLATE_FAULT = "template_fault", Bad, "配置的模板与微信后台不一致，消息会被拒绝或丢字段", "A bound template differs from WeChat's console: messages will be refused or lose fields",
        "按微信后台的模板改正 template_id 和 fields", "correct template_id and fields as in WeChat's console";
    MENU_OK = "menu_ok", Ok, "微信上的菜单与配置一致", "WeChat has the menu of the configuration",
        "", "";
    MENU_PRESENT = "menu_present", Ok, "微信上有菜单，配置文件里没有设置", "WeChat has a menu, and the configuration sets none",
        "", "";
    MENU_ABSENT = "menu_absent", Warning, "微信上没有菜单：启用服务器配置后，公众号后台的菜单不再显示", "WeChat has no menu: with the server address on, the console's menu is not shown",
        "在管理页的「菜单」或 accounts.NAME.buttons 里设置，再用 paihao menu push 推送（docs/guide/menu.md）", "set one on the manager's page or as accounts.NAME.buttons, and push it with paihao menu push (docs/guide/menu.md)";
    MENU_DIFFERS = "menu_differs", Warning, "微信上的菜单与配置文件里的不同", "WeChat has another menu than the configuration",
        "用 paihao menu show 查看，paihao menu push 推送；若菜单是在管理页上改的，以管理页为准", "look with paihao menu show, and push it with paihao menu push; a menu that was changed on the manager's page is right there";
    MENU_FORBIDDEN = "menu_forbidden", Warning, "这个公众号不能用接口做菜单", "This account may not make a menu by the API",
        "需要已认证的公众号；没有菜单时，顾客扫码或发关键词取号", "it has to be a verified account; without a menu people scan a code or write a keyword";
    QUOTA_OK = "quota_ok", Ok, "今天的调用额度够用", "Enough of today's calls is left",
        "", "";
    QUOTA_LOW = "quota_low", Warning, "今天的调用额度所剩不足两成", "Less than a fifth of today's calls is left",
        "看是谁在调用；需要时在微信后台申请提额", "see which program makes them; request more in WeChat's console if need be";
    QUOTA_USED_UP = "quota_used_up", Bad, "今天的调用额度已用完", "Today's calls are used up",
        "等到零点，或用 clear_quota 清零（每月十次）", "wait for midnight, or reset them with clear_quota (ten times a month)";
    QUOTA_ABOVE = "quota_above", Warning, "配置的每日上限高于微信给的额度", "The configured calls a day are more than WeChat allows",
        "把 wechat.limits 里的 per_day 改成微信后台的数字", "set per_day in wechat.limits to the value in WeChat's console";
    CALLBACK_OK = "callback_ok", Ok, "回调地址通过服务器验证，签名不对的被拒绝", "The callback address passes the server verification and refuses wrong signatures",
        "", "";
    CALLBACK_INSIDE = "callback_inside", Warning, "没有配置 gateway.public，只从内网问了 gateway.listen", "gateway.public is not set, so only gateway.listen was probed, from inside",
        "把 gateway.public 设为微信后台填写的地址的前半部分", "set gateway.public to the beginning of the address entered in WeChat's console";
    PROXIES_UNNAMED = "proxies_unnamed", Warning, "没有配置 gateway.trusted_proxies：如果前面有反向代理，所有顾客都算同一个地址", "gateway.trusted_proxies is empty: behind a proxy everybody counts as one address",
        "写上反向代理的地址", "name the address of the proxy in front";
    CALLBACK_NOT_HTTPS = "callback_not_https", Warning, "回调地址不是 https", "The callback address is not https",
        "配上证书，改用 https", "get a certificate and use https";
    CERTIFICATE_ENDED = "certificate_ended", Bad, "网关的证书已经到期", "The certificate of the gateway has ended",
        "续期，写到 gateway.tls 所指的文件；自动续期停了就修好", "renew it into the files that gateway.tls names, and mend what should have renewed it";
    CERTIFICATE_ENDING = "certificate_ending", Warning, "网关的证书两周内到期", "The certificate of the gateway ends within two weeks",
        "查看自动续期的日志", "look at the log of what renews it";
    CERTIFICATE_OK = "certificate_ok", Ok, "网关自己取的证书有效", "The certificate that the gateway got itself is valid",
        "", "";
    CERTIFICATE_MISSING = "certificate_missing", Bad, "网关还没有取到证书，https 打不开", "The gateway has no certificate yet, and https does not open",
        "域名要解析到这台机器，443 端口要能从公网连上（云主机还要在安全组里放行）；原因见下一条", "have the domain lead to this machine and port 443 be open from outside, in the cloud's rules too; the next finding says why it failed";
    ACME_CERTIFICATE_ENDED = "acme_certificate_ended", Bad, "网关的证书已经到期，续期没有成功", "The certificate of the gateway has ended, and could not be renewed",
        "按下一条所说的原因处理，会自动再试；重启会早些再试", "mend the cause in the next finding; it is tried again by itself, and sooner after a restart";
    ACME_UNREACHABLE = "acme_unreachable", Warning, "连不上证书颁发机构，会自动再试", "The certificate authority does not answer; it is tried again by itself",
        "检查这台机器能否访问外网", "see whether this machine can call the internet";
    ACME_HOST_NOT_REACHED = "acme_host_not_reached", Warning, "证书颁发机构没有在域名的 443 端口找到本机，会自动再试", "The certificate authority did not find this machine at the domain's port 443; it is tried again by itself",
        "域名解析到这台机器的公网地址；放行 443 端口；前面不要放终止 TLS 的代理", "have the domain lead to this machine's public address, open port 443, and put no proxy in front that ends TLS";
    ACME_LIMITED = "acme_limited", Warning, "达到证书颁发机构的次数限制，到时会自动再试", "The certificate authority's limit is reached; it is tried again when that ends",
        "不用处理，不要反复重启", "nothing needs to be done; do not restart again and again";
    ACME_REFUSED = "acme_refused", Warning, "证书颁发机构拒绝了，会自动再试", "The certificate authority refused; it is tried again by itself",
        "按所示原因处理", "handle the cause named here";
    CALLBACK_WRONG_PORT = "callback_wrong_port", Bad, "微信只推送到 80 和 443 端口", "WeChat pushes to the ports 80 and 443 only",
        "在前面放反向代理，改用 443", "put a reverse proxy in front and use 443";
    CALLBACK_PRIVATE = "callback_private", Bad, "回调地址是内网地址，微信到不了", "The callback address is a private one, which WeChat cannot reach",
        "用公网域名", "use a public host name";
    CALLBACK_SILENT = "callback_silent", Bad, "回调地址没有应答", "The callback address does not answer",
        "启动 gateway，检查域名、证书和反向代理", "start the gateway; look at the name, the certificate and the proxy";
    CALLBACK_WRONG_TOKEN = "callback_wrong_token", Bad, "网关用的 callback_token 与此配置不同", "The gateway's callback_token is not this configuration's",
        "让网关用同一份配置重启，并与微信后台的 Token 一致", "restart the gateway with this configuration, and make it the Token of WeChat's console";
    TOKEN_SHORT = "token_short", Warning, "callback_token 不足 16 个字符，可以被猜出来", "callback_token has fewer than 16 characters and can be guessed",
        "换成 32 个字母和数字：更换期间把旧的写在 former_callback_token", "use 32 letters and digits, with the former one as former_callback_token during the change";
    CALLBACK_WRONG_CLOCK = "callback_wrong_clock", Bad, "网关认为时间戳过期：它的时钟与本机不同", "The gateway finds the timestamp stale: its clock differs from this machine's",
        "两台机器都用 NTP 校时", "set both machines' clocks by NTP";
    CALLBACK_WRONG_ANSWER = "callback_wrong_answer", Bad, "回调地址答的不是微信要的内容", "The callback address does not respond as WeChat requires",
        "检查反向代理：不得跳转、改写或缓存，路径为 /wechat/NAME", "look at the proxy: no redirect, no rewriting, no caching, and the path /wechat/NAME";
    CALLBACK_UNGUARDED = "callback_unguarded", Bad, "回调地址接受签名不对的请求", "The callback address accepts wrong signatures",
        "那里不是 paihao 的网关，检查反向代理", "it is not paihao's gateway that answers: look at the proxy";
    MODE_OK = "mode_ok", Ok, "网关按所配置的模式接受推送", "The gateway accepts a push in the configured mode",
        "", "";
    MODE_PLAIN = "mode_plain", Warning, "明文模式的签名不覆盖消息内容", "In plain mode the signature does not cover the message",
        "在微信后台改用安全模式，并配置 mode 和 aes_key", "choose secure mode in WeChat's console, and set mode and aes_key";
    MODE_WRONG = "mode_wrong", Bad, "网关运行的加解密模式与此配置不同", "The gateway runs in another mode than this configuration's",
        "让网关用同一份配置重启，并与微信后台的消息加解密方式一致", "restart the gateway with this configuration, and make it the mode of WeChat's console";
    CALLBACKS_REFUSED = "callbacks_refused", Warning, "网关最近拒绝或忽略了这些推送", "The gateway refused or ignored these callbacks lately",
        "按所示原因处理，见 docs/reference/callbacks.md", "handle the cause named here: docs/reference/callbacks.md";
    FORMER_MODE_ACCEPTED = "former_mode_accepted", Warning, "更换加解密模式期间，旧模式的推送也被接受", "While the mode is being changed, pushes in the former mode are accepted too",
        "在微信后台改好、确认推送正常后，去掉 former_mode", "take former_mode out once the console is changed and pushes arrive";
    FORMER_MODE_OVER = "former_mode_over", Warning, "former_mode_until 已过，旧模式的推送不再被接受", "former_mode_until is past: pushes in the former mode are no longer accepted",
        "去掉 former_mode 和 former_mode_until；如果还没改完，把时间改晚", "take former_mode and former_mode_until out, or set a later time if the change is not complete";
    KEY_WRONG = "key_wrong", Bad, "网关解不开：aes_key 或 appid 与此配置不同", "The gateway cannot decipher: its aes_key or appid is not this configuration's",
        "让网关用同一份配置重启，并与微信后台的 EncodingAESKey 一致", "restart the gateway with this configuration, and make it the EncodingAESKey of WeChat's console";
    PUSH_REFUSED = "push_refused", Bad, "网关没有接受推送", "The gateway did not accept a push",
        "看网关的日志和 docs/reference/refusals.md", "look at the gateway's log and docs/reference/refusals.md";
    CLOCK_OK = "clock_ok", Ok, "时钟一致", "The clocks agree",
        "", "";
    CLOCK_OFF = "clock_off", Warning, "时钟相差超过 1 秒", "The clocks are more than a second apart",
        "用 NTP 校时", "set the clock by NTP";
    CLOCK_WRONG = "clock_wrong", Bad, "时钟相差超过 clock.max_skew_seconds", "The clocks are further apart than clock.max_skew_seconds",
        "用 NTP 校时：在这台机器上 paihao 的进程不会就绪，也不处理到时间的事", "set the clock by NTP: processes of paihao on this machine are not ready, and propose nothing that is due";
    CLOCK_UNKNOWN = "clock_unknown", Warning, "没有问到对方的时间", "The other clock could not be read",
        "过一会再试", "try again later";
    NATS_OK = "nats_ok", Ok, "NATS 可用，版本受支持，JetStream 已打开", "NATS is available, in a supported version, with JetStream on",
        "", "";
    NATS_UNTESTED = "nats_untested", Warning, "NATS 比测试过的版本新", "NATS is newer than any version that was tested",
        "先在测试环境试过", "try it on a test system first";
    NATS_UNFIT = "nats_unfit", Bad, "这个版本的 NATS 会丢数据", "This version of NATS is known to lose data",
        "升级 NATS 到所示版本之后", "update NATS beyond the version named here";
    NATS_SYNCED = "nats_synced", Ok, "NATS 每次写入都落盘后才确认", "NATS writes each entry to the disk before it acknowledges it",
        "", "";
    NATS_NOT_SYNCED = "nats_not_synced", Bad, "NATS 隔一段时间才落盘：断电会丢掉已经告诉顾客的号", "NATS flushes to the disk only now and then: a power cut loses numbers that customers were told",
        "在每台 NATS 的 jetstream 里设 sync_interval: always（2.10 起），三副本也要设", "set sync_interval: always in jetstream on every NATS server (from 2.10 on), with three copies too";
    NATS_SYNC_UNKNOWN = "nats_sync_unknown", Warning, "不知道 NATS 怎样落盘", "It is not known how NATS flushes to the disk",
        "打开 NATS 的监控端口，并配置 ledger.monitor", "open the monitoring port of NATS, and set ledger.monitor";
    NATS_OLD = "nats_old", Bad, "NATS 版本太旧", "NATS is too old",
        "升级 NATS", "update NATS";
    NATS_NO_JETSTREAM = "nats_no_jetstream", Bad, "NATS 没有打开 JetStream", "NATS has JetStream off",
        "用 --jetstream 启动，或在其配置里加 jetstream {}", "start it with --jetstream, or add jetstream {} to its configuration";
    NATS_AWAY = "nats_away", Bad, "连不上 NATS", "NATS cannot be reached",
        "检查 ledger.url 和网络", "look at ledger.url and the network";
    NATS_REFUSED = "nats_refused", Bad, "NATS 不接受所配置的用户，或配置有误", "NATS does not accept the configured user, or the configuration is wrong",
        "改正 ledger.user、ledger.password 和 ledger.url", "correct ledger.user, ledger.password and ledger.url";
    NATS_PARTITIONS = "nats_partitions", Bad, "账本的分区数与配置不同", "The ledger has another number of partitions than configured",
        "把 ledger.partitions 改成账本的数目", "set ledger.partitions to the number of the ledger";
    NATS_DIVIDED = "nats_divided", Warning, "账本已经分区，配置里还是原来的数目", "The ledger has been divided, and the configuration has the former number",
        "把 ledger.partitions 改成账本的数目，以后从这份配置启动的进程才不靠记录", "set ledger.partitions to the number of the ledger, so that processes started from this configuration need no record of it";
    STREAMS_OK = "streams_ok", Ok, "所有数据流都存盘，保留期正确", "Every stream is on disk, with the right retention",
        "", "";
    STREAMS_MISSING = "streams_missing", Warning, "有的数据流还没有，首次启动时会建立", "Some streams are not there yet; the first start creates them",
        "先启动一次所有角色，再运行一次 doctor", "start every role once, and run doctor again";
    STREAM_IN_MEMORY = "stream_in_memory", Bad, "数据流只在内存里，NATS 重启就没了", "A stream is in memory only: a restart of NATS loses it",
        "停下 paihao，用 file 存储重建这个流", "stop paihao and recreate the stream with file storage";
    STREAM_RETENTION = "stream_retention", Bad, "数据流的保留方式与本版本不同", "A stream has another retention than this version sets",
        "用本版本启动一次；仍不对就是有人改过，按提示恢复", "start this version once; if it stays, somebody has changed it: restore it";
    STREAM_REPLICAS = "stream_replicas", Warning, "数据流的副本数与配置不同", "A stream has another number of copies than configured",
        "用本配置启动一次，或改正 ledger.replicas", "start once with this configuration, or correct ledger.replicas";
    STORE_NEARLY_FULL = "store_nearly_full", Warning, "账本的一部分快满了，满了就不再取号", "A part of the ledger is nearly full, and takes no numbers once it is",
        "清理或扩大磁盘，提高 ledger.max_file_mb 或 ledger.max_stream_mb，然后重启", "make room on the disk, raise ledger.max_file_mb or ledger.max_stream_mb, and restart";
    STREAM_DROPS_OLD = "stream_drops_old", Bad, "数据流满了会丢旧数据，而不是拒绝新的", "A full stream drops what is old instead of refusing what is new",
        "用本版本启动一次；仍不对就是有人改过，按提示恢复", "start this version once; if it stays, somebody has changed it: restore it";
    FORMS_NEWEST = "forms_newest", Ok, "写入的是本版本所知的最新存储格式", "The newest stored forms that this version knows are written",
        "", "";
    FORMS_HELD_BACK = "forms_held_back", Warning, "写入的存储格式比本版本所知的旧", "Older stored forms are written than this version knows",
        "所有进程都升级之后，把 ledger.write_version 提高到所示的数字", "raise ledger.write_version to the number named here once every process is updated";
    ACCOUNTS_ADDED = "accounts_added", Ok, "这些公众号是在管理页或用接口添加的", "These accounts were added on the manager's page or through the API",
        "", "";
    SECRETS_SEALED = "secrets_sealed", Ok, "账本里的密钥都已加密，运维密钥可用", "The secrets in the ledger are sealed, and the operator's key is at hand",
        "", "";
    SECRETS_CLEAR = "secrets_clear", Warning, "账本里有没有加密的密钥，备份里也有", "The ledger has secrets in the clear, and so have its backups",
        "把 ledger.write_version 提高到 2；集群还要给所有进程设同一个 secrets.key（docs/guide/backup.md）", "raise ledger.write_version to 2; a cluster also needs one secrets.key for all processes (docs/guide/backup.md)";
    OPERATOR_KEY_MISSING = "operator_key_missing", Bad, "缺少运维密钥：账本里的密钥解不开", "The operator's key is missing: secrets in the ledger cannot be opened",
        "把所示的密钥放回 ledger.file 旁边的 operator.key，或写进 secrets.key", "put the key named here back into operator.key beside ledger.file, or name it as secrets.key";
    OPERATOR_KEY_MALFORMED = "operator_key_malformed", Bad, "运维密钥读不了", "The operator's key cannot be read",
        "检查文件的权限和内容：每行一个密钥，43 个字符", "look at the file's permissions and content: a key of 43 characters a line";
    OPERATOR_KEY_REPLACED = "operator_key_replaced", Warning, "还有密钥由以前的运维密钥加密", "Some secrets are still sealed under a former key",
        "启动网关，等它重新加密，再运行一次 doctor，然后删去旧的那一行", "let a gateway run, which seals them anew; run doctor again, and then take the former line out";
    REDIS_OK = "redis_ok", Ok, "Redis 可用，版本受支持，数据存盘", "Redis is available, in a supported version, and writes its data to disk",
        "", "";
    REDIS_OLD = "redis_old", Bad, "Redis 版本太旧，至少要 6.2", "Redis is too old: 6.2 is the oldest supported",
        "升级 Redis", "update Redis";
    REDIS_AWAY = "redis_away", Bad, "连不上 Redis，或它不接受密码", "Redis cannot be reached, or does not accept the password",
        "检查 cache.url、cache.password 和网络", "look at cache.url, cache.password and the network";
    REDIS_REPLICA = "redis_replica", Bad, "这个 Redis 是只读副本", "This Redis is a replica, which accepts no writes",
        "把 cache.url 指向主库", "point cache.url to the primary";
    REDIS_NOT_PERSISTENT = "redis_not_persistent", Warning, "Redis 既无 AOF 也无 RDB：重启会丢掉 token、扫码会话和发送窗口", "Redis has neither AOF nor RDB on: a restart loses the token, scan sessions and send windows",
        "打开 appendonly yes（票号不在 Redis 里，不会丢）", "set appendonly yes (tickets are not in Redis and are not lost)";
    REDIS_WRITE_FAILED = "redis_write_failed", Bad, "Redis 上次存盘失败", "Redis could not write its data the last time",
        "看 Redis 的日志，多半是磁盘满了", "look at its log; most likely the disk is full";
    REDIS_EVICTS = "redis_evicts", Warning, "内存用满时 Redis 会丢掉仍有用的键", "Redis evicts live keys when its memory is full",
        "设 maxmemory-policy noeviction，或给足内存", "set maxmemory-policy noeviction, or give it enough memory";
    FILE_OK = "file_ok", Ok, "SQLite 文件可写", "The SQLite file can be written",
        "", "";
    FILE_NEW = "file_new", Ok, "SQLite 文件还没有，所在的目录可写", "The SQLite file is not there yet, and its folder can be written",
        "", "";
    FILE_UNUSABLE = "file_unusable", Bad, "SQLite 文件不能用", "The SQLite file cannot be used",
        "检查 ledger.file、它的所有者和权限", "look at ledger.file, its owner and its permissions";
    FILE_ON_NETWORK = "file_on_network", Bad, "SQLite 文件在网络文件系统上，锁不可靠", "The SQLite file is on a network file system, where locks do not hold",
        "放到本机磁盘", "put it on a disk of this machine";
    FILE_READABLE_BY_OTHERS = "file_readable_by_others", Warning, "本机的其他用户能读写 SQLite 文件，里面有顾客和密钥", "Other users of this machine may read or write the SQLite file, which holds people and keys",
        "chmod 600 文件，目录 chmod 700", "chmod 600 the file, and chmod 700 its folder";
    SECRET_READABLE_BY_OTHERS = "secret_readable_by_others", Warning, "本机的其他用户能读写放有密钥的文件", "Other users of this machine may read or write a file that holds secrets",
        "chmod 600 这个文件", "chmod 600 the file";
    DISK_OK = "disk_ok", Ok, "磁盘空间够用", "There is enough space on the disk",
        "", "";
    DISK_LOW = "disk_low", Warning, "磁盘剩余不到 1 GiB", "Less than 1 GiB is left on the disk",
        "腾出空间", "free some space";
    DISK_FULL = "disk_full", Bad, "磁盘剩余不到 100 MiB", "Less than 100 MiB is left on the disk",
        "马上腾出空间", "free some space now";
    NO_ACCOUNT = "no_account", Bad, "没有这个公众号，或一个也没有配置", "There is no such account, or none at all",
        "在管理页添加公众号，或配置 [accounts.NAME]", "add one on the manager's page, or as [accounts.NAME]";
    ACCOUNT_UNKNOWN = "account_unknown", Bad, "配置里写了这个公众号，却没有它", "The configuration names this account, and there is none",
        "在管理页添加这个代号的公众号，或改正配置里的名字", "add an account of this name on the manager's page, or correct the name in the configuration";
    TIMED_OUT = "timed_out", Bad, "这项检查没有及时完成", "This check did not end in time",
        "检查网络后再试", "look at the network and try again";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_documentation_is_this_table() {
        let documented = include_str!("../../../../docs/guide/doctor.md");
        let codes: BTreeSet<_> = ALL.iter().map(|kind| kind.code).collect();
        assert_eq!(codes.len(), ALL.len());
        for kind in ALL {
            let FindingKind { code, level, zh, en, advice_zh, advice_en } = kind;
            assert_eq!(*level == Level::Ok, advice_zh.is_empty(), "{code}");
            let advice =
                if advice_zh.is_empty() { "" } else { &format!("{advice_zh} / {advice_en}") };
            let row = format!("| `{code}` | {} | {zh} / {en} | {advice} |", level.name());
            assert!(documented.contains(&row), "docs/guide/doctor.md lacks this row:\n{row}");
        }
        let rows = documented.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, ALL.len(), "docs/guide/doctor.md has rows that the program does not know");
    }
}
