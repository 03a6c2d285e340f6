//! The tables of each benchmark.

use super::table::Form::{Count, Number, Percent, Scaled, Spread, Text};
use super::table::{Column, Table};
use crate::run::record::RunRecord;
use anyhow::Context;

const CALLBACK: &[Table] = &[
    Table {
        caption: "Closed loop:",
        rows: "/closed",
        columns: &[
            Column("server", "/server", Text),
            Column("per second", "/per_second", Spread(0, "")),
            Column("p50", "/latency/p50_ms", Number(1, "ms")),
            Column("p99", "/latency/p99_ms", Number(1, "ms")),
            Column("p99.9", "/latency/p999_ms", Number(1, "ms")),
            Column("server CPU a request", "/cpu_us/server", Number(0, "µs")),
            Column("NATS CPU a request", "/cpu_us/nats_server", Number(0, "µs")),
            Column("others", "/others", Percent),
        ],
    },
    Table {
        caption: "Rate of the gateway divided by another's:",
        rows: "/ratios",
        columns: &[
            Column("÷", "/to", Text),
            Column("median", "/median", Number(2, "")),
            Column("least", "/least", Number(2, "")),
            Column("most", "/most", Number(2, "")),
            Column("by CPU", "/by_cpu", Number(2, "")),
        ],
    },
    Table {
        caption: "Secure mode divided by plain:",
        rows: "/secure",
        columns: &[
            Column("median", "/median", Number(2, "")),
            Column("least", "/least", Number(2, "")),
            Column("most", "/most", Number(2, "")),
            Column("by CPU", "/by_cpu", Number(2, "")),
        ],
    },
    Table {
        caption: "Open loop, from when a request was due:",
        rows: "/open",
        columns: &[
            Column("server", "/server", Text),
            Column("due a second", "/per_second", Count),
            Column("p50", "/latency/p50_ms", Number(1, "ms")),
            Column("p99", "/latency/p99_ms", Number(1, "ms")),
            Column("p99.9", "/latency/p999_ms", Number(1, "ms")),
            Column("most", "/latency/max_ms", Number(1, "ms")),
            Column("sent late, p99", "/late/p99_ms", Number(1, "ms")),
            Column("others", "/others", Percent),
        ],
    },
    Table {
        caption: "Resident memory:",
        rows: "/memory",
        columns: &[
            Column("process", "/process", Text),
            Column("at rest", "/at_rest_mib", Number(1, "MiB")),
            Column("after all callbacks", "/after_mib", Number(1, "MiB")),
            Column("peak", "/peak_mib", Number(1, "MiB")),
        ],
    },
];

const TOKEN: &[Table] = &[Table {
    caption: "Fetches and failed calls:",
    rows: "",
    columns: &[
        Column("event", "/scene", Text),
        Column("design", "/way", Text),
        Column("fetches", "/fetches", Count),
        Column("calls", "/calls", Count),
        Column("failed", "/failed", Count),
        Column("without a token", "/without", Count),
        Column("slowest call", "/slowest_ms", Number(0, "ms")),
        Column("figure held", "/held", Text),
    ],
}];

const QR: &[Table] = &[
    Table {
        caption: "From the request to the whole picture:",
        rows: "/ways",
        columns: &[
            Column("design", "/way", Text),
            Column("p50", "/latency/p50_ms", Number(1, "ms")),
            Column("p99", "/latency/p99_ms", Number(1, "ms")),
            Column("calls in all", "/calls_per_code", Number(2, "")),
            Column("waited for", "/waited_for_per_code", Number(2, "")),
            Column("others", "/others", Percent),
        ],
    },
    Table {
        caption: "Latency of another design divided by the pool's:",
        rows: "/ratios",
        columns: &[
            Column("design", "/to", Text),
            Column("p50", "/p50", Spread(1, "")),
            Column("p99", "/p99", Spread(1, "")),
        ],
    },
];

