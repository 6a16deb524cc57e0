//! How much a large repository takes. Not run with the others: `cargo test --test integration large -- --ignored --nocapture`.

use std::fs;
use std::io::{BufWriter, Read as _, Write as _};
use std::process::{Command, Stdio};
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

    /// So many versions of a file that does not compress, written into the repository of the host as one pack; and none of it
    /// in the newest commit.
    fn burden(&self, versions: usize, bytes: u64) {
        let bare = self.host.root().join("m.git");
        let mut import = Command::new("git");
        import.args(["-c", "core.compression=0", "fast-import", "--quiet", "--depth=0"]).current_dir(&bare);
        let mut import = import.stdin(Stdio::piped()).spawn().unwrap();
        let mut into = BufWriter::new(import.stdin.take().unwrap());
        for version in 0..=versions {
            write!(
                into,
                "commit refs/heads/main\ncommitter somebody <somebody@example.com> {} +0000\n",
                1_767_225_600 + version
            )
            .unwrap();
            write!(into, "data 5\nlarge\n").unwrap();
            if version == 0 {
                writeln!(into, "from refs/heads/main^0").unwrap();
            }
            if version == versions {
                writeln!(into, "D app/large.bin\n").unwrap();
                continue;
            }
            writeln!(into, "M 100644 inline app/large.bin\ndata {bytes}").unwrap();
            let mut random = fs::File::open("/dev/urandom").unwrap().take(bytes);
            std::io::copy(&mut random, &mut into).unwrap();
            writeln!(into).unwrap();
        }
        into.flush().unwrap();
        drop(into);
        assert!(import.wait().unwrap().success());
        self.git(&["fetch", "-q", "--depth", "1", &format!("file://{}", bare.display()), "main"]);
        self.git(&["reset", "-q", "--hard", "FETCH_HEAD"]);
    }

    #[expect(clippy::print_stdout, reason = "it is run for its figures")]
    fn measure(&self, what: &str, within: Duration, mib: u64) {
        self.edit(7);
        for round in ["first fetch", "next fetch"] {
            let (took, most) = self.measured(&["plan", "dev"], 2);
            println!("{what}, {round}: {:.1} s, {most} MiB", took.as_secs_f64());
            assert!(took < within && most < mib, "{what}, {round}: {took:?}, {most} MiB");
            self.edit(8);
        }
    }
}

#[test]
#[ignore = "takes a minute and 2 GiB of disk"]
fn large_repositories_take_little_time_and_memory() {
    let hosted = Hosted::new();
    for number in 0..20_000 {
        hosted.place.write(&format!("app/files/{}/{number}.txt", number % 100), &format!("file {number}\n"));
    }
    hosted.push(&[]);
    hosted.measure("20,000 files", Duration::from_secs(20), 400);

    let hosted = Hosted::new();
    hosted.burden(16, 64 << 20);
    hosted.measure("1 GiB of history", Duration::from_secs(20), 400);
}
