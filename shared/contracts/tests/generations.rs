//! Test of the generations of stored forms: an older program meets no version that it cannot read.

use paihao_contracts::envelope::{FORMS, WriteVersion};

/// Versions of all forms in the first generation, and those that each later one has raised. A
/// version that is raised begins a generation here, and is written where `WriteVersion::allows` it
/// only.
const GENERATIONS: &[&[(&str, u32)]] = &[
    &[
        ("callback faults", 1),
        ("callback verification", 1),
        ("commit", 3),
        ("dead letter resolution", 1),
        ("kiosk pairing", 1),
        ("authorization grant", 1),
        ("migrating members", 1),
        ("notice", 1),
        ("outcome record", 1),
        ("receipt", 1),
        ("send window", 1),
        ("scan session", 1),
        ("open invitations", 1),
        ("refused scans", 1),
        ("settings entry", 1),
        ("site snapshot", 1),
        ("snapshot floor", 1),
        ("roster entry", 1),
        ("browser session", 1),
        ("template test", 1),
        ("template tests", 1),
        ("ticket record", 1),
        ("refused token", 1),
        ("token failure", 1),
        ("access token", 1),
        ("unfollowed people", 1),
        ("visit entry", 1),
        ("webhook message", 1),
        ("webhook deliveries", 1),
    ],
    &[("commit", 5), ("settings entry", 2), ("site snapshot", 3), ("roster entry", 2)],
];

#[test]
fn a_version_that_an_older_program_cannot_read_begins_a_generation() {
    let mut newest = GENERATIONS[0].to_vec();
    for (name, version) in GENERATIONS[1..].iter().copied().flatten() {
        let form = newest.iter_mut().find(|(known, _)| known == name).expect("a form");
        assert!(*version > form.1, "{name} is raised");
        form.1 = *version;
    }
    assert_eq!(newest, FORMS, "raise WriteVersion::NEWEST, and add a row");
    assert_eq!(WriteVersion::NEWEST.number() as usize, GENERATIONS.len());
    assert_eq!(WriteVersion::clamped(0).number(), 1);
    assert_eq!(WriteVersion::clamped(u32::MAX), WriteVersion::NEWEST);
    assert!(WriteVersion::clamped(1).allows(1) && !WriteVersion::clamped(1).allows(2));
}