const LINE: &[Table] = &[
    Table {
        caption: "The domain alone:",
        rows: "/pure",
        columns: &[
            Column("waiting", "/waiting", Count),
            Column("a decision", "/decision_us", Spread(1, "µs")),
            Column("÷ that of the first", "/to_first", Spread(2, "")),
            Column("a timer check", "/look_us", Spread(1, "µs")),
            Column("a quote", "/quote_us", Spread(1, "µs")),
            Column("memory for each", "/bytes_per_ticket", Number(0, "B")),
        ],
    },
    Table {
        caption: "Through a ledger:",
        rows: "/stored",
        columns: &[
            Column("ledger", "/shape", Text),
            Column("waiting", "/waiting", Count),
            Column("decisions a second", "/per_second", Spread(0, "")),
            Column("÷ that of the first, time", "/to_first", Spread(2, "")),
        ],
    },
    Table {
        caption: "One hot site divided by many, numbers taken a second:",
        rows: "/hot",
        columns: &[
            Column("ledger", "/shape", Text),
            Column("one site", "/one_per_second", Spread(0, "")),
            Column("many", "/many_per_second", Spread(0, "")),
            Column("sites", "/sites", Count),
            Column("ratio", "/ratio", Spread(2, "")),
        ],
    },
    Table {
        caption: "A replica's start:",
        rows: "/replay",
        columns: &[
            Column("ledger", "/shape", Text),
            Column("events", "/events", Count),
            Column("entries", "/entries", Count),
            Column("bytes", "/bytes", Scaled(1e-6, 0, "MB")),
            Column("read and dropped", "/drop_seconds", Spread(2, "s")),
            Column("read and applied", "/replay_seconds", Spread(2, "s")),
            Column("from snapshots", "/restore_seconds", Spread(2, "s")),
            Column("applied ÷ dropped, speed", "/ratio", Spread(2, "")),
        ],
    },
    Table {
        caption: "What snapshots add to an entry:",
        rows: "/snapshots",
        columns: &[
            Column("ledger", "/shape", Text),
            Column("waiting", "/waiting", Count),
            Column("size", "/bytes", Scaled(1e-6, 2, "MB")),
            Column("added", "/added_us", Spread(0, "µs")),
            Column("an entry without", "/entry_us", Spread(0, "µs")),
        ],
    },
];

const WATCHERS: &[Table] = &[
    Table {
        caption: "From the press at a counter to a screen, and to the last screen of the site:",
        rows: "/runs",
        columns: &[
            Column("sites", "/sites", Count),
            Column("screens", "/streams", Count),
            Column("calls", "/calls", Count),
            Column("a screen, p50", "/to_a_screen/p50_ms", Number(1, "ms")),
            Column("p99", "/to_a_screen/p99_ms", Number(1, "ms")),
            Column("the last, p50", "/to_the_last_screen/p50_ms", Number(1, "ms")),
            Column("p99", "/to_the_last_screen/p99_ms", Number(1, "ms")),
            Column("most", "/to_the_last_screen/max_ms", Number(1, "ms")),
            Column("missed", "/missed", Count),
        ],
    },
    Table {
        caption: "Cost of the gateway:",
        rows: "/runs",
        columns: &[
            Column("sites", "/sites", Count),
            Column("screens", "/streams", Count),
            Column("memory before", "/before_mib", Number(1, "MiB")),
            Column("with all", "/with_all_mib", Number(1, "MiB")),
            Column("a screen", "/kib_a_stream", Number(1, "KiB")),
            Column("CPU at rest, of one", "/at_rest_percent", Number(1, "%")),
            Column("CPU while calling", "/calling_percent", Number(1, "%")),
            Column("event of a board", "/board_bytes", Number(0, "B")),
            Column("of a customer", "/customer_bytes", Number(0, "B")),
        ],
    },
];

const START: &[Table] = &[
    Table {
        caption: "From the start of a gateway process until it is ready:",
        rows: "",
        columns: &[
            Column("sites", "/sites", Count),
            Column("snapshots", "/snapshot_bytes", Scaled(1e-6, 1, "MB")),
            Column("entries behind them", "/tail_entries", Count),
            Column("ready after", "/ready_seconds", Spread(2, "s")),
            Column("over an empty ledger", "/empty_seconds", Spread(2, "s")),
        ],
    },
    Table {
        caption: "The whole ledger without snapshots:",
        rows: "",
        columns: &[
            Column("events", "/events", Count),
            Column("entries", "/entries", Count),
            Column("bytes", "/bytes", Scaled(1e-6, 0, "MB")),
            Column("read and dropped", "/drop_seconds", Spread(2, "s")),
            Column("read and applied", "/replay_seconds", Spread(2, "s")),
            Column("applied ÷ dropped, speed", "/ratio", Spread(2, "")),
        ],
    },
];

const APPENDS: &[Table] = &[
    Table {
        caption: "Entries on the disk:",
        rows: "/ways",
        columns: &[
            Column("way", "/way", Text),
            Column("a second", "/per_second", Spread(0, "")),
            Column("each", "/entry_us", Spread(1, "µs")),
        ],
    },
    Table {
        caption: "Rate of the ledger divided by that of SQLite alone:",
        rows: "/ratios",
        columns: &[
            Column("of", "/of", Text),
            Column("÷", "/to", Text),
            Column("ratio", "/ratio", Spread(2, "")),
        ],
    },
];

