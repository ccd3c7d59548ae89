//! The scripts, each of which the server runs alone.

use ::redis::{FromRedisValue, RedisError, Script, ScriptInvocation};
use std::sync::LazyLock;

use super::link::Connection;
use super::record::{self, Record};
use crate::{SMALL_VALUE_BYTES_MAX, When};

/// A script with its keys and arguments.
pub(super) struct Call {
    invocation: ScriptInvocation<'static>,
}

impl Call {
    pub(super) async fn query_async<T: FromRedisValue>(
        &self,
        connection: &mut Connection,
    ) -> Result<T, RedisError> {
        self.invocation.invoke_async(connection).await
    }
}

pub(super) fn put(key: &[u8], record: &Record, when: When, now: u64, time_to_live: u64) -> Call {
    let mut invocation = PUT.prepare_invoke();
    let (condition, version) = match when {
        When::Always => ("always", 0),
        When::Absent => ("absent", 0),
        When::Present => ("present", 0),
        When::Unchanged(version) => ("unchanged", version.0),
    };
    invocation.key(key).arg(now).arg(condition).arg(&version.to_be_bytes()[..]);
    invocation.arg(&record.0[..]).arg(time_to_live);
    // The last byte that is answered, one more than an item has.
    invocation.arg(record::HEADER_BYTES + SMALL_VALUE_BYTES_MAX);
    Call { invocation }
}

pub(super) fn touch(ends: &[(Vec<u8>, Option<u64>)], now: u64) -> Call {
    let mut invocation = TOUCH.prepare_invoke();
    invocation.arg(now);
    for (key, expires) in ends {
        invocation.key(key);
        invocation.arg(&record::end(*expires)[..]).arg(record::time_to_live(*expires, now));
    }
    Call { invocation }
}

pub(super) fn delete(key: &[u8], now: u64) -> Call {
    let mut invocation = DELETE.prepare_invoke();
    invocation.key(key).arg(now);
    Call { invocation }
}

/// Defines `header`, which is false if there is no item or it has expired. What others have written counts as none, of
/// whatever type it is.
macro_rules! with_header {
    ($script:literal) => {
        concat!(
            "local function header(key, now) \
             local head = redis.pcall('GETRANGE', key, 0, 20) \
             if type(head) == 'table' then \
             if string.find(head.err, 'WRONGTYPE', 1, true) then return false end \
             head = redis.call('GETRANGE', key, 0, 20) end \
             if #head < 21 or string.byte(head, 1) ~= 1 then return false end \
             local ends = 0 \
             for place = 14, 21 do ends = ends * 256 + string.byte(head, place) end \
             if ends <= tonumber(now) then return false end \
             return head end ",
            $script
        )
    };
}

/// 1: written. Otherwise, the string that is there, or nothing.
static PUT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(with_header!(
        "local key, when = KEYS[1], ARGV[2] \
         if when ~= 'always' then \
         local head = header(key, ARGV[1]) \
         if when == 'absent' and head then \
         local there = redis.call('GETRANGE', key, 0, ARGV[6]) \
         if #there <= tonumber(ARGV[6]) then return there end end \
         if when ~= 'absent' and not head then return false end \
         if when == 'unchanged' and string.sub(head, 2, 9) ~= ARGV[3] then \
         return redis.call('GETRANGE', key, 0, ARGV[6]) end \
         end \
         if ARGV[5] == '0' then redis.call('SET', key, ARGV[4]) \
         else redis.call('SET', key, ARGV[4], 'PX', ARGV[5]) end \
         return 1"
    ))
});

/// How many items there were.
static TOUCH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(with_header!(
        "local touched = 0 \
         for number, key in ipairs(KEYS) do \
         local head = header(key, ARGV[1]) \
         if head then \
         redis.call('SETRANGE', key, 13, ARGV[2 * number]) \
         local life = ARGV[2 * number + 1] \
         if life == '0' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, life) end \
         touched = touched + 1 end end \
         return touched"
    ))
});

/// 1: there was an item.
static DELETE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(with_header!(
        "local head = header(KEYS[1], ARGV[1]) \
         redis.call('DEL', KEYS[1]) \
         if head then return 1 else return 0 end"
    ))
});
