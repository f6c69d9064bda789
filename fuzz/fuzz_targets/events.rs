//! Event log of a run. Parsed events must survive a round trip.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nc_record::RunDir;

fuzz_target!(|bytes: &[u8]| {
    let directory = nclt_fuzz::directory(&[(RunDir::EVENTS, bytes)]);
    if let Some(events) = nclt_fuzz::read(RunDir::read_events(directory.path())) {
        let mut log = RunDir::open(directory.path()).expect("a run").event_log().expect("a log");
        for event in &events {
            log.append(event).expect("an event");
        }
        assert_eq!(RunDir::read_events(directory.path()).expect("what was written"), events);
    }
});