const NOTIFY: &[Table] = &[
    Table {
        caption: "Notices a second:",
        rows: "/rounds",
        columns: &[
            Column("WeChat answers in", "/wechat_ms", Number(0, "ms")),
            Column("notifiers", "/replicas", Count),
            Column("a second", "/per_second", Count),
            Column("of the places", "/to_places", Number(2, "")),
            Column("× the first", "/to_first", Number(2, "")),
            Column("CPU each", "/cpu_us", Number(0, "µs")),
            Column("processors busy", "/busy_share", Percent),
        ],
    },
    Table {
        caption: "From the press of *next* to WeChat's door:",
        rows: "/door",
        columns: &[
            Column("queue", "/queue", Text),
            Column("others a second", "/others_per_second", Count),
            Column("presses", "/presses", Count),
            Column("p50", "/latency/p50_ms", Number(0, "ms")),
            Column("p99", "/latency/p99_ms", Number(0, "ms")),
            Column("most", "/latency/max_ms", Number(0, "ms")),
        ],
    },
    Table {
        caption: "An account beside one that WeChat answers slowly, one notifier:",
        rows: "/beside",
        columns: &[
            Column("WeChat answers in", "/wechat_ms", Number(0, "ms")),
            Column("the slow one in", "/slow_ms", Number(0, "ms")),
            Column("its notices", "/slow_notices", Count),
            Column("alone, a second", "/alone_per_second", Count),
            Column("beside it", "/beside_per_second", Count),
            Column("ratio", "/ratio", Number(2, "")),
        ],
    },
    Table {
        caption: "Processor time for a message, and for its receipt:",
        rows: "/receipts",
        columns: &[
            Column("process", "/process", Text),
            Column("without a receipt", "/without_us", Number(0, "µs")),
            Column("with one", "/with_us", Number(0, "µs")),
            Column("a receipt", "/receipt_us", Number(0, "µs")),
        ],
    },
];

const WRITES: &[Table] = &[Table {
    caption: "Written for each:",
    rows: "/steps",
    columns: &[
        Column("stores", "/shape", Text),
        Column("step", "/step", Text),
        Column("messages", "/messages", Number(2, "")),
        Column("syncs", "/syncs", Number(1, "")),
        Column("writes of Redis", "/redis_writes", Number(1, "")),
        Column("reads of Redis", "/redis_reads", Number(1, "")),
    ],
}];

const SIEGE: &[Table] = &[
    Table {
        caption: "Callbacks:",
        rows: "/turns",
        columns: &[
            Column("turn", "/turn", Text),
            Column("answered", "/callbacks", Count),
            Column("p50", "/latency/p50_ms", Number(1, "ms")),
            Column("p99", "/latency/p99_ms", Number(1, "ms")),
            Column("p99.9", "/latency/p999_ms", Number(1, "ms")),
            Column("slowest", "/latency/max_ms", Number(1, "ms")),
            Column("memory of the gateway", "/memory_mib", Number(1, "MiB")),
        ],
    },
    Table {
        caption: "The siege:",
        rows: "/siege",
        columns: &[
            Column("connections at its begin", "/open", Count),
            Column("closed by the gateway", "/closed", Count),
            Column("codes given out", "/codes_given", Count),
            Column("codes refused", "/codes_refused", Count),
            Column("calls to WeChat", "/calls_to_wechat", Count),
        ],
    },
];

const PARTITIONS: &[Table] = &[Table {
    caption: "On one server that writes each entry to the disk:",
    rows: "/rows",
    columns: &[
        Column("", "/what", Text),
        Column("partitions", "/partitions", Count),
        Column("at once", "/at_once", Count),
        Column("a second", "/per_second", Spread(0, "")),
        Column("÷ one partition", "/to_first", Spread(2, "")),
    ],
}];

const HISTORY: &[Table] = &[Table {
    caption: "The visit log at the start of a gateway:",
    rows: "",
    columns: &[
        Column("visits", "/visits", Count),
        Column("written in", "/write_seconds", Number(1, "s")),
        Column("read and dropped", "/drop_seconds", Number(2, "s")),
        Column("read by a gateway", "/read_seconds", Number(2, "s")),
        Column("ratio", "/ratio", Number(2, "")),
        Column("memory before", "/before_mib", Number(0, "MiB")),
        Column("after", "/after_mib", Number(0, "MiB")),
    ],
}];

const MEMORY: &[Table] = &[Table {
    caption: "Resident memory at rest:",
    rows: "/roles",
    columns: &[
        Column("sites", "/sites", Count),
        Column("role", "/role", Text),
        Column("resident", "/resident_mib", Number(1, "MiB")),
        Column("its own", "/own_mib", Number(1, "MiB")),
        Column("the program", "/program_mib", Number(1, "MiB")),
    ],
}];

/// Benchmarks with the tables of their figures.
const TABLES: &[(&str, &[Table])] = &[
    ("callback", CALLBACK),
    ("token", TOKEN),
    ("qr", QR),
    ("line", LINE),
    ("watchers", WATCHERS),
    ("start", START),
    ("appends", APPENDS),
    ("notify", NOTIFY),
    ("writes", WRITES),
    ("siege", SIEGE),
    ("partitions", PARTITIONS),
    ("history", HISTORY),
    ("memory", MEMORY),
];

/// All tables of a run, below the line that says of what they are.
pub fn of_run(record: &RunRecord) -> anyhow::Result<String> {
    let tables = TABLES.iter().find(|(bench, _)| *bench == record.bench);
    let (_, tables) = tables.with_context(|| format!("{} has no tables", record.bench))?;
    let mut text = format!("{record}\n");
    for table in *tables {
        if let Some(table) = table.text(&record.figures)? {
            text += &format!("\n{table}");
        }
    }
    Ok(text)
}
