//! Datagrams in batches: `recvmmsg` and `sendmmsg`, with the local address of each datagram.
//!
//! A socket on a wildcard address must answer from the address that was asked, or clients drop the answer. The kernel
//! says and takes that address in control messages (IP_PKTINFO in `man 7 ip`, IPV6_PKTINFO in RFC 3542). An IPv6 socket
//! that also takes IPv4 has mapped addresses everywhere; here they are in their IPv4 form.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use libc::{c_int, c_void, cmsghdr, iovec, mmsghdr, msghdr, sockaddr_storage, socklen_t};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use socket2::SockAddr;

/// Room for the datagrams of one call. Pages that no datagram has reached cost no memory.
pub struct Batch {
    bytes: Vec<u8>,
    datagrams: Vec<Received>,
}

#[derive(Clone, Copy, Debug)]
struct Received {
    slot: usize,
    len: usize,
    peer: SocketAddr,
    local: Option<IpAddr>,
}

/// A datagram that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    pub bytes: &'a [u8],
    pub peer: SocketAddr,
    /// The address that it was sent to. `None`: the socket is connected, or the kernel did not say.
    pub local: Option<IpAddr>,
}

/// A datagram to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing<'a> {
    pub bytes: &'a [u8],
    /// `None`: to the peer of a connected socket.
    pub to: Option<SocketAddr>,
    /// The local address to send from. `None`: the kernel chooses.
    pub from: Option<IpAddr>,
}

impl Default for Batch {
    fn default() -> Self {
        Self { bytes: vec![0; BATCH_MAX * SLOT_BYTES], datagrams: Vec::with_capacity(BATCH_MAX) }
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("datagrams", &self.datagrams).finish_non_exhaustive()
    }
}

impl Batch {
    /// The datagrams of the last call, in the order of their arrival.
    pub fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        self.datagrams.iter().map(|received| {
            let start = received.slot * SLOT_BYTES;
            let bytes = &self.bytes[start..start + received.len];
            Datagram { bytes, peer: received.peer, local: received.local }
        })
    }

    /// The sum of the datagrams' bytes.
    pub fn byte_count(&self) -> usize {
        self.datagrams.iter().map(|received| received.len).sum()
    }
}

/// Binds a socket that reports the local address of each datagram. Several sockets of this process may share the address:
/// the kernel hashes the client's address and port to one of them, as long as their number stays the same.
pub(crate) fn bind(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = udp_socket(address)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    if address.is_ipv4() {
        switch_on(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO)?;
    } else {
        // The default depends on the machine.
        sockopt::set_ipv6_v6only(&socket, false)?;
        switch_on(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)?;
    }
    rustix::net::bind(&socket, &address)?;
    Ok(socket)
}

pub(crate) fn connect(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = udp_socket(address)?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket)
}

fn udp_socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(family, SocketType::DGRAM, flags, None)?)
}

fn switch_on(socket: &OwnedFd, level: c_int, option: c_int) -> io::Result<()> {
    let on: c_int = 1;
    // SAFETY: the kernel reads one `int` from the pointer, which points to one.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const on).cast(), len_of::<c_int>())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub(crate) fn receive(fd: BorrowedFd<'_>, batch: &mut Batch) -> io::Result<()> {
    batch.datagrams.clear();
    // SAFETY: all-zero bytes are valid values of these plain C structures.
    let (mut names, mut headers): ([sockaddr_storage; BATCH_MAX], [mmsghdr; BATCH_MAX]) =
        unsafe { (zeroed(), zeroed()) };
    let mut controls = [Control::default(); BATCH_MAX];
    let mut slices = [iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH_MAX];
    for (i, slot) in batch.bytes.chunks_exact_mut(SLOT_BYTES).enumerate() {
        slices[i] = iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
        headers[i].msg_hdr = header(&mut slices[i], Some(&mut names[i]), Some(&mut controls[i]));
    }
    // SAFETY: every header points to a name, a slice and a control buffer of its own, with their true lengths, which all
    // outlive the call.
    let count = call(|| unsafe {
        libc::recvmmsg(fd.as_raw_fd(), headers.as_mut_ptr(), BATCH_COUNT, 0, std::ptr::null_mut())
    })?;
    for (slot, (header, name)) in headers.iter().zip(&names).take(count).enumerate() {
        // A datagram that is longer than any of UDP cannot be passed on whole.
        let is_whole = header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
        let peer = peer_of(name, header.msg_hdr.msg_namelen);
        if let (true, Some(peer)) = (is_whole, peer) {
            let len = (header.msg_len as usize).min(SLOT_BYTES);
            batch.datagrams.push(Received { slot, len, peer, local: local_of(&header.msg_hdr) });
        }
    }
    Ok(())
}

