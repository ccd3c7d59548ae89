//! Bad clients: they stall, abort, or send garbage and attacks. They need no response.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use balance::Rng;
use rustix::net::sockopt::set_socket_linger;

use super::good::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    SlowHead,
    SlowReader,
    Aborting,
    Hostile,
}

impl Kind {
    pub(crate) const ALL: [(Self, usize); 4] =
        [(Self::SlowHead, 8), (Self::SlowReader, 4), (Self::Aborting, 8), (Self::Hostile, 6)];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SlowHead => "slow head",
            Self::SlowReader => "slow reader",
            Self::Aborting => "aborting",
            Self::Hostile => "hostile",
        }
    }
}

/// Runs a client until the load ends. Returns the number of its connections.
pub(crate) fn run(world: &World, kind: Kind, mut random: Rng) -> u64 {
    let mut connections = 0;
    while !world.is_over() {
        connections += 1;
        // An error means that the balancer cut it off, as it should.
        let _ = match kind {
            Kind::SlowHead => slow_head(world, &mut random),
            Kind::SlowReader => slow_reader(world, &mut random),
            Kind::Aborting => abort(world, &mut random),
            Kind::Hostile => attack(world, &mut random),
        };
        std::thread::sleep(Duration::from_millis(random.below(100)));
    }
    connections
}

fn slow_head(world: &World, random: &mut Rng) -> io::Result<()> {
    let mut stream = world.connect(random)?;
    for byte in b"GET /slow HTTP/1.1\r\nHost: soak.example\r\nX-Long: abcdefghijklmnopqrstuvwxyz" {
        if world.is_over() {
            break;
        }
        stream.write_all(&[*byte])?;
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

fn slow_reader(world: &World, random: &mut Rng) -> io::Result<()> {
    let mut stream = world.connect(random)?;
    let path = format!("/echo/{}/8000000", world.id());
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: soak.example\r\n\r\n").as_bytes())?;
    let mut block = [0; 1_000];
    while !world.is_over() && stream.read(&mut block)? > 0 {
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

/// Ends the connection at a random point, with FIN or with a reset.
fn abort(world: &World, random: &mut Rng) -> io::Result<()> {
    let mut stream = world.connect(random)?;
    let id = world.id();
    let get = format!("GET /echo/{id}/300000 HTTP/1.1\r\nHost: soak.example\r\n\r\n");
    let post =
        format!("POST /echo/{id}/9 HTTP/1.1\r\nHost: soak.example\r\nContent-Length: 9000\r\n\r\nbody");
    let message = if random.below(2) == 0 { get } else { post };
    let part = 1 + random.below(message.len() as u64) as usize;
    let sent = if random.below(2) == 0 { part } else { message.len() };
    stream.write_all(&message.as_bytes()[..sent])?;
    if random.below(2) == 0 {
        stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        let _ = stream.read(&mut [0; 4_000]);
    }
    if random.below(2) == 0 {
        set_socket_linger(&stream, Some(Duration::ZERO))?;
    }
    Ok(())
}

fn attack(world: &World, random: &mut Rng) -> io::Result<()> {
    let mut stream = world.connect(random)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let choice = random.below(ATTACKS.len() as u64 + 2) as usize;
    match ATTACKS.get(choice) {
        Some(attack) => stream.write_all(attack)?,
        None if choice == ATTACKS.len() => garbage(&mut stream, random)?,
        None => {
            stream.write_all(b"GET / HTTP/1.1\r\n")?;
            // The limits are far below: the balancer refuses it on the way.
            for number in 0..100_000 {
                stream.write_all(format!("X-{number}: endless\r\n").as_bytes())?;
            }
        }
    }
    let mut block = [0; 4_000];
    while stream.read(&mut block)? > 0 {}
    Ok(())
}

fn garbage(stream: &mut TcpStream, random: &mut Rng) -> io::Result<()> {
    for _ in 0..=random.below(200) {
        stream.write_all(&random.next_u64().to_le_bytes())?;
    }
    stream.write_all(b"\r\n\r\n")
}

const ATTACKS: &[&[u8]] = &[
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 38\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a HTTP/1.1\nHost: a\n\nGET /smuggled HTTP/1.1\nHost: a\n\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded: 2\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
];
