//! Probe.
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let t = std::time::Instant::now();
    let r = nc_record::Features::read(path.as_ref());
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    let hwm: Vec<_> = s.lines().filter(|l| l.starts_with("VmHWM") || l.starts_with("VmPeak")).collect();
    match r {
        Ok(f) => println!(
            "{path}: n {} k {} last {:?} {:?} {hwm:?}",
            f.labels.len(),
            f.classes,
            f.features.last(),
            t.elapsed()
        ),
        Err(e) => println!("{e} {:?} {hwm:?}", t.elapsed()),
    }
}
