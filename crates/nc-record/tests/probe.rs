//! Probe.
use nc_record::Features;
fn read(bytes: &[u8]) -> String {
    let d = tempfile::tempdir().unwrap();
    let p = d.path().join("f");
    std::fs::write(&p, bytes).unwrap();
    match Features::read(&p) {
        Ok(f) => format!("OK classes {} dims {} n {}", f.classes, f.dims, f.labels.len()),
        Err(e) => e.to_string().rsplit_once("/f: ").unwrap().1.into(),
    }
}
fn st(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}
#[test]
fn probe() {
    let head = r#"{"features":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"labels":{"dtype":"U8","shape":[1],"data_offsets":[4,5]}}"#;
    println!("plain: {}", read(&st(head, &[0; 5])));
    println!("PK header length: {}", read(&st(&format!("{head:<19280}"), &[0; 5])));
    let k = r#"{"features":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"labels":{"dtype":"U8","shape":[2],"data_offsets":[8,10]}}"#;
    println!("label 2 of 2 samples: {}", read(&st(k, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 2])));
    let z = r#"{"features":{"dtype":"F32","shape":[1,0],"data_offsets":[0,0]},"labels":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"weight":{"dtype":"F32","shape":[1000000000000,0],"data_offsets":[1,1]}}"#;
    println!("no dims, 1e12 classes: {}", read(&st(z, &[0; 1])));
    let e = r#"{"features":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]},"labels":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#;
    println!("no samples: {}", read(&st(e, &[])));
    let e = r#"{"features":{"dtype":"I64","shape":[0,3],"data_offsets":[0,0]},"labels":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#;
    println!("no samples of wrong kinds: {}", read(&st(e, &[])));
    let plain = std::fs::read("tests/data/plain.npz").unwrap();
    let at = plain.windows(4).position(|w| w == 0.875f32.to_le_bytes()).unwrap();
    let mut b = plain.clone();
    b[at + 3] ^= 0x80;
    println!("a flipped sign in a stored npz: {}", read(&b));
    let at = plain.windows(6).position(|w| w == b"(4, 3)").unwrap();
    let mut b = plain.clone();
    b[at + 1] = b'3';
    println!("shape smaller than data: {}", read(&b));
}
#[test]
fn probe_zip64() {
    for (n, size, start) in [
        (1u64 << 33, 46u64 << 33, 1u64 << 34),
        (1 << 33, 46 << 33, 0),
        (1 << 33, 0, 1 << 40),
        (1 << 61, u64::MAX, u64::MAX - 5),
        (1u64 << 33, 46u64 << 33, 4),
    ] {
        let mut b = b"PK\x03\x04".to_vec();
        b.resize(64, 0);
        let at = b.len() as u64;
        b.extend(b"PK\x06\x06");
        b.extend(44u64.to_le_bytes());
        b.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for x in [n, n, size, start] {
            b.extend(x.to_le_bytes());
        }
        b.extend(b"PK\x06\x07\0\0\0\0");
        b.extend(at.to_le_bytes());
        b.extend([1, 0, 0, 0]);
        b.extend(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0");
        println!("zip64 {n} {size} {start}: {}", read(&b));
    }
}
