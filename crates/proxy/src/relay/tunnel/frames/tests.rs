//! WebSocket frames between a simulated client and a simulated target, and control frames of ours among them.

use std::time::Duration;

use model::Failure;
use net::sim::{Act, Rng, Sim, for_seeds};

use super::*;
use crate::relay::tests::{LATE_MAX, assert_in_time, pieces};
use crate::relay::tunnel::tests::{Ended, Setup, run};

const MASK: [u8; 4] = [0xa, 0xb, 0xc, 0xd];
/// The Close of ours that a client receives.
const CLOSE: &[u8] = &[0x88, 2, 0x03, 0xe9];
/// The Close of ours that a target receives: masked.
const MASKED_CLOSE: &[u8] = &[0x88, 0x82, 0xa, 0xb, 0xc, 0xd, 0x03 ^ 0xa, 0xe9 ^ 0xb];
const CODE: u16 = 1001;

/// One frame of `opcode`, with a payload of `length` bytes.
fn frame(rng: &mut Rng, sender: Sender, opcode: u8, length: usize) -> Vec<u8> {
    let masked = if sender == Sender::Client { 0x80 } else { 0 };
    let mut bytes = vec![0x80 | opcode];
    match length {
        0..126 => bytes.push(masked | length as u8),
        126..65_536 => {
            bytes.push(masked | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(masked | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    if sender == Sender::Client {
        bytes.extend(rng.bytes(4));
    }
    bytes.extend(rng.bytes(length));
    bytes
}

/// Random frames, none of them a Close. Opcodes are those of RFC 6455 §5.2.
fn frames(rng: &mut Rng, sender: Sender) -> Vec<Vec<u8>> {
    (0..rng.size(12))
        .map(|_| match rng.below(4) {
            0 => {
                let (opcode, length) = ([0x9, 0xa][rng.size(2)], rng.size(126));
                frame(rng, sender, opcode, length)
            }
            _ => {
                let (opcode, length) = ([0x0, 0x1, 0x2][rng.size(3)], [0, 5, 200, 1_500][rng.size(4)]);
                frame(rng, sender, opcode, length)
            }
        })
        .collect()
}

/// The position of a frame's kind among the counts.
fn place(frame: &[u8]) -> usize {
    match frame[0] & 0xf {
        opcode @ 0..3 => usize::from(opcode),
        opcode => usize::from(opcode) - 5,
    }
}

fn attended(client: Vec<Act>, target: Vec<Act>, ping_interval: Option<Duration>) -> Setup {
    let attendance = Attendance { ping_interval, close_code: Some(CODE), mask: MASK };
    Setup { attendance: Some(attendance), ..Setup::new(client, target) }
}

/// Takes the frames of ours out of what was received: each is `ours`, between two frames of `sent`. Returns how many there
/// are, or `None` if anything else was received, or one is within a frame.
fn without_ours(received: &[u8], sent: &[Vec<u8>], ours: &[u8]) -> Option<usize> {
    let (mut rest, mut count) = (received, 0);
    for frame in sent {
        while let Some(behind) = rest.strip_prefix(ours).filter(|_| !rest.starts_with(frame)) {
            (rest, count) = (behind, count + 1);
        }
        rest = rest.strip_prefix(&frame[..])?;
    }
    while let Some(behind) = rest.strip_prefix(ours) {
        (rest, count) = (behind, count + 1);
    }
    rest.is_empty().then_some(count)
}

#[test]
fn frames_pass_unchanged_and_are_counted_by_kind() {
    for_seeds(200, |sim| {
        let mut rng = sim.rng();
        let (mut up, mut down) = (frames(&mut rng, Sender::Client), frames(&mut rng, Sender::Server));
        up.push(frame(&mut rng, Sender::Client, 0x8, 2));
        if rng.one_in(30) {
            down.push(frame(&mut rng, Sender::Server, 0x2, 66_000));
        }
        let client = pieces(&mut rng, &up.concat(), Duration::from_millis(5));
        let target = pieces(&mut rng, &down.concat(), Duration::from_millis(5));
        let ended = run(sim, attended(client, target, None));
        assert_eq!(ended.result, Some(Ok(())));
        assert!(ended.target.received == up.concat() && ended.client.received == down.concat());
        for (sent, counted) in
            [(&up, &ended.cells.frames_from_client), (&down, &ended.cells.frames_from_target)]
        {
            let mut expected = [0; TUNNEL_FRAMES.len()];
            sent.iter().for_each(|frame| expected[place(frame)] += 1);
            assert_eq!(counted.each_ref().map(observe::Counter::read), expected);
        }
    });
}

#[test]
fn a_silent_client_is_pinged_only_between_frames() {
    for_seeds(200, |sim| {
        let mut rng = sim.rng();
        let ping = proto::websocket::ControlFrame::ping(None);
        let down = frames(&mut rng, Sender::Server);
        // Pauses come anywhere, mostly within frames.
        let target = pieces(&mut rng, &down.concat(), Duration::from_secs(4));
        let interval = Duration::from_secs(1);
        let ended = run(sim, attended(vec![Act::AwaitEnd], target, Some(interval)));
        assert_eq!(ended.result, Some(Ok(())));
        let pings = without_ours(&ended.client.received, &down, ping.bytes());
        let pings = pings.expect("a Ping is within a frame, or a frame was changed");
        assert_eq!(pings as u64, ended.cells.pings.read());
        assert!(interval * pings as u32 <= ended.lasted, "{pings} Pings in {:?}", ended.lasted);
        assert_eq!(ended.down, down.concat().len() as u64, "Pings of ours are not bytes of the target");
    });
}

#[test]
fn a_client_is_pinged_once_an_interval_and_pings_do_not_keep_the_tunnel_alive() {
    for_seeds(100, |sim| {
        let setup = attended(vec![Act::AwaitEnd], vec![Act::AwaitEnd], Some(Duration::from_secs(1)));
        let ended = run(sim, Setup { idle_timeout: Duration::from_millis(9_500), ..setup });
        assert_eq!(ended.failure(), Some(Failure::TunnelIdle), "{:?}", ended.result);
        assert_in_time(sim, ended.lasted, Duration::from_millis(9_500));
        let pings = ended.cells.pings.read();
        assert!(pings <= 9, "{pings} Pings");
        assert!(pings >= 7 || sim.jumped() > Duration::ZERO, "{pings} Pings");
    });
}

#[test]
fn a_client_that_sends_is_not_pinged() {
    for_seeds(100, |sim| {
        let mut rng = sim.rng();
        let pong = frame(&mut rng, Sender::Client, 0xa, 0);
        let pause = Act::Pause(Duration::from_millis(600));
        let client: Vec<_> = (0..8).flat_map(|_| [Act::Send(pong.clone()), pause.clone()]).collect();
        let ended = run(sim, attended(client, vec![Act::AwaitEnd], Some(Duration::from_secs(2))));
        assert_eq!(ended.result, Some(Ok(())));
        assert!(ended.cells.pings.read() == 0 || sim.jumped() > Duration::ZERO);
        assert_eq!(ended.cells.frames_from_client[5].read(), 8);
    });
}

/// What one side of a drained tunnel may have received: whole frames and our Close, or a prefix of what was sent, and nothing
/// behind a Close.
fn assert_drained(received: &[u8], sent: &[Vec<u8>], close: &[u8]) {
    let whole = sent.concat();
    if whole.starts_with(received) {
        return;
    }
    let before = received.strip_suffix(close).expect("something else than frames and our Close");
    let ends = sent.iter().scan(0, |at, frame| {
        *at += frame.len();
        Some(*at)
    });
    assert!(whole.starts_with(before), "a frame was changed, or follows a Close");
    assert!(before.is_empty() || ends.into_iter().any(|end| end == before.len()), "a Close within a frame");
}

#[test]
fn a_drain_sends_a_close_between_frames_and_nothing_behind_it() {
    for_seeds(300, |sim| {
        let mut rng = sim.rng();
        let (up, down) = (frames(&mut rng, Sender::Client), frames(&mut rng, Sender::Server));
        let client = pieces(&mut rng, &up.concat(), Duration::from_secs(2));
        let target = pieces(&mut rng, &down.concat(), Duration::from_secs(2));
        let drained_after = Duration::from_millis(rng.below(6_000));
        let setup = attended(client, target, Some(Duration::from_secs(600)));
        let ended = run(sim, Setup { drained_after: Some(drained_after), ..setup });
        assert_drained(&ended.client.received, &down, CLOSE);
        assert_drained(&ended.target.received, &up, MASKED_CLOSE);
        match ended.result.unwrap() {
            Ok(()) => assert!(!ended.client.received.ends_with(CLOSE) || down.concat().ends_with(CLOSE)),
            Err(failed) => {
                assert_eq!(failed.failure, Failure::TunnelDrained);
                assert!(ended.lasted >= drained_after);
            }
        }
    });
}

#[test]
fn a_close_goes_behind_the_frame_that_is_on_its_way_although_the_next_has_begun() {
    for_seeds(100, |sim| {
        let mut rng = sim.rng();
        let length = 10 + rng.size(500);
        let sent: Vec<_> = (0..4).map(|_| frame(&mut rng, Sender::Server, 0x2, length)).collect();
        // No piece ends where a frame does.
        let (whole, half) = (sent.concat(), sent[0].len() / 2);
        let mut target = vec![Act::Send(whole[..half].to_vec())];
        for piece in whole[half..].chunks(sent[0].len()) {
            target.extend([Act::Pause(Duration::from_secs(3)), Act::Send(piece.to_vec())]);
        }
        target.push(Act::AwaitEnd);
        let setup = attended(vec![Act::AwaitEnd], target, None);
        let ended = run(sim, Setup { drained_after: Some(Duration::from_secs(1)), ..setup });
        assert_eq!(ended.failure(), Some(Failure::TunnelDrained));
        if sim.jumped().is_zero() {
            assert!(ended.client.received == [&sent[0], CLOSE].concat(), "{:?}", ended.client.received);
        } else {
            assert_drained(&ended.client.received, &sent, CLOSE);
        }
    });
}

#[test]
fn a_drained_tunnel_ends_when_both_sides_have_answered_the_close() {
    for_seeds(100, |sim| {
        let mut rng = sim.rng();
        let answer = frame(&mut rng, Sender::Client, 0x8, 2);
        let client = vec![Act::Await(CLOSE.len()), Act::Send(answer), Act::AwaitEnd];
        let target = vec![Act::Await(MASKED_CLOSE.len()), Act::Send(CLOSE.to_vec()), Act::AwaitEnd];
        let drained_after = Some(Duration::from_secs(1));
        let ended = run(sim, Setup { drained_after, ..attended(client, target, None) });
        assert_eq!(ended.result, Some(Err(Failure::TunnelDrained.into())));
        assert_eq!((&ended.client.received[..], &ended.target.received[..]), (CLOSE, MASKED_CLOSE));
        assert!(ended.lasted < Duration::from_secs(3) + sim.jumped(), "{:?}", ended.lasted);
    });
}

#[test]
fn a_drain_does_not_wait_for_ever_for_an_answer() {
    for_seeds(100, |sim| {
        let setup = attended(vec![Act::AwaitEnd], vec![Act::AwaitEnd], None);
        let ended = run(sim, Setup { drained_after: Some(Duration::from_secs(1)), ..setup });
        let failed = ended.result.unwrap().unwrap_err();
        assert_eq!((failed.failure, failed.detail.is_empty()), (Failure::TunnelDrained, false));
        assert_eq!((&ended.client.received[..], &ended.target.received[..]), (CLOSE, MASKED_CLOSE));
        let waited = ended.lasted - Duration::from_secs(6).min(ended.lasted);
        assert!(ended.lasted >= Duration::from_secs(6), "early: {:?}", ended.lasted);
        assert!(waited <= 2 * LATE_MAX + sim.jumped(), "late: {:?}", ended.lasted);
    });
}

#[test]
fn the_lifetime_ends_with_a_close_and_without_a_code_with_none() {
    for close_code in [Some(CODE), None] {
        for_seeds(50, |sim| {
            let setup = attended(vec![Act::AwaitEnd], vec![Act::AwaitEnd], None);
            let attendance = setup.attendance.map(|attendance| Attendance { close_code, ..attendance });
            let max_lifetime = Some(Duration::from_secs(2));
            let ended = run(sim, Setup { attendance, max_lifetime, ..setup });
            assert_eq!(ended.failure(), Some(Failure::TunnelLifetime));
            let (client, target) =
                if close_code.is_some() { (CLOSE, MASKED_CLOSE) } else { (&[][..], &[][..]) };
            assert_eq!((&ended.client.received[..], &ended.target.received[..]), (client, target));
        });
    }
}

#[test]
fn a_tunnel_without_a_code_has_no_part_in_a_drain() {
    for_seeds(50, |sim| {
        let client = vec![Act::Pause(Duration::from_secs(3)), Act::Send(vec![0x81, 0x80, 1, 2, 3, 4])];
        let setup = attended(client, vec![Act::AwaitEnd], None);
        let attendance = setup.attendance.map(|attendance| Attendance { close_code: None, ..attendance });
        let ended = run(sim, Setup { attendance, drained_after: Some(Duration::from_secs(1)), ..setup });
        assert_eq!(ended.result, Some(Ok(())));
        assert_eq!((ended.target.received.len(), ended.client.received.len()), (6, 0));
    });
}

/// Runs a tunnel in which the target sends `from_target` and is then silent, up to a drain. The client is to be pinged.
fn pinged_and_drained(sim: &Sim, rng: &mut Rng, from_target: &[u8]) -> Ended {
    let mut target = pieces(rng, from_target, Duration::from_millis(5));
    target.push(Act::AwaitEnd);
    let setup = attended(vec![Act::AwaitEnd], target, Some(Duration::from_secs(2)));
    run(sim, Setup { drained_after: Some(Duration::from_secs(7)), ..setup })
}

#[test]
fn nothing_of_ours_follows_a_close_of_the_target() {
    for_seeds(100, |sim| {
        let mut rng = sim.rng();
        let mut down = frames(&mut rng, Sender::Server);
        down.push(frame(&mut rng, Sender::Server, 0x8, 2));
        let ended = pinged_and_drained(sim, &mut rng, &down.concat());
        assert_eq!(ended.failure(), Some(Failure::TunnelDrained));
        if sim.jumped().is_zero() {
            assert!(ended.client.received == down.concat(), "{:?}", ended.client.received);
            assert_eq!(ended.cells.pings.read(), 0);
        }
        assert_eq!(ended.target.received, MASKED_CLOSE);
    });
}

#[test]
fn malformed_frames_pass_unchanged_and_get_no_frame_of_ours() {
    // A reserved opcode, a masked frame of a server, a control frame that is fragmented, one that is too long, a length with
    // its highest bit set.
    for malformed in
        [&[0x83, 0][..], &[0x81, 0x80], &[0x09, 0], &[0x89, 126], &[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]]
    {
        for_seeds(40, |sim| {
            let mut rng = sim.rng();
            let length = rng.size(300);
            let bytes = [&frames(&mut rng, Sender::Server).concat(), malformed, &rng.bytes(length)].concat();
            let ended = pinged_and_drained(sim, &mut rng, &bytes);
            assert_eq!(ended.failure(), Some(Failure::TunnelDrained));
            if sim.jumped().is_zero() {
                assert!(ended.client.received == bytes, "{malformed:?}");
                assert_eq!(ended.cells.pings.read(), 0);
            }
            assert_eq!(ended.target.received, MASKED_CLOSE, "the other direction is well-formed");
            assert_eq!(ended.cells.frames_from_target[MALFORMED].read(), 1);
            assert_eq!(ended.down, bytes.len() as u64);
        });
    }
}

#[test]
fn the_end_of_the_tunnel_is_the_reason_even_if_a_side_resets_at_the_close() {
    for_seeds(100, |sim| {
        let mut rng = sim.rng();
        let resets = vec![Act::Await(CLOSE.len()), Act::Reset];
        let silent = vec![Act::AwaitEnd];
        let (client, target) = if rng.one_in(2) { (resets, silent) } else { (silent, resets) };
        let ended =
            run(sim, Setup { drained_after: Some(Duration::from_secs(1)), ..attended(client, target, None) });
        assert_eq!(ended.failure(), Some(Failure::TunnelDrained), "{:?}", ended.result);
    });
}
