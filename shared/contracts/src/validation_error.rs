//! Catalogue of the contradictions in settings: a stable code, a sentence in two languages and
//! advice. Every check of settings refuses with these. `docs/guide/settings.md` holds the same
//! table in prose.

/// One kind of contradiction.
#[derive(Debug, PartialEq, Eq)]
pub struct ValidationError {
    /// Stable code, for programs.
    pub code: &'static str,
    /// Chinese sentence, for people.
    pub zh: &'static str,
    /// English sentence, for people.
    pub en: &'static str,
    /// Advice on the correction.
    pub advice: &'static str,
}

impl ValidationError {
    /// Returns both sentences.
    pub fn message(&self) -> String {
        format!("{} / {}", self.zh, self.en)
    }
}

macro_rules! table {
    ($($name:ident = $code:literal, $zh:literal, $en:literal, $advice:literal;)*) => {
        $(
            #[doc = $en]
            pub const $name: ValidationError =
                ValidationError { code: $code, zh: $zh, en: $en, advice: $advice };
        )*
        /// All contradictions, in the order of the documentation.
        pub const ALL: &[&ValidationError] = &[$(&$name),*];
    };
}

table! {
    NEAR_BEYOND_CAPACITY = "near_beyond_capacity", "提前通知的人数比队列能容纳的还多", "somebody is near with more ahead than may wait at all",
        "use a near of at most capacity";
    GRACE_BEYOND_HOLD = "grace_beyond_hold", "叫号后等候的时间比过号保留的时间还长", "whoever is called has longer to come than a missed number is kept",
        "use a grace_seconds of at most missed_minutes";
    GRACE_WITHOUT_RECALL = "grace_without_recall", "到时自动重呼，但两次叫号至少间隔 15 秒", "it is called again by itself before it may be",
        "use a grace_seconds of 15 or more, or leave out auto_recall";
    RECALL_WITHOUT_CALLS = "recall_without_calls", "自动重呼需要两次叫号，但只允许叫一次", "calls = 1 leaves no second call",
        "use calls = 2 or more, or leave out auto_recall";
    MISSED_WHILE_SERVED = "missed_while_served", "叫到就算开始办理，所以不会自动过号或重呼", "whoever is called is being served at once, and so is never missed or called again",
        "leave out start_on_call, or auto_miss and auto_recall";
    INTERLEAVE_OF_ONE_CLASS = "interleave_of_one_class", "轮流叫号，但没有别的等级可以轮流", "calls take turns between classes, and there is no other class",
        "use a class below 8, a missed_lane, or policy = \"strict\"";
    LANE_WITHOUT_TURNS = "lane_without_turns", "过号专用通道要轮流叫号才会叫到", "a lane for the missed is called from in turn with others, and nothing is",
        "use policy = \"interleave\"";
    LANE_FOR_NOBODY = "lane_for_nobody", "过号作废，过号专用通道永远没有人", "nobody ever returns into the lane for the missed",
        "use a missed rule with returns, or leave out missed_lane";
    CAPACITY_BEYOND_CAP = "capacity_beyond_cap", "同时等候的人数比一天的号还多", "more may wait at once than get a number a day",
        "use a capacity of at most daily_cap";
    UNSERVED_QUEUE = "unserved_queue", "没有窗口办理这个业务，取了号也没人叫", "numbers are given out, and no counter calls them",
        "let a counter serve it, or use open = false until one does";
    UNKNOWN_QUEUE = "unknown_queue", "窗口办理的业务不存在", "a counter serves a queue that there is not",
        "name a queue of the site";
    QUEUE_TWICE = "queue_twice", "窗口把同一个业务写了两遍", "a counter serves a queue twice",
        "name each queue once";
    IDLE_COUNTER = "idle_counter", "窗口自动叫号，但不办理任何业务", "a counter calls by itself and serves no queue",
        "name a queue, or leave out auto_next";
    PREFIX_TWICE = "prefix_twice", "两个业务用了同一个字头，会发出相同的号", "two queues of one prefix give out the same numbers",
        "give each queue its own";
    HOURS_OVERLAP = "hours_overlap", "一天里的时间有重叠", "hours of one business day overlap",
        "let each end before the next begins";
    CUT_OVER_WITHIN_HOURS = "cut_over_within_hours", "换日时间落在这段时间里，营业日会在中途结束", "the business day ends within these hours",
        "choose another day_starts_at, or let the hours end by then";
    BAD_HOURS = "bad_hours", "时间看不懂，或者自相矛盾", "the hours cannot be read, or contradict each other",
        "use lines like \"mon-fri 09:00-12:00 13:30-17:30\" or \"2027-02-06..2027-02-12 closed\"";
    NO_TEMPLATE = "no_template", "要用模板消息通知，但没有绑定模板", "a notice goes by template, and there is no template",
        "set the template's id, or take \"template\" out of the channels";
    ALTERED_FIELD = "altered_field", "模板的这个字段会改掉号码或窗口名", "a field of a template would alter a number or a counter's name",
        "use a field of a type that shows it whole, such as character_string or thing";
    TEXT_TOO_LONG = "text_too_long", "文字最长时超过微信允许的 2047 字节", "at its longest the text has more than the 2,047 bytes that WeChat takes",
        "say it in fewer words";
    NO_SUBSCRIPTION = "no_subscription", "要用订阅通知，但没有绑定模板", "a notice goes by subscription, and there is no template",
        "add it, or take \"subscription\" out of the channels";
    WORD_TWICE = "word_twice", "两个关键词在比较时相同", "two words are the same as they are compared",
        "keep one: blanks, punctuation, width and case do not count, so the word is there twice";
    USUAL_WORD = "usual_word", "这是系统自带的词，不能改成文字回复", "the word has a usual action, and would only get a text",
        "choose another word, give it an action, or set usual_words = false and name the words that you want";
    FORWARD_TWICE = "forward_twice", "两个转发目标同名", "two targets of forwarding have one name",
        "give each its own, which stands in logs and metrics";
    BAD_FORWARD = "bad_forward", "转发地址不可用", "pushes cannot be forwarded to this address",
        "use https://…; a private address, or one without https, has to be in gateway.forward_private";
    CODES_WITHOUT_ADDRESS = "codes_without_address", "没有公开地址，页面码无处可指", "codes that lead to pages need the public address",
        "set gateway.public, or use codes = \"wechat\"";
}
