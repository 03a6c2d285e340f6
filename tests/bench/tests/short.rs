//! Tests of every benchmark in its short form: all figures are present, and the measured system did
//! its work.

use serde_json::Value;
use std::process::Command;

/// Runs a benchmark in its short form and returns its figures and its report.
fn run_short(what: &str) -> (Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("figures.json");
    let run = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args([what, "--short", "--json"])
        .arg(&json)
        .output()
        .unwrap();
    let (report, progress) =
        (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{progress}\n{report}");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!((&record["bench"], &record["short"]), (&what.into(), &true.into()), "{record}");
    assert_eq!(record["command"], format!("{what} --short"), "{record}");
    for text in ["/date", "/commit", "/build", "/machine/kernel", "/machine/model"] {
        assert!(!record.pointer(text).unwrap().as_str().unwrap().is_empty(), "{text}: {record}");
    }
    assert!(record["machine"]["processors"].as_u64().unwrap() > 0, "{record}");
    assert!((0.0..=1.0).contains(&record["others"].as_f64().unwrap()), "{record}");
    (record["figures"].take(), report.into_owned())
}

#[test]
fn the_short_form_finds_every_figure_and_every_reply_holds_a_number() {
    let (figures, report) = run_short("callback");
    let list = |name: &str| figures[name].as_array().unwrap().clone();
    let names = |of: &str, key: &str| -> Vec<String> {
        list(of).iter().map(|figure| figure[key].as_str().unwrap().to_owned()).collect()
    };
    let mut beside = vec!["floor", "floor+expect", "floor+follow", "null", "tutorial"];
    // Where one is left out, the report says why.
    let absent = list("absent");
    for peer in ["wechatpy", "co-wechat", "wechat-oa-sdk"] {
        let mut reasons = absent.iter().filter_map(Value::as_str);
        match reasons.find(|reason| reason.starts_with(peer)) {
            None => beside.push(peer),
            Some(reason) => assert!(report.contains(reason), "{reason}"),
        }
    }
    assert_eq!(names("closed", "server"), [&["gateway"], &beside[..], &["secure mode"]].concat());
    assert_eq!(names("ratios", "to"), beside);
    assert_eq!(names("open", "server"), ["gateway", "floor"]);
    let processes = ["gateway", "token", "notifier", "nats-server", "redis-server"];
    assert_eq!(names("memory", "process"), processes);

    for server in list("closed") {
        for figure in [
            &server["requests"],
            &server["per_second"]["median"],
            &server["latency"]["p50_ms"],
            &server["latency"]["p99_ms"],
        ] {
            assert!(figure.as_f64().unwrap() > 0.0, "{server}");
        }
        for figure in ["server", "nats_server", "generator"] {
            assert!(server["cpu_us"][figure].as_f64().unwrap() >= 0.0, "{server}");
        }
    }
    let secure = figures["secure"].clone();
    assert_eq!(secure["to"], "gateway");
    for ratio in list("ratios").into_iter().chain([secure]) {
        assert!(ratio["least"].as_f64().unwrap() > 0.0, "{ratio}");
        assert!(ratio["by_cpu"].as_f64().unwrap() >= 0.0, "{ratio}");
    }
    for server in list("open") {
        for figure in ["p50_ms", "p99_ms", "p999_ms", "max_ms"] {
            assert!(server["latency"][figure].as_f64().unwrap() > 0.0, "{server}");
        }
    }
    for process in list("memory") {
        assert!(process["at_rest_mib"].as_f64().unwrap() > 0.0, "{process}");
        assert!(process["peak_mib"].as_f64() >= process["after_mib"].as_f64(), "{process}");
    }
    let truth = &figures["truth"];
    assert!(truth["callbacks"].as_u64().unwrap() >= 2_000, "{truth}");
    for nothing in ["bad_replies", "sites_out_of_order", "unplanned"] {
        assert_eq!(truth[nothing], 0, "{truth}\n{}", figures["first_bad"]);
    }
    for part in [
        "Closed loop",
        "Open loop",
        "÷ floor",
        "÷ null",
        "÷ tutorial",
        "Secure mode ÷ plain",
        "Memory in MiB",
    ] {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
}

#[test]
fn tokens_cost_what_they_may_and_no_call_fails_where_one_was_good() {
    let (rows, report) = run_short("token");
    let rows = rows.as_array().unwrap();
    let ours: Vec<_> = rows.iter().filter(|row| row["way"] == "paihao").collect();
    assert_eq!((ours.len(), rows.len()), (8, 20), "{report}");
    for row in &ours {
        assert_eq!(row["held"], true, "{row}");
        assert!(row["calls"].as_u64().unwrap() >= 64, "{row}");
    }
    let refused = ours.iter().find(|row| row["scene"] == "every token refused").unwrap();
    assert_eq!(refused["alarm"], true, "{refused}");
}

#[test]
fn the_short_form_of_qr_finds_every_figure_and_every_answer_is_a_code_of_its_own() {
    let (figures, report) = run_short("qr");
    let ways = figures["ways"].as_array().unwrap();
    let names: Vec<_> = ways.iter().map(|way| way["way"].as_str().unwrap()).collect();
    assert_eq!(names, ["pool", "without", "tutorial"]);
    for way in ways {
        assert_eq!(way["codes"], 10, "{way}");
        for figure in ["p50_ms", "p99_ms", "p999_ms", "max_ms"] {
            assert!(way["latency"][figure].as_f64().unwrap() > 0.0, "{way}");
        }
    }
    // The simulator counts the calls. A code costs one, and with ready codes nobody waits.
    let calls = |way: usize, what: &str| ways[way][what].as_f64().unwrap();
    assert_eq!((calls(0, "calls_per_code"), calls(0, "waited_for_per_code")), (1.0, 0.0));
    assert_eq!((calls(1, "calls_per_code"), calls(1, "waited_for_per_code")), (1.0, 1.0));
    assert_eq!((calls(2, "calls_per_code"), calls(2, "waited_for_per_code")), (3.0, 3.0));
    for ratio in figures["ratios"].as_array().unwrap() {
        assert!(ratio["p50"]["least"].as_f64().unwrap() > 0.0, "{ratio}");
    }
    for nothing in ["bad_answers", "shown_twice"] {
        assert_eq!(figures[nothing], 0, "{}", figures["first_bad"]);
    }
    for part in ["calls to WeChat a code", "tutorial ÷ pool", "without ÷ pool"] {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
}

#[test]
fn the_short_form_of_siege_loses_no_callback() {
    let (figures, report) = run_short("siege");
    let turns = figures["turns"].as_array().unwrap();
    let names: Vec<_> = turns.iter().map(|turn| turn["turn"].as_str().unwrap()).collect();
    assert_eq!(names, ["peace", "siege", "peace again"]);
    for turn in turns {
        assert!(turn["callbacks"].as_u64().unwrap() >= 50, "{turn}");
        for figure in ["p50_ms", "p99_ms", "p999_ms", "max_ms"] {
            assert!(turn["latency"][figure].as_f64().unwrap() > 0.0, "{turn}");
        }
    }
    for nothing in ["bad_replies", "sites_out_of_order"] {
        assert_eq!(figures["truth"][nothing], 0, "{}", figures["first_bad"]);
    }
    let siege = &figures["siege"];
    assert!(siege["open"].as_u64().unwrap() >= 160, "{siege}");
    // A gateway answers every request of the flood: with a code, or with a refusal.
    let answers = siege["answers"].as_object().unwrap();
    assert!(
        answers["200"].as_u64().unwrap() > 0 && answers["201"].as_u64().unwrap() > 0,
        "{siege}"
    );
    for part in ["idle sockets", "answers to the flood", "peace again", "calls to WeChat"] {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
}

#[test]
fn the_short_form_of_line_finds_every_figure_of_both_shapes() {
    let (figures, report) = run_short("line");
    let list = |name: &str| figures[name].as_array().unwrap().clone();
    let more = |figure: &Value| assert!(figure.as_f64().unwrap() > 0.0, "{figures}");
    let waiting = |of: &str| list(of).iter().map(|one| one["waiting"].clone()).collect::<Vec<_>>();
    assert_eq!(waiting("pure"), [20, 200]);
    assert_eq!(waiting("stored"), [20, 200, 20, 200]);
    for one in list("pure") {
        for spread in ["decision_us", "to_first", "look_us", "quote_us"] {
            more(&one[spread]["least"]);
        }
    }
    for one in list("stored") {
        for spread in ["decision_us", "to_first", "per_second"] {
            more(&one[spread]["least"]);
        }
    }
    for of in ["hot", "replay"] {
        let shapes: Vec<_> = list(of).iter().map(|one| one["shape"].clone()).collect();
        assert_eq!(shapes, ["sqlite", "jetstream"]);
        list(of).iter().for_each(|one| more(&one["ratio"]["least"]));
    }
    list("replay").iter().for_each(|one| more(&one["restore_seconds"]["least"]));
    assert!(list("replay").iter().all(|one| one["events"].as_u64().unwrap() >= 5_000));
    assert_eq!(waiting("snapshots"), [20, 200, 20, 200]);
    for one in list("snapshots") {
        more(&one["entry_us"]["least"]);
        assert!(one["bytes"].as_u64().unwrap() > 20 * 100, "{one}");
    }
    let parts =
        ["The domain alone", "Through the ledger", "One hot site", "Replay at start", "Snapshots"];
    for part in parts {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
}

#[test]
fn the_short_form_of_memory_finds_every_role_with_few_sites_and_with_many() {
    let (figures, report) = run_short("memory");
    let roles = figures["roles"].as_array().unwrap();
    let names: Vec<_> = roles.iter().map(|one| (&one["sites"], &one["role"])).collect();
    let [few, many] = [4, 20].map(Value::from);
    let [gateway, token, notifier] = ["gateway", "token", "notifier"].map(Value::from);
    let expected =
        [&few, &many].map(|sites| [&gateway, &token, &notifier].map(|role| (sites, role)));
    assert_eq!(names, expected.concat());
    for one in roles {
        let [resident, own] = ["resident_mib", "own_mib"].map(|of| one[of].as_f64().unwrap());
        assert!(0.0 < own && own <= resident, "{one}");
    }
    assert!(report.contains("the program"), "{report}");
}

#[test]
fn the_short_form_of_notify_sends_every_notice_once() {
    let (figures, report) = run_short("notify");
    let rounds = figures["rounds"].as_array().unwrap();
    let replicas: Vec<_> = rounds.iter().map(|one| one["replicas"].as_u64().unwrap()).collect();
    assert_eq!(replicas, [1, 2]);
    for one in rounds {
        for figure in ["notices", "per_second", "to_places", "to_first", "cpu_us", "busy_share"] {
            assert!(one[figure].as_f64().unwrap() > 0.0, "{one}");
        }
    }
    let queues =
        figures["door"].as_array().unwrap().iter().map(|one| one["queue"].as_str().unwrap());
    assert_eq!(queues.collect::<Vec<_>>(), ["idle", "busy"]);
    for one in figures["door"].as_array().unwrap() {
        assert_eq!(one["presses"], 3, "{one}");
        assert!(one["latency"]["p50_ms"].as_f64().unwrap() > 0.0, "{one}");
    }
    assert!(figures["beside"][0]["ratio"].as_f64().unwrap() > 0.0, "{figures}");
    let receipts = figures["receipts"].as_array().unwrap();
    let processes = receipts.iter().map(|one| one["process"].as_str().unwrap());
    let expected = ["notifier", "gateway", "nats-server", "redis-server"];
    assert_eq!(processes.collect::<Vec<_>>(), expected);
    for part in ["of the places", "WeChat's door", "beside one", "a receipt"] {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
}

#[test]
fn the_short_form_of_watchers_reaches_every_screen_with_every_call() {
    let (figures, report) = run_short("watchers");
    let runs = figures["runs"].as_array().unwrap();
    let size = |run: &Value| ["sites", "streams"].map(|of| run[of].as_u64().unwrap());
    assert_eq!(runs.iter().map(size).collect::<Vec<_>>(), [[1, 20], [3, 60]], "{figures}");
    let calls: Vec<_> = runs.iter().map(|run| run["calls"].as_u64().unwrap()).collect();
    assert_eq!(calls, [1, 9], "{figures}");
    for run in runs {
        assert_eq!(run["missed"], 0, "{run}");
        for latency in ["to_a_screen", "to_the_last_screen"] {
            assert!(run[latency]["p50_ms"].as_f64().unwrap() > 0.0, "{run}");
        }
        // The last screen is none before the others.
        let most = |latency: &str| run[latency]["max_ms"].as_f64().unwrap();
        assert_eq!(most("to_a_screen"), most("to_the_last_screen"), "{run}");
        // Sixty streams may not show in the resident memory, because the server may reuse memory
        // it had.
        for memory in ["before_mib", "with_all_mib"] {
            assert!(run[memory].as_f64().unwrap() > 0.0, "{run}");
        }
    }
    for part in ["to the site's last screen", "KiB a stream", "at rest"] {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
}

#[test]
fn every_number_of_partitions_takes_appends_and_callbacks() {
    let (figures, report) = run_short("partitions");
    let rows = figures["rows"].as_array().unwrap();
    let found: Vec<_> = rows
        .iter()
        .map(|row| {
            assert!(row["per_second"]["least"].as_f64().unwrap() > 0.0, "{row}");
            let number = |name: &str| row[name].as_u64().unwrap();
            (row["what"].as_str().unwrap(), number("partitions"), number("at_once"))
        })
        .collect();
    let appends = [1, 2].into_iter().flat_map(|partitions| {
        [1, 8]
            .into_iter()
            .flat_map(move |at_once| ["floor", "append"].map(|what| (what, partitions, at_once)))
    });
    let batches = [1, 8].map(|at_once| ("atomic batch", 1, at_once));
    let callbacks = [1, 2].map(|partitions| ("callback", partitions, 8));
    assert_eq!(found, appends.chain(batches).chain(callbacks).collect::<Vec<_>>());
    assert!(report.contains("÷ the first number"), "{report}");
}

#[test]
fn the_short_form_of_history_reads_every_visit() {
    let (figures, report) = run_short("history");
    assert_eq!(figures["visits"], 2 * 5 * 20, "{figures}");
    for figure in ["write_seconds", "drop_seconds", "read_seconds", "ratio", "after_mib"] {
        assert!(figures[figure].as_f64().unwrap() > 0.0, "{figures}");
    }
    assert!(report.contains("read by a gateway"), "{report}");
}

#[test]
fn the_short_form_of_start_restores_every_site_and_replays_every_event() {
    let (figures, report) = run_short("start");
    let count = |figure: &str| figures[figure].as_u64().unwrap();
    assert_eq!(count("sites"), 8, "{figures}");
    assert!(count("events") >= 800, "{figures}");
    assert!(
        count("tail_entries") >= 8 * 5 && count("tail_entries") < count("entries"),
        "{figures}"
    );
    assert!(count("snapshot_bytes") > 8 * 100, "{figures}");
    // A gateway whose sites were behind at its readiness fails the run, as does a lost event.
    for figure in ["empty_seconds", "ready_seconds", "drop_seconds", "replay_seconds", "ratio"] {
        assert!(figures[figure]["least"].as_f64().unwrap() > 0.0, "{figure}: {figures}");
    }
    for part in ["is ready after", "over an empty ledger", "applied in"] {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
}

#[test]
fn the_short_form_of_appends_finds_every_way() {
    let (figures, report) = run_short("appends");
    let ways: Vec<_> = figures["ways"].as_array().unwrap().iter().map(|one| &one["way"]).collect();
    let expected = ["a page, synced", "insert", "inserts together", "append", "appends at once"];
    assert_eq!(ways, expected);
    for way in figures["ways"].as_array().unwrap() {
        assert!(way["per_second"]["least"].as_f64().unwrap() > 0.0, "{way}");
        assert!(report.contains(way["way"].as_str().unwrap()), "{report}");
    }
    let ratios = figures["ratios"].as_array().unwrap();
    assert_eq!(ratios.len(), 2, "{figures}");
    assert!(ratios.iter().all(|one| one["ratio"]["least"].as_f64().unwrap() > 0.0), "{figures}");
}