pub(crate) fn send(fd: BorrowedFd<'_>, datagrams: &[Outgoing<'_>]) -> io::Result<usize> {
    let datagrams = &datagrams[..datagrams.len().min(BATCH_MAX)];
    let is_ipv6 = datagrams.iter().any(|out| out.to.is_some()) && is_ipv6(fd)?;
    // SAFETY: all-zero bytes are valid values of this plain C structure.
    let mut headers: [mmsghdr; BATCH_MAX] = unsafe { zeroed() };
    let mut names = [const { None::<SockAddr> }; BATCH_MAX];
    let mut controls = [Control::default(); BATCH_MAX];
    let mut slices = [iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH_MAX];
    for (i, out) in datagrams.iter().enumerate() {
        slices[i] = iovec { iov_base: out.bytes.as_ptr().cast_mut().cast(), iov_len: out.bytes.len() };
        headers[i].msg_hdr = header(&mut slices[i], None, None);
        let Some(to) = out.to else { continue };
        let name = names[i].insert(SockAddr::from(in_family(to, is_ipv6)));
        headers[i].msg_hdr.msg_name = name.as_ptr().cast::<c_void>().cast_mut();
        headers[i].msg_hdr.msg_namelen = name.len();
        if let Some(from) = out.from {
            put_local(&mut headers[i].msg_hdr, &mut controls[i], from, is_ipv6);
        }
    }
    let count = libc::c_uint::try_from(datagrams.len()).unwrap_or(0);
    // SAFETY: the first `count` headers point to names, slices and control buffers with their true lengths, which outlive
    // the call. The kernel only reads them.
    call(|| unsafe { libc::sendmmsg(fd.as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_NOSIGNAL) })
}

fn header(slice: &mut iovec, name: Option<&mut sockaddr_storage>, control: Option<&mut Control>) -> msghdr {
    // SAFETY: all-zero bytes are a valid value of this plain C structure: no name, no slices, no control messages.
    let mut header: msghdr = unsafe { zeroed() };
    header.msg_iov = slice;
    header.msg_iovlen = 1;
    if let Some(name) = name {
        header.msg_name = (&raw mut *name).cast();
        header.msg_namelen = len_of::<sockaddr_storage>();
    }
    if let Some(control) = control {
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = size_of::<Control>() as _;
    }
    header
}

fn peer_of(name: &sockaddr_storage, len: socklen_t) -> Option<SocketAddr> {
    let mut address = socket2::SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_storage` is what the type stands for on Linux; the kernel has written `len` bytes of it.
    let address = unsafe {
        *address.view_as::<sockaddr_storage>() = *name;
        SockAddr::new(address, len.min(len_of::<sockaddr_storage>()))
    };
    let address = address.as_socket()?;
    Some(match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        // With its scope, without which an answer to a link-local address has no interface.
        IpAddr::V6(_) => address,
    })
}

fn local_of(header: &msghdr) -> Option<IpAddr> {
    // SAFETY: the kernel has filled the control buffer and set its length; the macros of `man 3 cmsg` stay inside it. The
    // data of a message need not be aligned.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while !message.is_null() {
            match ((*message).cmsg_level, (*message).cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = libc::CMSG_DATA(message).cast::<libc::in_pktinfo>().read_unaligned();
                    return Some(Ipv4Addr::from_bits(u32::from_be(info.ipi_spec_dst.s_addr)).into());
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info = libc::CMSG_DATA(message).cast::<libc::in6_pktinfo>().read_unaligned();
                    return Some(IpAddr::from(Ipv6Addr::from(info.ipi6_addr.s6_addr)).to_canonical());
                }
                _ => message = libc::CMSG_NXTHDR(header, message),
            }
        }
    }
    None
}

fn put_local(header: &mut msghdr, control: &mut Control, from: IpAddr, is_ipv6: bool) {
    match in_family(SocketAddr::new(from, 0), is_ipv6).ip() {
        IpAddr::V4(from) => {
            let address = libc::in_addr { s_addr: from.to_bits().to_be() };
            let none = libc::in_addr { s_addr: 0 };
            let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: address, ipi_addr: none };
            put(header, control, (libc::IPPROTO_IP, libc::IP_PKTINFO), info);
        }
        IpAddr::V6(from) => {
            let address = libc::in6_addr { s6_addr: from.octets() };
            let info = libc::in6_pktinfo { ipi6_addr: address, ipi6_ifindex: 0 };
            put(header, control, (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO), info);
        }
    }
}

/// Makes `info` the one control message of `header`.
fn put<T>(header: &mut msghdr, control: &mut Control, (level, kind): (c_int, c_int), info: T) {
    const { assert!(size_of::<cmsghdr>() + size_of::<T>() <= size_of::<Control>()) };
    let len = libc::c_uint::try_from(size_of::<T>()).unwrap_or(0);
    header.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: the buffer is zeroed, aligned as a header, and has room for a header and `T`, as the assertion says.
    unsafe {
        header.msg_controllen = libc::CMSG_SPACE(len) as _;
        let message = libc::CMSG_FIRSTHDR(header);
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = libc::CMSG_LEN(len) as _;
        libc::CMSG_DATA(message).cast::<T>().write_unaligned(info);
    }
}

/// An IPv6 socket takes IPv4 addresses only in their mapped form.
fn in_family(address: SocketAddr, is_ipv6: bool) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if is_ipv6 => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into(),
        address => address,
    }
}

fn is_ipv6(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(sockopt::socket_domain(fd)? == AddressFamily::INET6)
}

fn call(mut call: impl FnMut() -> c_int) -> io::Result<usize> {
    loop {
        if let Ok(count) = usize::try_from(call()) {
            return Ok(count);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn len_of<T>() -> socklen_t {
    socklen_t::try_from(size_of::<T>()).unwrap_or(0)
}

/// Room for the control messages of a datagram, aligned as their headers are.
#[derive(Clone, Copy, Default)]
struct Control([u64; 8]);

// limit: datagrams of one call.
pub const BATCH_MAX: usize = 32;
const BATCH_COUNT: libc::c_uint = 32;
// More than a datagram can have: 65 507 bytes over IPv4, 65 527 over IPv6.
const SLOT_BYTES: usize = 64 * 1024;
