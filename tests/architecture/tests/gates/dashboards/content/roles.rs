//! Dashboards of the processes of a role.

use super::{Dashboard, HEALTH, NUMBER, PER_MINUTE, SECONDS, YES_OR_NO, panel};

pub(super) const DASHBOARDS: &[Dashboard] = &[
    Dashboard {
        name: "gateway",
        title: "排号 · 网关 · Gateways",
        rows: &[
            ("进程 · Processes", HEALTH),
            (
                "决定 · Decisions",
                &[
                    panel(
                        "一批的命令 · Commands of a batch",
                        NUMBER,
                        &[(
                            r#"paihao_desk_batch_commands{job=~"$job",quantile="0.99"}"#,
                            "{{instance}} 99 %",
                        )],
                    ),
                    panel(
                        "冲突 · Conflicts",
                        PER_MINUTE,
                        &[(
                            r#"rate(paihao_desk_conflicts_total{job=~"$job"}[5m]) * 60"#,
                            "{{instance}}",
                        )],
                    ),
                    panel(
                        "限流 · Limited",
                        PER_MINUTE,
                        &[
                            (
                                r#"sum by (what) (rate(paihao_gateway_limited_total{job=~"$job"}[5m])) * 60"#,
                                "{{what}}",
                            ),
                            (
                                r#"sum by (reason) (rate(paihao_http_connections_closed_total{job=~"$job"}[5m])) * 60"#,
                                "connections: {{reason}}",
                            ),
                            (
                                r#"sum by (what) (rate(paihao_gateway_wrong_guesses_total{job=~"$job"}[5m])) * 60"#,
                                "wrong: {{what}}",
                            ),
                        ],
                    ),
                    panel(
                        "证书剩余 · Certificate left",
                        SECONDS,
                        &[(
                            r#"paihao_certificate_end_timestamp_seconds{job=~"$job"} - time()"#,
                            "{{instance}}",
                        )],
                    ),
                    panel(
                        "申请证书 · Certificate orders",
                        NUMBER,
                        &[(
                            r#"sum by (result) (increase(paihao_certificate_orders_total{job=~"$job"}[1d]))"#,
                            "{{result}}",
                        )],
                    ),
                ],
            ),
            (
                "二维码 · Codes",
                &[
                    panel(
                        "备好的码 · Ready codes",
                        NUMBER,
                        &[(
                            r#"paihao_gateway_codes_ready{job=~"$job"}"#,
                            "{{instance}} {{account}}",
                        )],
                    ),
                    panel(
                        "制码与弃码 · Codes made and lost",
                        PER_MINUTE,
                        &[
                            (
                                r#"sum by (for) (rate(paihao_gateway_codes_made_total{job=~"$job"}[5m])) * 60"#,
                                "{{for}}",
                            ),
                            (
                                r#"sum by (why) (rate(paihao_gateway_codes_lost_total{job=~"$job"}[5m])) * 60"#,
                                "lost: {{why}}",
                            ),
                        ],
                    ),
                    panel(
                        "永久码 · Permanent codes",
                        NUMBER,
                        &[("max by (account) (paihao_gateway_door_codes)", "{{account}}")],
                    ),
                ],
            ),
            (
                "其他 · More",
                &[
                    panel(
                        "事件流 · Feeds",
                        NUMBER,
                        &[
                            (r#"paihao_gateway_feeds{job=~"$job"}"#, "{{instance}}"),
                            (
                                r#"increase(paihao_gateway_feeds_dropped_total{job=~"$job"}[1h])"#,
                                "{{instance}}: dropped",
                            ),
                        ],
                    ),
                    panel(
                        "迟到的遗忘 · Forgotten later",
                        NUMBER,
                        &[(
                            "sum by (from) (increase(paihao_gateway_late_erasures_total[24h]))",
                            "{{from}}",
                        )],
                    ),
                    panel(
                        "处理的失败通知 · Dead letters handled",
                        NUMBER,
                        &[(
                            "sum by (did) (increase(paihao_gateway_dead_letters_handled_total[24h]))",
                            "{{did}}",
                        )],
                    ),
                ],
            ),
        ],
    },
    Dashboard {
        name: "notifier",
        title: "排号 · 通知服务 · Notifiers",
        rows: &[
            ("进程 · Processes", HEALTH),
            (
                "工作 · Work",
                &[
                    panel(
                        "计划的通知 · Notices planned",
                        PER_MINUTE,
                        &[(
                            r#"rate(paihao_notifier_planned_total{job=~"$job"}[5m]) * 60"#,
                            "{{instance}}",
                        )],
                    ),
                    panel(
                        "发出的通知 · Notices ended",
                        PER_MINUTE,
                        &[(
                            r#"sum by (instance) (rate(paihao_notifier_outcomes_total{job=~"$job"}[5m])) * 60"#,
                            "{{instance}}",
                        )],
                    ),
                    panel(
                        "到访记录 · Visits written",
                        PER_MINUTE,
                        &[(
                            r#"rate(paihao_notifier_visits_total{job=~"$job"}[5m]) * 60"#,
                            "{{instance}}",
                        )],
                    ),
                    panel(
                        "重发 · Redriven",
                        NUMBER,
                        &[(
                            "sum by (origin) (increase(paihao_notifier_redriven_total[24h]))",
                            "{{origin}}",
                        )],
                    ),
                ],
            ),
            (
                "对方系统 · Webhooks",
                &[
                    panel(
                        "投递 · Deliveries",
                        PER_MINUTE,
                        &[(
                            "sum by (hook, result) (rate(paihao_webhooks_total[5m])) * 60",
                            "{{hook}} {{result}}",
                        )],
                    ),
                    panel(
                        "事件年龄 90 % · Age of an event, 90 %",
                        SECONDS,
                        &[(
                            "histogram_quantile(0.9, sum by (le, hook) (rate(paihao_webhooks_age_seconds_bucket[5m])))",
                            "{{hook}}",
                        )],
                    ),
                ],
            ),
        ],
    },
    Dashboard {
        name: "token",
        title: "排号 · 令牌服务 · Token services",
        rows: &[
            ("进程 · Processes", HEALTH),
            (
                "令牌 · Tokens",
                &[
                    panel(
                        "看管 · Kept",
                        YES_OR_NO,
                        &[(r#"paihao_token_kept_here{job=~"$job"}"#, "{{instance}} {{account}}")],
                    ),
                    panel(
                        "剩余寿命 · Life left",
                        SECONDS,
                        &[
                            (
                                "max by (account) (paihao_token_expires_at_seconds) - time()",
                                "{{account}}",
                            ),
                            (
                                r#"paihao_token_left_seconds{job=~"$job"}"#,
                                "{{instance}} {{account}}: when looked at",
                            ),
                        ],
                    ),
                    panel(
                        "年龄 · Age",
                        SECONDS,
                        &[(r#"paihao_token_age_seconds{job=~"$job"}"#, "{{instance}} {{account}}")],
                    ),
                    panel(
                        "取令牌 · Fetches",
                        NUMBER,
                        &[(
                            "sum by (account, mode, outcome) (increase(paihao_token_fetches_total[1h]))",
                            "{{account}} {{mode}} {{outcome}}",
                        )],
                    ),
                    panel(
                        "被拒的令牌 · Tokens refused",
                        NUMBER,
                        &[
                            (
                                "sum by (account) (increase(paihao_tokens_refused_total[1h]))",
                                "{{account}}",
                            ),
                            ("sum(increase(paihao_token_refusals_reported_total[1h]))", "reports"),
                        ],
                    ),
                    panel(
                        "告警 · Alarms",
                        YES_OR_NO,
                        &[(
                            "max by (account, reason) (paihao_token_alarm)",
                            "{{account}} {{reason}}",
                        )],
                    ),
                ],
            ),
            (
                "中控服务器 · Token server",
                &[
                    panel(
                        "请求 · Requests",
                        PER_MINUTE,
                        &[(
                            "sum by (key, outcome) (rate(paihao_token_server_requests_total[5m])) * 60",
                            "{{key}} {{outcome}}",
                        )],
                    ),
                    panel(
                        "发出的令牌 · Tokens served",
                        PER_MINUTE,
                        &[(
                            "sum by (account) (rate(paihao_token_server_answers_total[5m])) * 60",
                            "{{account}}",
                        )],
                    ),
                    panel(
                        "被拒 · Refused",
                        PER_MINUTE,
                        &[(
                            "sum by (code) (rate(paihao_token_server_refusals_total[5m])) * 60",
                            "{{code}}",
                        )],
                    ),
                ],
            ),
        ],
    },
];
