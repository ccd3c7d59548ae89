//! What an open connection costs.

use net::Linux;

use crate::connection::Client;

fn size_of_future<A, B, F>(_: impl FnOnce(A, B) -> F) -> usize {
    size_of::<F>()
}

/// Beside the socket's buffers in the kernel and two sources of the reactor, and the box of the target's `LocalTarget`,
/// which all connections share.
#[test]
fn what_a_connection_holds_is_small() {
    let bytes = size_of_future(super::serve::<Linux>) + size_of::<Client<Linux>>();
    assert!(bytes <= 3_072, "{bytes}");
}
