//! Dashboards of the whole: the day of a hall, messages, stores.

use super::{BYTES, Dashboard, NUMBER, PER_MINUTE, RATIO, SECONDS, YES_OR_NO, panel};

pub(super) const DASHBOARDS: &[Dashboard] = &[
    Dashboard {
        name: "day",
        title: "排号 · 大厅的一天 · The hall's day",
        rows: &[
            (
                "顾客 · Customers",
                &[
                    panel(
                        "扫码结果 · Scans by outcome",
                        PER_MINUTE,
                        &[(
                            "sum by (outcome) (rate(paihao_gateway_scans_total[5m])) * 60",
                            "{{outcome}}",
                        )],
                    ),
                    panel(
                        "今日发号 · Numbers given in 24 hours",
                        NUMBER,
                        &[(
                            r#"sum(increase(paihao_gateway_scans_total{outcome="taken"}[24h]))"#,
                            "taken",
                        )],
                    ),
                    panel(
                        "被拒的请求 · Requests refused",
                        PER_MINUTE,
                        &[(
                            "topk(8, sum by (code) (rate(paihao_gateway_refusals_total[5m]))) * 60",
                            "{{code}}",
                        )],
                    ),
                ],
            ),
            (
                "叫号与通知 · Calls and messages",
                &[
                    panel(
                        "通知结果 · Messages by outcome",
                        PER_MINUTE,
                        &[(
                            "sum by (fate) (rate(paihao_notifier_outcomes_total[5m])) * 60",
                            "{{fate}}",
                        )],
                    ),
                    panel(
                        "叫号到送达微信 · From call to WeChat",
                        SECONDS,
                        &[
                            (
                                r#"histogram_quantile(0.5, sum by (le) (rate(paihao_notifier_delay_seconds_bucket{fate="sent"}[5m])))"#,
                                "50 %",
                            ),
                            (
                                r#"histogram_quantile(0.9, sum by (le) (rate(paihao_notifier_delay_seconds_bucket{fate="sent"}[5m])))"#,
                                "90 %",
                            ),
                        ],
                    ),
                    panel(
                        "等人处理的通知 · Dead letters",
                        NUMBER,
                        &[("max(paihao_gateway_dead_letters)", "waiting")],
                    ),
                ],
            ),
            (
                "等待 · Waits",
                &[
                    panel(
                        "守住的预计 · Promises kept",
                        RATIO,
                        &[(
                            r#"max by (ahead) (paihao_estimate_kept_ratio{hour="all"})"#,
                            "{{ahead}}",
                        )],
                    ),
                    panel(
                        "预计误差 · Error of the quoted wait",
                        "m",
                        &[
                            (
                                r#"max(paihao_estimate_mean_error_minutes{ahead="all",hour="all"})"#,
                                "mean",
                            ),
                            (
                                r#"max(paihao_estimate_median_error_minutes{ahead="all",hour="all"})"#,
                                "median",
                            ),
                            (
                                r#"max(paihao_estimate_bias_minutes{ahead="all",hour="all"})"#,
                                "bias",
                            ),
                        ],
                    ),
                    panel(
                        "已评的到访 · Visits judged",
                        NUMBER,
                        &[(r#"max(paihao_estimate_visits{ahead="all",hour="all"})"#, "visits")],
                    ),
                ],
            ),
        ],
    },
    Dashboard {
        name: "messages",
        title: "排号 · 通知与微信 · Messages and WeChat",
        rows: &[
            (
                "通知 · Messages",
                &[
                    panel(
                        "队列 · Queue",
                        NUMBER,
                        &[("max by (queue) (paihao_queue_messages)", "{{queue}}")],
                    ),
                    panel(
                        "最久的等待 · Oldest message",
                        SECONDS,
                        &[("max by (queue) (paihao_queue_oldest_seconds)", "{{queue}}")],
                    ),
                    panel(
                        "渠道 · Channels",
                        PER_MINUTE,
                        &[(
                            "sum by (channel, fate) (rate(paihao_notifier_outcomes_total[5m])) * 60",
                            "{{channel}} {{fate}}",
                        )],
                    ),
                    panel(
                        "渠道不收 · Channels that refused",
                        PER_MINUTE,
                        &[(
                            "sum by (account, channel, reason) (rate(paihao_notifier_channel_refusals_total[5m])) * 60",
                            "{{account}} {{channel}} {{reason}}",
                        )],
                    ),
                    panel(
                        "回执 · Receipts",
                        PER_MINUTE,
                        &[(
                            "sum by (receipt, found) (rate(paihao_notifier_receipts_total[5m])) * 60",
                            "{{receipt}} {{found}}",
                        )],
                    ),
                    panel(
                        "模板错误 · Template faults",
                        NUMBER,
                        &[("max by (account) (paihao_notifier_binding_faults)", "{{account}}")],
                    ),
                ],
            ),
            (
                "微信接口 · WeChat's API",
                &[
                    panel(
                        "调用 · Calls",
                        PER_MINUTE,
                        &[(
                            "sum by (api, outcome) (rate(paihao_wechat_calls_total[5m])) * 60",
                            "{{api}} {{outcome}}",
                        )],
                    ),
                    panel(
                        "耗时 90 % · Duration, 90 %",
                        SECONDS,
                        &[(
                            "histogram_quantile(0.9, sum by (le, api) (rate(paihao_wechat_call_seconds_bucket[5m])))",
                            "{{api}}",
                        )],
                    ),
                    panel(
                        "自限 · Held back",
                        PER_MINUTE,
                        &[(
                            "sum by (api, reason) (rate(paihao_wechat_held_back_total[5m])) * 60",
                            "{{api}} {{reason}}",
                        )],
                    ),
                    panel(
                        "当天余量 · Calls of the day left",
                        NUMBER,
                        &[(
                            "min by (account, api) (paihao_wechat_budget_left)",
                            "{{account}} {{api}}",
                        )],
                    ),
                    panel(
                        "当天已用 · Calls of the day used",
                        RATIO,
                        &[(
                            "max by (account, api) (paihao_wechat_budget_used / (paihao_wechat_budget_limit > 0))",
                            "{{account}} {{api}}",
                        )],
                    ),
                    panel(
                        "熔断与停用 · Circuit, and quota used up",
                        NUMBER,
                        &[
                            (
                                "max by (account, api) (paihao_wechat_circuit)",
                                "{{account}} {{api}}: 0, 1, 2",
                            ),
                            (
                                "max by (account, api) (paihao_wechat_quota_stopped)",
                                "{{account}} {{api}}: used up",
                            ),
                        ],
                    ),
                    panel(
                        "在途 · In flight",
                        NUMBER,
                        &[
                            (
                                "sum by (account, api) (paihao_wechat_in_flight)",
                                "{{account}} {{api}}",
                            ),
                            (
                                "max by (account, api) (paihao_wechat_in_flight_limit)",
                                "{{account}} {{api}}: limit",
                            ),
                        ],
                    ),
                    panel(
                        "每秒上限与换址 · Rate limit, changes of address",
                        NUMBER,
                        &[
                            (
                                "max by (account, api) (paihao_wechat_rate_limit)",
                                "{{account}} {{api}}",
                            ),
                            ("sum(increase(paihao_wechat_host_changes_total[1h]))", "changes"),
                        ],
                    ),
                ],
            ),
            (
                "推送 · Callbacks",
                &[
                    panel(
                        "推送 · Callbacks",
                        PER_MINUTE,
                        &[(
                            "sum by (kind) (rate(paihao_gateway_callbacks_total[5m])) * 60",
                            "{{kind}}",
                        )],
                    ),
                    panel(
                        "未处理 · Not acted on",
                        PER_MINUTE,
                        &[(
                            "sum by (account, code) (rate(paihao_gateway_callback_faults_total[5m])) * 60",
                            "{{account}} {{code}}",
                        )],
                    ),
                    panel(
                        "与微信的时差 · Difference from WeChat's clock",
                        SECONDS,
                        &[("paihao_gateway_callback_skew_seconds", "{{instance}} {{account}}")],
                    ),
                    panel(
                        "按词或菜单取号 · Numbers taken by a word or the menu",
                        PER_MINUTE,
                        &[(
                            "sum by (outcome) (rate(paihao_gateway_words_total[5m])) * 60",
                            "{{outcome}}",
                        )],
                    ),
                    panel(
                        "转发 · Pushes forwarded",
                        PER_MINUTE,
                        &[(
                            "sum by (target, outcome) (rate(paihao_gateway_forwards_total[5m])) * 60",
                            "{{target}} {{outcome}}",
                        )],
                    ),
                    panel(
                        "转发用时 · Time of forwarding",
                        SECONDS,
                        &[(
                            "histogram_quantile(0.99, sum by (le, target) (rate(paihao_gateway_forward_seconds_bucket[5m])))",
                            "{{target}}",
                        )],
                    ),
                    panel(
                        "转发的断路器 · Circuits of forwarding",
                        NUMBER,
                        &[("max by (target) (paihao_gateway_forward_circuit)", "{{target}}")],
                    ),
                    panel(
                        "丢失的回执 · Receipts lost",
                        PER_MINUTE,
                        &[("sum(rate(paihao_gateway_receipts_lost_total[5m])) * 60", "receipts")],
                    ),
                ],
            ),
        ],
    },
    Dashboard {
        name: "stores",
        title: "排号 · 账本与存储 · Ledger and stores",
        rows: &[
            (
                "可用 · There",
                &[
                    panel(
                        "账本与缓存 · Ledger and cache",
                        YES_OR_NO,
                        &[("min by (dependency) (paihao_dependency_up)", "{{dependency}}")],
                    ),
                    panel(
                        "账本没有及时应答 · Appends without an answer",
                        PER_MINUTE,
                        &[("sum(rate(paihao_desk_unavailable_total[5m])) * 60", "appends")],
                    ),
                    panel(
                        "读不懂的新形式 · Newer forms met",
                        NUMBER,
                        &[(
                            "sum by (instance, stream, form) (paihao_newer_forms_total)",
                            "{{instance}} {{stream}} {{form}}",
                        )],
                    ),
                ],
            ),
            (
                "大小 · Size",
                &[
                    panel(
                        "占上限 · Share of the limit",
                        RATIO,
                        &[(
                            "max by (store) (paihao_store_bytes / paihao_store_limit_bytes)",
                            "{{store}}",
                        )],
                    ),
                    panel(
                        "大小 · Size",
                        BYTES,
                        &[("max by (store) (paihao_store_bytes)", "{{store}}")],
                    ),
                    panel(
                        "快照 · Snapshots",
                        PER_MINUTE,
                        &[("sum(rate(paihao_snapshots_total[15m])) * 60", "snapshots")],
                    ),
                    panel(
                        "快照大小 · Size of a snapshot",
                        BYTES,
                        &[(
                            "sum(rate(paihao_snapshot_bytes_sum[15m])) / sum(rate(paihao_snapshot_bytes_count[15m]))",
                            "mean",
                        )],
                    ),
                    panel(
                        "追踪 · Spans of traces",
                        PER_MINUTE,
                        &[(
                            "sum by (result) (rate(paihao_trace_spans_total[5m])) * 60",
                            "{{result}}",
                        )],
                    ),
                ],
            ),
            (
                "时钟 · Clocks",
                &[
                    panel(
                        "可信 · Right",
                        YES_OR_NO,
                        &[("paihao_clock_right", "{{job}} {{instance}}")],
                    ),
                    panel(
                        "偏差 · Skew",
                        SECONDS,
                        &[("paihao_clock_skew_seconds", "{{instance}} {{reference}}")],
                    ),
                ],
            ),
        ],
    },
];
