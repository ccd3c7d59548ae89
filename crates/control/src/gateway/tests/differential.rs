//! The same bytes to memcached and to a gateway: the same replies.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tokio::net::UnixStream;

use super::*;

struct Memcached {
    child: Child,
    folder: tempfile::TempDir,
}

impl Memcached {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("memcached");
        command.arg("-vv").arg("-s").arg(folder.path().join("m.sock")).args(["-u", "root", "-t", "1"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        lines.find(|line| line.as_ref().unwrap().contains("server listening")).unwrap().unwrap();
        // A full pipe would block it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, folder }
    }

    async fn talk(&self, input: &[u8]) -> Vec<u8> {
        let stream = UnixStream::connect(self.folder.path().join("m.sock")).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let send = async move {
            // It may close before everything was sent.
            let _ = writer.write_all(input).await;
            let _ = writer.shutdown().await;
        };
        let mut answer = Vec::new();
        let (_, _) = tokio::join!(send, reader.read_to_end(&mut answer));
        answer
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Without versions, which differ.
fn plain(answer: &[u8]) -> String {
    let lines = answer.split_inclusive(|&byte| byte == b'\n').map(|line| {
        let text = String::from_utf8_lossy(line).into_owned();
        let words: Vec<_> = text.split(' ').collect();
        if words.len() == 5 && words[0] == "VALUE" {
            return words[..4].join(" ") + " #\r\n";
        }
        if !matches!(words[0], "HD" | "VA" | "EX" | "NS" | "NF") {
            return text;
        }
        let hide = |word: &str| {
            let digits = word.trim_end().strip_prefix('c');
            if digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()) && digits != "0")
            {
                return "c#".to_owned();
            }
            // The second may have changed in between.
            if word.trim_end() == "t99" { word.replace("t99", "t100") } else { word.to_owned() }
        };
        words.iter().map(|word| hide(word.trim_end())).collect::<Vec<_>>().join(" ") + "\r\n"
    });
    lines.collect()
}

/// The versions in a binary reply, which differ.
fn without_versions(answer: &[u8]) -> Vec<u8> {
    let mut answer = answer.to_vec();
    let mut at = 0;
    while let Some(header) = answer.get(at..at + 24) {
        let body = u32::from_be_bytes(header[8..12].try_into().unwrap()) as usize;
        let is_set = header[16..24] != [0; 8];
        answer[at + 16..at + 24].fill(u8::from(is_set));
        at += 24 + body;
    }
    answer
}

/// The difference, if there is one.
async fn same(memcached: &Memcached, shelf: &Arc<Shelf>, input: &[u8]) -> Option<String> {
    let (theirs, ours) = (memcached.talk(input).await, talk(shelf, input).await);
    let (ours, theirs) = if input.first() == Some(&0x80) {
        let text = |answer: &[u8]| without_versions(answer).escape_ascii().to_string();
        (text(&ours), text(&theirs))
    } else {
        (plain(&ours), plain(&theirs))
    };
    let input = input[..input.len().min(2000)].escape_ascii();
    let (a, b) = (&ours, &theirs);
    let at = a.bytes().zip(b.bytes()).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
    let near = |text: &str| text.chars().skip(at.saturating_sub(120)).take(200).collect::<String>();
    let (ours, theirs) = (near(a), near(b));
    // memcached closes without reading the rest, which can destroy its last reply.
    let is_lost = b.is_empty() && !a.is_empty() && input_ends_unread(a);
    (a != b && !is_lost).then(|| format!("{input}\n  ours:   {ours:?}\n  theirs: {theirs:?}\n"))
}

/// Whether an answer has the refusal of a binary frame and nothing after it.
fn input_ends_unread(answer: &str) -> bool {
    answer.ends_with("Unknown command") || answer.ends_with("Invalid arguments")
}

fn none(differences: &[String]) {
    let shown = differences.iter().step_by(1 + differences.len() / 24).take(24).cloned().collect::<String>();
    assert!(differences.is_empty(), "{} differences\n{shown}", differences.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_every_kind() {
    let (memcached, shelf, mut found) = (Memcached::start(), shelf(memory(), None), Vec::new());
    let k = "k".repeat(250);
    let (long, big) = ("k".repeat(251), "x".repeat(1 << 20));
    let larger = format!("{big}{big}");
    let mut cases: Vec<String> = LINES.iter().chain(ALONE).map(|line| (*line).to_owned()).collect();
    for command in ["set", "add", "replace", "append", "prepend"] {
        for tail in ["", " noreply"] {
            cases.push(format!("{command} c-{command} 7 0 3{tail}\r\nabc\r\nget c-{command}\r\n"));
            cases.push(format!("set d-{command} 7 0 1\r\nx\r\n{command} d-{command} 8 0 3{tail}\r\nabc\r\nget d-{command}\r\n"));
            cases.push(format!("{command} {k} 0 0 1{tail}\r\nx\r\nget {k}\r\n"));
            cases.push(format!("{command} {long} 0 0 1{tail}\r\nget a\r\n"));
            cases.push(format!("{command} a 0 0 3{tail}\r\nabcde\r\nget a\r\n"));
            cases.push(format!("{command} a 0 0 x{tail}\r\nget a\r\n"));
            cases.push(format!("{command} a 0 x 1{tail}\r\nget a\r\n"));
            cases.push(format!("{command} a x 0 1{tail}\r\nget a\r\n"));
            cases.push(format!("{command} a 0 0 -1{tail}\r\nget a\r\n"));
            cases.push(format!("{command} a 0 0 2147483647{tail}\r\nget a\r\n"));
            cases.push(format!("{command} a -1 0 1{tail}\r\nx\r\nget a\r\n"));
            cases.push(format!("{command} a 4294967296 0 1{tail}\r\nx\r\nget a\r\n"));
            cases.push(format!("{command} e-{command} 0 -1 1{tail}\r\nx\r\nget e-{command}\r\n"));
            cases.push(format!("{command} a 0 0{tail}\r\nget a\r\n"));
            cases.push(format!("{command} a{tail}\r\nget a\r\n"));
            cases.push(format!("set f-{command} 0 0 1\r\nx\r\n{command} f-{command} 0 0 {}{tail}\r\n{larger}\r\nget f-{command}\r\n", larger.len()));
        }
    }
    for command in ["incr", "decr"] {
        for (value, delta) in [
            ("5", "1"),
            ("10", "1"),
            ("0", "1"),
            ("18446744073709551615", "1"),
            ("18446744073709551615", "2"),
            ("abc", "1"),
            ("5", "x"),
            ("5", "-1"),
            ("5", "18446744073709551616"),
            ("99", "1"),
            ("100", "50"),
            ("007", "1"),
            ("5 ", "1"),
            (" 5", "1"),
            ("-5", "1"),
            ("", "1"),
            ("1.5", "1"),
            ("18446744073709551616", "1"),
            ("1000000000000000000000000", "1"),
            ("5", "1 noreply"),
            ("5", ""),
        ] {
            let key = format!("n-{command}-{}-{}", value.trim(), delta.replace(' ', "_"));
            cases.push(format!(
                "set {key} 3 0 {}\r\n{value}\r\n{command} {key} {delta}\r\nget {key}\r\n",
                value.len()
            ));
        }
        cases.push(format!("{command} none 1\r\n{command} {long} 1\r\n"));
    }
    for command in ["touch {} 5", "gat 5 {}", "gats 5 {}", "get {}", "delete {}", "incr {} 1"] {
        for tail in ["", " noreply"] {
            let line = |key: &str| command.replace("{}", key) + tail + "\r\n";
            cases.push(line(&k) + &line(&long));
        }
    }
    assert!(cases.len() > 250, "{}", cases.len());
    for case in cases {
        found.extend(same(&memcached, &shelf, case.as_bytes()).await);
    }
    none(&found);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_commands() {
    let (memcached, shelf, mut found) = (Memcached::start(), shelf(memory(), None), Vec::new());
    for seed in 0..400_u64 {
        let mut random = Random(seed * 7919 + 1);
        let mut stream = String::new();
        for _ in 0..30 {
            let key = format!("s{seed}-{}", random.below(4));
            let words = ["set", "add", "replace", "append", "prepend"];
            let noreply = if random.below(8) == 0 { " noreply" } else { "" };
            let number = random.below(2000).to_string();
            stream += &match random.below(13) {
                0..=4 => {
                    let verb = words[random.below(5)];
                    format!("{verb} {key} {} 0 {}{noreply}\r\n{number}\r\n", random.below(9), number.len())
                }
                5 => format!("get {key} s{seed}-0  s{seed}-9\r\n"),
                6 => format!("gets {key}\r\n"),
                7 => format!("incr {key} {number}{noreply}\r\n"),
                8 => format!("decr {key} {number}{noreply}\r\n"),
                9 => format!("delete {key}{noreply}\r\n"),
                10 => format!("touch {key} {}{noreply}\r\n", [0, 100, -1][random.below(3)]),
                11 => format!("gat {} {key}\r\n", [0, 100][random.below(2)]),
                _ => LINES[random.below(LINES.len())].to_owned(),
            };
        }
        found.extend(same(&memcached, &shelf, stream.as_bytes()).await);
    }
    none(&found);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn meta_commands() {
    let (memcached, shelf, mut found) = (Memcached::start(), shelf(memory(), None), Vec::new());
    for seed in 0..300_u64 {
        let mut random = Random(seed * 15_485_863 + 1);
        let mut stream = String::new();
        for _ in 0..30 {
            let key = ["a", "b", "n"][random.below(3)];
            let (key, binary) =
                if random.below(6) == 0 { ("Zm9v".to_owned(), " b") } else { (format!("m{seed}-{key}"), "") };
            let mut flags = binary.to_owned();
            for _ in 0..random.below(4) {
                flags += META[random.below(META.len())];
            }
            let number = random.below(300).to_string();
            stream += &match random.below(9) {
                0..=2 => format!("mg {key}{flags}\r\n"),
                3..=5 => format!("ms {key} {}{flags}\r\n{number}\r\n", number.len()),
                6 => format!("md {key}{flags}\r\n"),
                // A number that is made hides its quiet reply, too, and its end is told wherever `N` stands.
                7 => {
                    let made = if flags.contains(" q") { 3 } else { 5 };
                    let made = ["", " MD", " D5", " N0", " N100 J7"][random.below(made)];
                    format!("ma {key}{made}{flags}\r\n")
                }
                _ => META_LINES[random.below(META_LINES.len())].to_owned(),
            };
        }
        found.extend(same(&memcached, &shelf, stream.as_bytes()).await);
    }
    for line in META_LINES {
        found.extend(same(&memcached, &shelf, line.as_bytes()).await);
    }
    none(&found);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn binary_streams() {
    let (memcached, shelf, mut found) = (Memcached::start(), shelf(memory(), None), Vec::new());
    for seed in 0..400_u64 {
        let mut random = Random(seed * 104_729 + 1);
        let mut stream = Vec::new();
        for at in 0..30 {
            let key = format!("b{seed}-{}", random.below(3)).into_bytes();
            let value = random.below(2000).to_string().into_bytes();
            let opcode = BINARY[random.below(BINARY.len())];
            let (mut extras, mut keyed, mut valued) = (Vec::new(), &key[..], &b""[..]);
            match opcode {
                0x01..=0x03 | 0x11..=0x13 => {
                    extras = [0, 0, 0, 5, 0, 0, 0, 0].to_vec();
                    valued = &value;
                }
                0x05 | 0x06 | 0x15 | 0x16 => {
                    // A number that becomes shorter has spaces only while no reply still refers to it.
                    extras.extend((3 * u64::from(opcode & 1)).to_be_bytes());
                    extras.extend(10_u64.to_be_bytes());
                    extras.extend(if random.below(2) == 0 { [0xff; 4] } else { [0; 4] });
                }
                0x0e | 0x0f | 0x19 | 0x1a => valued = &value,
                0x1c..=0x1e | 0x23 | 0x24 => extras = [0, 0, 0, 100].to_vec(),
                0x0a | 0x20 | 0x40 => keyed = b"",
                _ => {}
            }
            let version = if random.below(12) == 0 { u64::MAX } else { 0 };
            stream.extend(frame(opcode, at, version, &extras, keyed, valued));
        }
        found.extend(same(&memcached, &shelf, &stream).await);
    }
    none(&found);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn binary_frames_that_are_wrong() {
    let (memcached, shelf, mut found) = (Memcached::start(), shelf(memory(), None), Vec::new());
    let noop = frame(0x0a, 9, 0, &[], b"", b"");
    for opcode in 0..=0x50_u8 {
        // Version, stat and quit differ or end; flush empties both.
        if matches!(opcode, 0x07 | 0x08 | 0x0b | 0x10 | 0x17 | 0x18 | 0x21 | 0x22) {
            continue;
        }
        for (extras, key, value) in [
            (&b""[..], &b""[..], &b""[..]),
            (b"", b"key", b""),
            (b"", b"key", b"value"),
            (b"\0\0\0\0", b"key", b""),
            (b"\0\0\0\0\0\0\0\0", b"key", b"value"),
            (b"\0\0\0\0\0\0\0\0", b"", b"value"),
            (b"\0", b"key", b""),
            (b"", &[b'k'; 250], b""),
            (b"", &[b'k'; 251], b""),
        ] {
            let stream = [frame(opcode, 1, 0, extras, key, value), noop.clone()].concat();
            found.extend(same(&memcached, &shelf, &stream).await);
        }
    }
    none(&found);
}

fn frame(opcode: u8, opaque: u32, version: u64, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80, opcode];
    frame.extend(u16::try_from(key.len()).unwrap().to_be_bytes());
    frame.extend([u8::try_from(extras.len()).unwrap(), 0, 0, 0]);
    frame.extend(u32::try_from(extras.len() + key.len() + value.len()).unwrap().to_be_bytes());
    frame.extend(opaque.to_be_bytes());
    frame.extend(version.to_be_bytes());
    [&frame, extras, key, value].concat()
}

/// xorshift64
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

const LINES: &[&str] = &[
    "verbosity a b c\r\n",
    "verbosity x\r\n",
    "verbosity 1 2\r\n",
    "verbosity a b c noreply\r\n",
    "stats noreply\r\n",
    "stats bogus\r\n",
    "stats reset\r\n",
    "\r\n",
    "\n",
    " \r\n",
    "x\r\n",
    "xx\r\n",
    "get\r\n",
    "get \r\n",
    "gets\r\n",
    "gat\r\n",
    "gat 1\r\n",
    "gats 1\r\n",
    "gat x key\r\n",
    "GET a\r\n",
    " get a\r\n",
    "get a\n",
    "get a \r\n",
    "get  a  b\r\n",
    "get a\rb\r\n",
    "getx a\r\n",
    "set\r\n",
    "set a\r\n",
    "set a 0 0\r\n",
    "set a 0 0 1 2 3\r\n",
    "cas a 0 0 1\r\n",
    "cas a 0 0 1 x\r\n",
    "cas a 0 0 1 5\r\nx\r\n",
    "cas none 0 0 1 5 noreply\r\nx\r\n",
    "cas b 0 0 2 5\r\nx\r\n",
    "delete\r\n",
    "delete none\r\n",
    "delete none 0\r\n",
    "delete none 5\r\n",
    "delete none 0 noreply\r\n",
    "delete none 5 noreply\r\n",
    "delete none noreply\r\n",
    "delete none x y z\r\n",
    "touch\r\n",
    "touch none\r\n",
    "touch none 5\r\n",
    "touch none x\r\n",
    "touch none 5 noreply\r\n",
    "touch none 5 6 7\r\n",
    "incr\r\n",
    "incr none\r\n",
    "incr none 1\r\n",
    "incr none x\r\n",
    "incr none 1 noreply\r\n",
    "decr none 1\r\n",
    "verbosity\r\n",
    "verbosity 1\r\n",
    "verbosity 1 noreply\r\n",
    "verbosity noreply\r\n",
    "flush_all x\r\n",
    "flush_all 0 x y\r\n",
    "flush_all x noreply\r\n",
    "mn\r\n",
    "incr a 1 2\r\n",
    "quit x\r\n",
    "bogus a b c\r\n",
    "set a 0 0 1 noreply\r\nx\r\n",
    "set a 1 2 noreply\r\n",
    "noreply\r\n",
    "get noreply\r\n",
    "set a 0 0 0\r\n\r\nget a\r\n",
];
/// Lines that streams of commands leave out, as they would change what those do.
const ALONE: &[&str] = &[
    "cas missing 0 0 1 5\r\nx\r\n",
    "gat 100 missing\r\ngats 100 missing\r\n",
    "set t 0 0 1\r\nx\r\ngat -1 t\r\nget t\r\n",
    "set t 0 0 1\r\nx\r\ntouch t -1\r\nget t\r\n",
    "set t 0 -2147483648 1\r\nx\r\nget t\r\n",
    "set t 0 2147483647 1\r\nx\r\nget t\r\ntouch t 2147483647\r\ngat 2147483647 t\r\n",
    "flush_all 2147483647\r\nflush_all 4294967296\r\nflush_all noreply\r\n",
    "verbosity 4294967296\r\nverbosity -1\r\n",
    "incr none -1 noreply\r\ndecr none x noreply\r\ntouch none x noreply\r\nget a\r\n",
];
const META: &[&str] = &[
    " c", " f", " k", " s", " t", " v", " v", " q", " Oabc", " T100", " T0", " F7", " C1", " C0", " ME",
    " MA", " MP", " MR", " MS", " MX", " MII", " u", " y", " Fx", " Cx", " Tx", " Dx", " Jx",
];
const META_LINES: &[&str] = &[
    "mg\r\n",
    "mg none\r\n",
    "mg none v q k O1\r\nmn\r\n",
    "mg none k b\r\n",
    "mg none v v\r\n",
    "mg none Oabcdefghijklmnopqrstuvwxyzabcdefghijkl\r\n",
    "mg none c f k s t v u O1 q L P a d e g i j m n o p\r\n",
    "ms none\r\n",
    "ms none x\r\n",
    "ms none -1\r\n",
    "ms none 2\r\nlong\r\n",
    "ms none 2 q\r\nlong\r\n",
    "ms none 2 MX\r\nok\r\n",
    "ms none S2\r\n",
    "md none q\r\n",
    "md none C5 k O9\r\n",
    "md none zz\r\n",
    "ma none\r\n",
    "ma none q v t c k\r\n",
    "ma none MX\r\n",
    "me none\r\n",
    "mn x\r\n",
];
const BINARY: &[u8] = &[
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x09, 0x0a, 0x0c, 0x0d, 0x0e, 0x0f, 0x11, 0x12, 0x13, 0x14,
    0x15, 0x16, 0x19, 0x1a, 0x1c, 0x1d, 0x1e, 0x20, 0x23, 0x24, 0x40,
];
