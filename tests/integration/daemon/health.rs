//! What machines ask the daemon.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use super::place::{Daemon, Place, until};

/// Status and body of the answer to these bytes.
fn asked(address: &str, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn get(address: &str, path: &str) -> (u16, String) {
    asked(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"))
}

fn started(place: &Place) -> (Daemon, String) {
    let daemon = place.start(&["--health-listen", "127.0.0.1:0"]);
    until("it listens", || daemon.log().contains("address=127"));
    let address = daemon.address();
    (daemon, address)
}

#[test]
fn machines_see_whether_the_daemon_lives_is_ready_and_how_objects_stand() {
    let place = Place::new();
    let (mut daemon, address) = started(&place);
    until("everything was looked at", || get(&address, "/readyz") == (200, "ok\n".to_owned()));
    assert_eq!(get(&address, "/livez"), (200, "ok\n".to_owned()));
    let ready = r#"landfast_objects{environment="dev",kind="stack",sync="Synced",health="Healthy",state="Ready"} 1"#;
    until("the stack is ready", || get(&address, "/metrics").1.contains(ready));
    let figures = get(&address, "/metrics").1;
    assert!(figures.contains("landfast_manifests_current 1\n") && figures.ends_with("# EOF\n"), "{figures}");
    // What the daemon goes on with is older than what is on disk.
    place.write("environment.yaml", "nonsense: true\n");
    until("the error is seen", || get(&address, "/metrics").1.contains("landfast_manifests_current 0\n"));
    assert!(get(&address, "/metrics").1.contains(ready));
    assert_eq!(get(&address, "/readyz").0, 200);
    assert_eq!(daemon.terminate().0, Some(0));
}

#[test]
fn whoever_is_not_on_this_machine_gets_nothing() {
    let place = Place::new();
    let (daemon, address) = started(&place);
    let rebound = "GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    for (request, status) in [
        (rebound.to_owned(), 403),
        ("GET /metrics HTTP/1.1\r\n\r\n".to_owned(), 403),
        (format!("POST /metrics HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n"), 405),
        (format!("GET /../../etc/passwd HTTP/1.1\r\nHost: {address}\r\n\r\n"), 404),
        (format!("GET / HTTP/1.1\r\nHost: {address}\r\nX: {}\r\n\r\n", "y".repeat(100_000)), 400),
        ("nonsense\r\n\r\n".to_owned(), 400),
    ] {
        assert_eq!(asked(&address, &request).0, status, "{request:.80}");
    }
    drop(daemon);
    let refused = place.run(&["run", "--health-listen", "0.0.0.0:0", "--sim-speed", "3600"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("use 127.0.0.1 or [::1]"), "{said}");
}
