//! Which server of a group has a key: consistent hashing as libmemcached does it with `MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED`,
//! so that other clients of the same group find what we have written.

use md5::{Digest, Md5};
use model::{MemcachedAddress, MemcachedServer};

/// Points on a circle of 2³² places, sorted. A key belongs to the server of the next point.
#[derive(Debug)]
pub(super) struct Ring {
    points: Vec<(u32, usize)>,
    servers: usize,
}

impl Ring {
    pub(super) fn new(servers: &[MemcachedServer]) -> Self {
        let total: f32 = servers.iter().map(|server| server.weight as f32).sum();
        let mut points = Vec::new();
        for (at, server) in servers.iter().enumerate() {
            let share = server.weight as f32 / total;
            // In single precision and in this order, as libmemcached computes it.
            let hashes = (share * (POINTS_PER_SERVER / POINTS_PER_HASH) as f32 * servers.len() as f32
                + 0.000_000_000_1)
                .floor() as u32;
            let name = name(&server.address);
            for number in 0..hashes {
                let digest: [u8; 16] = Md5::digest(format!("{name}-{number}")).into();
                let numbers = digest.as_chunks::<4>().0.iter();
                points.extend(numbers.map(|&bytes| (u32::from_le_bytes(bytes), at)));
            }
        }
        points.sort_unstable();
        Self { points, servers: servers.len() }
    }

    /// The servers of a key, the first choice first, each once.
    pub(super) fn servers(&self, key: &[u8]) -> impl Iterator<Item = usize> + '_ {
        let digest: [u8; 16] = Md5::digest(key).into();
        let [a, b, c, d, ..] = digest;
        let hash = u32::from_le_bytes([a, b, c, d]);
        let from = self.points.partition_point(|&(point, _)| point < hash);
        let (before, after) = self.points.split_at(from);
        let mut seen = vec![false; self.servers];
        let walk = after.iter().chain(before).map(|&(_, server)| server);
        walk.filter(move |&server| !std::mem::replace(&mut seen[server], true))
    }
}

/// libmemcached leaves the protocol's usual port out.
fn name(address: &MemcachedAddress) -> String {
    match address {
        MemcachedAddress::Tcp { host, port: USUAL_PORT } => host.clone(),
        MemcachedAddress::Tcp { host, port } => format!("{host}:{port}"),
        MemcachedAddress::Unix(path) => format!("{}:0", path.display()),
    }
}

const POINTS_PER_SERVER: u32 = 160;
/// An MD5 gives four.
const POINTS_PER_HASH: u32 = 4;
const USUAL_PORT: u16 = 11_211;

#[cfg(test)]
mod tests {
    use super::*;

    /// Where libmemcached 1.0.16 (`pylibmc` 1.6.3 with `ketama_weighted` and MD5) stored 60 keys.
    #[test]
    fn keys_are_where_libmemcached_has_them() {
        let table: [(&[(u16, u32)], &str); 3] = [
            (
                &[(22122, 1), (22123, 1), (22124, 1)],
                "001120101002222201100121210121001202220112012200202110120202",
            ),
            (
                &[(22122, 1), (22123, 2), (22124, 5)],
                "201222121222222221222121220221021222222112222222222112222202",
            ),
            (&[(11211, 1), (22123, 1)], "001100101010000011101110010101001000011110110001101111101011"),
        ];
        for (servers, places) in table {
            let ring =
                Ring::new(&servers.iter().map(|&(port, weight)| server(port, weight)).collect::<Vec<_>>());
            let found: String = (0..60)
                .map(|number| format!("evk:s:{}", number * 7919))
                .map(|key| ring.servers(key.as_bytes()).next().unwrap().to_string())
                .collect();
            assert_eq!(found, places, "{servers:?}");
        }
    }

    #[test]
    fn every_server_has_its_turn_once() {
        let ring = Ring::new(&[server(1, 1), server(2, 9), server(3, 3), server(11211, 1)]);
        for key in 0..100_u32 {
            let mut order: Vec<_> = ring.servers(&key.to_be_bytes()).collect();
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2, 3]);
        }
    }

    /// The keys of a lost server are spread over the others; all other keys stay.
    #[test]
    fn a_lost_server_moves_only_its_keys() {
        let all = Ring::new(&[server(1, 1), server(2, 1), server(3, 1)]);
        let left = Ring::new(&[server(1, 1), server(3, 1)]);
        let mut moved_to = [0, 0];
        for key in 0..3_000_u32 {
            let key = key.to_be_bytes();
            let now = all.servers(&key).find(|&server| server != 1).unwrap();
            assert_eq!(left.servers(&key).next().unwrap(), now / 2);
            moved_to[now / 2] += i32::from(all.servers(&key).next() == Some(1));
        }
        assert!(moved_to.iter().all(|&count| (250..750).contains(&count)), "{moved_to:?}");
    }

    fn server(port: u16, weight: u32) -> MemcachedServer {
        MemcachedServer { address: MemcachedAddress::Tcp { host: "127.0.0.1".to_owned(), port }, weight }
    }
}
