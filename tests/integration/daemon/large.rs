//! How much a large repository takes. Not run with the others: `cargo test --test integration large -- --ignored --nocapture`.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::host::Hosted;

impl Hosted {
    /// Runs a command to its end: how long it took, and the most memory that it had, in MiB.
    #[track_caller]
    fn measured(&self, arguments: &[&str], code: i32) -> (Duration, u64) {
        let began = Instant::now();
        let log = self.place.dir.path().join("measured");
        let file = fs::File::create(&log).unwrap();
        let mut child =
            self.command(arguments).stdout(file.try_clone().unwrap()).stderr(Stdio::from(file)).spawn().unwrap();
        let mut most = 0;
        let ended = loop {
            let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
            most = most.max(kib.unwrap_or_default() / 1024);
            if let Some(ended) = child.try_wait().unwrap() {
                break ended;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(ended.code(), Some(code), "{}", fs::read_to_string(&log).unwrap());
        (began.elapsed(), most)
    }

    #[expect(clippy::print_stdout, reason = "it is run for its figures")]
    fn measure(&self, what: &str, within: Duration, mib: u64) {
        self.place.edit(7);
        for round in ["first fetch", "next fetch"] {
            let (took, most) = self.measured(&["plan", "dev"], 2);
            println!("{what}, {round}: {:.1} s, {most} MiB", took.as_secs_f64());
            assert!(took < within && most < mib, "{what}, {round}: {took:?}, {most} MiB");
            self.edit(8);
        }
    }
}

#[test]
#[ignore = "takes a minute and 3 GiB of disk"]
fn large_repositories_take_little_time_and_memory() {
    let hosted = Hosted::new();
    for number in 0..20_000 {
        hosted.place.write(&format!("app/files/{}/{number}.txt", number % 100), &format!("file {number}\n"));
    }
    hosted.push(&[]);
    hosted.measure("20,000 files", Duration::from_secs(20), 400);

    // Sixteen versions of a file that does not compress, and none of it in the newest commit.
    let hosted = Hosted::new();
    let file = hosted.place.manifests().join("app/large.bin");
    for _ in 0..16 {
        let mut random = std::io::Read::take(fs::File::open("/dev/urandom").unwrap(), 64 << 20);
        std::io::copy(&mut random, &mut fs::File::create(&file).unwrap()).unwrap();
        hosted.git(&["add", "-A"]);
        hosted.git(&["-c", "core.compression=0", "commit", "-q", "-m", "large"]);
    }
    fs::remove_file(&file).unwrap();
    hosted.push(&[]);
    hosted.measure("1 GiB of history", Duration::from_secs(20), 400);
}
